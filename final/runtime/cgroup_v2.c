/* cgroups, version 2: one tree. A group may use a controller only if each group above passes it
 * down (cgroup.subtree_control), and a group with processes passes nothing down, except the root.
 * The container is born into its group (CLONE_INTO_CGROUP, Linux 5.7), so it never runs outside of
 * its limits, and no process has to be moved. cgroup.kill (5.14) ends all of it at once. */
#include "runtime/cgroup_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

static const char *const wanted[] = {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"};

/* "+cpu +memory ..." of what this group has to give. */
static int passed_down(const char *group, char ret[128], struct err *err)
{
    cleanup_free char *file = str_format("%s/cgroup.controllers", group);
    cleanup_buf struct buf text = {0};
    cleanup_strv struct strv have = {0};

    if (file_load(AT_FDCWD, file, 4096, &text, err) < 0)
        return -err->code;
    text.data[strcspn(text.data, "\n")] = 0;
    strv_split(&have, text.data, ' ');
    *ret = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strv_contains(&have, wanted[i]))
            snprintf(ret + strlen(ret), 128 - strlen(ret), "+%s ", wanted[i]);
    return 0;
}

/* EBUSY and EACCES are passed over: a group above that has processes of its own (we are in a
 * container ourselves, say) cannot pass controllers down. A limit that needs one says so when its
 * file is missing. */
static int enable(const char *group, struct err *err)
{
    cleanup_free char *file = str_format("%s/cgroup.subtree_control", group);
    char controllers[128];

    if (passed_down(group, controllers, err) < 0)
        return -err->code;
    if (*controllers && file_poke(AT_FDCWD, file, controllers, err) < 0) {
        if (err->code != EBUSY && err->code != EACCES && err->code != EOPNOTSUPP)
            return -err->code;
        err_clear(err);
    }
    return 0;
}

/* Enables at the root, makes the first directory, enables there, and so on down to the group's
 * parent. */
static int make_path(const struct cgroup *cg, struct err *err)
{
    cleanup_free char *full = str_format("%s%s", cg->root, cg->path);
    size_t start = strlen(cg->root);

    for (char *slash = full + start; slash; slash = strchr(slash + 1, '/')) {
        char *next = strchr(slash + 1, '/');

        *slash = 0;
        if (enable(full, err) < 0)
            return -err->code;
        *slash = '/';
        if (next)
            *next = 0;
        if (cgroup_make_dirs(cg->root, full + start, err) < 0)
            return -err->code;
        if (next)
            *next = '/';
    }
    return 0;
}

int cgroup_v2_create(struct cgroup *cg, const json_t *resources, struct err *err)
{
    int r = 0;

    (void)resources; /* v2 needs no controller joined one by one */
    /* ENOENT: another engine removed the empty parent meanwhile. */
    for (int tries = 0; tries < 100; tries++) {
        r = make_path(cg, err);
        if (r != -ENOENT && r != -ENODEV)
            break;
    }
    if (r < 0)
        return err_wrap(err, "cannot make the control group '%s'", cg->path);
    err_clear(err);
    return 0;
}

/* --- limits: v1's numbers, which the specification uses, in v2's terms
 * ---------------------------- */

static int put(const struct cgroup *cg, const char *file, const char *text, struct err *err)
{
    if (cgroup_write(cg->root, cg->path, file, text, err) >= 0)
        return 0;
    if (err->code == ENOENT)
        return err_wrap(err, "the controller of '%s' is not available here", file);
    return err_wrap(err, "cannot set the limit");
}

static int put_number(const struct cgroup *cg, const char *file, long long value, struct err *err)
{
    char text[32] = "max";

    if (value >= 0)
        snprintf(text, sizeof text, "%lld", value);
    return put(cg, file, text, err);
}

/* v1 limits memory and swap together, v2 swap alone. */
static int limit_swap(const struct cgroup *cg, long long memory, long long both, struct err *err)
{
    if (!both)
        return 0;
    if (both > 0 && memory <= 0)
        return err_set(err, EINVAL, "memory.swap %lld needs a memory.limit", both);
    if (both > 0 && both < memory)
        return err_set(err, EINVAL, "memory.swap %lld is below memory.limit %lld", both, memory);
    if (put_number(cg, "memory.swap.max", both < 0 ? -1 : both - memory, err) < 0) {
        if (err->code != ENOENT)
            return -err->code;
        err_clear(err); /* a kernel without swap accounting: peers go on too */
    }
    return 0;
}

static int limit_memory(const struct cgroup *cg, const json_t *memory, struct err *err)
{
    long long limit = json_int(memory, "limit", 0), low = json_int(memory, "reservation", 0);

    if (limit && put_number(cg, "memory.max", limit, err) < 0)
        return -err->code;
    if (low && put_number(cg, "memory.low", low < 0 ? 0 : low, err) < 0)
        return -err->code;
    return limit_swap(cg, limit, json_int(memory, "swap", 0), err);
}

