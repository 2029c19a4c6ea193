/* Version 2's counters. */
#include "runtime/cgroup_stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static int read_cpu(const struct stats_from *from, struct runtime_cpu_stats *ret)
{
    struct runtime_stat *t = NULL;
    size_t n = 0;
    int r = stats_table(from, "cpu.stat", &t, &n);

    if (r < 0)
        return r;
    ret->have = true;
    ret->usage_ns = 1000 * stats_find(t, n, "usage_usec");
    ret->user_ns = 1000 * stats_find(t, n, "user_usec");
    ret->system_ns = 1000 * stats_find(t, n, "system_usec");
    ret->periods = stats_find(t, n, "nr_periods");
    ret->throttled_periods = stats_find(t, n, "nr_throttled");
    ret->throttled_ns = 1000 * stats_find(t, n, "throttled_usec");
    ret->burst_periods = stats_find(t, n, "nr_bursts");
    ret->burst_ns = 1000 * stats_find(t, n, "burst_usec");
    stats_free_table(t, n);
    stats_pressure(from, "cpu.pressure", &ret->pressure);
    return 0;
}

/* docker, runc and Kubernetes know swap as version 1 counts it: with memory in it. */
static void read_swap(const struct stats_from *from, struct runtime_memory_stats *ret)
{
    static const struct stats_counter_files files = {"memory.swap.current", "memory.swap.peak",
                                                     "memory.swap.max", NULL};

    if (!cgroup_has(from->base, from->path, "memory.swap.current"))
        return; /* a kernel without swap accounting */
    ret->swap = stats_counter(from, &files);
    ret->swap_alone = ret->swap.usage;
    ret->swap.usage += ret->memory.usage;
    ret->swap.max_usage += ret->memory.max_usage;
    if (ret->swap.limit != RUNTIME_NO_LIMIT)
        ret->swap.limit = ret->memory.limit == RUNTIME_NO_LIMIT
                              ? RUNTIME_NO_LIMIT
                              : ret->swap.limit + ret->memory.limit;
    ret->swap.failures = cgroup_read_key(from->base, from->path, "memory.swap.events", "fail");
}

static void read_memory(const struct stats_from *from, struct runtime_memory_stats *ret)
{
    static const struct stats_counter_files files = {"memory.current", "memory.peak", "memory.max",
                                                     NULL};

    if (!cgroup_has(from->base, from->path, "memory.current"))
        return;
    ret->have = ret->hierarchy = true;
    ret->memory = stats_counter(from, &files);
    ret->memory.failures = cgroup_read_key(from->base, from->path, "memory.events", "max");
    ret->oom = cgroup_read_key(from->base, from->path, "memory.events", "oom");
    ret->oom_kills = cgroup_read_key(from->base, from->path, "memory.events", "oom_kill");
    read_swap(from, ret);
    stats_table(from, "memory.stat", &ret->stat, &ret->stat_count);
    ret->cache = stats_find(ret->stat, ret->stat_count, "file");
    ret->inactive_file = stats_find(ret->stat, ret->stat_count, "inactive_file");
    ret->kernel.usage = stats_find(ret->stat, ret->stat_count, "kernel");
    ret->kernel.limit = ret->kernel_tcp.limit = RUNTIME_NO_LIMIT;
    ret->kernel_tcp.usage = stats_find(ret->stat, ret->stat_count, "sock");
    stats_pressure(from, "memory.pressure", &ret->pressure);
}

static void read_io_line(char *line, struct runtime_io_stats *ret)
{
    unsigned major, minor;
    struct runtime_io_device *device;
    char *rest, *word;

    if (sscanf(line, "%u:%u ", &major, &minor) != 2)
        return;
    device = stats_device(ret, major, minor);
    for (word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        sscanf(word, "rbytes=%lu", &device->read_bytes);
        sscanf(word, "wbytes=%lu", &device->write_bytes);
        sscanf(word, "dbytes=%lu", &device->discard_bytes);
        sscanf(word, "rios=%lu", &device->reads);
        sscanf(word, "wios=%lu", &device->writes);
        sscanf(word, "dios=%lu", &device->discards);
    }
}

/* "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6", a line for each device. */
static void read_io(const struct stats_from *from, struct runtime_io_stats *ret)
{
    cleanup_buf struct buf text = {0};
    char *rest;

    if (cgroup_read(from->base, from->path, "io.stat", &text) < 0)
        return;
    ret->have = true;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        read_io_line(line, ret);
    stats_pressure(from, "io.pressure", &ret->pressure);
}

static void read_pids(const struct stats_from *from, struct runtime_pids_stats *ret)
{
    ret->have = cgroup_has(from->base, from->path, "pids.current");
    ret->current = stats_number(from, "pids.current");
    ret->limit = ret->have ? stats_number(from, "pids.max") : RUNTIME_NO_LIMIT;
}

static void read_cpuset(const struct stats_from *from, struct runtime_cpuset_stats *ret)
{
    ret->cpus = stats_line(from, "cpuset.cpus.effective");
    ret->mems = stats_line(from, "cpuset.mems.effective");
    ret->have = ret->cpus && ret->mems;
}

static const struct stats_counter_files hugetlb_files = {"current", NULL, "max", NULL};

int cgroup_v2_stats(const struct cgroup *cg, struct runtime_stats *ret, struct err *err)
{
    struct stats_from from = {cg->root, cg->path};
    int r = read_cpu(&from, &ret->cpu); /* cpu.stat is there without any controller */

    if (r < 0)
        return err_set(err, -r, "cannot read '%s%s/cpu.stat': %s", cg->root, cg->path,
                       strerror(-r));
    read_memory(&from, &ret->memory);
    read_pids(&from, &ret->pids);
    read_io(&from, &ret->io);
    read_cpuset(&from, &ret->cpuset);
    stats_hugetlb(&from, &hugetlb_files, ret);
    for (size_t i = 0; i < ret->hugetlb_count; i++) {
        cleanup_free char *events = str_format("hugetlb.%s.events", ret->hugetlb[i].size);

        ret->hugetlb[i].failures = cgroup_read_key(cg->root, cg->path, events, "max");
    }
    stats_rdma(&from, ret);
    return 0;
}
