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

/* An entry in the form that we, and docker, write it: no library, no allocation. What is of another
 * form (attrs, say) is left to the JSON library. */
struct scan {
    const char *at, *end;
};

static bool skip(struct scan *s, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(s->end - s->at) < n || memcmp(s->at, text, n) != 0)
        return false;
    s->at += n;
    return true;
}

/* Behind a backslash. */
static bool scan_escape(struct scan *s, struct buf *text)
{
    static const char names[] = "\"\\/ntrbf", letters[] = "\"\\/\n\t\r\b\f";
    const char *name = s->at < s->end && *s->at ? strchr(names, *s->at) : NULL;

    if (!name)
        return false;
    buf_add_char(text, letters[name - names]);
    s->at++;
    return true;
}

/* Up to and with the closing quotation mark. */
static bool scan_string(struct scan *s, struct buf *text)
{
    text->len = 0;
    while (s->at < s->end) {
        const char *begin = s->at;

        while (s->at < s->end && *s->at != '"' && *s->at != '\\')
            s->at++;
        buf_add(text, begin, (size_t)(s->at - begin));
        if (s->at == s->end)
            return false;
        if (*s->at++ == '"')
            return true;
        if (!scan_escape(s, text))
            return false;
    }
    return false;
}

static bool scan_number(struct scan *s, int digits, const char *behind, long long *ret)
{
    *ret = 0;
    for (; digits > 0; digits--, s->at++) {
        if (s->at == s->end || *s->at < '0' || *s->at > '9')
            return false;
        *ret = *ret * 10 + (*s->at - '0');
    }
    return skip(s, behind);
}

/* Days since 1970 of a date of our calendar: years begin with March, so that the leap day is last.
 */
static long long days_of(long long year, long long month, long long day)
{
    long long y = year - (month <= 2), m = (month + 9) % 12;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* "2026-11-28T01:45:06.23Z"; the fraction may be shorter, or missing. */
static bool scan_time(struct scan *s, int64_t *ret_ns)
{
    long long year, month, day, hour, minute, second, fraction = 0, unit = 100000000;

    if (!scan_number(s, 4, "-", &year) || !scan_number(s, 2, "-", &month) ||
        !scan_number(s, 2, "T", &day) || !scan_number(s, 2, ":", &hour) ||
        !scan_number(s, 2, ":", &minute) || !scan_number(s, 2, "", &second) || year < 1970)
        return false;
    if (s->at < s->end && *s->at == '.')
        for (s->at++; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++, unit /= 10)
            fraction += (*s->at - '0') * unit;
    *ret_ns = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000000000 +
              fraction;
    return skip(s, "Z");
}

static bool scan_object(const char *text, size_t len, struct buf *room, struct log_line *ret)
{
    struct scan s = {text, text + len};

    if (!skip(&s, "{\"log\":\"") || !scan_string(&s, room))
        return false;
    ret->stream = skip(&s, ",\"stream\":\"stdout\"")   ? 1
                  : skip(&s, ",\"stream\":\"stderr\"") ? 2
                                                       : 0;
    ret->text = room->data;
    ret->len = room->len;
    return ret->stream && skip(&s, ",\"time\":\"") && scan_time(&s, &ret->time_ns) &&
           skip(&s, "\"}") && s.at == s.end;
}

static int take_any_object(const char *text, size_t len, log_take *take, void *context)
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

static int take_object(const char *text, size_t len, struct buf *room, log_take *take,
                       void *context)
{
    struct log_line line = {0};

    return scan_object(text, len, room, &line) ? take(context, &line)
                                               : take_any_object(text, len, take, context);
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
    cleanup_buf struct buf room = {0};
    size_t done = 0, n;
    int r = 0;

    while (r >= 0 && done < data->len &&
           (n = json ? object_size(data->data + done, data->len - done)
                     : frame_size(data->data + done, data->len - done))) {
        r = json ? take_object(data->data + done, n - 1, &room, take, context)
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
