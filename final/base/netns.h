/* netns.h - a network namespace is visited, not moved to: the caller's thread enters, opens
 * sockets, which stay in the namespace they were opened in, and goes back. setns(2),
 * network_namespaces(7). */
#pragma once

#include <sys/types.h>

#include "base/err.h"

/* That of a process, opened, or a negative error: -ESRCH when it has ended or is about to, for it
 * leaves its namespaces a moment before it is seen to be dead. */
int netns_of(pid_t pid);

/* *ret_own leads back; the caller closes it. */
int netns_enter(int netns, int *ret_own, struct err *err);
int netns_leave(int own, struct err *err);
