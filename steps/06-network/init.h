/* PID 1, and the process outside that waits for it. */
#pragma once

#include <sys/types.h>

/* Collects signals from now on instead of dying of them; children inherit that until their command
 * starts. Before clone(2), so that a signal which comes early is not lost. */
void init_block_signals(void);

/* Passes signals on to `child` and reaps whatever has ended, until `child` has: returns its exit
 * code, 128 + n when signal n killed it. */
int init_supervise(pid_t child);

/* As PID 1: starts the command as a child and supervises it. Returns its exit code. */
int init_run(char **command, char **environment);
