/* Own names for things: mounts, processes, the host name, System V IPC and, without root, users. */
#pragma once

#include <sys/types.h>

/* Without root: moves this process into a new user namespace, in which the caller is root;
 * user_namespaces(7). */
void namespaces_become_root(void);

/* Splits this process in two like fork(2): returns 0 in a child that is PID 1 of new namespaces,
 * and the child's pid in the parent. `more` adds CLONE_NEW* flags of clone(2). The child is killed
 * when the parent dies. */
pid_t namespaces_clone(unsigned long more);

/* In the child: what hostname(1) says; uts_namespaces(7). */
void namespaces_set_hostname(const char *name);
