#include "runtime/cli/stats_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Commas: a member brings its own, and comes off again where the first one is. */
static void open_object(struct buf *b, const char *name)
{
    buf_printf(b, name ? "\"%s\":{" : "{", name);
}

static void close_object(struct buf *b)
{
    if (b->data[b->len - 1] == ',')
        b->len--;
    buf_add_str(b, "},");
}

static void number(struct buf *b, const char *name, uint64_t value)
{
    buf_printf(b, "\"%s\":%" PRIu64 ",", name, value);
}

/* Members that runc leaves out when they are 0. */
static void some(struct buf *b, const char *name, uint64_t value)
{
    if (value)
        number(b, name, value);
}

static void numbers(struct buf *b, const char *name, const uint64_t *values, size_t count)
{
    if (!values || !count)
        return;
    buf_printf(b, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++)
        buf_printf(b, "%s%" PRIu64, i ? "," : "", values[i]);
    buf_add_str(b, "],");
}

static void pressure_line(struct buf *b, const char *name, const struct runtime_pressure_line *line)
{
    buf_printf(b, "\"%s\":{\"avg10\":%.2f,\"avg60\":%.2f,\"avg300\":%.2f,\"total\":%" PRIu64 "},",
               name, line->avg10, line->avg60, line->avg300, line->total_us);
}

static void pressure(struct buf *b, const struct runtime_pressure *p)
{
    if (!p->have)
        return;
    open_object(b, "psi");
    pressure_line(b, "some", &p->some);
    pressure_line(b, "full", &p->full);
    close_object(b);
}

static void cpu(struct buf *b, const struct runtime_cpu_stats *s)
{
    open_object(b, "cpu");
    open_object(b, "usage");
    some(b, "total", s->usage_ns);
    numbers(b, "percpu", s->per_cpu_ns, s->cpus);
    numbers(b, "percpu_kernel", s->per_cpu_system_ns, s->cpus);
    numbers(b, "percpu_user", s->per_cpu_user_ns, s->cpus);
    number(b, "kernel", s->system_ns);
    number(b, "user", s->user_ns);
    close_object(b);
    open_object(b, "throttling");
    some(b, "periods", s->periods);
    some(b, "throttledPeriods", s->throttled_periods);
    some(b, "throttledTime", s->throttled_ns);
    close_object(b);
    pressure(b, &s->pressure);
    close_object(b);
}

/* "0-2,7" as [0,1,2,7]. */
static void cpu_list(struct buf *b, const char *name, const char *list)
{
    if (!list || !*list)
        return;
    buf_printf(b, "\"%s\":[", name);
    for (const char *p = list; *p;) {
        char *end;
        unsigned long first = strtoul(p, &end, 10),
                      last = *end == '-' ? strtoul(end + 1, &end, 10) : first;

        for (; first <= last; first++)
            buf_printf(b, "%lu,", first);
        p = *end == ',' ? end + 1 : "";
    }
    b->len -= b->data[b->len - 1] == ',';
    buf_add_str(b, "],");
}

static void cpuset(struct buf *b, const struct runtime_cpuset_stats *s)
{
    open_object(b, "cpuset");
    cpu_list(b, "cpus", s->cpus);
    cpu_list(b, "mems", s->mems);
    close_object(b);
}

/* runc writes what the kernel says: 2^63 less a page in version 1, 2^64-1 in version 2, which a
 * JSON reader with signed numbers refuses. */
static uint64_t readable(uint64_t limit)
{
    return limit > INT64_MAX ? INT64_MAX : limit;
}

static void counter(struct buf *b, const char *name, const struct runtime_memory_counter *c)
{
    open_object(b, name);
    number(b, "limit", readable(c->limit));
    some(b, "usage", c->usage);
    some(b, "max", c->max_usage);
    number(b, "failcnt", c->failures);
    close_object(b);
}

static void memory(struct buf *b, const struct runtime_memory_stats *s)
{
    open_object(b, "memory");
    some(b, "cache", s->cache);
    counter(b, "usage", &s->memory);
    counter(b, "swap", &s->swap);
    counter(b, "kernel", &s->kernel);
    counter(b, "kernelTCP", &s->kernel_tcp);
    if (s->stat_count) {
        open_object(b, "raw");
        for (size_t i = 0; i < s->stat_count; i++)
            number(b, s->stat[i].name, s->stat[i].value);
        close_object(b);
    }
    pressure(b, &s->pressure);
    close_object(b);
}

static void entry(struct buf *b, const struct runtime_io_device *d, const char *operation,
                  uint64_t value)
{
    buf_printf(b, "{\"major\":%u,\"minor\":%u,\"op\":\"%s\",\"value\":%" PRIu64 "},", d->major,
               d->minor, operation, value);
}

/* Both versions have reads, writes and discards; only version 1 tells waiting from not waiting. */
static void io_list(struct buf *b, const char *name, const struct runtime_io_stats *s, bool bytes)
{
    if (!s->device_count)
        return;
    buf_printf(b, "\"%s\":[", name);
    for (size_t i = 0; i < s->device_count; i++) {
        const struct runtime_io_device *d = &s->devices[i];

        entry(b, d, "Read", bytes ? d->read_bytes : d->reads);
        entry(b, d, "Write", bytes ? d->write_bytes : d->writes);
        if (d->sync_bytes || d->async_bytes) {
            entry(b, d, "Sync", bytes ? d->sync_bytes : d->syncs);
            entry(b, d, "Async", bytes ? d->async_bytes : d->asyncs);
        }
        if (d->discards)
            entry(b, d, "Discard", bytes ? d->discard_bytes : d->discards);
    }
    b->len--;
    buf_add_str(b, "],");
}

static void io(struct buf *b, const struct runtime_io_stats *s)
{
    open_object(b, "blkio");
    io_list(b, "ioServiceBytesRecursive", s, true);
    io_list(b, "ioServicedRecursive", s, false);
    pressure(b, &s->pressure);
    close_object(b);
}

static void pids(struct buf *b, const struct runtime_pids_stats *s)
{
    open_object(b, "pids");
    some(b, "current", s->current);
    if (s->limit != RUNTIME_NO_LIMIT)
        some(b, "limit", s->limit);
    close_object(b);
}

static void hugetlb(struct buf *b, const struct runtime_stats *s)
{
    open_object(b, "hugetlb");
    for (size_t i = 0; i < s->hugetlb_count; i++) {
        open_object(b, s->hugetlb[i].size);
        some(b, "usage", s->hugetlb[i].usage);
        some(b, "max", s->hugetlb[i].max_usage);
        number(b, "failcnt", s->hugetlb[i].failures);
        close_object(b);
    }
    close_object(b);
}

void stats_json_event(const char *id, const struct runtime_stats *stats, struct buf *ret)
{
    buf_printf(ret, "{\"type\":\"stats\",\"id\":\"%s\",\"data\":{", id);
    cpu(ret, &stats->cpu);
    cpuset(ret, &stats->cpuset);
    memory(ret, &stats->memory);
    pids(ret, &stats->pids);
    io(ret, &stats->io);
    hugetlb(ret, stats);
    buf_add_str(ret, "\"intel_rdt\":{},\"network_interfaces\":null}}\n");
}
