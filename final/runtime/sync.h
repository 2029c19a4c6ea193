/* sync.h - how init and its parent talk while a container is made.
 *
 * One SOCK_SEQPACKET pair, one struct a message. Each side waits in recvmsg(2); when the other side
 * dies the socket ends and recvmsg(2) returns 0: nobody hangs, and init never outlives a dead
 * parent.
 *
 *     parent                                  init
 *       | clone3                                | mounts, what needs no cgroup
 *       | makes the cgroup, sets its limits     |
 *       | SYNC_CGROUP ------------------------> | joins it (v1), new cgroup namespace, the rest
 *       | <----------------- SYNC_SOURCE number | wants a mount's source that only we can open
 *       | SYNC_SOURCE + its descriptor -------> | (any number of times; mount_source.h)
 *       | <------------------------ SYNC_HOOKS  | only if there are hooks for the parent to run
 *       | runs them                             |
 *       | SYNC_HOOKS -------------------------> | the container's own hooks, pivot, user
 *       | <-------- SYNC_LISTENER + descriptor  | only if the syscall filter notifies somebody
 *       | <------------ SYNC_READY [+ console]  |
 *       |                                       | waits
 *       | SYNC_START -------------------------> | filter, last capabilities, execve
 *       | <--------- SYNC_ERROR or end of file  | (the descriptor is O_CLOEXEC: execve closes it)
 *
 * or SYNC_DETACH instead of SYNC_START: the parent goes, init stays, and SYNC_START comes through
 * another socket (start.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum sync_kind {
    SYNC_CGROUP = 1,
    SYNC_HOOKS,
    SYNC_READY,
    SYNC_START,
    SYNC_DETACH,
    SYNC_ERROR,
    SYNC_SOURCE,
    SYNC_LISTENER,
    SYNC_EXEC, /* only where SYNC_START came through the other socket (start.h) */
    /* Before that, with an usher (usher.h): */
    SYNC_NEW_USER,
    SYNC_MAPPED,
    SYNC_SPAWNED,
};

/* A pair of O_CLOEXEC sockets: [0] for the parent, [1] for init. */
int sync_pair(int ret[2], struct err *err);
/* Sends a message, `fd` with it unless it is -1. */
int sync_send(int socket, enum sync_kind kind, int fd, struct err *err);
/* Tells of a process that was made: its pid, and its pidfd with it. */
int sync_send_spawned(int socket, pid_t pid, int pidfd, struct err *err);
int sync_wait_spawned(int socket, pid_t *ret_pid, int *ret_pidfd, struct err *err);
/* Hands over the descriptor of a filter that this process is under by now. The filter may notify of
 * sendmsg(2), and nobody is there yet to answer: then it is sendmmsg(2) that is called. */
int sync_send_listener(int socket, int fd, bool not_by_sendmsg, struct err *err);
/* init: asks for the source of a mount. Only after SYNC_CGROUP has come. */
int sync_ask_source(int socket, size_t number, int *ret_fd, struct err *err);
/* The parent: as sync_wait_either(), but first answers every SYNC_SOURCE with the descriptor that
 * `open_source` returns, which is closed then, or with its error. */
typedef int sync_source(void *context, size_t number, struct err *err);
int sync_serve(int socket, enum sync_kind one, enum sync_kind other, sync_source *open_source,
               void *context, int *ret_fd, struct err *err);
/* Reports a failure: errno, exit status and text. Nothing can be done if this fails. */
void sync_send_error(int socket, const struct err *failure);
/* Waits for a message of this kind; `ret_fd` (may be NULL) gets a descriptor that came with it, or
 * -1. A SYNC_ERROR instead becomes *err; end of file is -EPIPE. */
int sync_wait(int socket, enum sync_kind kind, int *ret_fd, struct err *err);
/* Waits for one of two kinds; returns the one that came. */
int sync_wait_either(int socket, enum sync_kind one, enum sync_kind other, int *ret_fd,
                     struct err *err);
/* Waits for the end of the stream: 0, or the error that came instead. */
int sync_wait_end(int socket, struct err *err);
