/* Docker's clients print these through Go's units package and tabwriter; the steps and roundings
 * are theirs, because scripts compare the words. Everything works on bytes of UTF-8 and needs no
 * locale: a static program could not load one. */
#include "cli/human.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define SECOND 1000000000LL

/* Docker's steps: each row holds below its limit (in its unit). Hours are rounded, the others cut.
 */
void human_duration(int64_t ns, char ret[HUMAN_MAX])
{
    int64_t seconds = ns / SECOND, minutes = seconds / 60;
    int64_t hours = (seconds + 1800) / 3600;

    if (seconds < 1)
        snprintf(ret, HUMAN_MAX, "Less than a second");
    else if (seconds == 1)
        snprintf(ret, HUMAN_MAX, "1 second");
    else if (seconds < 60)
        snprintf(ret, HUMAN_MAX, "%d seconds", (int)seconds);
    else if (minutes == 1)
        snprintf(ret, HUMAN_MAX, "About a minute");
    else if (minutes < 60)
        snprintf(ret, HUMAN_MAX, "%d minutes", (int)minutes);
    else if (hours == 1)
        snprintf(ret, HUMAN_MAX, "About an hour");
    else if (hours < 48)
        snprintf(ret, HUMAN_MAX, "%d hours", (int)hours);
    else if (hours < 24 * 7 * 2)
        snprintf(ret, HUMAN_MAX, "%d days", (int)(hours / 24));
    else if (hours < 24 * 30 * 2)
        snprintf(ret, HUMAN_MAX, "%d weeks", (int)(hours / 24 / 7));
    else if (hours < 24 * 365 * 2)
        snprintf(ret, HUMAN_MAX, "%d months", (int)(hours / 24 / 30));
    else
        snprintf(ret, HUMAN_MAX, "%lld years", (long long)(hours / 24 / 365));
}

static void scaled(double value, double base, const char *const *units, int digits,
                   char ret[HUMAN_MAX])
{
    size_t i = 0;

    for (; value >= base && units[i + 1]; i++)
        value /= base;
    snprintf(ret, HUMAN_MAX, "%.*g%s", digits, value, units[i]);
}

void human_size(double bytes, int digits, char ret[HUMAN_MAX])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", NULL};

    scaled(bytes, 1000, units, digits, ret);
}

void human_memory(double bytes, char ret[HUMAN_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", NULL};

    scaled(bytes, 1024, units, 4, ret);
}

/* One code point; what is no UTF-8 counts as one character a byte. */
static const char *next_point(const char *p, unsigned *ret)
{
    static const unsigned char lead[] = {0x00, 0xc0, 0xe0, 0xf0};
    unsigned char c = (unsigned char)*p;
    int more = c >= 0xf0 && c < 0xf5   ? 3
               : c >= 0xe0 && c < 0xf0 ? 2
               : c >= 0xc2 && c < 0xe0 ? 1
                                       : 0;
    unsigned point = c - lead[more];

    for (int i = 1; i <= more; i++) {
        if (((unsigned char)p[i] & 0xc0) != 0x80) {
            *ret = c;
            return p + 1;
        }
        point = point << 6 | ((unsigned char)p[i] & 0x3f);
    }
    *ret = point;
    return p + 1 + more;
}

/* The ranges that matter in names and commands; glibc's wcwidth would need a locale, which a static
 * program has not. */
static int point_width(unsigned point)
{
    static const struct {
        unsigned from, to;
        int width;
    } ranges[] = {
        {0x300, 0x36f, 0},     {0x200b, 0x200f, 0}, {0xfe00, 0xfe0f, 0},   {0x1100, 0x115f, 2},
        {0x2e80, 0x303e, 2},   {0x3041, 0x33ff, 2}, {0x3400, 0x4dbf, 2},   {0x4e00, 0x9fff, 2},
        {0xa000, 0xa4cf, 2},   {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2},   {0xfe30, 0xfe6f, 2},
        {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2}, {0x1f300, 0x1f64f, 2}, {0x1f900, 0x1f9ff, 2},
        {0x20000, 0x3fffd, 2},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (point >= ranges[i].from && point <= ranges[i].to)
            return ranges[i].width;
    return 1;
}

int human_width(const char *text)
{
    unsigned point;
    int width = 0;

    while (*text) {
        text = next_point(text, &point);
        width += point_width(point);
    }
    return width;
}

char *human_ellipsis(const char *text, int columns)
{
    const char *p = text;
    unsigned point;
    int width = 0;

    if (human_width(text) <= columns)
        return str_copy(text);
    for (;;) {
        const char *next = next_point(p, &point);

        width += point_width(point);
        if (width > columns - 1)
            return str_format("%.*s\u2026", (int)(p - text), text);
        p = next;
    }
}

char *human_quote(const char *text)
{
    struct buf b = {0};

    buf_add_char(&b, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        static const char special[] = "\a\b\f\n\r\t\v\"\\", names[] = "abfnrtv\"\\";
        const char *found = strchr(special, c);

        if (found)
            buf_printf(&b, "\\%c", names[found - special]);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(&b, "\\x%02x", c);
        else
            buf_add_char(&b, *text);
    }
    buf_add_char(&b, '"');
    return buf_steal(&b);
}
