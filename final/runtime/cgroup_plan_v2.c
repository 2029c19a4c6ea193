/* linux.resources in the files of version 2. The specification speaks version 1's language, so most
 * of it is translated, with the formulas of runc and crun; what has no counterpart is refused.
 * Documentation/admin-guide/cgroup-v2.rst of the kernel. */
#include "runtime/cgroup_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

struct v2 {
    const struct cgroup *cg;
    const json_t *resources;
    bool update;
    struct cgroup_plan *plan;
};

static long long number(const struct v2 *v, const char *member)
{
    return json_int(v->resources, member, 0);
}

static struct cgroup_setting *add_text(struct v2 *v, const char *member, const char *controller,
                                       const char *file, const char *text)
{
    return cgroup_plan_add(v->plan, member, controller, file, str_copy(text));
}

/* Negative numbers are "max". */
static struct cgroup_setting *add(struct v2 *v, const char *member, const char *controller,
                                  const char *file, long long value)
{
    return cgroup_plan_add(v->plan, member, controller, file,
                           value < 0 ? str_copy("max") : str_format("%lld", value));
}

/* What the group has now; -1 for "max" or when it is not there. */
static long long current(const struct v2 *v, const char *file)
{
    cleanup_buf struct buf text = {0};

    if (cgroup_read(v->cg->root, v->cg->path, file, &text) < 0 || !strncmp(text.data, "max", 3))
        return -1;
    return strtoll(text.data, NULL, 10);
}

/* --- what version 2 does not have ------------------------------------------------------------- */

static const struct missing {
    const char *member;
    long long harmless; /* a number that asks for nothing: 0, or -1 for "no limit" */
    const char *instead;
} missing[] = {
    {"memory.kernel", -1, "the kernel's memory is counted in memory.limit"},
    {"memory.kernelTCP", -1, "the kernel's memory is counted in memory.limit"},
    {"memory.swappiness", INT64_MIN, "use memory.swap, or 'memory.high' in unified"},
    {"cpu.realtimePeriod", 0, "real-time tasks are not grouped"},
    {"cpu.realtimeRuntime", 0, "real-time tasks are not grouped"},
    {"blockIO.leafWeight", 0, "processes do not compete with groups"},
    {"network.classID", 0, "match the group's path in nftables (socket cgroupv2)"},
};

static int check_missing(const struct v2 *v, struct err *err)
{
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        long long value = number(v, missing[i].member);

        if (cgroup_wanted(v->resources, missing[i].member) && value != missing[i].harmless &&
            (value || missing[i].harmless == INT64_MIN))
            return err_set(err, ENOTSUP, "linux.resources.%s %lld: cgroup v2 has no such limit: %s",
                           missing[i].member, value, missing[i].instead);
    }
    if (json_flag(v->resources, "memory.disableOOMKiller", false))
        return err_set(err, ENOTSUP,
                       "linux.resources.memory.disableOOMKiller: cgroup v2 cannot do without the "
                       "killer: set memory.high in unified to slow the container down first");
    if (cgroup_wanted(v->resources, "memory.useHierarchy") &&
        !json_flag(v->resources, "memory.useHierarchy", true))
        return err_set(err, ENOTSUP,
                       "linux.resources.memory.useHierarchy false: cgroup v2 is "
                       "always a hierarchy");
    if (json_array_size(json_at(v->resources, "network.priorities")))
        return err_set(err, ENOTSUP,
                       "linux.resources.network.priorities: cgroup v2 has no such "
                       "limit: set SO_PRIORITY with nftables");
    return 0;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Version 1 limits memory and swap together, version 2 swap alone. */
static int plan_swap(struct v2 *v, long long memory, long long both, struct err *err)
{
    long long alone = both;

    if (memory < 0 && !both)
        alone = both = -1; /* all of it without limits, as version 1 would have it */
    if (!both)
        return 0;
    if (both > 0 && !memory)
        memory = current(v, "memory.max");
    if (both > 0 && memory < 0 && !number(v, "memory.limit"))
        return err_set(err, EINVAL,
                       "linux.resources.memory.swap %lld needs a memory.limit, which it includes",
                       both);
    if (both > 0 && memory >= 0) {
        if (both < memory)
            return err_set(err, EINVAL,
                           "linux.resources.memory.swap %lld is below the memory limit of %lld, "
                           "which it includes",
                           both, memory);
        alone = both - memory;
    }
    add(v, "memory.swap", "memory", "memory.swap.max", alone)->optional =
        alone < 0 || cgroup_never_swaps();
    return 0;
}

