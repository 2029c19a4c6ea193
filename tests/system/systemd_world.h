/* systemd_world.h - a service manager for tests: systemd as PID 1 of namespaces of its own (PID,
 * mounts, control groups, host name, IPC, network), with nothing to do. It sees a tree of version 2
 * whose root is a group made for it, and cannot change the host: its /dev and /run are fresh,
 * /proc/sys and /sys are read-only. */
#pragma once

#include <stdbool.h>

/* NULL if it can be had here; else why not. For a TAG(). */
const char *systemd_world_missing(void);
/* Unchecked fixtures: from begin to end this process and those it makes are in the manager's
 * namespaces (of PID: only those it makes). container_setup() is included. */
void systemd_world_begin(void);
void systemd_world_end(void);
