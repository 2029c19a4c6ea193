/* cgroups, version 1: one tree of directories a controller.
 *
 * A process joins each tree by itself: "0" written to `tasks` moves the writing thread, and because
 * that thread cannot exit or exec meanwhile, the kernel skips the global lock over all thread
 * groups which every move of *another* process takes, and which costs an RCU grace period
 * (milliseconds).
 *
 * Some trees are joined only when something is asked of them; a new cpuset, for one, is empty, and
 * nobody can join it before it was given CPUs and memory nodes. If a running container is asked to
 * keep to such a limit for the first time, its processes are moved then. */
#include "runtime/cgroup_plan.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

/* Where all of a container's processes are found, the best first: what is frozen does not fork. */
static const char *const processes[] = {"freezer", "pids", "memory", "devices", "cpu"};

/* `wanted` empty: always used; else only if linux.resources has one of these members.
 * "systemd" limits nothing: it is the tree by which systemd knows whose a process is. One that
 * stays in its caller's group there dies with the caller's session. */
static const struct controller {
    const char *name, *wanted[2];
} controllers[] = {
    {"memory", {NULL}},
    {"pids", {NULL}},
    {"cpu", {NULL}},
    {"cpuacct", {NULL}},
    {"devices", {NULL}},
    {"freezer", {NULL}},
    {"blkio", {NULL}},
    {"systemd", {NULL}},
    {"cpuset", {"cpu.cpus", "cpu.mems"}},
    {"hugetlb", {"hugepageLimits"}},
    {"net_cls", {"network.classID"}},
    {"net_prio", {"network.priorities"}},
    {"rdma", {"rdma"}},
};
#define CONTROLLERS (sizeof controllers / sizeof *controllers)

const char *cgroup_v1_controller(size_t i)
{
    return i < CONTROLLERS ? controllers[i].name : NULL;
}

char *cgroup_v1_base(const struct cgroup *cg, const char *controller)
{
    return str_format("%s/%s", cg->root, controller);
}

char *cgroup_v1_processes(const struct cgroup *cg)
{
    for (size_t i = 0; i < sizeof processes / sizeof *processes; i++) {
        cleanup_free char *base = cgroup_v1_base(cg, processes[i]);

        if (cgroup_has(base, cg->path, "cgroup.procs"))
            return steal_ptr(&base);
    }
    return cgroup_v1_base(cg, processes[0]);
}

static bool is_there(const char *path)
{
    return !access(path, F_OK);
}

/* cpuset: copies the parents' CPUs and nodes into every new directory down to the group. */
static int fill_cpuset(const char *base, const char *path, const char *file, struct err *err)
{
    cleanup_free char *above = str_format("%s/%s", base, file), *at = str_copy(path);
    cleanup_buf struct buf value = {0};

    if (file_load(AT_FDCWD, above, 1 << 16, &value, err) < 0)
        return -err->code;
    for (char *slash = strchr(at + 1, '/');; slash = strchr(slash + 1, '/')) {
        cleanup_free char *full = NULL;
        cleanup_buf struct buf have = {0};

        if (slash)
            *slash = 0;
        full = str_format("%s%s/%s", base, at, file);
        if (file_load(AT_FDCWD, full, 1 << 16, &have, err) < 0)
            return -err->code;
        if (have.len <= 1 && file_poke(AT_FDCWD, full, value.data, err) < 0)
            return -err->code;
        if (have.len > 1) { /* a group below cannot have more than the one above it */
            buf_free(&value);
            value = have;
            have = (struct buf){0};
        }
        if (!slash)
            return 0;
        *slash = '/';
    }
}

/* 1 when it was there. */
static int create_one(const struct cgroup *cg, const char *name, struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, name);
    int r = cgroup_make_dirs(base, cg->path, err);

    if (r < 0) {
        if (is_there(base))
            return -err->code;
        err_clear(err); /* this host has no such controller; a limit that needs it says so */
        return 0;
    }
    if (strcmp(name, "cpuset"))
        return r;
    if (fill_cpuset(base, cg->path, "cpuset.cpus", err) < 0 ||
        fill_cpuset(base, cg->path, "cpuset.mems", err) < 0)
        return -err->code;
    return r;
}

