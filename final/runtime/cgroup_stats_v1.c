/* Version 1's counters: a directory for each controller. */
#include "runtime/cgroup_stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* "12 34 56" -> an array; the number of entries. */
static size_t read_list(const struct stats_from *from, const char *file, uint64_t **ret)
{
    cleanup_free char *line = stats_line(from, file);
    char *rest;
    size_t count = 0;

    for (char *word = line ? strtok_r(line, " ", &rest) : NULL; word;
         word = strtok_r(NULL, " ", &rest)) {
        *ret = mem_grow(*ret, count + 1, sizeof **ret);
        (*ret)[count++] = strtoull(word, NULL, 10);
    }
    return count;
}

/* cpuacct.usage_user and _sys are nanoseconds (Linux 4.8); before, cpuacct.stat had only clock
 * ticks. */
static void read_cpuacct(const struct cgroup *cg, struct runtime_cpu_stats *ret)
{
    cleanup_free char *base = cgroup_v1_base(cg, "cpuacct");
    struct stats_from from = {base, cg->path};

    ret->have = cgroup_has(base, cg->path, "cpuacct.usage");
    ret->usage_ns = stats_number(&from, "cpuacct.usage");
    ret->user_ns = stats_number(&from, "cpuacct.usage_user");
    ret->system_ns = stats_number(&from, "cpuacct.usage_sys");
    ret->cpus = read_list(&from, "cpuacct.usage_percpu", &ret->per_cpu_ns);
    if (read_list(&from, "cpuacct.usage_percpu_user", &ret->per_cpu_user_ns) != ret->cpus ||
        read_list(&from, "cpuacct.usage_percpu_sys", &ret->per_cpu_system_ns) != ret->cpus) {
        free(ret->per_cpu_user_ns);
        free(ret->per_cpu_system_ns);
        ret->per_cpu_user_ns = ret->per_cpu_system_ns = NULL;
    }
}

static void read_cpu(const struct cgroup *cg, struct runtime_cpu_stats *ret)
{
    cleanup_free char *base = cgroup_v1_base(cg, "cpu");

    read_cpuacct(cg, ret);
    ret->periods = cgroup_read_key(base, cg->path, "cpu.stat", "nr_periods");
    ret->throttled_periods = cgroup_read_key(base, cg->path, "cpu.stat", "nr_throttled");
    ret->throttled_ns = cgroup_read_key(base, cg->path, "cpu.stat", "throttled_time");
    ret->burst_periods = cgroup_read_key(base, cg->path, "cpu.stat", "nr_bursts");
    ret->burst_ns = cgroup_read_key(base, cg->path, "cpu.stat", "burst_time");
}

static const struct stats_counter_files memory_files = {"memory.usage_in_bytes",
                                                        "memory.max_usage_in_bytes",
                                                        "memory.limit_in_bytes", "memory.failcnt"};
static const struct stats_counter_files swap_files = {
    "memory.memsw.usage_in_bytes", "memory.memsw.max_usage_in_bytes", "memory.memsw.limit_in_bytes",
    "memory.memsw.failcnt"};
static const struct stats_counter_files kernel_files = {
    "memory.kmem.usage_in_bytes", "memory.kmem.max_usage_in_bytes", "memory.kmem.limit_in_bytes",
    "memory.kmem.failcnt"};
static const struct stats_counter_files tcp_files = {
    "memory.kmem.tcp.usage_in_bytes", "memory.kmem.tcp.max_usage_in_bytes",
    "memory.kmem.tcp.limit_in_bytes", "memory.kmem.tcp.failcnt"};

static const struct stats_counter_files hugetlb_files = {"usage_in_bytes", "max_usage_in_bytes",
                                                         "limit_in_bytes", "failcnt"};

static void read_memory(const struct cgroup *cg, struct runtime_memory_stats *ret)
{
    cleanup_free char *base = cgroup_v1_base(cg, "memory");
    struct stats_from from = {base, cg->path};

    ret->have = cgroup_has(base, cg->path, "memory.usage_in_bytes");
    if (!ret->have)
        return;
    ret->memory = stats_counter(&from, &memory_files);
    ret->swap = stats_counter(&from, &swap_files);
    ret->kernel = stats_counter(&from, &kernel_files);
    ret->kernel_tcp = stats_counter(&from, &tcp_files);
    ret->hierarchy = stats_number(&from, "memory.use_hierarchy") == 1;
    ret->oom_kills = cgroup_read_key(base, cg->path, "memory.oom_control", "oom_kill");
    stats_table(&from, "memory.stat", &ret->stat, &ret->stat_count);
    ret->cache = stats_find(ret->stat, ret->stat_count, "cache");
    ret->inactive_file = stats_find(ret->stat, ret->stat_count, "total_inactive_file");
    ret->swap_alone = stats_find(ret->stat, ret->stat_count, "total_swap");
}

