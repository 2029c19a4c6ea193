/* limits.c - docker's resource settings: checked as docker checks them, then written as
 * linux.resources. */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"
#include "runtime/runtime.h"

#define MEMORY_MIN (6LL << 20)
#define CPU_PERIOD 100000

static int bad(struct err *err, const char *text)
{
    err->exit_status = 125;
    return err_set(err, EINVAL, "%s", text);
}

static int check_memory(const json_t *host, bool update, struct err *err)
{
    long long memory = json_int(host, "Memory", 0), swap = json_int(host, "MemorySwap", 0);
    long long reservation = json_int(host, "MemoryReservation", 0);

    if (memory && memory < MEMORY_MIN)
        return bad(err, "Minimum memory limit allowed is 6MB");
    if (swap > 0 && !memory && !update)
        return bad(err,
                   "You should always set the Memory limit when using Memoryswap limit, see usage");
    if (swap > 0 && swap < memory)
        return bad(err, "Minimum memoryswap limit should be larger than memory limit, see usage");
    if (reservation && reservation < MEMORY_MIN)
        return bad(err, "Minimum memory reservation allowed is 6MB");
    if (memory && reservation > memory)
        return bad(err,
                   "Minimum memory limit can not be less than memory reservation limit, see usage");
    return 0;
}

