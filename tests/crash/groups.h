/* groups.h - control groups of a sweep's own.
 *
 * There is no namespace that would hide the machine's groups from the files in /sys/fs/cgroup. But
 * a directory of each hierarchy can be mounted over the hierarchy itself: what the programs under
 * test take for the root is then a group of ours, in which there is nobody else. Version 1, version
 * 2 and both at once alike.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* In a mount namespace of our own: makes a group named after this process in every hierarchy, and
 * mounts it over the root. */
int groups_enter(struct err *err);
/* "cgroup PATH" for every group below the roots of groups_enter(). */
void groups_list(struct strv *ret);
/* Lets go whoever is frozen in them: not even SIGKILL ends a process that stands still. */
void groups_thaw(void);
/* Removes them; those that somebody is in stay. */
void groups_clear(void);
/* Outside of it, when process `pid` has ended: removes what groups_enter() made for it, and what
 * processes that were killed before they could be asked have left. */
void groups_release(pid_t pid);