static void read_pids(const struct cgroup *cg, struct runtime_pids_stats *ret)
{
    cleanup_free char *base = cgroup_v1_base(cg, "pids");
    struct stats_from from = {base, cg->path};

    ret->have = cgroup_has(base, cg->path, "pids.current");
    ret->current = stats_number(&from, "pids.current");
    ret->limit = ret->have ? stats_number(&from, "pids.max") : RUNTIME_NO_LIMIT;
}

static void read_cpuset(const struct cgroup *cg, struct runtime_cpuset_stats *ret)
{
    cleanup_free char *base = cgroup_v1_base(cg, "cpuset");
    struct stats_from from = {base, cg->path};

    ret->cpus = stats_line(&from, "cpuset.effective_cpus");
    ret->mems = stats_line(&from, "cpuset.effective_mems");
    ret->have = ret->cpus && ret->mems;
}

/* --- block devices -------------------------------------------------------------------------------
 * "254:0 Read 4096", a line for each device and kind. Two policies count: the throttling one
 * always, in version 1 under names of its own, and the scheduler BFQ where it is used. */

static uint64_t *field_of(struct runtime_io_device *device, const char *kind, bool bytes)
{
    const struct {
        const char *kind;
        uint64_t *bytes, *requests;
    } fields[] = {
        {"Read", &device->read_bytes, &device->reads},
        {"Write", &device->write_bytes, &device->writes},
        {"Discard", &device->discard_bytes, &device->discards},
        {"Sync", &device->sync_bytes, &device->syncs},
        {"Async", &device->async_bytes, &device->asyncs},
    };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strcmp(fields[i].kind, kind))
            return bytes ? fields[i].bytes : fields[i].requests;
    return NULL; /* "Total" */
}

static bool read_io_file(const struct stats_from *from, const char *file, bool bytes,
                         struct runtime_io_stats *ret)
{
    cleanup_buf struct buf text = {0};
    unsigned major, minor;
    char kind[32], *rest;
    uint64_t value;

    if (cgroup_read(from->base, from->path, file, &text) < 0)
        return false;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        uint64_t *field;

        if (sscanf(line, "%u:%u %31s %lu", &major, &minor, kind, &value) != 4)
            continue;
        field = field_of(stats_device(ret, major, minor), kind, bytes);
        if (field && value > *field)
            *field = value;
    }
    return true;
}

static void read_io(const struct cgroup *cg, struct runtime_io_stats *ret)
{
    static const struct {
        const char *bytes, *requests;
    } files[] = {
        {"blkio.bfq.io_service_bytes_recursive", "blkio.bfq.io_serviced_recursive"},
        {"blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"},
        {"blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced"}, /* Linux < 5.0 */
    };
    cleanup_free char *base = cgroup_v1_base(cg, "blkio");
    struct stats_from from = {base, cg->path};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (read_io_file(&from, files[i].bytes, true, ret) &&
            read_io_file(&from, files[i].requests, false, ret))
            ret->have = true;
}

static void read_pressure(const struct cgroup *cg, struct runtime_stats *ret)
{
    struct stats_from beside = {cg->unified, cg->path};

    if (!cg->unified)
        return;
    stats_pressure(&beside, "cpu.pressure", &ret->cpu.pressure);
    stats_pressure(&beside, "memory.pressure", &ret->memory.pressure);
    stats_pressure(&beside, "io.pressure", &ret->io.pressure);
}

int cgroup_v1_stats(const struct cgroup *cg, struct runtime_stats *ret, struct err *err)
{
    cleanup_free char *hugetlb = cgroup_v1_base(cg, "hugetlb"), *rdma = cgroup_v1_base(cg, "rdma");
    struct stats_from huge_pages = {hugetlb, cg->path}, rdma_devices = {rdma, cg->path};

    read_cpu(cg, &ret->cpu);
    read_memory(cg, &ret->memory);
    read_pids(cg, &ret->pids);
    if (!ret->cpu.have && !ret->memory.have && !ret->pids.have)
        return err_set(err, ENOENT, "the control group '%s' is not there", cg->path);
    read_pressure(cg, ret);
    read_cpuset(cg, &ret->cpuset);
    read_io(cg, &ret->io);
    stats_hugetlb(&huge_pages, &hugetlb_files, ret);
    stats_rdma(&rdma_devices, ret);
    return 0;
}
