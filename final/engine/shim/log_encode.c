/* log_encode.c - entries as bytes. Written by hand, not through a JSON library: this is done for
 * every line of every container. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/log_format.h"
#include "engine/shim/log.h"
#include "engine/shim/shim.h"

/* JSON text is UTF-8; what is not becomes U+FFFD, as docker's log does it. */
json_t *shim_log_text(const char *data, size_t len)
{
    json_t *value = json_stringn(data, len);
    cleanup_buf struct buf clean = {0};

    if (value)
        return value;
    for (size_t i = 0; i < len;) {
        size_t n = str_utf8_length(data + i, len - i);

        buf_add(&clean, n ? data + i : "\xef\xbf\xbd", n ? n : 3);
        i += n ? n : 1;
    }
    return json_stringn(clean.data, clean.len);
}

static bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* One character that cannot stand in a JSON string as it is; how many bytes it took. */
static size_t add_special(struct buf *out, const unsigned char *p, size_t left)
{
    static const char letters[] = "\"\\\n\t\r\b\f", names[] = "\"\\ntrbf";
    const char *at = *p ? strchr(letters, *p) : NULL;
    size_t n;

    if (at) {
        buf_add_char(out, '\\');
        buf_add_char(out, names[at - letters]);
        return 1;
    }
    if (*p < 0x20) {
        buf_printf(out, "\\u%04x", *p);
        return 1;
    }
    n = str_utf8_length(p, left);
    buf_add(out, n ? (const char *)p : "\xef\xbf\xbd", n ? n : 3);
    return n ? n : 1;
}

static void add_string(struct buf *out, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t i = 0; i < len;) {
        size_t run = 0;

        while (i + run < len && plain(p[i + run]))
            run++;
        buf_add(out, text + i, run);
        i += run;
        if (i < len)
            i += add_special(out, p + i, len - i);
    }
}

void log_encode_json(struct buf *out, const struct log_entry *entry, const char *attrs)
{
    char when[40];

    clock_format(entry->time_ns, when);
    buf_add_str(out, "{\"log\":\"");
    add_string(out, entry->text, entry->len);
    buf_add_str(out, entry->stream == 2 ? "\",\"stream\":\"stderr\"" : "\",\"stream\":\"stdout\"");
    if (attrs) {
        buf_add_str(out, ",\"attrs\":");
        buf_add_str(out, attrs);
    }
    buf_add_str(out, ",\"time\":\"");
    buf_add_str(out, when);
    buf_add_str(out, "\"}\n");
}

static void add_number(struct buf *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_add_char(out, (char)(value >> (8 * i)));
}

void log_encode_local(struct buf *out, const struct log_entry *entry)
{
    uint32_t length = (uint32_t)(LOG_FRAME_FIXED + entry->len);

    add_number(out, length, 4);
    buf_add_char(out, (char)entry->stream);
    add_number(out, (uint64_t)entry->time_ns, 8);
    buf_add(out, entry->text, entry->len);
    add_number(out, length, 4);
}
