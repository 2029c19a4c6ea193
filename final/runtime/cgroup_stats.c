/* Reading the kernel's counters: the shapes of file that both versions have. A counter this kernel
 * does not keep is not an error: it is left at 0. */
#include "runtime/cgroup_stats.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Version 1 says "no limit" as the largest number of pages. */
#define V1_NO_LIMIT 0x7ffffffffffff000ULL

uint64_t stats_number(const struct stats_from *from, const char *file)
{
    cleanup_buf struct buf text = {0};
    uint64_t number;

    if (!file || cgroup_read(from->base, from->path, file, &text) < 0)
        return 0;
    if (!strncmp(text.data, "max", 3))
        return RUNTIME_NO_LIMIT;
    number = strtoull(text.data, NULL, 10);
    return number >= V1_NO_LIMIT ? RUNTIME_NO_LIMIT : number;
}

struct runtime_memory_counter stats_counter(const struct stats_from *from,
                                            const struct stats_counter_files *files)
{
    return (struct runtime_memory_counter){
        .usage = stats_number(from, files->usage),
        .max_usage = stats_number(from, files->max_usage),
        .limit = stats_number(from, files->limit),
        .failures = stats_number(from, files->failures),
    };
}

int stats_table(const struct stats_from *from, const char *file, struct runtime_stat **ret,
                size_t *ret_count)
{
    struct runtime_stat *table = NULL;
    cleanup_buf struct buf text = {0};
    size_t count = 0, room = 0;
    char *rest;
    int r = cgroup_read(from->base, from->path, file, &text);

    if (r < 0)
        return r;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t n = strcspn(line, " ");

        if (!line[n])
            continue;
        if (count == room) {
            room = room ? 2 * room : 64;
            table = mem_grow(table, room, sizeof *table);
        }
        table[count++] = (struct runtime_stat){str_copy_n(line, n), strtoull(line + n, NULL, 10)};
    }
    *ret = table;
    *ret_count = count;
    return 0;
}

uint64_t stats_find(const struct runtime_stat *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(table[i].name, name))
            return table[i].value;
    return 0;
}

void stats_free_table(struct runtime_stat *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(table[i].name);
    free(table);
}

char *stats_line(const struct stats_from *from, const char *file)
{
    cleanup_buf struct buf text = {0};

    if (cgroup_read(from->base, from->path, file, &text) < 0)
        return NULL;
    text.data[strcspn(text.data, "\n")] = 0;
    return buf_steal(&text);
}

struct runtime_io_device *stats_device(struct runtime_io_stats *io, uint32_t major, uint32_t minor)
{
    for (size_t i = 0; i < io->device_count; i++)
        if (io->devices[i].major == major && io->devices[i].minor == minor)
            return &io->devices[i];
    io->devices = mem_grow(io->devices, io->device_count + 1, sizeof *io->devices);
    io->devices[io->device_count] = (struct runtime_io_device){.major = major, .minor = minor};
    return &io->devices[io->device_count++];
}

/* "hugepages-2048kB" -> "2MB", the name in the group's files; NULL for another directory. */
static char *huge_page_size(const char *directory)
{
    unsigned long long kilobytes;

    if (sscanf(directory, "hugepages-%llukB", &kilobytes) != 1)
        return NULL;
    if (kilobytes >= 1 << 20)
        return str_format("%lluGB", kilobytes >> 20);
    return kilobytes >= 1 << 10 ? str_format("%lluMB", kilobytes >> 10)
                                : str_format("%lluKB", kilobytes);
}

static uint64_t hugetlb_number(const struct stats_from *from, const char *size, const char *suffix)
{
    cleanup_free char *file = suffix ? str_format("hugetlb.%s.%s", size, suffix) : NULL;

    return stats_number(from, file);
}

static void add_hugetlb(const struct stats_from *from, const struct stats_counter_files *suffixes,
                        const char *size, struct runtime_stats *ret)
{
    cleanup_free char *file = str_format("hugetlb.%s.%s", size, suffixes->usage);

    if (!cgroup_has(from->base, from->path, file))
        return;
    ret->hugetlb = mem_grow(ret->hugetlb, ret->hugetlb_count + 1, sizeof *ret->hugetlb);
    ret->hugetlb[ret->hugetlb_count++] = (struct runtime_hugetlb_stats){
        .size = str_copy(size),
        .usage = hugetlb_number(from, size, suffixes->usage),
        .max_usage = hugetlb_number(from, size, suffixes->max_usage),
        .limit = hugetlb_number(from, size, suffixes->limit),
        .failures = hugetlb_number(from, size, suffixes->failures),
    };
}

