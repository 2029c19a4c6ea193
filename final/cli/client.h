/* client.h - the terminal's side of an attached container: everything between the shim's socket and
 * our stdin, stdout, stderr, terminal and signals. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "engine/engine.h"

#define CLIENT_KEYS_MAX 16

struct client_options {
    bool tty;       /* the container has a terminal: ours becomes transparent for it */
    bool stdin_too; /* pass our stdin on */
    bool proxy_signals;
    bool no_stdout, no_stderr; /* of the container, to us; without both, our part is done when
                                  stdin ends */
    bool leave_at_exit; /* end at the exit status, and leave the socket open: the caller waits for
                           its end */
    const char *detach_keys; /* "ctrl-p,ctrl-q"; NULL: that */
    struct engine *engine;   /* for engine_kill, when signals are passed on */
    const char *container;   /* its id; NULL: an exec, which signals cannot reach */
};

enum client_end { CLIENT_EXITED, CLIENT_DETACHED, CLIENT_FED };

/* Checks what can be checked before anything is started: the detach keys. */
int client_check(const struct client_options *options, struct err *err);

/* Runs until the process ends (its code in *ret_code), the user detaches, all of stdin is given to
 * one whose output nobody wants, or the connection breaks, which is an error. The terminal is as it
 * was before, whatever happens. Takes the socket. */
int client_run(int socket, const struct client_options *options, enum client_end *ret_end,
               int *ret_code, struct err *err);

/* What is to be said after CLIENT_DETACHED; the exit code. */
int client_detached(const struct client_options *options);

/* Size of our terminal, 0 x 0 without one. */
void client_terminal_size(unsigned short *ret_rows, unsigned short *ret_columns);
