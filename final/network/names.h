/* names.h - private to network/: what the DNS asks of the names. */
#pragma once

#include "network/network.h"

/* Calls `visit` with the target of each living holder of the name; the number of them. */
typedef void names_visit(void *context, const char *target);
int names_look_up(int dir, int runs, const char *network, const char *name, names_visit *visit,
                  void *context);
