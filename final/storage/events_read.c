/* events_read.c - the events that were written, and those that come: inotify(7) on the directory
 * says when there is more, wherever it comes from. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "storage/storage.h"

#define CHUNK    65536
#define LINE_MAX (1 << 20)

struct reader {
    int root_fd, fd;
    const struct event_query *query;
    event_visit *visit;
    void *context;
    struct buf rest; /* bytes behind the last newline */
};

/* One line; an empty or a torn one is nothing. */
static int take_line(struct reader *r, const char *line, size_t len)
{
    struct err ignored;
    cleanup_json json_t *event = len ? json_parse(line, len, "an event", &ignored) : NULL;
    int64_t time_ns = json_int(event, "timeNano", 0);

    if (!event || (r->query->since_ns && time_ns < r->query->since_ns) ||
        (r->query->until_ns && time_ns > r->query->until_ns))
        return 0;
    return r->visit(r->context, event);
}

static int take_lines(struct reader *r)
{
    size_t done = 0;
    char *newline;
    int result = 0;

    while (result >= 0 && r->rest.len > done &&
           (newline = memchr(r->rest.data + done, '\n', r->rest.len - done))) {
        size_t end = (size_t)(newline - r->rest.data);

        result = take_line(r, r->rest.data + done, end - done);
        done = end + 1;
    }
    if (r->rest.len - done > LINE_MAX) /* no event is that long */
        done = r->rest.len;
    memmove(r->rest.data, r->rest.data + done, r->rest.len - done);
    r->rest.len -= done;
    return result;
}

static int read_to_end(struct reader *r, struct err *err)
{
    while (r->fd >= 0) {
        ssize_t n;
        int result;

        buf_reserve(&r->rest, CHUNK);
        n = file_read(r->fd, r->rest.data + r->rest.len, CHUNK);
        if (n < 0)
            return err_set(err, (int)-n, "cannot read the events: %s", strerror((int)-n));
        if (!n)
            break;
        r->rest.len += (size_t)n;
        result = take_lines(r);
        if (result < 0)
            return result;
    }
    return 0;
}

static int open_log(struct reader *r, const char *name)
{
    close_fd(&r->fd);
    r->rest.len = 0;
    r->fd = openat(r->root_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return r->fd;
}

/* The inode behind a name, 0 without one. */
static ino_t inode_of(const struct reader *r, const char *name)
{
    struct stat st;

    return fstatat(r->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_ino;
}

static ino_t open_inode(const struct reader *r)
{
    struct stat st;

    return r->fd < 0 || fstat(r->fd, &st) < 0 ? 0 : st.st_ino;
}

/* On from the open file to those that took its place. A rename came after the last event of the
 * file it moved, so the old one is read once more before the next one is opened: log.1, unless that
 * is the one we have, and then the current one. */
static int catch_up(struct reader *r, struct err *err)
{
    for (;;) {
        ino_t current = inode_of(r, "events/log"), ours = open_inode(r);
        int result = read_to_end(r, err);

        if (result < 0 || !current || current == ours)
            return result;
        if (open_log(r, "events/log.1") < 0 || open_inode(r) == ours)
            open_log(r, "events/log");
    }
}

static int read_past(struct reader *r, struct err *err)
{
    open_log(r, "events/log.1");
    return catch_up(r, err);
}

/* Milliseconds for poll(2) until the query ends; -1: never. */
static int time_left(const struct event_query *query)
{
    int64_t left = query->until_ns - clock_now();

    if (!query->until_ns)
        return -1;
    if (left <= 0)
        return 0;
    return left > 1000000000000LL ? 1000000 : (int)(left / 1000000) + 1;
}

static int follow(struct reader *r, int watch, struct err *err)
{
    for (;;) {
        struct pollfd p = {watch, POLLIN, 0};
        int left = time_left(r->query), result;
        char events[4096];

        if (!left)
            return catch_up(r, err);
        if (poll(&p, 1, left) < 0 && errno != EINTR)
            return err_errno(err, "cannot wait for events");
        while (read(watch, events, sizeof events) > 0)
            ;
        result = catch_up(r, err);
        if (result < 0)
            return result;
    }
}

/* The directory is there before anybody watches it. */
static int watch_directory(struct store *s, struct err *err)
{
    cleanup_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    cleanup_free char *path = str_format("%s/events", s->root);

    if (mkdirat(s->root_fd, "events", 0700) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make '%s'", path);
    if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY | IN_CREATE | IN_MOVE) < 0)
        return err_errno(err, "cannot watch '%s'", path);
    return steal_fd(&watch);
}

int store_events_read(struct store *s, const struct event_query *query, event_visit *visit,
                      void *context, struct err *err)
{
    struct reader r = {s->root_fd, -1, query, visit, context, {0}};
    cleanup_close int watch = query->follow ? watch_directory(s, err) : -1;
    int result = query->follow && watch < 0 ? watch : read_past(&r, err);

    if (result >= 0 && query->follow)
        result = follow(&r, watch, err);
    close_fd(&r.fd);
    buf_free(&r.rest);
    return result < 0 ? result : 0;
}
