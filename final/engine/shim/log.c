/* log.c - docker's json-file log: one object a line,
 * {"log":"text\n","stream":"stdout","time":"..."}.
 *
 * What one read(2) brought is encoded into one buffer and written by one write(2). When the file
 * would grow past max-size it is renamed to .1 (and .1 to .2, ... max-file-1 the last), and a new
 * one begun: a reader that follows sees the inode change under the name. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/shim/shim.h"

#define ENTRY_MAX (16u << 10)

struct shim_log {
    char *path;
    int fd;
    unsigned long long size, max_size, max_file;
    struct buf partial[2]; /* a line of stdout, of stderr that has no end yet */
    struct buf encoded;
};

/* With the first entry: a container that says nothing has no log file. If it fails the next entry
 * tries again. */
static void open_file(struct shim_log *log)
{
    struct stat st;

    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
    log->size = log->fd >= 0 && !fstat(log->fd, &st) ? (unsigned long long)st.st_size : 0;
}

struct shim_log *shim_log_new(const struct shim_options *o)
{
    struct shim_log *log;

    if (o->exec || !o->log || !strcmp(o->log, "none"))
        return NULL;
    log = mem_alloc(sizeof *log);
    log->path = str_format("%s/%s-json.log", o->dir, o->id);
    log->fd = -1;
    log->max_size = o->log_max_size;
    log->max_file = o->log_max_file ? o->log_max_file : 1;
    return log;
}

static void rotate(struct shim_log *log)
{
    for (unsigned long long i = log->max_file - 1; i > 0; i--) {
        cleanup_free char *to = str_format("%s.%llu", log->path, i);
        cleanup_free char *from =
            i > 1 ? str_format("%s.%llu", log->path, i - 1) : str_copy(log->path);

        if (rename(from, to) < 0 && errno != ENOENT)
            return; /* keep writing to the file we have */
    }
    if (log->max_file == 1)
        unlink(log->path);
    close_fd(&log->fd);
    log->size = 0;
}

static void write_encoded(struct shim_log *log)
{
    if (!log->encoded.len)
        return;
    if (log->fd < 0)
        open_file(log);
    if (log->fd >= 0 && !file_write(log->fd, log->encoded.data, log->encoded.len))
        log->size += log->encoded.len;
    log->encoded.len = 0;
}

/* The number of bytes of a valid UTF-8 sequence at p, 0 if there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    size_t n = *p < 0x80                 ? 1
               : *p >= 0xc2 && *p < 0xe0 ? 2
               : *p >= 0xe0 && *p < 0xf0 ? 3
               : *p >= 0xf0 && *p < 0xf5 ? 4
                                         : 0;

    if (!n || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
        (*p == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

/* JSON text is UTF-8; what is not becomes U+FFFD, as docker's log does it. */
json_t *shim_log_text(const char *data, size_t len)
{
    json_t *value = json_stringn(data, len);
    cleanup_buf struct buf clean = {0};

    if (value)
        return value;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_sequence((const unsigned char *)data + i, len - i);

        buf_add(&clean, n ? data + i : "\xef\xbf\xbd", n ? n : 3);
        i += n ? n : 1;
    }
    return json_stringn(clean.data, clean.len);
}

static int append_encoded(const char *data, size_t len, void *log)
{
    buf_add(&((struct shim_log *)log)->encoded, data, len);
    return 0;
}

static void add_entry(struct shim_log *log, int stream, const char *data, size_t len)
{
    cleanup_json json_t *entry = json_object();
    char now[40];

    clock_format(clock_now(), now);
    json_put(entry, "log", shim_log_text(data, len));
    json_put_str(entry, "stream", stream == 2 ? "stderr" : "stdout");
    json_put_str(entry, "time", now);
    if (log->max_size && log->size + log->encoded.len >= log->max_size) {
        write_encoded(log);
        rotate(log);
    }
    json_dump_callback(entry, append_encoded, log, JSON_COMPACT);
    buf_add_char(&log->encoded, '\n');
}

/* Where a piece of at most ENTRY_MAX bytes may be cut without splitting a character. */
static size_t cut_point(const char *data)
{
    size_t n = ENTRY_MAX;

    for (int back = 0; back < 3 && (data[n] & 0xc0) == 0x80; back++)
        n--;
    return n;
}

void shim_log_write(struct shim_log *log, int stream, const char *data, size_t len)
{
    struct buf *partial;

    if (!log)
        return;
    partial = &log->partial[stream == 2];
    while (len) {
        const char *newline = memchr(data, '\n', len);
        size_t n = newline ? (size_t)(newline - data) + 1 : len;

        buf_add(partial, data, n);
        data += n;
        len -= n;
        while (partial->len > ENTRY_MAX) {
            size_t cut = cut_point(partial->data);

            add_entry(log, stream, partial->data, cut);
            memmove(partial->data, partial->data + cut, partial->len - cut);
            partial->len -= cut;
        }
        if (newline) {
            add_entry(log, stream, partial->data, partial->len);
            partial->len = 0;
        }
    }
    write_encoded(log);
}

void shim_log_flush(struct shim_log *log)
{
    for (int i = 0; log && i < 2; i++)
        if (log->partial[i].len) {
            add_entry(log, i + 1, log->partial[i].data, log->partial[i].len);
            log->partial[i].len = 0;
            write_encoded(log);
        }
}
