/* fd_socket.h - handing a descriptor to a supervisor: a stream socket it listens on, one message
 * with the descriptor (SCM_RIGHTS). runc's protocol for --console-socket (docs/terminals.md there),
 * which conmon and containerd's shim speak, and for --pidfd-socket. */
#pragma once

#include "base/err.h"

/* `what` names it in errors: "console". */
int fd_socket_connect(const char *what, const char *path, struct err *err);
/* With the name the receiver shall know it by. */
int fd_socket_send(int socket, int fd, const char *name, struct err *err);
