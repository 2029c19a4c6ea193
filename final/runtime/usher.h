/* usher.h - a short-lived process that goes into namespaces first and starts the container's
 * process there.
 *
 * Three things must be done before a process is made, by somebody who is not its parent: to be in
 * a user namespace and nowhere else yet, so that all other namespaces are made by its root and
 * belong to it; to enter a PID namespace, which takes in only children; and to set the clocks of a
 * time namespace, which is possible until somebody is in it. The parent cannot do them, because
 * there is no way back out of a user namespace. So it forks an usher:
 *
 *     parent                          usher                           the container's process
 *       | fork ----------------------> | raises limits, oom score
 *       |                              | joins what is the host's to join
 *       | <------------- SYNC_NEW_USER | new user namespace
 *       | writes its mappings          |
 *       | SYNC_MAPPED ---------------> | joins what needed that; clocks
 *       |                              | clone3(CLONE_PARENT) ------------> |
 *       | <--- SYNC_SPAWNED + its pidfd| ends                              | waits in
 *       | what only we may do to it                                        | sync_wait()
 *       | SYNC_CGROUP ---------------------------------------------------> | goes on
 *
 * CLONE_PARENT makes the new process our child, not the usher's. A user namespace always comes this
 * way, so there is one order of things for it, new or joined, in create and in exec. Containers
 * without one do not pay for it.
 */
#pragma once

#include "runtime/spec.h"

struct usher {
    const struct spec *spec; /* its namespaces: those to make and those to join */
    const struct spec_process *process;
    int container;  /* exec: pidfd of a process whose namespaces are entered instead; else -1 */
    int cgroup_dir; /* the group it is born into (version 2), or -1 */
    int *sockets;   /* sync_pair(); the new process goes on with [1], which closes in ours */
};

/* Does this container's process need one? */
bool usher_needed(const struct spec *spec);
/* The kinds of namespace (CLONE_NEW*) a process is in when it is born: in create, 0 without an
 * usher; in exec through an usher. */
uint64_t usher_entered(const struct spec *spec);
uint64_t usher_entered_container(const struct spec *spec);
/* As spawn_process(): 0 in the new process, its pid in the parent. */
pid_t usher_spawn(const struct usher *usher, int *ret_pidfd, struct err *err);
