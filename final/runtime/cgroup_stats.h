/* cgroup_stats.h - reading the kernel's counters: what the two versions share (private to them). */
#pragma once

#include "runtime/cgroup_parts.h"

/* A directory with counters in it. */
struct stats_from {
    const char *base, *path;
};

/* A file with one number; "max" and version 1's largest number are RUNTIME_NO_LIMIT; 0 when it is
 * not there. */
uint64_t stats_number(const struct stats_from *from, const char *file);
/* Usage, maximum, limit and failures of one counter, in the files named; NULL: not counted. */
struct stats_counter_files {
    const char *usage, *max_usage, *limit, *failures;
};
struct runtime_memory_counter stats_counter(const struct stats_from *from,
                                            const struct stats_counter_files *files);
/* Lines "name number". */
int stats_table(const struct stats_from *from, const char *file, struct runtime_stat **ret,
                size_t *ret_count);
uint64_t stats_find(const struct runtime_stat *table, size_t count, const char *name);
void stats_free_table(struct runtime_stat *table, size_t count);
/* One line of a file without its newline, NULL if there is none. */
char *stats_line(const struct stats_from *from, const char *file);
/* The device with these numbers in the list, added if it is new. */
struct runtime_io_device *stats_device(struct runtime_io_stats *io, uint32_t major, uint32_t minor);
/* Huge pages: the files "hugetlb.<size>.<suffix>" for every size the kernel has. */
void stats_hugetlb(const struct stats_from *from, const struct stats_counter_files *suffixes,
                   struct runtime_stats *ret);
/* cpu.pressure and its like: version 2 only, also in the tree beside version 1's. */
void stats_pressure(const struct stats_from *from, const char *file, struct runtime_pressure *ret);
/* rdma.current and rdma.max, alike in both versions. */
void stats_rdma(const struct stats_from *from, struct runtime_stats *ret);
