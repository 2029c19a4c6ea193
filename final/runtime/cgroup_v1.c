/* cgroups, version 1: one tree of directories a controller.
 *
 * A process joins each tree by itself: "0" written to `tasks` moves the writing thread, and because
 * that thread cannot exit or exec meanwhile, the kernel skips the global lock over all thread
 * groups which every move of *another* process takes, and which costs an RCU grace period
 * (milliseconds).
 *
 * cpuset is joined only when asked for: a new cpuset is empty, and nobody can join it before it was
 * given CPUs and memory nodes. */
#include "runtime/cgroup_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

/* Where all of a container's processes are found, the best first: what is frozen does not fork. */
static const char *const processes[] = {"freezer", "pids", "memory", "devices", "cpu"};

/* `wanted` NULL: always used; else only if linux.resources has that member. */
static const struct controller {
    const char *name, *wanted;
} controllers[] = {
    {"memory", NULL},  {"pids", NULL},         {"cpu", NULL},
    {"cpuacct", NULL}, {"devices", NULL},      {"freezer", NULL},
    {"blkio", NULL},   {"cpuset", "cpu.cpus"}, {"cpuset", "cpu.mems"},
};
#define CONTROLLERS (sizeof controllers / sizeof *controllers)

static const struct limit {
    const char *member, *controller, *file;
} limits[] = {
    /* memory before memory and swap: the kernel refuses a sum below the part. */
    {"memory.limit", "memory", "memory.limit_in_bytes"},
    {"memory.swap", "memory", "memory.memsw.limit_in_bytes"},
    {"memory.reservation", "memory", "memory.soft_limit_in_bytes"},
    {"memory.kernelTCP", "memory", "memory.kmem.tcp.limit_in_bytes"},
    {"memory.swappiness", "memory", "memory.swappiness"},
    {"memory.disableOOMKiller", "memory", "memory.oom_control"},
    {"pids.limit", "pids", "pids.max"},
    {"cpu.shares", "cpu", "cpu.shares"},
    /* the period first: the quota is checked against it. */
    {"cpu.period", "cpu", "cpu.cfs_period_us"},
    {"cpu.quota", "cpu", "cpu.cfs_quota_us"},
    {"cpu.burst", "cpu", "cpu.cfs_burst_us"},
    {"cpu.realtimePeriod", "cpu", "cpu.rt_period_us"},
    {"cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us"},
    {"cpu.idle", "cpu", "cpu.idle"},
    {"cpu.cpus", "cpuset", "cpuset.cpus"},
    {"cpu.mems", "cpuset", "cpuset.mems"},
    {"blockIO.weight", "blkio", "blkio.weight"},
};

static const struct throttle {
    const char *member, *file;
} throttles[] = {
    {"blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device"},
    {"blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device"},
    {"blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device"},
    {"blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"},
};

const char *const cgroup_v1_controllers[] = {"memory",  "pids",  "cpu",    "cpuacct", "devices",
                                             "freezer", "blkio", "cpuset", NULL};

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
        if (!slash)
            return 0;
        *slash = '/';
    }
}

static int create_one(const struct cgroup *cg, const char *name, struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, name);

    if (cgroup_make_dirs(base, cg->path, err) < 0) {
        if (is_there(base))
            return -err->code;
        err_clear(err); /* this host has no such controller; a limit that needs it says so */
        return 0;
    }
    if (strcmp(name, "cpuset"))
        return 0;
    if (fill_cpuset(base, cg->path, "cpuset.cpus", err) < 0 ||
        fill_cpuset(base, cg->path, "cpuset.mems", err) < 0)
        return -err->code;
    return 0;
}

int cgroup_v1_create(struct cgroup *cg, const json_t *resources, struct err *err)
{
    for (size_t i = 0; i < CONTROLLERS; i++)
        if ((!controllers[i].wanted || json_at(resources, controllers[i].wanted)) &&
            create_one(cg, controllers[i].name, err) < 0)
            return -err->code;
    return 0;
}

/* --- limits -------------------------------------------------------------------------------------
 */

/* false: the value means "leave it alone". */
static bool limit_text(const struct limit *limit, const json_t *value, char ret[4096])
{
    if (json_is_string(value))
        return snprintf(ret, 4096, "%s", json_string_value(value)) > 0;
    if (json_is_boolean(value))
        return json_is_true(value) && snprintf(ret, 4096, "1");
    if (!json_is_integer(value))
        return false;
    if (!json_integer_value(value) && strcmp(limit->member, "memory.swappiness"))
        return false;
    if (!strcmp(limit->controller, "pids") && json_integer_value(value) < 0)
        return snprintf(ret, 4096, "max") > 0;
    return snprintf(ret, 4096, "%lld", (long long)json_integer_value(value)) > 0;
}