/* Shares 2..262144 become a weight 1..10000, linearly: runc's and crun's formula. */
static long long weight_of_shares(long long shares)
{
    if (shares < 2)
        shares = 2;
    if (shares > 262144)
        shares = 262144;
    return 1 + (shares - 2) * 9999 / 262142;
}

static int limit_cpu(const struct cgroup *cg, const json_t *cpu, struct err *err)
{
    long long quota = json_int(cpu, "quota", 0), period = json_int(cpu, "period", 0);
    long long shares = json_int(cpu, "shares", 0), burst = json_int(cpu, "burst", 0);
    char text[64];

    if (shares && put_number(cg, "cpu.weight", weight_of_shares(shares), err) < 0)
        return -err->code;
    if (quota || period) {
        if (quota > 0)
            snprintf(text, sizeof text, "%lld %lld", quota, period ? period : 100000);
        else
            snprintf(text, sizeof text, "max %lld", period ? period : 100000);
        if (put(cg, "cpu.max", text, err) < 0)
            return -err->code;
    }
    if (burst && put_number(cg, "cpu.max.burst", burst, err) < 0)
        return -err->code;
    if (json_int(cpu, "idle", 0) && put_number(cg, "cpu.idle", 1, err) < 0)
        return -err->code;
    return 0;
}

static int limit_cpuset(const struct cgroup *cg, const json_t *cpu, struct err *err)
{
    const char *cpus = json_str(cpu, "cpus", ""), *mems = json_str(cpu, "mems", "");

    if (*cpus && (cgroup_check_cpuset(cpus, err) < 0 || put(cg, "cpuset.cpus", cpus, err) < 0))
        return -err->code;
    if (*mems && (cgroup_check_cpuset(mems, err) < 0 || put(cg, "cpuset.mems", mems, err) < 0))
        return -err->code;
    return 0;
}

static const struct {
    const char *member, *key;
} throttles[] = {
    {"throttleReadBpsDevice", "rbps"},
    {"throttleWriteBpsDevice", "wbps"},
    {"throttleReadIOPSDevice", "riops"},
    {"throttleWriteIOPSDevice", "wiops"},
};

static int limit_io(const struct cgroup *cg, const json_t *io, struct err *err)
{
    long long weight = json_int(io, "weight", 0);
    const json_t *item;
    size_t k;

    /* v1's 10..1000 become 1..10000. */
    if (weight && put_number(cg, "io.weight", 1 + (weight - 10) * 9999 / 990, err) < 0)
        return -err->code;
    for (size_t i = 0; i < sizeof throttles / sizeof *throttles; i++)
        json_array_foreach(json_at(io, throttles[i].member), k, item)
        {
            char text[128];

            snprintf(text, sizeof text, "%lld:%lld %s=%lld", json_int(item, "major", 0),
                     json_int(item, "minor", 0), throttles[i].key, json_int(item, "rate", 0));
            if (put(cg, "io.max", text, err) < 0)
                return -err->code;
        }
    return 0;
}

static int limit_unified(const struct cgroup *cg, const json_t *unified, struct err *err)
{
    const char *file;
    json_t *value;

    json_object_foreach((json_t *)unified, file, value)
    {
        if (strchr(file, '/') || !strncmp(file, "cgroup.", 7) || !json_is_string(value))
            return err_set(err, EINVAL, "linux.resources.unified: '%s' is not a limit", file);
        if (put(cg, file, json_string_value(value), err) < 0)
            return -err->code;
    }
    return 0;
}

static int limit_devices(const struct cgroup *cg, const json_t *resources, struct err *err)
{
    cleanup_with(device_rules_free) struct device_rules rules = {0};

    if (device_rules_read(resources, &rules, err) < 0)
        return -err->code;
    return rules.len ? device_rules_attach(&rules, cg->dir, err) : 0;
}

int cgroup_v2_limit(const struct cgroup *cg, const json_t *resources, struct err *err)
{
    long long pids = json_int(resources, "pids.limit", 0);

    if (limit_memory(cg, json_at(resources, "memory"), err) < 0 ||
        limit_cpu(cg, json_at(resources, "cpu"), err) < 0 ||
        limit_cpuset(cg, json_at(resources, "cpu"), err) < 0 ||
        limit_io(cg, json_at(resources, "blockIO"), err) < 0 ||
        limit_unified(cg, json_at(resources, "unified"), err) < 0 ||
        limit_devices(cg, resources, err) < 0)
        return -err->code;
    return pids ? put_number(cg, "pids.max", pids, err) : 0;
}
