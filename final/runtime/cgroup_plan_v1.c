/* linux.resources in the files of version 1, whose words it speaks: mostly a table. What is not:
 * values that the kernel checks against each other at every write. For these the order depends on
 * what the group has now, and there always is one that works: a limit is lowered before, or raised
 * after, the one it must stay below. Documentation/admin-guide/cgroup-v1/ of the kernel. */
#include "runtime/cgroup_plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

struct v1 {
    const struct cgroup *cg;
    const json_t *resources;
    bool update;
    struct cgroup_plan *plan;
};

static long long number(const struct v1 *v, const char *member)
{
    return json_int(v->resources, member, 0);
}

static struct cgroup_setting *add(struct v1 *v, const char *member, const char *controller,
                                  const char *file, long long value)
{
    return cgroup_plan_add(v->plan, member, controller, file, str_format("%lld", value));
}

/* What the group has now; `otherwise` when it is not there yet. */
static long long current(const struct v1 *v, const char *controller, const char *file,
                         long long otherwise)
{
    cleanup_free char *base = cgroup_v1_base(v->cg, controller);
    cleanup_buf struct buf text = {0};

    return cgroup_read(base, v->cg->path, file, &text) < 0 ? otherwise
                                                           : strtoll(text.data, NULL, 10);
}

static bool has(const struct v1 *v, const char *controller, const char *file)
{
    cleanup_free char *base = cgroup_v1_base(v->cg, controller);

    return cgroup_has(base, v->cg->path, file);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void add_swap(struct v1 *v, long long swap)
{
    if (swap)
        add(v, "memory.swap", "memory", "memory.memsw.limit_in_bytes", swap)->optional =
            swap < 0 || cgroup_never_swaps();
}

/* The kernel wants memory <= memory and swap, at every moment. */
static void plan_memory_and_swap(struct v1 *v)
{
    long long limit = number(v, "memory.limit"), swap = number(v, "memory.swap");
    bool swap_first;

    /* Unlimited memory without a word about swap means that that is unlimited, too. */
    if (limit < 0 && !swap)
        swap = -1;
    swap_first =
        limit && (swap < 0 || swap >= current(v, "memory", "memory.limit_in_bytes", INT64_MAX));
    if (swap_first)
        add_swap(v, swap);
    if (limit)
        add(v, "memory.limit", "memory", "memory.limit_in_bytes", limit);
    if (!swap_first)
        add_swap(v, swap);
}

/* Since Linux 5.16 the kernel takes any value here and keeps none. */
static void plan_kernel_memory(struct v1 *v)
{
    long long kernel = number(v, "memory.kernel"), tcp = number(v, "memory.kernelTCP");
    struct cgroup_setting *setting;

    if (kernel) {
        setting = add(v, "memory.kernel", "memory", "memory.kmem.limit_in_bytes", kernel);
        setting->optional = kernel < 0;
        setting->read_back = kernel > 0;
        setting->unit = (unsigned long)sysconf(_SC_PAGESIZE);
    }
    if (tcp)
        add(v, "memory.kernelTCP", "memory", "memory.kmem.tcp.limit_in_bytes", tcp)->optional =
            tcp < 0;
}

/* useHierarchy is what every kernel since 5.11 does, and can be said only of an empty group. */
static void plan_hierarchy(struct v1 *v)
{
    bool wanted = json_flag(v->resources, "memory.useHierarchy", false);

    if (cgroup_wanted(v->resources, "memory.useHierarchy") &&
        current(v, "memory", "memory.use_hierarchy", wanted) != wanted)
        add(v, "memory.useHierarchy", "memory", "memory.use_hierarchy", wanted);
}

static void plan_memory(struct v1 *v)
{
    bool no_killer = json_flag(v->resources, "memory.disableOOMKiller", false);

    plan_hierarchy(v);
    plan_memory_and_swap(v);
    plan_kernel_memory(v);
    if (number(v, "memory.reservation"))
        add(v, "memory.reservation", "memory", "memory.soft_limit_in_bytes",
            number(v, "memory.reservation"));
    if (cgroup_wanted(v->resources, "memory.swappiness"))
        add(v, "memory.swappiness", "memory", "memory.swappiness", number(v, "memory.swappiness"));
    if (no_killer || (v->update && cgroup_wanted(v->resources, "memory.disableOOMKiller")))
        add(v, "memory.disableOOMKiller", "memory", "memory.oom_control", no_killer);
}

/* --- cpu -------------------------------------------------------------------------------------- */

/* Two numbers whose quotient the group above limits: a longer period goes first, a shorter last. */
static void add_quotient(struct v1 *v, const char *period, const char *period_file,
                         const char *quota, const char *quota_file)
{
    bool first;

    if (!number(v, period) && !number(v, quota))
        return;
    first = number(v, period) > current(v, "cpu", period_file, 0);
    if (number(v, period) && first)
        add(v, period, "cpu", period_file, number(v, period));
    if (number(v, quota))
        add(v, quota, "cpu", quota_file, number(v, quota));
    if (number(v, period) && !first)
        add(v, period, "cpu", period_file, number(v, period));
}

/* The burst must stay below the quota. */
static void plan_quota(struct v1 *v)
{
    bool wanted = cgroup_wanted(v->resources, "cpu.burst");
    bool first = wanted && number(v, "cpu.burst") < current(v, "cpu", "cpu.cfs_burst_us", 0);

    if (wanted && first)
        add(v, "cpu.burst", "cpu", "cpu.cfs_burst_us", number(v, "cpu.burst"));
    add_quotient(v, "cpu.period", "cpu.cfs_period_us", "cpu.quota", "cpu.cfs_quota_us");
    if (wanted && !first && (number(v, "cpu.burst") || v->update))
        add(v, "cpu.burst", "cpu", "cpu.cfs_burst_us", number(v, "cpu.burst"));
}

/* An idle group has no shares to set: out of idleness first, into it last. */
static void plan_cpu(struct v1 *v)
{
    long long idle = json_int(v->resources, "cpu.idle", -1);
    struct cgroup_setting *shares;

    if (!idle && v->update)
        add(v, "cpu.idle", "cpu", "cpu.idle", 0);
    if (number(v, "cpu.shares")) {
        shares = add(v, "cpu.shares", "cpu", "cpu.shares", number(v, "cpu.shares"));
        shares->read_back = true; /* it takes 1 for 2, and a million for 262144 */
    }
    if (idle > 0)
        add(v, "cpu.idle", "cpu", "cpu.idle", 1);
    plan_quota(v);
    add_quotient(v, "cpu.realtimePeriod", "cpu.rt_period_us", "cpu.realtimeRuntime",
                 "cpu.rt_runtime_us");
}

static void plan_cpuset(struct v1 *v)
{
    const char *cpus = json_str(v->resources, "cpu.cpus", ""),
               *mems = json_str(v->resources, "cpu.mems", "");

    if (*cpus)
        cgroup_plan_add(v->plan, "cpu.cpus", "cpuset", "cpuset.cpus", str_copy(cpus));
    if (*mems)
        cgroup_plan_add(v->plan, "cpu.mems", "cpuset", "cpuset.mems", str_copy(mems));
}

/* --- block devices ---------------------------------------------------------------------------- */

static const struct throttle {
    const char *member, *file;
} throttles[] = {
    {"blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device"},
    {"blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device"},
    {"blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device"},
    {"blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"},
};

static void add_device(struct v1 *v, const char *field, const char *file, const json_t *device,
                       const char *member)
{
    if (cgroup_wanted(device, member))
        cgroup_plan_add(v->plan, field, "blkio", file,
                        str_format("%lld:%lld %lld", json_int(device, "major", 0),
                                   json_int(device, "minor", 0), json_int(device, member, 0)));
}

/* The scheduler cfq had "blkio.weight"; its heir since Linux 5.0 is bfq, with a name in between. */
static void plan_weights(struct v1 *v)
{
    bool bfq = !has(v, "blkio", "blkio.weight") && has(v, "blkio", "blkio.bfq.weight");
    const char *file = bfq ? "blkio.bfq.weight" : "blkio.weight";
    const char *device_file = bfq ? "blkio.bfq.weight_device" : "blkio.weight_device";
    const json_t *device;
    size_t i;

    if (number(v, "blockIO.weight"))
        add(v, "blockIO.weight", "blkio", file, number(v, "blockIO.weight"));
    if (number(v, "blockIO.leafWeight"))
        add(v, "blockIO.leafWeight", "blkio", "blkio.leaf_weight", number(v, "blockIO.leafWeight"));
    json_array_foreach(json_at(v->resources, "blockIO.weightDevice"), i, device)
    {
        add_device(v, "blockIO.weightDevice", device_file, device, "weight");
        add_device(v, "blockIO.weightDevice", "blkio.leaf_weight_device", device, "leafWeight");
    }
}

static void plan_block_io(struct v1 *v)
{
    const json_t *device;
    size_t k;

    if (!cgroup_wanted(v->resources, "blockIO"))
        return;
    plan_weights(v);
    for (size_t i = 0; i < sizeof throttles / sizeof *throttles; i++)
        json_array_foreach(json_at(v->resources, throttles[i].member), k, device)
            add_device(v, throttles[i].member, throttles[i].file, device, "rate");
}

/* --- the rest --------------------------------------------------------------------------------- */

/* Both, where the kernel has both (Linux 5.7): what is touched, and what is reserved. */
static void plan_hugetlb(struct v1 *v)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_at(v->resources, "hugepageLimits"), i, item)
    {
        const char *size = json_str(item, "pageSize", "");
        cleanup_free char *file = str_format("hugetlb.%s.limit_in_bytes", size);
        cleanup_free char *reserved = str_format("hugetlb.%s.rsvd.limit_in_bytes", size);

        add(v, "hugepageLimits", "hugetlb", file, json_int(item, "limit", 0));
        add(v, "hugepageLimits", "hugetlb", reserved, json_int(item, "limit", 0))->optional = true;
    }
}

