/* foreground.h - waiting for a process in a container: its signals, its terminal, its end. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* Before the process is made, so that no signal is lost: from now on they wait to be forwarded.
 * Returns a descriptor for foreground_wait(). `subreaper`: orphans of the container become our
 * children (PR_SET_CHILD_SUBREAPER). */
int foreground_begin(bool subreaper, struct err *err);
/* The size of the terminal we are at, 0x0 if we are at none: what the process's shall have from the
 * beginning. */
void foreground_size(unsigned short *ret_rows, unsigned short *ret_columns);
/* Forwards signals to the child until it ends, and with a terminal (its master, or -1) what is
 * typed and said. *ret_code: 0-255 as a shell would say it. */
int foreground_wait(int signals, pid_t pid, int master, int *ret_code, struct err *err);
