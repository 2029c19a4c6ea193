/* start.h - how `start` reaches an init that `create` left waiting.
 *
 * Their socket pair (sync.h) ends with `create`. Before that init inherits a listening socket,
 * which `create` binds to ROOT/ID/start.sock when everything is ready:
 *
 *     create                       init                                 start
 *       | binds start.sock           |                                    |
 *       | SYNC_DETACH -------------> | accept(2)                          |
 *       | ends                       | <-- connect, SYNC_START ---------- |
 *                                    | hooks                              |
 *                                    | SYNC_EXEC -----------------------> |
 *                                    | filter, execve                     |
 *                                    | SYNC_ERROR or end of file -------> |
 *
 * An end without SYNC_EXEC means that init was killed: it is not `start`'s child, so the end says
 * nothing by itself. (The parent of a child can look: spawn_check_executed.)
 * If init dies, connecting is refused or the connection ends; if `start` dies before it has said
 * SYNC_START, init accepts the next one. So nobody waits for the dead, and whether a container
 * waits to be started can be asked of the kernel: somebody listens or nobody does. (runc uses a
 * FIFO, whose opening blocks until the other side comes; it cannot carry an error back.) */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* A socket for init to inherit, not yet bound. */
int start_socket(struct err *err);
/* Gives it its name in the state directory: from now on `start` finds it. */
int start_publish(int socket, int dir, struct err *err);
/* init, before anybody knows that it waits: the first process of a PID namespace is not sent what
 * it has no handler for, but a container that waits can be killed like any other. execve(2) ends
 * this. */
void start_be_mortal(void);
/* init: waits for SYNC_START; returns the connection to report on. */
int start_accept(int socket, struct err *err);
/* `start`: 0 when the program runs, else init's error with its exit status. */
int start_call(int dir, struct err *err);
/* Does an init listen there? */
bool start_is_waiting(int dir);
void start_unpublish(int dir);
