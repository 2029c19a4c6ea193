/* runtime_cgroup.h - the part of runtime.h that is about control groups: stop, count, limit,
 * measure and end a container by the place of its group.
 *
 * A container's group is known by who manages it and where it is; both are written into the
 * container's record before the group is made. From them everything below works, whether or not the
 * process that made the group still lives. Version 1, 2 and both at once are alike here. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/stats.h"

/* Who makes and removes the group.
 *   cgroupfs   we do, by mkdir(2)
 *   systemd    systemd does, as a transient scope unit (org.freedesktop.systemd1(5)): the group is
 *              the unit's, its limits are the unit's properties, and systemctl(1) shows both
 *   disabled   nobody: the container stays in its caller's group; limits are refused, and rules
 *              about devices, which every configuration has, are not applied
 */
enum runtime_cgroup_manager {
    RUNTIME_CGROUPFS,
    RUNTIME_CGROUP_SYSTEMD,
    RUNTIME_CGROUP_DISABLED,
};
/* "cgroupfs", "systemd", "disabled" -> the manager; -EINVAL. */
int runtime_cgroup_manager_of(const char *name, enum runtime_cgroup_manager *ret);
const char *runtime_cgroup_manager_name(enum runtime_cgroup_manager manager);

struct runtime_cgroup_place {
    enum runtime_cgroup_manager manager;
    const char *root; /* of all hierarchies; NULL: "/sys/fs/cgroup" */
    const char *path; /* absolute, below the root of each hierarchy; "": the container has none */
};

/* linux.cgroupsPath (`wanted`, may be NULL) as the path of the group; nothing is made. The same
 * arguments give the same path.
 *   absolute "/a/b"   below the root of each hierarchy
 *   relative "a/b"    the same, as crun reads it (runc: below the caller's own group, which is not
 *                     one place in version 1); for an ordinary user: beside his own group, because
 *                     a group with processes cannot have groups with limits
 *   absent            "/cooper/<id>-<number made of bundle>", likewise: its own by id and bundle
 *   with systemd      "slice:prefix:name" is "/<the slice, unfolded>/<prefix>-<name>.scope"; an
 *                     empty part is system.slice (user.slice), "cooper", the id
 *   with disabled     ""
 *
 * An ordinary user to whom nothing is delegated, and who asks for no limits, gets a container
 * without a group all the same: runtime_cgroup_place() says "" then. -EINVAL with a message for
 * what would leave the hierarchy or is of another form. The caller frees *ret_path. */
int runtime_cgroup_resolve(enum runtime_cgroup_manager manager, const char *cgroup_root,
                           const char *wanted, const char *id, const char *bundle, char **ret_path,
                           struct err *err);

/* Kills everything in the cgroup and removes it; success when it is not there. `cgroup_root` NULL
 * means "/sys/fs/cgroup". Used to clean up after a shim that was killed. */
int runtime_cgroup_destroy(const char *cgroup_root, const char *path, struct err *err);
/* The same for any manager. */
int runtime_cgroup_destroy_at(const struct runtime_cgroup_place *place, struct err *err);
/* Number of processes in it, or -ENOENT. */
int runtime_cgroup_count(const char *cgroup_root, const char *path, struct err *err);
/* 1, 2, or 0 for none; hybrid hosts whose controllers are on v1 count as 1. */
int runtime_cgroup_version(const char *cgroup_root);
/* Does the kernel account for swap, so that it can be limited? (Not if it was built or booted
 * without, swapaccount=0.) True also when nobody can tell yet. */
bool runtime_cgroup_limits_swap(const char *cgroup_root);

/* The following fail with -ENOENT when the group is not there and with -ENOTSUP for a container
 * that has none ("" as path): the message says so. */

/* Stops every process of the group and of all below it, or lets them go on (cgroup.freeze, or
 * version 1's freezer). Returns when they have stopped. A frozen process can be killed. Freezing
 * what is frozen is success. */
int runtime_cgroup_freeze(const struct runtime_cgroup_place *place, bool frozen, struct err *err);
/* 1 when it was frozen by the above (or by another tool, through the same files), else 0. */
int runtime_cgroup_frozen(const struct runtime_cgroup_place *place, struct err *err);

struct runtime_pids {
    pid_t *items; /* in no order */
    size_t len, room;
};
void runtime_pids_free(struct runtime_pids *pids);
/* The processes of the group, with `below` those of groups the container made inside it, too. Host
 * pids; any may have ended by the time you look. */
int runtime_cgroup_pids(const struct runtime_cgroup_place *place, bool below,
                        struct runtime_pids *ret, struct err *err);
/* Sends a signal to every process in the group and below it, also to those being forked meanwhile.
 * It does not wait for their end. */
int runtime_cgroup_signal(const struct runtime_cgroup_place *place, int sig, struct err *err);

/* What it has used so far (stats.h); runtime_stats_free() the result. */
int runtime_cgroup_stats(const struct runtime_cgroup_place *place, struct runtime_stats *ret,
                         struct err *err);

/* Changes the limits of a living container to those named in `resources` (linux.resources); what is
 * not named stays as it is. Values that depend on each other (memory and swap, period and quota)
 * are written in the order the kernel accepts, raising or lowering. Everything is checked before
 * the first is written; if the kernel still refuses one, those before it have been changed and the
 * message names the one. */
int runtime_cgroup_update(const struct runtime_cgroup_place *place, const json_t *resources,
                          struct err *err);

/* Out of memory, as it happens: `fd` (O_CLOEXEC, non-blocking, owned) becomes readable (poll(2),
 * POLLIN); then call runtime_oom_read() until it does not return 1. Version 1 tells of every time
 * the group could not get a page, version 2 of every process killed for that. */
struct runtime_oom_watch {
    int fd;
    int version;
    char *group;             /* its directory (of the memory controller) */
    unsigned long long seen; /* version 2: kills so far */
};
int runtime_oom_watch(const struct runtime_cgroup_place *place, struct runtime_oom_watch *ret,
                      struct err *err);
/* 1 when the group ran out of memory since the last call, 0 when not, -ENODEV when the group is
 * gone or empty (the usual end). Does not block. */
int runtime_oom_read(struct runtime_oom_watch *watch);
void runtime_oom_close(struct runtime_oom_watch *watch);
