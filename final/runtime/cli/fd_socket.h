/* fd_socket.h - handing a descriptor to a supervisor: a stream socket it listens on, one message
 * with the descriptor (SCM_RIGHTS). runc's protocol for --console-socket (docs/terminals.md there),
 * which conmon and containerd's shim speak, and for --pidfd-socket. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "runtime/cli/args.h"

/* `what` names it in errors: "console". */
int fd_socket_connect(const char *what, const char *path, struct err *err);
/* With the name the receiver shall know it by. */
int fd_socket_send(int socket, int fd, const char *name, struct err *err);

/* The flags --console-socket and --pidfd-socket. A terminal that nobody here will look after needs
 * a console socket, and only that does. */
int fd_sockets_check(const struct args *args, bool terminal, bool detach, struct err *err);
/* Connects those that were given (-1: was not), before anything is made: a supervisor that is not
 * there is the cheapest failure. The caller closes them. */
int fd_sockets_connect(const struct args *args, int *ret_console, int *ret_pidfd, struct err *err);
