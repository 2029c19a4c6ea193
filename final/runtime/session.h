/* session.h - a session (setsid(2)) and a session keyring (keyrings(7)) of the container's own: no
 * terminal and no keys of the caller's. */
#pragma once

#include "runtime/spec.h"

/* `id` names the keyring, so that exec joins the container's: NULL: one that nobody else can join.
 * With `no_keyring` the caller's stays (runc's --no-new-keyring). The keyring gets the container's
 * SELinux label. */
int session_begin(const struct spec_process *process, const char *id, bool no_keyring,
                  struct err *err);
