/* cgroup.h - control groups, version 1 and 2 behind one interface (cgroups(7)).
 *
 * A container's group is one path, "/cooper/<id>". In version 2 that is one directory; in version 1
 * one below the directory of each controller; on a hybrid host (version 1's controllers, and a tree
 * of version 2 beside them without any) both, because freezing and killing a group is one write in
 * version 2 and a race in version 1. Everything here works from the path alone, so that a group can
 * be counted, killed and removed by somebody who did not make it.
 *
 *     cgroup.c           opening, looking, and the public functions
 *     cgroup_path.c      linux.cgroupsPath: where the group is to be
 *     cgroup_create.c    made and joined at a container's start; cgroup_v1.c, cgroup_v2.c: how
 *     cgroup_owner.c     given to the root of a user namespace
 *     cgroup_resources.c limits checked, cgroup_plan*.c translated and written
 *     cgroup_device*.c   which devices
 *     cgroup_systemd*.c  groups that systemd makes
 *     cgroup_freeze.c    stopped and continued
 *     cgroup_kill.c      signalled, killed, removed
 *     cgroup_stats*.c    measured
 *     cgroup_oom.c       out of memory
 *     cgroup_mount.c     what the container sees of it
 *     cgroup_tree.c      directories made, walked and removed; cgroup_file.c: files in them
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "runtime/runtime_cgroup.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

struct cgroup {
    enum runtime_cgroup_manager manager;
    int version;     /* where the controllers are: 1 or 2; 0: the container has no group */
    char *root;      /* CGROUP_ROOT, or a test's */
    char *path;      /* absolute below it; "" with version 0 */
    char *subgroup;  /* "/a/b" below it, to join; NULL: the group itself */
    char *unified;   /* the root of version 2's tree: `root`, or "unified" below it, or NULL */
    bool namespaced; /* the container has a cgroup namespace of its own */
    int dir;         /* the group's directory in that tree, for CLONE_INTO_CGROUP, or -1 */
};

/* Refuses paths that are not absolute, contain ".." or name the root. No directory is touched. */
int cgroup_open(const struct runtime_cgroup_place *place, struct cgroup *ret, struct err *err);
void cgroup_close(struct cgroup *cg);

/* Makes the directories, with missing parents, and lets controllers through to them. */
int cgroup_create(struct cgroup *cg, const json_t *config, pid_t init, struct err *err);
/* What must be there before the container's first process: version 2's directory, which it is born
 * into. On a pure version 1 host nothing; then, and for the rest on a hybrid one, cgroup_create().
 */
int cgroup_create_birthplace(struct cgroup *cg, const json_t *resources, struct err *err);
/* Opens cg->dir of a group that is there, for a process that is to be born into it. */
int cgroup_open_birthplace(struct cgroup *cg, struct err *err);
/* The same for a process that joins a container: in the group "a/b" below the container's, or, with
 * `subgroup` NULL, in the container's own, or where `init` is if that may not have processes. */
int cgroup_open_beside(struct cgroup *cg, pid_t init, const char *subgroup, struct err *err);
/* Moves the new process there, where it could not be born there; it waits meanwhile. */
int cgroup_attach(const struct cgroup *cg, pid_t pid, struct err *err);
/* Writes linux.resources; may run beside a process that is in the group already. `update`: into a
 * group that has had limits before; only those named are touched. */
int cgroup_limit(const struct cgroup *cg, const json_t *resources, bool update, struct err *err);
/* Moves the calling process (of one thread) into version 1's groups; it is in version 2's. */
int cgroup_join(const struct cgroup *cg, struct err *err);

/* What a container sees of its group. */
struct cgroup_view {
    bool unified;            /* version 2's tree, also where the controllers are version 1's */
    const struct strv *data; /* options of cgroup2 itself: "nsdelegate" */
    uint64_t attributes;     /* MOUNT_ATTR_* */
};
/* Mounts it on `target` (a directory, O_PATH), from inside the container's cgroup namespace if it
 * is `namespaced`. */
int cgroup_mount(const struct cgroup *cg, const struct cgroup_view *view, int target,
                 struct err *err);

bool cgroup_oom_killed(const struct cgroup *cg);
/* Processes in the group and below it; -ENOENT when it is not there. */
int cgroup_count(const struct cgroup *cg, struct err *err);
int cgroup_pids(const struct cgroup *cg, bool below, struct runtime_pids *ret, struct err *err);
int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *err);
int cgroup_frozen(const struct cgroup *cg, struct err *err);
int cgroup_signal(const struct cgroup *cg, int sig, struct err *err);
int cgroup_stats(const struct cgroup *cg, struct runtime_stats *ret, struct err *err);
/* Kills everything in it, removes it and, when they are empty, parents named "cooper...". */
int cgroup_destroy(const struct cgroup *cg, struct err *err);
