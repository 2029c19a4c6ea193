/* spawn.h - clone3(2) as create and exec use it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* A child with a copy of this process, in the new namespaces `flags` and, unless -1, in the v2
 * control group. Returns 0 in the child, its pid in the parent. The caller has one thread: the copy
 * of a mutex that another thread held would stay locked for ever. */
pid_t spawn_process(uint64_t flags, int cgroup_dir, int *ret_pidfd, struct err *err);
/* The same, but the child is our parent's, not ours: a brother. */
pid_t spawn_brother(uint64_t flags, int cgroup_dir, int *ret_pidfd, struct err *err);
/* Whether spawn_inside() could come back: not for the root of a user namespace that our own PID
 * namespace does not belong to (rootless Podman runs us as one). */
bool spawn_may_return(void);
/* As spawn_process(), without new namespaces, but the child is in the PID namespace of the process
 * that `member` is a pidfd of. */
pid_t spawn_inside(int member, int cgroup_dir, int *ret_pidfd, struct err *err);
/* The synchronisation socket has ended: because execve(2) closed it, or because the process, a child,
 * was killed before? -EPIPE then. */
int spawn_check_executed(pid_t pid, int pidfd, struct err *err);
/* Kills and reaps a child; a child that somebody else reaped already is fine. */
void spawn_kill(int pidfd);
/* Reaps a child that has ended or is about to. */
void spawn_reap(int pidfd);
