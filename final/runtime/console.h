/* console.h - a terminal of the container's own: pty(7) from its own devpts. */
#pragma once

#include "base/err.h"

/* Opens a pair from /dev/pts/ptmx beneath `root` and sets the size (0: leave it). */
int console_open(int root, unsigned short rows, unsigned short columns, int *ret_master,
                 int *ret_slave, struct err *err);
/* Binds the slave on /dev/console. */
int console_bind(int root, int slave, struct err *err);
/* Makes it the controlling terminal and fd 0-2 of the calling process, a session leader from now
 * on. */
int console_take(int slave, struct err *err);