void stats_hugetlb(const struct stats_from *from, const struct stats_counter_files *suffixes,
                   struct runtime_stats *ret)
{
    cleanup_closedir DIR *sizes = opendir("/sys/kernel/mm/hugepages");
    struct dirent *entry;

    while (sizes && (entry = readdir(sizes))) {
        cleanup_free char *size = huge_page_size(entry->d_name);

        if (size)
            add_hugetlb(from, suffixes, size, ret);
    }
}

static struct runtime_rdma_stats *rdma_device(struct runtime_stats *ret, const char *name, size_t n)
{
    for (size_t i = 0; i < ret->rdma_count; i++)
        if (!strncmp(ret->rdma[i].device, name, n) && !ret->rdma[i].device[n])
            return &ret->rdma[i];
    ret->rdma = mem_grow(ret->rdma, ret->rdma_count + 1, sizeof *ret->rdma);
    ret->rdma[ret->rdma_count] = (struct runtime_rdma_stats){.device = str_copy_n(name, n)};
    return &ret->rdma[ret->rdma_count++];
}

static uint64_t rdma_value(const char *line, const char *key)
{
    const char *at = strstr(line, key);

    if (!at)
        return 0;
    at += strlen(key);
    return !strncmp(at, "max", 3) ? RUNTIME_NO_LIMIT : strtoull(at, NULL, 10);
}

/* Lines "mlx5_0 hca_handle=2 hca_object=max". */
static void read_rdma(const struct stats_from *from, const char *file, bool limits,
                      struct runtime_stats *ret)
{
    cleanup_buf struct buf text = {0};
    char *rest;

    if (cgroup_read(from->base, from->path, file, &text) < 0)
        return;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct runtime_rdma_stats *device = rdma_device(ret, line, strcspn(line, " "));
        uint64_t handles = rdma_value(line, "hca_handle="),
                 objects = rdma_value(line, "hca_object=");

        *(limits ? &device->handles_limit : &device->handles) = handles;
        *(limits ? &device->objects_limit : &device->objects) = objects;
    }
}

void stats_rdma(const struct stats_from *from, struct runtime_stats *ret)
{
    read_rdma(from, "rdma.current", false, ret);
    read_rdma(from, "rdma.max", true, ret);
}

static void read_pressure_line(const char *text, const char *word,
                               struct runtime_pressure_line *ret)
{
    const char *line = strstr(text, word);

    if (line)
        sscanf(line + strlen(word), " avg10=%lf avg60=%lf avg300=%lf total=%lu", &ret->avg10,
               &ret->avg60, &ret->avg300, &ret->total_us);
}

/* EOPNOTSUPP when the kernel was booted with psi=0. */
void stats_pressure(const struct stats_from *from, const char *file, struct runtime_pressure *ret)
{
    cleanup_buf struct buf text = {0};

    if (cgroup_read(from->base, from->path, file, &text) < 0)
        return;
    ret->have = true;
    read_pressure_line(text.data, "some", &ret->some);
    read_pressure_line(text.data, "full", &ret->full);
}

void runtime_stats_free(struct runtime_stats *stats)
{
    free(stats->cpu.per_cpu_ns);
    free(stats->cpu.per_cpu_user_ns);
    free(stats->cpu.per_cpu_system_ns);
    free(stats->cpuset.cpus);
    free(stats->cpuset.mems);
    stats_free_table(stats->memory.stat, stats->memory.stat_count);
    free(stats->io.devices);
    for (size_t i = 0; i < stats->hugetlb_count; i++)
        free(stats->hugetlb[i].size);
    free(stats->hugetlb);
    for (size_t i = 0; i < stats->rdma_count; i++)
        free(stats->rdma[i].device);
    free(stats->rdma);
    *stats = (struct runtime_stats){0};
}
