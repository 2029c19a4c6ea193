/* logs.c - reading docker's json-file log: rotated files oldest first, then the current one;
 * following it by inotify(7) across rotation until the container has ended and everything was read.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"

#define CHUNK 65536

struct reader {
    const struct log_options *options;
    engine_log_line *line;
    void *context;
    char *path; /* of the current file */
    int fd;
    struct buf partial; /* bytes after the last newline */
    long long skip;     /* entries before the tail begins */
    bool counting;      /* first pass of --tail: only count */
    long long count;
};

static bool wanted(const struct log_options *o, int stream, int64_t time_ns)
{
    if ((stream == 1 && !o->want_stdout) || (stream == 2 && !o->want_stderr))
        return false;
    if (o->since_ns && time_ns < o->since_ns)
        return false;
    return !o->until_ns || time_ns <= o->until_ns;
}

/* One line of the file. A line that is not JSON (a torn write of a full disk) is passed over. */
static int take_entry(struct reader *reader, const char *text, size_t len)
{
    struct err ignored;
    cleanup_json json_t *entry = json_parse(text, len, "a log line", &ignored);
    int stream = !strcmp(json_str(entry, "stream", "stdout"), "stderr") ? 2 : 1;
    json_t *log = json_object_get(entry, "log");
    int64_t time_ns = 0;

    if (!json_is_string(log) || clock_parse(json_str(entry, "time", ""), &time_ns) < 0 ||
        !wanted(reader->options, stream, time_ns))
        return 0;
    if (reader->counting) {
        reader->count++;
        return 0;
    }
    if (reader->skip > 0) {
        reader->skip--;
        return 0;
    }
    return reader->line(reader->context, stream, time_ns, json_string_value(log),
                        json_string_length(log));
}

static int take_lines(struct reader *reader)
{
    struct buf *b = &reader->partial;
    size_t done = 0;
    char *newline;
    int r = 0;

    while (r >= 0 && b->len > done && (newline = memchr(b->data + done, '\n', b->len - done))) {
        size_t end = (size_t)(newline - b->data);

        r = take_entry(reader, b->data + done, end - done);
        done = end + 1;
    }
    if (done) {
        memmove(b->data, b->data + done, b->len - done);
        b->len -= done;
    }
    return r;
}

/* Reads the open file to its present end. */
static int read_to_end(struct reader *reader, struct err *err)
{
    for (;;) {
        ssize_t n;
        int r;

        buf_reserve(&reader->partial, CHUNK);
        n = file_read(reader->fd, reader->partial.data + reader->partial.len, CHUNK);
        if (n < 0)
            return err_set(err, (int)-n, "cannot read the log '%s'", reader->path);
        if (!n)
            return 0;
        reader->partial.len += (size_t)n;
        r = take_lines(reader);
        if (r < 0)
            return r;
    }
}

static int open_log(struct reader *reader, const char *path)
{
    close_fd(&reader->fd);
    reader->partial.len = 0;
    reader->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return reader->fd < 0 ? -errno : 0;
}

static int oldest_rotation(const struct reader *reader)
{
    int n = 0;

    for (;; n++) {
        cleanup_free char *path = str_format("%s.%d", reader->path, n + 1);

        if (access(path, F_OK) < 0)
            return n;
    }
}

/* All files, oldest first; the current one stays open at its end. */
static int read_all(struct reader *reader, struct err *err)
{
    for (int n = oldest_rotation(reader); n >= 0; n--) {
        cleanup_free char *path = n ? str_format("%s.%d", reader->path, n) : str_copy(reader->path);
        int r = open_log(reader, path);

        if (r == -ENOENT)
            continue; /* rotated away just now, or nothing was logged yet */
        if (r < 0)
            return err_set(err, -r, "cannot open the log '%s': %s", path, strerror(-r));
        r = read_to_end(reader, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* True when the file under the name is no longer the one we read. */
static bool rotated(const struct reader *reader)
{
    struct stat by_name, by_fd;

    if (stat(reader->path, &by_name) < 0)
        return false;
    return reader->fd < 0 || fstat(reader->fd, &by_fd) < 0 || by_name.st_ino != by_fd.st_ino;
}

static int catch_up(struct reader *reader, struct err *err)
{
    int r = reader->fd >= 0 ? read_to_end(reader, err) : 0;

    if (r < 0 || !rotated(reader))
        return r;
    /* What came between our last read and the rename is still behind the old descriptor. */
    r = reader->fd >= 0 ? read_to_end(reader, err) : 0;
    if (r < 0)
        return r;
    if (open_log(reader, reader->path) < 0)
        return 0;
    return read_to_end(reader, err);
}

static int follow(struct reader *reader, const struct container *c, struct err *err)
{
    cleanup_free char *dir =
        str_copy_n(reader->path, (size_t)(strrchr(reader->path, '/') - reader->path));
    cleanup_free char *exit_file = str_format("%s/exit.json", dir);
    cleanup_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    cleanup_close int pidfd = proc_open(&c->owner);

    if (watch < 0 ||
        inotify_add_watch(watch, dir, IN_MODIFY | IN_MOVE | IN_CREATE | IN_DELETE_SELF) < 0)
        return err_errno(err, "cannot watch '%s'", dir);
    if (pidfd < 0 && pidfd != -ESRCH)
        return err_set(err, -pidfd, "cannot follow container %s: %s", c->name, strerror(-pidfd));
    for (;;) {
        struct pollfd p[] = {{watch, POLLIN, 0}, {pidfd, POLLIN, 0}};
        bool ended = pidfd < 0 || !access(exit_file, F_OK);
        char events[4096];
        int r = catch_up(reader, err);

        if (r < 0 || ended)
            return r;
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return err_errno(err, "poll");
        if (p[1].revents)
            close_fd(&pidfd);
        while (read(watch, events, sizeof events) > 0)
            ;
    }
}

static int read_log(struct reader *reader, const struct container *c, struct err *err)
{
    int r;

    if (reader->options->tail >= 0) {
        reader->counting = true;
        r = read_all(reader, err);
        if (r < 0)
            return r;
        reader->counting = false;
        reader->skip = reader->count - reader->options->tail;
    }
    r = read_all(reader, err);
    if (r < 0 || !reader->options->follow || !container_running(c))
        return r;
    return follow(reader, c, err);
}

int engine_logs(struct engine *e, const struct container *c, const struct log_options *options,
                engine_log_line *line, void *context, struct err *err)
{
    const char *driver = json_str(c->config, "HostConfig.LogConfig.Type", "");
    struct reader reader = {.options = options, .line = line, .context = context, .fd = -1};
    int r;

    if (*driver && strcmp(driver, "json-file"))
        return err_set(err, ENOTSUP, "configured logging driver does not support reading");
    reader.path = str_format("%s/containers/%s/%s-json.log", e->store->root, c->id, c->id);
    r = read_log(&reader, c, err);
    close_fd(&reader.fd);
    buf_free(&reader.partial);
    free(reader.path);
    return r;
}
