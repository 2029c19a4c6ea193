/* stats.h - what a container has used: one struct for both versions of control groups.
 *
 * Version 1 and 2 count the same things under other names and units; here times are nanoseconds and
 * sizes bytes, whichever it was. A number this kernel does not count is 0; a limit that is not set
 * is RUNTIME_NO_LIMIT; `have_*` says whether a whole section was there. Sources:
 * Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/ of the kernel.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNTIME_NO_LIMIT UINT64_MAX

/* How long tasks stood still for want of something (pressure stall information, Linux 5.2 in
 * groups of version 2, also beside version 1). `some`: at least one task, `full`: all of them. Averages are percent. */
struct runtime_pressure {
    bool have;
    struct runtime_pressure_line {
        double avg10, avg60, avg300;
        uint64_t total_us;
    } some, full;
};

struct runtime_cpu_stats {
    bool have;
    uint64_t usage_ns, user_ns, system_ns;
    uint64_t periods, throttled_periods, throttled_ns; /* by cpu.quota */
    uint64_t burst_periods, burst_ns;
    /* Version 1 only, else NULL: per CPU that may be there, in order. */
    uint64_t *per_cpu_ns, *per_cpu_user_ns, *per_cpu_system_ns;
    size_t cpus;
    struct runtime_pressure pressure;
};

struct runtime_memory_counter {
    uint64_t usage, max_usage, limit, failures; /* max_usage: version 2 since Linux 5.19 */
};

struct runtime_memory_stats {
    bool have;
    struct runtime_memory_counter memory;
    /* Version 1 counts memory and swap together, version 2 swap alone. This is the sum in both, as
     * docker and runc print it; `swap_alone` is what is really swapped out. */
    struct runtime_memory_counter swap;
    uint64_t swap_alone;
    struct runtime_memory_counter kernel, kernel_tcp; /* limits: version 1 only */
    uint64_t cache;                                   /* page cache: "cache" or "file" */
    uint64_t inactive_file;  /* of the whole subtree: what docker subtracts from the usage */
    uint64_t oom, oom_kills; /* memory.events, memory.oom_control */
    bool hierarchy;          /* memory.use_hierarchy; version 2: true */
    struct runtime_stat {    /* memory.stat, every line, in its order */
        char *name;
        uint64_t value;
    } * stat;
    size_t stat_count;
    struct runtime_pressure pressure;
};

struct runtime_pids_stats {
    bool have;
    uint64_t current, limit;
};

/* One block device. Bytes and numbers of requests. */
struct runtime_io_device {
    uint32_t major, minor;
    uint64_t read_bytes, write_bytes, discard_bytes;
    uint64_t reads, writes, discards;
    /* Version 1 also splits by waiting or not; 0 in version 2. */
    uint64_t sync_bytes, async_bytes, syncs, asyncs;
};

struct runtime_io_stats {
    bool have;
    struct runtime_io_device *devices;
    size_t device_count;
    struct runtime_pressure pressure;
};

/* One size of huge pages, "2MB". Bytes. */
struct runtime_hugetlb_stats {
    char *size;
    uint64_t usage, max_usage, limit, failures;
};

/* One RDMA device. */
struct runtime_rdma_stats {
    char *device;
    uint64_t handles, objects, handles_limit, objects_limit;
};

struct runtime_cpuset_stats {
    bool have;
    char *cpus, *mems; /* what it may really use: the effective lists, "0-3,7" */
};

struct runtime_stats {
    struct runtime_cpu_stats cpu;
    struct runtime_cpuset_stats cpuset;
    struct runtime_memory_stats memory;
    struct runtime_pids_stats pids;
    struct runtime_io_stats io;
    struct runtime_hugetlb_stats *hugetlb;
    size_t hugetlb_count;
    struct runtime_rdma_stats *rdma;
    size_t rdma_count;
};

void runtime_stats_free(struct runtime_stats *stats);
