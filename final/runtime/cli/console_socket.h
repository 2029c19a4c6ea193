/* console_socket.h - handing a terminal's master to a supervisor: a stream socket it listens on,
 * one message with the descriptor (SCM_RIGHTS). runc's protocol (docs/terminals.md there), which
 * conmon and containerd's shim speak. */
#pragma once

#include "base/err.h"

int console_socket_connect(const char *path, struct err *err);
int console_socket_send(int socket, int master, struct err *err);
