/* Go's Printf for templates: %v %s %q %t %d %x %X %o %f %e %g with flags, width and precision.
 * What does not fit prints as in Go: "%!d(string=abc)", "%!s(MISSING)", "%!(EXTRA int=1)". */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/human.h"
#include "cli/template_tree.h"

#define WIDTH_MAX 1000

struct directive {
    char flags[8];
    int width, precision; /* -1: not given */
    char verb;
};

static const char *parse_width(const char *p, int *ret)
{
    *ret = isdigit((unsigned char)*p) ? 0 : -1;
    for (; isdigit((unsigned char)*p); p++)
        *ret = *ret > WIDTH_MAX ? *ret : *ret * 10 + (*p - '0');
    if (*ret > WIDTH_MAX)
        *ret = WIDTH_MAX;
    return p;
}

/* From behind the '%' to behind the verb. */
static const char *parse_directive(const char *p, struct directive *ret)
{
    size_t flags = strspn(p, "-+# 0");

    *ret = (struct directive){.width = -1, .precision = -1};
    snprintf(ret->flags, sizeof ret->flags, "%.*s", (int)flags, p);
    p = parse_width(p + flags, &ret->width);
    if (*p == '.') {
        p = parse_width(p + 1, &ret->precision);
        ret->precision = ret->precision < 0 ? 0 : ret->precision;
    }
    ret->verb = *p;
    return *p ? p + 1 : p;
}

static void add_mismatch(const struct directive *d, const json_t *value, struct buf *out)
{
    buf_printf(out, "%%!%c(%s=", d->verb, template_type_name(value));
    template_print_value(value, out);
    buf_add_char(out, ')');
}

/* Text in a field: precision cuts, width pads, in characters. */
static void add_padded(const struct directive *d, const char *text, struct buf *out)
{
    int pad = d->width - human_width(text);

    if (!strchr(d->flags, '-'))
        for (; pad > 0; pad--)
            buf_add_char(out, strchr(d->flags, '0') ? '0' : ' ');
    buf_add_str(out, text);
    for (; pad > 0; pad--)
        buf_add_char(out, ' ');
}

static void add_text(const struct directive *d, const json_t *value, struct buf *out)
{
    cleanup_buf struct buf text = {0};
    cleanup_free char *quoted = NULL;

    template_print_value(value, &text);
    buf_reserve(&text, 0);
    if (d->precision >= 0 && (size_t)d->precision < text.len)
        text.data[d->precision] = 0;
    if (d->verb == 'q')
        quoted = human_quote(text.data);
    add_padded(d, quoted ? quoted : text.data, out);
}

/* Numbers go through C's printf, whose flags are the same. The format is built from what was
 * parsed. */
static void add_number(const struct directive *d, const json_t *value, struct buf *out)
{
    char width[16] = "", precision[16] = "";
    cleanup_free char *format = NULL, *text = NULL;

    if (d->width >= 0)
        snprintf(width, sizeof width, "%d", d->width);
    if (d->precision >= 0)
        snprintf(precision, sizeof precision, ".%d", d->precision);
    format = str_format("%%%s%s%s%s%c", d->flags, width, precision,
                        json_is_integer(value) ? "ll" : "", d->verb);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (json_is_integer(value))
        text = str_format(format, (long long)json_integer_value(value));
    else
        text = str_format(format, json_real_value(value));
#pragma GCC diagnostic pop
    buf_add_str(out, text);
}

static void add_value(const struct directive *d, const json_t *value, struct buf *out)
{
    bool fits = (strchr("dxXo", d->verb) && json_is_integer(value)) ||
                (strchr("feEgG", d->verb) && json_is_real(value));

    if (fits)
        add_number(d, value, out);
    else if (d->verb == 'v' ||
             (strchr("sq", d->verb) && !json_is_number(value) && !json_is_boolean(value)) ||
             (d->verb == 't' && json_is_boolean(value)))
        add_text(d, value, out);
    else
        add_mismatch(d, value, out);
}

void template_printf(const char *format, json_t **arguments, size_t count, struct buf *out)
{
    size_t used = 0;

    while (*format) {
        struct directive d;

        if (*format != '%') {
            buf_add_char(out, *format++);
            continue;
        }
        format = parse_directive(format + 1, &d);
        if (d.verb == '%')
            buf_add_char(out, '%');
        else if (!d.verb)
            buf_add_str(out, "%!(NOVERB)");
        else if (used == count)
            buf_printf(out, "%%!%c(MISSING)", d.verb);
        else
            add_value(&d, arguments[used++], out);
    }
    for (size_t i = used; i < count; i++) {
        buf_add_str(out, i == used ? "%!(EXTRA " : ", ");
        buf_printf(out, "%s=", template_type_name(arguments[i]));
        template_print_value(arguments[i], out);
        if (i + 1 == count)
            buf_add_char(out, ')');
    }
}
