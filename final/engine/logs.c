/* logs.c - what a container has said: all that is there, the end of it, and what is still to come,
 * across rotation and across runs until the container has ended for good. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/keep.h"
#include "engine/log.h"
#include "engine/log_format.h"

#define RECHECK_MS 100 /* between two runs nothing says when the next begins */

struct reader {
    const struct log_options *options;
    engine_log_line *line;
    void *context;
    char *path; /* of the current file */
    bool json;
    int fd; /* of the current file */
    struct buf partial;
    long long skip; /* entries before the tail begins, where it could not be found from behind */
    int64_t last_ns, after_ns; /* the youngest that was seen; what is not younger was seen before */
};

/* --- entries ---------------------------------------------------------------------------------- */

static bool wanted(const struct log_options *o, const struct log_line *line)
{
    if ((line->stream == 1 && !o->want_stdout) || (line->stream == 2 && !o->want_stderr))
        return false;
    if (o->since_ns && line->time_ns < o->since_ns)
        return false;
    return !o->until_ns || line->time_ns <= o->until_ns;
}

static int take_line(void *context, const struct log_line *line)
{
    struct reader *reader = context;

    if (line->time_ns <= reader->after_ns)
        return 0;
    reader->last_ns = line->time_ns;
    if (reader->skip > 0) {
        reader->skip--;
        return 0;
    }
    if (!wanted(reader->options, line))
        return 0;
    return reader->line(reader->context, line->stream, line->time_ns, line->text, line->len,
                        line->attrs);
}

static int count_line(void *context, const struct log_line *line)
{
    (void)line;
    ++*(long long *)context;
    return 0;
}

static int read_source(struct reader *reader, const struct log_source *source, struct err *err)
{
    return log_source_read(source, reader->json, &reader->partial, take_line, reader, err);
}

/* --- all of it, or its end -------------------------------------------------------------------- */

/* Of a packed file the beginning has to be read, too. */
static int skip_packed(struct reader *reader, const struct log_source *source, long long *missing,
                       struct err *err)
{
    cleanup_buf struct buf data = {0};
    long long count = 0;
    int r = log_source_read(source, reader->json, &data, count_line, &count, err);

    reader->skip = count > *missing ? count - *missing : 0;
    *missing = count > *missing ? 0 : *missing - count;
    return r;
}

/* How many of the sources have something to show; the oldest of them is set to where that begins.
 */
static int find_tail(struct reader *reader, const struct log_sources *sources, size_t *ret,
                     struct err *err)
{
    long long missing = reader->options->tail;
    off_t at;

    *ret = missing < 0 ? sources->len : 0;
    while (missing > 0 && *ret < sources->len) {
        const struct log_source *source = &sources->items[*ret];
        int r = source->packed ? skip_packed(reader, source, &missing, err)
                               : log_seek_tail(source->fd, reader->json, &missing, &at, err);

        if (r < 0)
            return r;
        if (!source->packed && lseek(source->fd, at, SEEK_SET) < 0)
            return err_errno(err, "cannot seek in a log");
        ++*ret;
    }
    return 0;
}

/* The current file stays open, at its end. */
static int read_sources(struct reader *reader, struct log_sources *sources, size_t count,
                        struct err *err)
{
    int r = 0;

    for (size_t i = count; i-- > 0 && r >= 0;) {
        reader->partial.len = 0;
        r = read_source(reader, &sources->items[i], err);
    }
    if (sources->len) {
        if (!count && lseek(sources->items[0].fd, 0, SEEK_END) < 0) /* --tail 0 */
            r = err_errno(err, "cannot seek in a log");
        close_fd(&reader->fd);
        reader->fd = steal_fd(&sources->items[0].fd);
    }
    return r;
}

static int read_all(struct reader *reader, struct err *err)
{
    struct log_sources sources = {0};
    bool found;
    size_t count;
    int r = log_sources_open(reader->path, -1, &sources, &found, err);

    if (!r)
        r = find_tail(reader, &sources, &count, err);
    if (!r)
        r = read_sources(reader, &sources, count, err);
    log_sources_close(&sources);
    return r;
}

/* --- what comes ------------------------------------------------------------------------------- */

/* True when the file under the name is no longer the one we read. */
static bool rotated(const struct reader *reader)
{
    struct stat by_name, by_fd;

    if (stat(reader->path, &by_name) < 0)
        return false;
    return reader->fd < 0 || fstat(reader->fd, &by_fd) < 0 || by_name.st_ino != by_fd.st_ino;
}

/* All that is younger than the file we had. If that is not there any more (it was compressed) all
 * is read again, and what is not younger than the last entry passed over. */
static int read_younger(struct reader *reader, struct err *err)
{
    struct log_sources sources = {0};
    bool found;
    int r = log_sources_open(reader->path, reader->fd, &sources, &found, err);

    reader->after_ns = found || reader->fd < 0 ? 0 : reader->last_ns;
    if (!r)
        r = read_sources(reader, &sources, sources.len, err);
    reader->after_ns = 0;
    log_sources_close(&sources);
    return r;
}

static int read_current(struct reader *reader, struct err *err)
{
    struct log_source current = {reader->fd, false};

    return reader->fd < 0 ? 0 : read_source(reader, &current, err);
}

