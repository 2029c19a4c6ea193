#include "build/source.h"

#include <stdlib.h>
#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* --- reading ---------------------------------------------------------------------------------- */

static int check_line(const struct source_line *line, size_t *ret_column, struct err *err)
{
    const unsigned char *p = (const unsigned char *)line->text;

    for (size_t i = 0; i < line->len;) {
        size_t n = str_utf8_length(p + i, line->len - i);

        *ret_column = i + 1;
        if (!p[i])
            return err_set(err, EINVAL, "a NUL byte: this is not a text");
        if (!n)
            return err_set(err, EILSEQ, "byte 0x%02x is not UTF-8", p[i]);
        i += n;
    }
    *ret_column = 0;
    if (line->len > SOURCE_LINE_MAX)
        return err_set(err, E2BIG, "dockerfile line greater than maximum allowed size of %d",
                       SOURCE_LINE_MAX);
    return 0;
}

static void split_lines(struct source *s, size_t len)
{
    const char *p = s->text, *end = s->text + len;
    size_t room = 0;

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline ? newline : end;

        if (s->count == room)
            s->lines = mem_grow(s->lines, room = room ? 2 * room : 64, sizeof *s->lines);
        s->lines[s->count++] = (struct source_line){p, (size_t)(stop - p)};
        p = newline ? newline + 1 : end;
    }
}

int source_read(const char *name, const char *text, size_t len, struct source *ret,
                struct place *ret_place, struct err *err)
{
    size_t mark = strlen(BYTE_ORDER_MARK);

    if (len >= mark && !memcmp(text, BYTE_ORDER_MARK, mark)) {
        text += mark;
        len -= mark;
    }
    *ret = (struct source){.name = str_copy(name), .text = str_copy_n(text, len)};
    split_lines(ret, len);
    for (size_t i = 0; i < ret->count; i++)
        if (check_line(&ret->lines[i], &ret_place->column, err) < 0) {
            ret_place->first = ret_place->last = (int)i + 1;
            return -err->code;
        }
    return 0;
}

void source_free(struct source *s)
{
    free(s->name);
    free(s->text);
    free(s->lines);
    *s = (struct source){0};
}

/* --- showing ---------------------------------------------------------------------------------- */

/* What a terminal shows without harm. */
static void add_visible(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len && i < 500; i++)
        buf_add_char(out, (unsigned char)text[i] < ' ' && text[i] != '\t' ? ' ' : text[i]);
}

static void add_caret(const struct source_line *line, size_t column, struct buf *out)
{
    buf_add_str(out, "     |     ");
    for (size_t i = 0; i + 1 < column && i < line->len; i++)
        if (((unsigned char)line->text[i] & 0xc0) != 0x80) /* one column a character */
            buf_add_char(out, line->text[i] == '\t' ? '\t' : ' ');
    buf_add_str(out, "^\n");
}

void source_excerpt(const struct source *s, const struct place *place, struct buf *out)
{
    int around = place->first == place->last ? 2 : 1;
    int from = place->first - around, to = place->last + around;

    if (place->first < 1)
        return;
    from = from < 1 ? 1 : from;
    to = to > (int)s->count ? (int)s->count : to;
    buf_printf(out, "%s:%d\n--------------------\n", s->name, place->first);
    for (int i = from; i <= to; i++) {
        const struct source_line *line = &s->lines[i - 1];
        bool marked = i >= place->first && i <= place->last;

        buf_printf(out, " %3d | %s ", i, marked ? ">>>" : "   ");
        add_visible(out, line->text, line->len);
        buf_add_char(out, '\n');
        if (i == place->first && place->column && place->column < 200)
            add_caret(line, place->column, out);
    }
    buf_add_str(out, "--------------------\n");
}