/* Version 1's kernel refuses a limit below what is used; version 2's begins to kill. */
static int check_usage(const struct v2 *v, struct err *err)
{
    long long limit = number(v, "memory.limit"), used;

    if (!json_flag(v->resources, "memory.checkBeforeUpdate", false) || limit <= 0)
        return 0;
    used = current(v, "memory.current");
    if (used <= limit)
        return 0;
    return err_set(err, EBUSY,
                   "linux.resources.memory.limit: unable to set memory limit to %lld (current "
                   "usage: %lld, peak usage: %lld)",
                   limit, used, current(v, "memory.peak"));
}

static int plan_memory(struct v2 *v, struct err *err)
{
    long long limit = number(v, "memory.limit"), low = number(v, "memory.reservation");

    if (check_usage(v, err) < 0 || plan_swap(v, limit, number(v, "memory.swap"), err) < 0)
        return -err->code;
    if (limit)
        add(v, "memory.limit", "memory", "memory.max", limit);
    /* The soft limit of version 1 is where reclaim begins, memory.low is where it ends. */
    if (low)
        add(v, "memory.reservation", "memory", "memory.low", low);
    return 0;
}

/* --- cpu -------------------------------------------------------------------------------------- */

/* Shares 2..262144 become a weight 1..10000, linearly: docker's, runc's and crun's formula until
 * 2025. (opencontainers/cgroups 0.0.5 has a curve instead, through 1024 -> 100.) */
static long long weight_of_shares(long long shares)
{
    if (shares < 2)
        shares = 2;
    if (shares > 262144)
        shares = 262144;
    return 1 + (shares - 2) * 9999 / 262142;
}

/* Quota and period are one file; what is not given stays as it is. */
static void plan_quota(struct v2 *v)
{
    long long quota = number(v, "cpu.quota"), period = number(v, "cpu.period");
    const char *member = quota ? "cpu.quota" : "cpu.period";
    char text[64];

    if (!quota && !period)
        return;
    if (!quota)
        quota = current(v, "cpu.max");
    if (quota > 0 && period)
        snprintf(text, sizeof text, "%lld %lld", quota, period);
    else if (quota > 0)
        snprintf(text, sizeof text, "%lld", quota);
    else
        snprintf(text, sizeof text, period ? "max %lld" : "max", period);
    add_text(v, member, "cpu", "cpu.max", text);
}

/* The burst must stay below the quota at every moment. */
static void plan_bandwidth(struct v2 *v)
{
    bool wanted = cgroup_wanted(v->resources, "cpu.burst");
    long long burst = number(v, "cpu.burst");
    bool first = wanted && burst < current(v, "cpu.max.burst");

    if (first)
        add(v, "cpu.burst", "cpu", "cpu.max.burst", burst);
    plan_quota(v);
    if (wanted && !first && (burst || v->update))
        add(v, "cpu.burst", "cpu", "cpu.max.burst", burst);
}

/* An idle group has no weight to set: out of idleness first, into it last. */
static void plan_cpu(struct v2 *v)
{
    long long idle = json_int(v->resources, "cpu.idle", -1), shares = number(v, "cpu.shares");
    const char *cpus = json_str(v->resources, "cpu.cpus", ""),
               *mems = json_str(v->resources, "cpu.mems", "");

    if (!idle && v->update)
        add(v, "cpu.idle", "cpu", "cpu.idle", 0);
    if (shares)
        add(v, "cpu.shares", "cpu", "cpu.weight", weight_of_shares(shares));
    if (idle > 0)
        add(v, "cpu.idle", "cpu", "cpu.idle", 1);
    plan_bandwidth(v);
    if (*cpus)
        add_text(v, "cpu.cpus", "cpuset", "cpuset.cpus", cpus);
    if (*mems)
        add_text(v, "cpu.mems", "cpuset", "cpuset.mems", mems);
}

/* --- block devices ---------------------------------------------------------------------------- */

static const struct {
    const char *member, *key;
} throttles[] = {
    {"blockIO.throttleReadBpsDevice", "rbps"},
    {"blockIO.throttleWriteBpsDevice", "wbps"},
    {"blockIO.throttleReadIOPSDevice", "riops"},
    {"blockIO.throttleWriteIOPSDevice", "wiops"},
};

/* bfq has version 1's weights, 1..1000; the cost model has its own, 1..10000. */
static long long io_weight(bool bfq, long long weight)
{
    if (bfq)
        return weight;
    return weight <= 10 ? 1 : 1 + (weight - 10) * 9999 / 990;
}

