/* stats.c - what a container uses at one moment, in docker's units. Rates are for the caller, who
 * has two moments. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"
#include "runtime/runtime.h"

#define PROC_FILE_MAX (4u << 20)

/* The first line of /proc/stat: ticks of all CPUs since boot, by what they did. The first eight
 * count all time once; guest time behind them is part of user time. proc_stat(5) */
static void read_system(struct engine_stats *ret)
{
    cleanup_buf struct buf text = {0};
    struct err ignored;
    char *at;
    uint64_t ticks = 0;

    ret->cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (file_load(AT_FDCWD, "/proc/stat", PROC_FILE_MAX, &text, &ignored) < 0 ||
        !str_starts(text.data, "cpu "))
        return;
    at = text.data + strlen("cpu ");
    for (int i = 0; i < 8; i++)
        ticks += strtoull(at, &at, 10);
    ret->system_ns = ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t host_memory(void)
{
    struct sysinfo info;

    return sysinfo(&info) < 0 ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

/* docker's idea of used memory: without pages of files that could go at once. */
static void take_memory(const struct runtime_memory_stats *m, struct engine_stats *ret)
{
    uint64_t usage = m->memory.usage, host = host_memory();

    ret->memory = m->inactive_file < usage ? usage - m->inactive_file : usage;
    ret->memory_limit = m->memory.limit && m->memory.limit < host ? m->memory.limit : host;
}

static void take_blocks(const struct runtime_io_stats *io, struct engine_stats *ret)
{
    for (size_t i = 0; i < io->device_count; i++) {
        ret->block_read += io->devices[i].read_bytes;
        ret->block_written += io->devices[i].write_bytes;
    }
}

/* /proc/PID/net/dev: "eth0: bytes packets errs drop fifo frame compressed multicast bytes ..." */
static void take_interface(char *line, struct engine_stats *ret)
{
    char *colon = strchr(line, ':');
    unsigned long long received, sent;

    line += strspn(line, " ");
    if (!colon || str_starts(line, "lo:") ||
        sscanf(colon + 1, "%llu %*s %*s %*s %*s %*s %*s %*s %llu", &received, &sent) != 2)
        return;
    ret->received += received;
    ret->sent += sent;
}

/* Who shares the host's network has no traffic of its own. */
static void read_network(const struct container *c, struct engine_stats *ret)
{
    cleanup_free char *path = str_format("/proc/%d/net/dev", (int)c->init.pid);
    cleanup_buf struct buf text = {0};
    cleanup_strv struct strv lines = {0};
    struct err ignored;

    if (!strcmp(json_str(c->config, "HostConfig.NetworkMode", ""), "host") ||
        file_load(AT_FDCWD, path, PROC_FILE_MAX, &text, &ignored) < 0)
        return;
    strv_split(&lines, text.data, '\n');
    for (size_t i = 0; i < lines.len; i++)
        take_interface(lines.items[i], ret);
}

int engine_stats(struct engine *e, const struct container *c, struct engine_stats *ret,
                 struct err *err)
{
    cleanup_free char *path = container_cgroup(json_object_get(c->config, "HostConfig"), c->id);
    struct runtime_cgroup_place place = {.path = path};
    struct runtime_stats stats = {0};
    int r;

    (void)e;
    *ret = (struct engine_stats){0};
    if (!container_running(c))
        return 0;
    r = runtime_cgroup_stats(&place, &stats, err);
    if (r == -ENOENT) { /* it has just ended */
        err_clear(err);
        return 0;
    }
    if (r < 0)
        return r;
    ret->running = true;
    read_system(ret);
    ret->cpu_ns = stats.cpu.usage_ns;
    take_memory(&stats.memory, ret);
    take_blocks(&stats.io, ret);
    ret->pids = stats.pids.current;
    read_network(c, ret);
    runtime_stats_free(&stats);
    return 0;
}
