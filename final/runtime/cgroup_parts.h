/* cgroup_parts.h - what the cgroup files share and nobody else sees. */
#pragma once

#include "runtime/cgroup.h"

/* Stops the processes for a moment; `held` says whether they have to be let go again (they may have
 * been frozen already). Success without a freezer. */
int cgroup_hold(const struct cgroup *cg, bool *ret_held, struct err *err);
int cgroup_let_go(const struct cgroup *cg, bool held, struct err *err);
/* Gives the group to the container's root, where that is asked for (cgroup_owner.c). */
int cgroup_give(const struct cgroup *cg, const json_t *config, pid_t init, struct err *err);
/* One who is root nowhere, or only in a user namespace. */
bool cgroup_is_ordinary_user(void);
/* Refuses a group that was there and has processes: from then on it is not cg's any more, so that a
 * failed creation does not kill them. */
int cgroup_check_vacant(struct cgroup *cg, const char *base, struct err *err);

/* For what needs a group: -ENOTSUP with a message for a container that has none. */
int cgroup_open_own(const struct runtime_cgroup_place *place, struct cgroup *ret, struct err *err);
/* "/a/b": absolute, and no component is empty, "." or "..". */
bool cgroup_path_is_plain(const char *path);

/* --- cgroup_tree.c: directories ------------------------------------------------------------------
 * `base` is the root of one hierarchy, `path` the group below it. What is inside a group may be the
 * work of a hostile container: any number of groups, any depth. */

/* mkdir(2): 0, 1 when it was there, or -errno. */
int cgroup_make_dir(const char *full);
/* mkdir -p below `base`: a parent another engine removes at the same moment is made again. Returns
 * 1 when all of it was there. */
int cgroup_make_dirs(const char *base, const char *path, struct err *err);
/* rmdir of the group with what is below it, then of its empty parents named "cooper...". -EBUSY
 * while a process is in it; success when it is not there. */
int cgroup_remove_dirs(const char *base, const char *path, struct err *err);
/* Adds the processes of the group, and with `below` of all groups in it; -ENOENT when it is not
 * there, without a message. */
int cgroup_tree_pids(const char *base, const char *path, bool below, struct runtime_pids *ret);
/* Sorted and each once: a process of several threads may be listed for each. */
void cgroup_sort_pids(struct runtime_pids *pids);

/* --- cgroup_file.c: the kernel's files -------------------------------------------------------- */

/* "base" "path" "/file" = "text" */
int cgroup_write(const char *base, const char *path, const char *file, const char *text,
                 struct err *err);
/* All of a file, in one piece; -errno without a message. */
int cgroup_read(const char *base, const char *path, const char *file, struct buf *ret);
/* The number behind "word " in a flat keyed file such as memory.events; 0 without it. */
unsigned long long cgroup_read_key(const char *base, const char *path, const char *file,
                                   const char *word);
bool cgroup_has(const char *base, const char *path, const char *file);

/* --- the versions ----------------------------------------------------------------------------- */

int cgroup_v1_create(struct cgroup *cg, const json_t *resources, struct err *err);
int cgroup_v1_limit(const struct cgroup *cg, const json_t *resources, bool update, struct err *err);
int cgroup_v1_join(const struct cgroup *cg, struct err *err);
/* The root of a controller's hierarchy, "<root>/memory", whether it is there or not. Caller frees.
 */
char *cgroup_v1_base(const struct cgroup *cg, const char *controller);
/* The controllers a container's group may be in, by number; NULL ends the list. */
const char *cgroup_v1_controller(size_t i);
/* The hierarchy that has all of the container's processes: the freezer's if possible. Caller frees.
 */
char *cgroup_v1_processes(const struct cgroup *cg);

/* Returns 1 when it was there. */
int cgroup_v2_create(struct cgroup *cg, const json_t *resources, struct err *err);
/* Makes a group below a threaded one usable; `resources` NULL: limits are not this tree's. */
int cgroup_v2_check_type(const struct cgroup *cg, const json_t *resources, struct err *err);
int cgroup_v2_limit(const struct cgroup *cg, const json_t *resources, bool update, struct err *err);
/* "memory" of "memory.max". */
void cgroup_v2_controller_of(const char *file, char ret[24]);

int cgroup_v1_stats(const struct cgroup *cg, struct runtime_stats *ret, struct err *err);
int cgroup_v2_stats(const struct cgroup *cg, struct runtime_stats *ret, struct err *err);

/* A list of CPUs or memory nodes as a user may write it. */
int cgroup_check_cpuset(const char *list, struct err *err);

/* --- which devices (cgroup_device_v1.c, _v2.c) ---------------------------------------------------
 * linux.resources.devices; with `update` only if there are any. */

int device_rules_write_v1(const struct cgroup *cg, const json_t *resources, bool update,
                          struct err *err);
int device_rules_write_v2(const struct cgroup *cg, const json_t *resources, bool update,
                          struct err *err);
