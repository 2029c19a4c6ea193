/* Limits on memory, CPU time and the number of processes; cgroups(7). */
#pragma once

#include "args.h"

extern const struct option_row cgroup_options[]; /* --memory --cpus --pids */

/* In the parent, before clone(2): reads the limits and dies if one makes no sense. Nothing is made
 * yet. */
void cgroup_plan(void);

/* In the child, while it still sees the host's /sys: makes the control group "keg-PID", moves this
 * process into it and hides its place. Does nothing without limits. It is made below /sys/fs/cgroup
 * or below the directory that KEG_CGROUP names, with version 2 or, where the controllers are
 * mounted one by one, version 1. */
void cgroup_enter(void);

/* In the parent, when the child has ended: removes the group. */
void cgroup_remove(void);
