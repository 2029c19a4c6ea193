/* log_decode.c - log entries as they stand in the file; see log_format.h. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/log.h"
#include "engine/log_format.h"

#define CHUNK 65536

static uint64_t number(const char *at, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

/* --- forwards --------------------------------------------------------------------------------- */

static int take_object(const char *text, size_t len, log_take *take, void *context)
{
    struct err ignored;
    cleanup_json json_t *entry = json_parse(text, len, "a log line", &ignored);
    json_t *log = json_object_get(entry, "log");
    struct log_line line = {.attrs = json_object_get(entry, "attrs")};

    if (!json_is_string(log) || clock_parse(json_str(entry, "time", ""), &line.time_ns) < 0)
        return 0;
    line.stream = !strcmp(json_str(entry, "stream", "stdout"), "stderr") ? 2 : 1;
    line.text = json_string_value(log);
    line.len = json_string_length(log);
    return take(context, &line);
}

/* The bytes of the first entry, 0: it is not whole yet. */
static size_t object_size(const char *data, size_t len)
{
    const char *newline = memchr(data, '\n', len);

    return newline ? (size_t)(newline - data) + 1 : 0;
}

static size_t frame_size(const char *data, size_t len)
{
    uint64_t length = len < LOG_FRAME_HEAD ? 0 : number(data, LOG_FRAME_HEAD);

    if (len < LOG_FRAME_HEAD || length + 8 > len)
        return length > LOG_FRAME_MAX ? len : 0; /* no frame at all: nothing here can be read */
    return (size_t)length + 8;
}

static int take_frame(const char *data, size_t size, log_take *take, void *context)
{
    struct log_line line = {0};

    if (size < 8 + LOG_FRAME_FIXED || number(data, 4) != size - 8)
        return 0;
    line.stream = data[4] == 2 ? 2 : 1;
    line.time_ns = (int64_t)number(data + 5, 8);
    line.text = data + LOG_FRAME_HEAD + LOG_FRAME_FIXED;
    line.len = size - 8 - LOG_FRAME_FIXED;
    return take(context, &line);
}

int log_decode(struct buf *data, bool json, log_take *take, void *context)
{
    size_t done = 0, n;
    int r = 0;

    while (r >= 0 && done < data->len &&
           (n = json ? object_size(data->data + done, data->len - done)
                     : frame_size(data->data + done, data->len - done))) {
        r = json ? take_object(data->data + done, n - 1, take, context)
                 : take_frame(data->data + done, n, take, context);
        done += n;
    }
    if (done) {
        memmove(data->data, data->data + done, data->len - done);
        data->len -= done;
    }
    return r;
}

/* --- backwards -------------------------------------------------------------------------------- */

/* Newlines from the end. The last byte is one, if the last entry is whole. */
static int seek_objects(int fd, off_t size, long long *count, off_t *ret)
{
    char chunk[CHUNK];
    bool last = true;

    for (off_t end = size; end > 0;) {
        size_t n = end < CHUNK ? (size_t)end : CHUNK;

        if (pread(fd, chunk, n, end - (off_t)n) != (ssize_t)n)
            return -EIO;
        for (size_t i = n; i-- > 0;) {
            if (chunk[i] != '\n')
                continue;
            if (!last && !--*count) {
                *ret = end - (off_t)n + (off_t)i + 1;
                return 0;
            }
            last = false;
        }
        end -= (off_t)n;
    }
    *ret = 0;
    *count -= !last; /* the first one has none before it */
    return 0;
}

static int seek_frames(int fd, off_t size, long long *count, off_t *ret)
{
    off_t at = size;
    char length[4];

    for (; *count && at > 8; --*count) {
        off_t whole;

        if (pread(fd, length, 4, at - 4) != 4)
            return -EIO;
        whole = (off_t)number(length, 4) + 8;
        if (whole > at) /* it is being written now */
            break;
        at -= whole;
    }
    *ret = at;
    return 0;
}

int log_seek_tail(int fd, bool json, long long *count, off_t *ret, struct err *err)
{
    struct stat st;
    int r = fstat(fd, &st) < 0 ? -errno : 0;

    if (!r && !*count)
        *ret = st.st_size;
    else if (!r)
        r = json ? seek_objects(fd, st.st_size, count, ret)
                 : seek_frames(fd, st.st_size, count, ret);
    return r < 0 ? err_set(err, -r, "cannot read the log from its end: %s", strerror(-r)) : 0;
}