static bool is_used(const struct controller *controller, const json_t *resources)
{
    if (!controller->wanted[0])
        return true;
    for (size_t i = 0; i < 2; i++)
        if (controller->wanted[i] && cgroup_wanted(resources, controller->wanted[i]))
            return true;
    return false;
}

int cgroup_v1_create(struct cgroup *cg, const json_t *resources, struct err *err)
{
    bool was_there = false;
    cleanup_free char *base = NULL;

    for (size_t i = 0; i < CONTROLLERS; i++) {
        int r = is_used(&controllers[i], resources) ? create_one(cg, controllers[i].name, err) : 0;

        if (r < 0)
            return r;
        was_there = was_there || r > 0;
    }
    if (!was_there || cg->manager == RUNTIME_CGROUP_SYSTEMD)
        return 0;
    base = cgroup_v1_processes(cg);
    return cgroup_check_vacant(cg, base, err);
}

/* 1 when joined, 0 for a controller the container does not use. */
static int join_one(const struct cgroup *cg, const char *controller, const char *below,
                    struct err *err)
{
    cleanup_free char *tasks = str_format("%s/%s%s%s/tasks", cg->root, controller, cg->path, below);

    if (file_poke(AT_FDCWD, tasks, "0", err) >= 0)
        return 1;
    if (err->code != ENOENT)
        return err_wrap(err, "cannot join the control group");
    err_clear(err);
    return 0;
}

/* A group below the container's may be there for some controllers only: the container's first, so
 * that its limits hold in any case. */
int cgroup_v1_join(const struct cgroup *cg, struct err *err)
{
    int found = 0;

    for (size_t i = 0; i < CONTROLLERS; i++) {
        int r = join_one(cg, controllers[i].name, "", err);

        if (r > 0 && cg->subgroup) {
            r = join_one(cg, controllers[i].name, cg->subgroup, err);
            found += r > 0;
        }
        if (r < 0)
            return r;
    }
    return cg->subgroup && !found
               ? err_set(err, ENOENT, "there is no control group '%s' below '%s'", cg->subgroup,
                         cg->path)
               : 0;
}

/* --- changing a living group ------------------------------------------------------------------ */

/* Moves every process of the container; they hold still meanwhile. */
static int move_processes(const struct cgroup *cg, const char *base, struct err *err)
{
    cleanup_with(runtime_pids_free) struct runtime_pids pids = {0};

    if (cgroup_pids(cg, true, &pids, err) < 0)
        return -err->code;
    for (size_t i = 0; i < pids.len; i++) {
        char text[24];

        snprintf(text, sizeof text, "%d", pids.items[i]);
        if (cgroup_write(base, cg->path, "cgroup.procs", text, err) < 0 && err->code != ESRCH)
            return -err->code;
    }
    err_clear(err);
    return 0;
}

static int adopt(const struct cgroup *cg, const char *name, struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, name);
    bool held;
    int r;

    if (cgroup_has(base, cg->path, "cgroup.procs") || !is_there(base))
        return 0;
    if (create_one(cg, name, err) < 0 || cgroup_hold(cg, &held, err) < 0)
        return -err->code;
    r = move_processes(cg, base, err);
    return cgroup_let_go(cg, held, err) < 0 || r < 0
               ? err_wrap(err, "cannot move the container into the controller '%s'", name)
               : 0;
}

int cgroup_v1_limit(const struct cgroup *cg, const json_t *resources, bool update, struct err *err)
{
    cleanup_with(cgroup_plan_free) struct cgroup_plan plan = {0};

    for (size_t i = 0; update && i < CONTROLLERS; i++)
        if (controllers[i].wanted[0] && is_used(&controllers[i], resources) &&
            adopt(cg, controllers[i].name, err) < 0)
            return -err->code;
    if (cgroup_v1_plan(cg, resources, update, &plan, err) < 0 ||
        cgroup_plan_write(cg, &plan, err) < 0)
        return -err->code;
    return device_rules_write_v1(cg, resources, update, err);
}
