/* netns.h - a network namespace is visited, not moved to: the caller's thread enters, opens
 * sockets, which stay in the namespace they were opened in, and goes back. setns(2),
 * network_namespaces(7). */
#pragma once

#include "base/err.h"

/* *ret_own leads back; the caller closes it. */
int netns_enter(int netns, int *ret_own, struct err *err);
int netns_leave(int own, struct err *err);
