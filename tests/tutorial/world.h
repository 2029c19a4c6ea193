/* world.h - where a chapter's commands run: a machine of their own as far as the kernel can give
 * one.
 *
 * Theory of operation. The world is two processes.
 *
 *     outside   a network namespace with 203.0.113.1/24 and a web server: the rest of the internet
 *     inside    mount, PID, network, UTS and IPC namespaces, joined to the outside by a veth pair
 *               (203.0.113.2, default route). It is PID 1 there: when it dies, everything dies that
 * a chapter has left running, and mounts and interfaces go with it.
 *
 * Inside, /tmp, /run, /root, /home and what is written to /var/lib are memory; /tmp/cooper is a
 * working copy of the sources with `make rootfs` done, owned by the ordinary user. Two shells wait
 * there for commands, one of root, one of that user. They are told what to do through a pipe of
 * their own and answer with the exit status on another one, so a command's output is all that comes
 * out of the third. */
#pragma once

#include <sys/types.h>

#include "base/str.h"

enum { WORLD_USER = 65534 };

struct shell {
    int commands, status, output; /* our ends */
};

struct world {
    pid_t outside;
    struct shell root, user;
    struct strv cgroups; /* those named keg-* that were there before */
};

/* False, with the reason in `ret_why`, when it cannot be made. */
bool world_open(struct world *w, const char *sources, struct buf *ret_why);
void world_close(struct world *w);

/* Runs a command in the shell of its prompt. Returns the exit status, -1 when the time (60 s times
 * CK_TIMEOUT_MULTIPLIER) was over or the shell is gone: then the world is of no more use. */
int world_run(struct world *w, char prompt, const char *command, struct buf *ret_output);

/* "v2" where /sys/fs/cgroup is cgroup2, else "v1". */
const char *world_cgroup(void);