static int catch_up(struct reader *reader, struct err *err)
{
    int r = read_current(reader, err);

    while (r >= 0 && rotated(reader)) {
        /* What came between our last read and the rename is still behind the old descriptor. */
        r = read_current(reader, err);
        if (r >= 0)
            r = read_younger(reader, err);
    }
    return r;
}

struct pursuit {
    struct engine *e;
    const char *id;
    char *dir, *exit_file;
    int watch, shim; /* inotify; the pidfd of the one that writes, -1: nobody does now */
};

static bool is_written(const struct pursuit *p)
{
    return p->shim >= 0 && access(p->exit_file, F_OK) < 0;
}

/* 1: there is another run, or there will be (its policy, or `restart`); 0: it has ended. */
static int await_run(struct pursuit *p, struct err *err)
{
    cleanup_free char *dir = str_format("containers/%s", p->id);
    struct container now;
    int r = engine_find(p->e, p->id, &now, err);

    if (r < 0) { /* removed meanwhile */
        err_clear(err);
        return r == -ENOENT ? 0 : r;
    }
    close_fd(&p->shim);
    if (container_running(&now))
        p->shim = proc_open(&now.owner);
    r = container_running(&now) || container_starting(&now) || !strcmp(now.state, "restarting") ||
        keep_is_valid(p->e->store->root_fd, dir);
    container_free(&now);
    return r;
}

/* Until something is written or the shim ends, at most to the time that was asked for. */
static int wait_for_more(const struct pursuit *p, int64_t until_ns)
{
    struct pollfd fds[] = {{p->watch, POLLIN, 0}, {p->shim, POLLIN, 0}};
    int64_t left = until_ns ? (until_ns - clock_now()) / 1000000 + 1 : -1;
    int timeout = left > INT32_MAX ? -1 : (int)left;
    char events[4096];

    if (p->shim < 0 && (timeout < 0 || timeout > RECHECK_MS))
        timeout = RECHECK_MS;
    if (poll(fds, 2, timeout) < 0 && errno != EINTR)
        return -errno;
    while (read(p->watch, events, sizeof events) > 0)
        ;
    return 0;
}

static int pursue(struct pursuit *p, struct reader *reader, struct err *err)
{
    int64_t until = reader->options->until_ns;

    for (;;) {
        bool written = is_written(p);
        int r = catch_up(reader, err);

        if (r < 0 || (until && clock_now() > until))
            return r;
        if (!written && (r = await_run(p, err)) <= 0)
            return r;
        if (!written && is_written(p)) /* it began meanwhile */
            continue;
        if ((r = wait_for_more(p, until)) < 0)
            return err_set(err, -r, "poll: %s", strerror(-r));
    }
}

static int follow(struct engine *e, struct reader *reader, const struct container *c,
                  struct err *err)
{
    struct pursuit p = {.e = e, .id = c->id};
    int r = 0;

    p.dir = str_format("%s/containers/%s", e->store->root, c->id);
    p.exit_file = str_format("%s/exit.json", p.dir);
    p.watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    p.shim = proc_open(&c->owner);
    if (p.watch < 0 ||
        inotify_add_watch(p.watch, p.dir,
                          IN_MODIFY | IN_MOVE | IN_CREATE | IN_DELETE | IN_DELETE_SELF) < 0)
        r = err_errno(err, "cannot watch '%s'", p.dir);
    if (!r && p.shim < 0 && p.shim != -ESRCH)
        r = err_set(err, -p.shim, "cannot follow container %s: %s", c->name, strerror(-p.shim));
    if (!r)
        r = pursue(&p, reader, err);
    close_fd(&p.watch);
    close_fd(&p.shim);
    free(p.dir);
    free(p.exit_file);
    return r;
}

/* --- by driver -------------------------------------------------------------------------------- */

/* Where its entries are; NULL: nowhere that we could read. */
static char *log_path(struct engine *e, const struct container *c, bool *ret_json)
{
    const json_t *host = json_object_get(c->config, "HostConfig");
    const char *driver = log_driver(host);
    cleanup_json json_t *plan = log_plan(c);

    *ret_json = !strcmp(driver, "json-file");
    if (!strcmp(driver, "none") || json_flag(plan, "no_file", false))
        return NULL;
    if (*ret_json)
        return str_format("%s/containers/%s/%s" LOG_JSON_SUFFIX, e->store->root, c->id, c->id);
    return str_format("%s/containers/%s/" LOG_LOCAL_FILE, e->store->root, c->id);
}

int engine_logs(struct engine *e, const struct container *c, const struct log_options *options,
                engine_log_line *line, void *context, struct err *err)
{
    struct reader reader = {.options = options, .line = line, .context = context, .fd = -1};
    int r;

    reader.path = log_path(e, c, &reader.json);
    if (!reader.path)
        return err_set(err, ENOTSUP, "configured logging driver does not support reading");
    r = read_all(&reader, err);
    if (r >= 0 && options->follow && (container_running(c) || !strcmp(c->state, "restarting")))
        r = follow(e, &reader, c, err);
    close_fd(&reader.fd);
    buf_free(&reader.partial);
    free(reader.path);
    return r;
}