static int write_limit(const struct cgroup *cg, const struct limit *limit, const char *text,
                       struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, limit->controller);

    if (!strcmp(limit->controller, "cpuset") && cgroup_check_cpuset(text, err) < 0)
        return err_wrap(err, "%s", limit->member);
    if (cgroup_write(base, cg->path, limit->file, text, err) >= 0)
        return 0;
    /* Kernels booted without swap accounting have no such file; peers run on without the swap
     * limit. */
    if (err->code == ENOENT && strstr(limit->file, "memsw")) {
        err_clear(err);
        return 0;
    }
    return err_wrap(err, "cannot limit %s", limit->member);
}

static int write_throttle(const struct cgroup *cg, const struct throttle *throttle,
                          const json_t *list, struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, "blkio");
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        cleanup_free char *text = str_format("%lld:%lld %lld", json_int(item, "major", 0),
                                             json_int(item, "minor", 0), json_int(item, "rate", 0));

        if (cgroup_write(base, cg->path, throttle->file, text, err) < 0)
            return err_wrap(err, "cannot limit %s", throttle->member);
    }
    return 0;
}

static int write_device(const struct device_rule *rule, int file, struct err *err)
{
    char text[80], major[24] = "*", minor[24] = "*";
    int r;

    if (rule->major >= 0)
        snprintf(major, sizeof major, "%lld", rule->major);
    if (rule->minor >= 0)
        snprintf(minor, sizeof minor, "%lld", rule->minor);
    snprintf(text, sizeof text, "%c %s:%s %s", rule->type, major, minor, rule->access);
    r = file_write(file, text, strlen(text));
    return r < 0 ? err_set(err, -r, "cannot limit the devices with '%s': %s", text, strerror(-r))
                 : 0;
}

/* devices.deny and devices.allow take one rule a write(2). */
static int write_devices(const struct cgroup *cg, const json_t *resources, struct err *err)
{
    cleanup_with(device_rules_free) struct device_rules rules = {0};
    cleanup_free char *base = cgroup_v1_base(cg, "devices");
    cleanup_free char *deny = str_format("%s%s/devices.deny", base, cg->path);
    cleanup_free char *allow = str_format("%s%s/devices.allow", base, cg->path);
    cleanup_close int deny_fd = -1, allow_fd = -1;

    if (device_rules_read(resources, &rules, err) < 0)
        return -err->code;
    if (!rules.len)
        return 0;
    deny_fd = open(deny, O_WRONLY | O_CLOEXEC);
    allow_fd = open(allow, O_WRONLY | O_CLOEXEC);
    if (deny_fd < 0 || allow_fd < 0)
        return err_errno(err, "cannot limit the devices: '%s'", deny_fd < 0 ? deny : allow);
    for (size_t i = 0; i < rules.len; i++)
        if (write_device(&rules.items[i], rules.items[i].allow ? allow_fd : deny_fd, err) < 0)
            return -err->code;
    return 0;
}

int cgroup_v1_limit(const struct cgroup *cg, const json_t *resources, struct err *err)
{
    char text[4096];

    if (json_object_size(json_at(resources, "unified")))
        return err_set(err, ENOTSUP, "linux.resources.unified needs cgroup v2; this host has v1");
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limit_text(&limits[i], json_at(resources, limits[i].member), text) &&
            write_limit(cg, &limits[i], text, err) < 0)
            return -err->code;
    for (size_t i = 0; i < sizeof throttles / sizeof *throttles; i++)
        if (write_throttle(cg, &throttles[i], json_at(resources, throttles[i].member), err) < 0)
            return -err->code;
    return write_devices(cg, resources, err);
}

int cgroup_v1_join(const struct cgroup *cg, struct err *err)
{
    for (size_t i = 0; i < CONTROLLERS; i++) {
        cleanup_free char *tasks =
            str_format("%s/%s%s/tasks", cg->root, controllers[i].name, cg->path);

        if (file_poke(AT_FDCWD, tasks, "0", err) < 0 && err->code != ENOENT)
            return err_wrap(err, "cannot join the control group");
    }
    err_clear(err); /* ENOENT: a controller the container does not use */
    return 0;
}
