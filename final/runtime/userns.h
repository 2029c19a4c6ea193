/* userns.h - user_namespaces(7): whose ids the container's ids are outside.
 *
 * A process in a new user namespace has every capability there and is nobody until somebody outside
 * has written its mappings. The kernel takes them from a process that has CAP_SETUID and CAP_SETGID
 * outside, or, for an ordinary user, if they map nothing but this user's own ids; more than that
 * goes through newuidmap(1) and newgidmap(1), which know the ranges that subuid(5) grants.
 */
#pragma once

#include "runtime/spec.h"

/* Writes linux.uidMappings and linux.gidMappings for a process that has just made a user namespace
 * and does nothing until this returns. An ordinary user who maps only himself gives up setgroups(2)
 * in it for good: the kernel demands it, because leaving a group can open what the group is denied.
 */
int userns_map(const struct spec *spec, pid_t pid, struct err *err);
/* In a namespace that was joined: if config.json has mappings, too, they must be the same. */
int userns_check_maps(const struct spec *spec, struct err *err);
/* Becomes root of the user namespace we are in, or, where 0 is not mapped, the first who is. */
int userns_become_root(struct err *err);
