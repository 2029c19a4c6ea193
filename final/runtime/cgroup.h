/* cgroup.h - control groups, version 1 and 2 behind one interface (cgroups(7)).
 *
 * A container's group is one path, "/cooper/<id>". In version 2 that is one directory; in version 1
 * one below the directory of each controller. Everything here works from the path alone, so that a
 * group can be counted, killed and removed by somebody who did not make it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

struct cgroup {
    int version;
    char *root; /* CGROUP_ROOT, or a test's */
    char *path; /* absolute below it */
    int dir;    /* v2: the group's directory once made, for CLONE_INTO_CGROUP; else -1 */
};

/* Refuses paths that are not absolute, contain ".." or name the root. No directory is touched. */
int cgroup_open(const char *root, const char *path, struct cgroup *ret, struct err *err);
void cgroup_close(struct cgroup *cg);

/* Makes the directories, with missing parents, and lets controllers through to them. */
int cgroup_create(struct cgroup *cg, const json_t *resources, struct err *err);
/* Writes linux.resources; may run beside a process that is in the group already. */
int cgroup_limit(const struct cgroup *cg, const json_t *resources, struct err *err);
/* Moves the calling process (of one thread) into the group. v2: not needed after CLONE_INTO_CGROUP.
 */
int cgroup_join(const struct cgroup *cg, struct err *err);

/* Mounts what the container sees of its group on `target` (a directory, O_PATH), from inside its
 * new cgroup namespace, where the group is the root of each hierarchy. `attributes`: MOUNT_ATTR_*.
 */
int cgroup_mount(const struct cgroup *cg, int target, uint64_t attributes, struct err *err);

bool cgroup_oom_killed(const struct cgroup *cg);
/* Processes in the group and below it; -ENOENT when it is not there. */
int cgroup_count(const struct cgroup *cg, struct err *err);
/* Kills everything in it, removes it and, when they are empty, parents named "cooper...". */
int cgroup_destroy(const struct cgroup *cg, struct err *err);

/* --- shared by the two versions (private to the cgroup files) ------------------------------------
 */

/* mkdir -p below `base`: a parent another engine removes at the same moment is made again. */
int cgroup_make_dirs(const char *base, const char *path, struct err *err);
/* rmdir of the group with what is below it, then of its empty parents. -EBUSY while a process is in
 * it. */
int cgroup_remove_dirs(const char *base, const char *path, struct err *err);
/* "base" "path" "/file" = "text" */
int cgroup_write(const char *base, const char *path, const char *file, const char *text,
                 struct err *err);
/* The number behind "word " in a flat keyed file such as memory.events; 0 without it. */
unsigned long long cgroup_read_key(const char *base, const char *path, const char *file,
                                   const char *word);
/* Adds the processes of the group and all below it; -ENOENT when it is not there. */
struct cgroup_pids {
    int *pids;
    size_t len, room;
};
int cgroup_read_pids(const char *base, const char *path, struct cgroup_pids *ret);
/* A list of CPUs or memory nodes as a user may write it. */
int cgroup_check_cpuset(const char *list, struct err *err);

int cgroup_v1_create(struct cgroup *cg, const json_t *resources, struct err *err);
int cgroup_v1_limit(const struct cgroup *cg, const json_t *resources, struct err *err);
int cgroup_v1_join(const struct cgroup *cg, struct err *err);
int cgroup_v1_mount(const struct cgroup *cg, int target, uint64_t attributes, struct err *err);
bool cgroup_v1_oom_killed(const struct cgroup *cg);
int cgroup_v1_count(const struct cgroup *cg);
int cgroup_v1_destroy(const struct cgroup *cg, struct err *err);

int cgroup_v2_create(struct cgroup *cg, const json_t *resources, struct err *err);
int cgroup_v2_limit(const struct cgroup *cg, const json_t *resources, struct err *err);
int cgroup_v2_join(const struct cgroup *cg, struct err *err);
int cgroup_v2_mount(const struct cgroup *cg, int target, uint64_t attributes, struct err *err);
bool cgroup_v2_oom_killed(const struct cgroup *cg);
int cgroup_v2_destroy(const struct cgroup *cg, struct err *err);

/* --- which devices (cgroup_device.c) -------------------------------------------------------------
 */

struct device_rule {
    bool allow;
    char type;              /* 'a', 'b' or 'c' */
    long long major, minor; /* -1: any */
    char access[4];         /* of "rwm" */
};
struct device_rules {
    struct device_rule *items;
    size_t len, room;
};
/* linux.resources.devices in order; after a rule that denies everything, the devices every
 * container has (null, zero, full, random, urandom, tty, ptmx, its terminals) and mknod(2) of any
 * are allowed again. */
int device_rules_read(const json_t *resources, struct device_rules *ret, struct err *err);
void device_rules_free(struct device_rules *rules);
/* v2: as an eBPF program on the group's directory. */
int device_rules_attach(const struct device_rules *rules, int cgroup_dir, struct err *err);
