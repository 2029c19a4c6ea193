/* seccomp_notify.h - the descriptor of a filter with SCMP_ACT_NOTIFY goes to the seccomp agent that
 * listens at linux.seccomp.listenerPath. OCI config-linux.md, "The Container Process State". */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "runtime/seccomp.h"

/* Connects, sends `fd` with the container process state of `pid`, closes. `state` is the
 * container's, as `state` prints it; its reference is taken. One connection, one state, as the
 * specification demands. */
int seccomp_notify_send(const struct syscall_filter *filter, int fd, pid_t pid, json_t *state,
                        struct err *err);