static int check_cpu(const json_t *host, struct err *err)
{
    long long nano = json_int(host, "NanoCpus", 0), cpus = sysconf(_SC_NPROCESSORS_ONLN);
    long long period = json_int(host, "CpuPeriod", 0), quota = json_int(host, "CpuQuota", 0);
    long long shares = json_int(host, "CpuShares", 0);

    if (nano < 0 || nano > cpus * 1000000000LL || (nano && nano < 10000000))
        return err_set(
            err, EINVAL,
            "Range of CPUs is from 0.01 to %lld.00, as there are only %lld CPUs available", cpus,
            cpus);
    if (nano && (period || quota))
        return bad(err, period ? "Conflicting options: Nano CPUs and CPU Period cannot both be set"
                               : "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    if (period && (period < 1000 || period > 1000000))
        return bad(
            err,
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    if (quota > 0 && quota < 1000)
        return bad(err, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    return shares < 0 ? bad(err, "shares must be a positive value") : 0;
}

/* A list of numbers and ranges below 8192; a hostile length is refused at once (CVE-2018-20699). */
static int check_cpuset(const json_t *host, const char *member, struct err *err)
{
    const char *text = json_str(host, member, ""), *p = text;

    if (strlen(text) > 4096)
        return err_set(err, EINVAL, "%s is too long", member);
    while (*p) {
        unsigned long low, high;
        char *end;

        low = strtoul(p, &end, 10);
        if (end == p || low >= 8192)
            return err_set(err, EINVAL, "Invalid value %s for cpuset %s", text,
                           strcmp(member, "CpusetCpus") ? "mems" : "cpus");
        high = low;
        if (*end == '-') {
            p = end + 1;
            high = strtoul(p, &end, 10);
        }
        if (end == p || high < low || high >= 8192 || (*end && *end != ',') ||
            (*end == ',' && !end[1]))
            return err_set(err, EINVAL, "Invalid value %s for cpuset %s", text,
                           strcmp(member, "CpusetCpus") ? "mems" : "cpus");
        p = *end ? end + 1 : end;
    }
    return 0;
}

static void discard(json_t *host, const char *member, const char *warning,
                    struct strv *ret_warnings)
{
    json_object_del(host, member);
    strv_add(ret_warnings, warning);
}

static bool has_block_weight(void)
{
    return !access("/sys/fs/cgroup/blkio/blkio.weight", F_OK) ||
           !access("/sys/fs/cgroup/blkio/blkio.bfq.weight", F_OK);
}

void limits_discard(json_t *host, struct strv *ret_warnings)
{
    int version = runtime_cgroup_version(NULL);

    if (version == 2 && json_int(host, "MemorySwappiness", -1) >= 0)
        discard(host, "MemorySwappiness",
                "Your kernel does not support memory swappiness capabilities or the cgroup is not "
                "mounted. Memory swappiness discarded.",
                ret_warnings);
    if (version == 2 && json_flag(host, "OomKillDisable", false))
        discard(host, "OomKillDisable",
                "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
                ret_warnings);
    if (version == 1 && json_int(host, "BlkioWeight", 0) && !has_block_weight())
        discard(host, "BlkioWeight",
                "Your kernel does not support Block I/O weight or the cgroup is not mounted. "
                "Weight discarded.",
                ret_warnings);
    if (version == 1 && json_array_size(json_object_get(host, "BlkioWeightDevice")) &&
        !has_block_weight())
        discard(host, "BlkioWeightDevice",
                "Your kernel does not support Block I/O weight_device or the cgroup is not "
                "mounted. Weight-device discarded.",
                ret_warnings);
}

void limits_default(json_t *host)
{
    long long memory = json_int(host, "Memory", 0);

    /* docker: "Memory limited without swap." */
    if (memory > 0 && !json_int(host, "MemorySwap", 0) && runtime_cgroup_limits_swap(NULL))
        json_put(host, "MemorySwap", json_integer(memory > INT64_MAX / 2 ? -1 : 2 * memory));
}

static int check_blkio(const json_t *host, struct err *err)
{
    long long weight = json_int(host, "BlkioWeight", 0);

    if (weight && (weight < 10 || weight > 1000))
        return bad(err, "Range of blkio weight is from 10 to 1000");
    return 0;
}

static int check_oom_score(const json_t *host, struct err *err)
{
    long long score = json_int(host, "OomScoreAdj", 0);

    if (score >= -1000 && score <= 1000)
        return 0;
    return err_set(err, EINVAL, "Invalid value %lld, range for oom score adj is [-1000, 1000]",
                   score);
}

int limits_check(const json_t *host, bool update, struct err *err)
{
    int r = check_memory(host, update, err);

    if (!r)
        r = check_cpu(host, err);
    if (!r)
        r = check_blkio(host, err);
    if (!r)
        r = check_cpuset(host, "CpusetCpus", err);
    if (!r)
        r = check_cpuset(host, "CpusetMems", err);
    if (!r)
        r = check_oom_score(host, err);
    if (r < 0)
        err->exit_status = 125;
    return r;
}

static void put_nonzero(json_t *object, const char *name, long long value)
{
    if (value)
        json_put(object, name, json_integer(value));
}

static json_t *memory_section(const json_t *host)
{
    json_t *memory = json_object();

    put_nonzero(memory, "limit", json_int(host, "Memory", 0));
    put_nonzero(memory, "swap", json_int(host, "MemorySwap", 0));
    put_nonzero(memory, "reservation", json_int(host, "MemoryReservation", 0));
    if (json_int(host, "MemorySwappiness", -1) >= 0)
        json_put(memory, "swappiness", json_integer(json_int(host, "MemorySwappiness", 0)));
    if (json_flag(host, "OomKillDisable", false))
        json_put(memory, "disableOOMKiller", json_true());
    return memory;
}

static json_t *cpu_section(const json_t *host)
{
    json_t *cpu = json_object();
    long long nano = json_int(host, "NanoCpus", 0);
    long long quota = nano ? nano * CPU_PERIOD / 1000000000 : json_int(host, "CpuQuota", 0);
    long long period = nano ? CPU_PERIOD : json_int(host, "CpuPeriod", 0);
    const char *cpus = json_str(host, "CpusetCpus", ""), *mems = json_str(host, "CpusetMems", "");

    put_nonzero(cpu, "shares", json_int(host, "CpuShares", 0));
    put_nonzero(cpu, "quota", quota);
    put_nonzero(cpu, "period", period);
    put_nonzero(cpu, "realtimePeriod", json_int(host, "CpuRealtimePeriod", 0));
    put_nonzero(cpu, "realtimeRuntime", json_int(host, "CpuRealtimeRuntime", 0));
    if (*cpus)
        json_put_str(cpu, "cpus", cpus);
    if (*mems)
        json_put_str(cpu, "mems", mems);
    return cpu;
}

/* docker's [{"Path","Rate"}] as OCI's [{"major","minor","rate"}]. */
static json_t *device_list(const json_t *list, const char *from, const char *to)
{
    json_t *devices = json_array(), *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        json_t *device = json_object();
        struct stat st;

        if (stat(json_str(item, "Path", ""), &st) < 0)
            st.st_rdev = 0; /* 0:0 is no device, and the kernel says so */
        json_put(device, "major", json_integer(major(st.st_rdev)));
        json_put(device, "minor", json_integer(minor(st.st_rdev)));
        json_put(device, to, json_integer(json_int(item, from, 0)));
        json_push(devices, device);
    }
    return devices;
}

static json_t *block_section(const json_t *host)
{
    static const struct {
        const char *member, *name, *from, *to;
    } lists[] = {
        {"BlkioWeightDevice", "weightDevice", "Weight", "weight"},
        {"BlkioDeviceReadBps", "throttleReadBpsDevice", "Rate", "rate"},
        {"BlkioDeviceWriteBps", "throttleWriteBpsDevice", "Rate", "rate"},
        {"BlkioDeviceReadIOps", "throttleReadIOPSDevice", "Rate", "rate"},
        {"BlkioDeviceWriteIOps", "throttleWriteIOPSDevice", "Rate", "rate"},
    };
    json_t *block = json_object();

    put_nonzero(block, "weight", json_int(host, "BlkioWeight", 0));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const json_t *list = json_object_get(host, lists[i].member);

        if (json_array_size(list))
            json_put(block, lists[i].name, device_list(list, lists[i].from, lists[i].to));
    }
    return block;
}

static void put_section(json_t *resources, const char *name, json_t *section)
{
    if (json_object_size(section))
        json_put(resources, name, section);
    else
        json_decref(section);
}

json_t *limits_resources(const json_t *host)
{
    json_t *resources = json_object();
    long long pids = json_int(host, "PidsLimit", 0);

    put_section(resources, "memory", memory_section(host));
    put_section(resources, "cpu", cpu_section(host));
    put_section(resources, "blockIO", block_section(host));
    if (pids) {
        json_t *section = json_object();

        json_put(section, "limit", json_integer(pids < 0 ? -1 : pids));
        json_put(resources, "pids", section);
    }
    return resources;
}
