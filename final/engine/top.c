/* top.c - the processes of a container, as ps(1) shows them. docker runs the host's ps and picks
 * lines by pid; here /proc is read by ourselves, and nothing of the image is ever run
 * (CVE-2022-1227). */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"
#include "engine/ps.h"
#include "runtime/runtime.h"

#define NAMES_MAX (16u << 20)

static void read_moment(struct ps_moment *ret)
{
    struct err ignored;
    struct sysinfo info;
    cleanup_buf struct buf uptime = {0};

    *ret = (struct ps_moment){.now = clock_now() / 1000000000,
                              .ticks = sysconf(_SC_CLK_TCK),
                              .page = sysconf(_SC_PAGESIZE)};
    if (!sysinfo(&info))
        ret->memory = (long long)info.totalram * info.mem_unit;
    if (!file_load(AT_FDCWD, "/proc/uptime", 4096, &uptime, &ignored))
        ret->uptime = strtod(uptime.data, NULL);
    /* A host without these has numbers only. */
    if (file_load(AT_FDCWD, "/etc/passwd", NAMES_MAX, &ret->passwd, &ignored) < 0 ||
        file_load(AT_FDCWD, "/etc/group", NAMES_MAX, &ret->group, &ignored) < 0)
        err_clear(&ignored);
}

static int by_number(const void *a, const void *b)
{
    const pid_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static json_t *titles_of(const struct ps_format *format)
{
    json_t *titles = json_array();

    for (size_t i = 0; i < format->len; i++)
        json_push(titles, json_string(format->items[i].title));
    return titles;
}

static json_t *text_value(const struct buf *text)
{
    json_t *value = json_stringn(text->data ? text->data : "", text->len);

    return value ? value : json_string("?"); /* a command line that is no UTF-8 */
}

static void push_row(json_t *rows, const struct ps_format *format, pid_t pid,
                     const struct ps_moment *now)
{
    struct ps_process p;
    json_t *row;

    if (ps_process_read(pid, &p) < 0)
        return; /* it has ended since it was listed */
    row = json_array();
    for (size_t i = 0; i < format->len; i++) {
        cleanup_buf struct buf text = {0};

        format->items[i].column->print(&p, now, &text);
        json_push(row, text_value(&text));
    }
    ps_process_free(&p);
    json_push(rows, row);
}

static json_t *table_of(const struct ps_format *format, const struct runtime_pids *pids)
{
    json_t *table = json_object(), *rows = json_array();
    struct ps_moment now;

    read_moment(&now);
    json_put(table, "Titles", titles_of(format));
    for (size_t i = 0; i < pids->len; i++)
        push_row(rows, format, pids->items[i], &now);
    json_put(table, "Processes", rows);
    buf_free(&now.passwd);
    buf_free(&now.group);
    return table;
}

static int check_titles(const struct ps_format *format, struct err *err)
{
    for (size_t i = 0; i < format->len; i++)
        if (!strcmp(format->items[i].title, "PID"))
            return 0;
    return err_set(err, EINVAL, "Couldn't find PID field in ps output");
}

static int list_pids(const struct container *c, struct runtime_pids *ret, struct err *err)
{
    cleanup_free char *path = container_cgroup(json_object_get(c->config, "HostConfig"), c->id);
    struct runtime_cgroup_place place = {.path = path};
    int r = runtime_cgroup_pids(&place, true, ret, err);

    if (!r && ret->len)
        qsort(ret->items, ret->len, sizeof *ret->items, by_number);
    return r;
}

json_t *engine_top(struct engine *e, const struct container *c, const struct strv *ps_options,
                   struct err *err)
{
    cleanup_strv struct strv usual = {0};
    struct runtime_pids pids = {0};
    struct ps_format format = {0};
    json_t *table = NULL;
    int r = container_check_runs(c, err);

    strv_add(&usual, "-ef");
    if (!r)
        r = ps_format_parse(ps_options->len ? ps_options : &usual, &format, err);
    if (!r)
        r = check_titles(&format, err);
    if (!r)
        r = list_pids(c, &pids, err);
    if (!r) {
        table = table_of(&format, &pids);
        container_event(e, c, "top", NULL);
    }
    runtime_pids_free(&pids);
    ps_format_free(&format);
    return table;
}