static int plan_weights(struct v2 *v, struct err *err)
{
    const json_t *devices = json_at(v->resources, "blockIO.weightDevice"), *device;
    long long weight = number(v, "blockIO.weight");
    const char *file;
    size_t i;
    bool bfq;

    if (!weight && !json_array_size(devices))
        return 0;
    bfq = cgroup_has(v->cg->root, v->cg->path, "io.bfq.weight");
    file = bfq ? "io.bfq.weight" : "io.weight";
    if (weight)
        add(v, "blockIO.weight", "io", file, io_weight(bfq, weight));
    json_array_foreach(devices, i, device)
    {
        if (json_int(device, "leafWeight", 0))
            return err_set(err, ENOTSUP,
                           "linux.resources.blockIO.weightDevice[%zu].leafWeight "
                           "%lld: cgroup v2 has no such limit",
                           i, json_int(device, "leafWeight", 0));
        weight = json_int(device, "weight", 0);
        if (weight)
            cgroup_plan_add(v->plan, "blockIO.weightDevice", "io", file,
                            str_format("%lld:%lld %lld", json_int(device, "major", 0),
                                       json_int(device, "minor", 0), io_weight(bfq, weight)));
    }
    return 0;
}

/* A rate of 0 takes the limit away, in version 1's words. */
static void add_throttle(struct v2 *v, size_t which, const json_t *device)
{
    long long rate = json_int(device, "rate", 0);
    char text[32] = "max";

    if (rate)
        snprintf(text, sizeof text, "%lld", rate);
    cgroup_plan_add(v->plan, throttles[which].member, "io", "io.max",
                    str_format("%lld:%lld %s=%s", json_int(device, "major", 0),
                               json_int(device, "minor", 0), throttles[which].key, text));
}

static int plan_block_io(struct v2 *v, struct err *err)
{
    const json_t *device;
    size_t k;

    for (size_t i = 0; i < sizeof throttles / sizeof *throttles; i++)
        json_array_foreach(json_at(v->resources, throttles[i].member), k, device)
            add_throttle(v, i, device);
    return plan_weights(v, err);
}

/* --- the rest --------------------------------------------------------------------------------- */

/* Both, where the kernel has both (Linux 5.7): what is touched, and what is reserved. */
static void plan_hugetlb(struct v2 *v)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_at(v->resources, "hugepageLimits"), i, item)
    {
        const char *size = json_str(item, "pageSize", "");
        cleanup_free char *file = str_format("hugetlb.%s.max", size);
        cleanup_free char *reserved = str_format("hugetlb.%s.rsvd.max", size);

        add(v, "hugepageLimits", "hugetlb", file, json_int(item, "limit", 0));
        add(v, "hugepageLimits", "hugetlb", reserved, json_int(item, "limit", 0))->optional = true;
    }
}

/* These do something; a limit they are not. */
static const char *const actions[] = {"cgroup.procs",  "cgroup.threads", "cgroup.kill",
                                      "cgroup.freeze", "cgroup.type",    "cgroup.subtree_control"};

static int plan_unified(struct v2 *v, struct err *err)
{
    const char *file;
    json_t *value;

    json_object_foreach(json_at(v->resources, "unified"), file, value)
    {
        const char *dot = strchr(file, '.');
        char controller[24];

        if (!dot || dot == file || strchr(file, '/'))
            return err_set(err, EINVAL,
                           "linux.resources.unified: '%s' is not of the form CONTROLLER.FILE",
                           file);
        for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
            if (!strcmp(file, actions[i]))
                return err_set(err, EINVAL, "linux.resources.unified: '%s' is not a limit", file);
        if (!json_is_string(value))
            return err_set(err, EINVAL, "linux.resources.unified: '%s' is not a string", file);
        cgroup_v2_controller_of(file, controller);
        add_text(v, "unified", controller, file, json_string_value(value));
    }
    return 0;
}

int cgroup_v2_plan(const struct cgroup *cg, const json_t *resources, bool update,
                   struct cgroup_plan *ret, struct err *err)
{
    struct v2 v = {.cg = cg, .resources = resources, .update = update, .plan = ret};

    if (check_missing(&v, err) < 0 || plan_memory(&v, err) < 0)
        return -err->code;
    plan_cpu(&v);
    if (plan_block_io(&v, err) < 0)
        return -err->code;
    plan_hugetlb(&v);
    cgroup_plan_rdma(resources, ret);
    if (number(&v, "pids.limit"))
        add(&v, "pids.limit", "pids", "pids.max", number(&v, "pids.limit"));
    return plan_unified(&v, err); /* last: what it says of a file is what counts */
}