static void plan_network(struct v1 *v)
{
    const json_t *item;
    size_t i;

    if (number(v, "network.classID"))
        add(v, "network.classID", "net_cls", "net_cls.classid", number(v, "network.classID"));
    json_array_foreach(json_at(v->resources, "network.priorities"), i, item) cgroup_plan_add(
        v->plan, "network.priorities", "net_prio", "net_prio.ifpriomap",
        str_format("%s %lld", json_str(item, "name", ""), json_int(item, "priority", 0)));
}

int cgroup_v1_plan(const struct cgroup *cg, const json_t *resources, bool update,
                   struct cgroup_plan *ret, struct err *err)
{
    struct v1 v = {.cg = cg, .resources = resources, .update = update, .plan = ret};
    long long pids = number(&v, "pids.limit");

    if (json_object_size(json_at(resources, "unified")))
        return err_set(err, ENOTSUP,
                       "linux.resources.unified: cannot use unified on cgroup v1: its files are "
                       "those of version 2");
    plan_memory(&v);
    plan_cpu(&v);
    plan_cpuset(&v);
    plan_block_io(&v);
    plan_hugetlb(&v);
    plan_network(&v);
    cgroup_plan_rdma(resources, ret);
    if (pids)
        cgroup_plan_add(ret, "pids.limit", "pids", "pids.max",
                        pids < 0 ? str_copy("max") : str_format("%lld", pids));
    return 0;
}
