/* From lines to instructions, in the order BuildKit's parser has: directives first, then for each
 * instruction its lines joined, its flags taken off, the heredocs it announces read, and at once
 * judged by its rules, so that the first mistake of the file is the one that is told. */
#include "build/dockerfile.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"

#define BLANKS " \t\r\v\f"

struct reader {
    struct dockerfile *file;
    size_t line; /* the next one, from 0 */
    struct place *place;
    struct err *err;
};

static bool is_blank(char c)
{
    return c && strchr(BLANKS, c);
}

static size_t skip_blanks(const struct source_line *line)
{
    size_t i = 0;

    while (i < line->len && is_blank(line->text[i]))
        i++;
    return i;
}

/* --- directives: "# escape=`" ----------------------------------------------------------------- */

/* "#name=value" with blanks anywhere; both are the caller's to free. */
static bool split_directive(const struct source_line *line, char **ret_name, char **ret_value)
{
    cleanup_free char *text = str_copy_n(line->text, line->len);
    char *p = text, *name, *end;
    size_t n;

    if (*p++ != '#')
        return false;
    name = p += strspn(p, " \t");
    for (n = 0; isalnum((unsigned char)name[n]); n++)
        ;
    p = name + n + strspn(name + n, " \t");
    if (!n || isdigit((unsigned char)*name) || *p++ != '=')
        return false;
    p += strspn(p, " \t");
    for (end = p + strlen(p); end > p && is_blank(end[-1]); end--)
        ;
    if (end == p)
        return false;
    *ret_name = str_copy_n(name, n);
    *ret_value = str_copy_n(p, (size_t)(end - p));
    return true;
}

static int set_directive(struct reader *r, const char *name, char *value)
{
    struct dockerfile *d = r->file;
    char **where = !strcasecmp(name, "syntax") ? &d->syntax : &d->check;

    if (strcasecmp(name, "escape")) {
        *where = value;
        if (where == &d->check)
            d->check_line = (int)r->line + 1;
        return 0;
    }
    d->escape = *value;
    if (!strcmp(value, "\\") || !strcmp(value, "`")) {
        free(value);
        return 0;
    }
    err_set(r->err, EINVAL, "invalid escape token '%s' does not match ` or \\", value);
    free(value);
    return -EINVAL;
}

static bool is_directive(const char *name)
{
    return !strcasecmp(name, "syntax") || !strcasecmp(name, "escape") || !strcasecmp(name, "check");
}

/* They end with the first line that is none: an unknown one is a comment like any other. */
static int read_directives(struct reader *r)
{
    cleanup_strv struct strv seen = {0};

    for (; r->line < r->file->source.count; r->line++) {
        cleanup_free char *name = NULL;
        char *value;

        if (!r->line && r->file->source.lines[0].len > 1 &&
            !memcmp(r->file->source.lines[0].text, "#!", 2))
            continue; /* a Dockerfile may be executable */
        if (!split_directive(&r->file->source.lines[r->line], &name, &value))
            return 0;
        for (char *p = name; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        if (!is_directive(name) || strv_contains(&seen, name)) {
            free(value);
            if (!is_directive(name))
                return 0;
            return err_set(r->err, EINVAL, "only one %s parser directive can be used", name);
        }
        strv_add(&seen, name);
        if (set_directive(r, name, value) < 0)
            return -r->err->code;
    }
    return 0;
}

/* --- lines that belong together --------------------------------------------------------------- */

static bool is_comment(const struct source_line *line)
{
    size_t i = skip_blanks(line);

    return i < line->len && line->text[i] == '#';
}

/* A line goes on when the escape character is its last but for blanks, and is not itself escaped.
 * *ret_len: what of the line counts. */
static bool goes_on(const struct source_line *line, char escape, size_t *ret_len)
{
    size_t n = line->len;

    *ret_len = n && line->text[n - 1] == '\r' ? n - 1 : n;
    while (n && is_blank(line->text[n - 1]))
        n--;
    if (!n || line->text[n - 1] != escape || (n > 1 && line->text[n - 2] == escape))
        return false;
    *ret_len = n - 1;
    return true;
}

static void add_piece(struct instruction *in, struct buf *joined, const struct reader *r,
                      size_t skipped, size_t len)
{
    const struct source_line *line = &r->file->source.lines[r->line];
    size_t n = in->piece_count++;

    if (!(n & (n - 1))) /* room doubles: an instruction may have a hundred thousand lines */
        in->pieces = mem_grow(in->pieces, n ? 2 * n : 1, sizeof *in->pieces);
    in->pieces[n] = (struct piece){joined->len, (int)r->line + 1, skipped + 1};
    buf_add(joined, line->text + skipped, len > skipped ? len - skipped : 0);
}

/* Joins an instruction's lines; false when there is none any more. Comments and empty lines between
 * them are left out, as are those before. */
static bool join_lines(struct reader *r, struct instruction *in)
{
    struct buf joined = {0};
    bool more = true, begun = false;

    for (; more && r->line < r->file->source.count; r->line++) {
        const struct source_line *line = &r->file->source.lines[r->line];
        size_t blanks = skip_blanks(line), len;

        if (blanks == line->len || is_comment(line)) {
            in->gap = in->gap || (begun && blanks == line->len);
            continue;
        }
        more = goes_on(line, r->file->escape, &len);
        if (!begun)
            in->place = (struct place){.first = (int)r->line + 1};
        in->place.last = (int)r->line + 1;
        add_piece(in, &joined, r, begun ? 0 : blanks, len);
        begun = true;
    }
    in->joined = buf_steal(&joined);
    return begun;
}

struct place instruction_place(const struct instruction *in, size_t at)
{
    struct place place = in->place;

    at += in->text_at;
    for (size_t i = in->piece_count; i-- > 0;)
        if (in->pieces[i].at <= at) {
            place.first = place.last = in->pieces[i].line;
            place.column = in->pieces[i].column + at - in->pieces[i].at;
            break;
        }
    return place;
}

/* --- one instruction -------------------------------------------------------------------------- */

/* KEYWORD [--flag ...] text */
static int split_instruction(struct instruction *in, struct err *err)
{
    const char *p = in->joined + strspn(in->joined, BLANKS), *rest;
    size_t n = strcspn(p, BLANKS), end;

    in->word = str_copy_n(p, n);
    rest = p + n;
    rest += strspn(rest, BLANKS);
    if (keyword_find(in->word, &in->keyword, &in->name, err) < 0)
        return -err->code;
    /* HEALTHCHECK's flags stand before the word CMD, whose own arguments may look like flags. */
    if (in->keyword != KW_HEALTHCHECK && in->keyword != KW_ONBUILD)
        rest += flags_take(rest, &in->flags);
    for (end = strlen(rest); end && is_blank(rest[end - 1]); end--)
        ;
    in->text = str_copy_n(rest, end);
    in->text_at = (size_t)(rest - in->joined);
    return 0;
}

/* As a list, where the text is one of JSON. */
static void read_list(struct instruction *in)
{
    struct err ignored = {0};

    if (*in->text == '[' && in->keyword != KW_FROM && in->keyword != KW_ENV &&
        in->keyword != KW_LABEL)
        in->list = json_parse(in->text, strlen(in->text), "list", &ignored);
    if (in->list && !json_is_array(in->list)) {
        json_decref(in->list);
        in->list = NULL;
    }
}

static bool may_have_heredocs(const struct instruction *in)
{
    static const char run[] = "RUN", copy[] = "COPY", add[] = "ADD";

    if (in->keyword == KW_ONBUILD)
        return !strncasecmp(in->text, run, 3) || !strncasecmp(in->text, copy, 4) ||
               !strncasecmp(in->text, add, 3);
    return keyword_takes_heredocs(in->keyword) && !in->list;
}

static void set_original(struct instruction *in)
{
    struct buf text = {0};

    buf_add_str(&text, in->joined);
    while (text.len && is_blank(text.data[text.len - 1]))
        text.data[--text.len] = 0;
    for (size_t i = 0; i < in->heredoc_count; i++)
        buf_printf(&text, "\n%s%s", in->heredocs[i].text, in->heredocs[i].name);
    in->original = buf_steal(&text);
}

static int read_instruction(struct reader *r, struct instruction *in)
{
    size_t at = 0;
    int result = split_instruction(in, r->err);

    *r->place = in->place;
    if (result < 0) {
        r->place->column = in->pieces[0].column;
        r->place->last = r->place->first;
        return result;
    }
    read_list(in);
    if (may_have_heredocs(in) &&
        heredocs_read(&r->file->source, in->text, &r->line, in, r->err) < 0)
        return -r->err->code;
    if (in->heredoc_count)
        in->place.last = (int)r->line;
    set_original(in);
    result = instruction_check(in, r->file->escape, &at, r->err);
    if (result < 0 && at)
        *r->place = instruction_place(in, at - 1);
    return result;
}

static void instruction_free(struct instruction *in)
{
    free((char *)in->word);
    free(in->original);
    strv_free(&in->flags);
    free(in->text);
    json_decref(in->list);
    for (size_t i = 0; i < in->heredoc_count; i++) {
        free(in->heredocs[i].name);
        free(in->heredocs[i].text);
    }
    free(in->heredocs);
    free(in->pieces);
    free(in->joined);
}

static int read_all(struct reader *r)
{
    struct dockerfile *d = r->file;
    size_t room = 0;

    for (;;) {
        struct instruction in = {0};

        if (!join_lines(r, &in)) {
            instruction_free(&in);
            return 0;
        }
        if (!in.joined[strspn(in.joined, BLANKS)]) { /* nothing but continuations */
            instruction_free(&in);
            continue;
        }
        if (d->count == room)
            d->items = mem_grow(d->items, room = room ? 2 * room : 32, sizeof *d->items);
        d->items[d->count] = in;
        if (read_instruction(r, &d->items[d->count++]) < 0)
            return -r->err->code;
    }
}

/* --- the file --------------------------------------------------------------------------------- */

static int add_line(const struct reader *r)
{
    return err_wrap(r->err, "dockerfile parse error on line %d", r->place->first);
}

/* Only ARG may come before the first FROM. */
static int check_order(const struct dockerfile *d, struct place *ret_place, struct err *err)
{
    size_t i = 0;

    if (!d->count)
        return err_set(err, EINVAL, "the Dockerfile (%s) cannot be empty", d->source.name);
    while (i < d->count && d->items[i].keyword == KW_ARG)
        i++;
    if (i < d->count && d->items[i].keyword == KW_FROM)
        return 0;
    *ret_place = d->items[i < d->count ? i : d->count - 1].place;
    return err_set(err, EINVAL,
                   "dockerfile parse error on line %d: no build stage in current context",
                   ret_place->first);
}

static int parse(const char *name, const char *text, size_t len, bool whole, struct reader *r)
{
    int result;

    *r->place = (struct place){0};
    result = source_read(name, text, len, &r->file->source, r->place, r->err);
    if (result < 0)
        return add_line(r);
    if (whole && read_directives(r) < 0) {
        r->place->first = r->place->last = (int)r->line + 1;
        return add_line(r);
    }
    return read_all(r) < 0 ? add_line(r) : 0;
}

int dockerfile_parse(const char *name, const char *text, size_t len, struct dockerfile *ret,
                     struct place *ret_place, struct err *err)
{
    struct reader r = {.file = ret, .place = ret_place, .err = err};
    int result;

    *ret = (struct dockerfile){.escape = '\\'};
    result = parse(name, text, len, true, &r);
    return result < 0 ? result : check_order(ret, ret_place, err);
}

int dockerfile_parse_part(const char *name, const char *text, char escape, struct dockerfile *ret,
                          struct place *ret_place, struct err *err)
{
    struct reader r = {.file = ret, .place = ret_place, .err = err};

    *ret = (struct dockerfile){.escape = escape};
    return parse(name, text, strlen(text), false, &r);
}

void dockerfile_free(struct dockerfile *d)
{
    for (size_t i = 0; i < d->count; i++)
        instruction_free(&d->items[i]);
    free(d->items);
    free(d->syntax);
    free(d->check);
    source_free(&d->source);
}

/* --- asking ----------------------------------------------------------------------------------- */

const char *instruction_flag(const struct instruction *in, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < in->flags.len; i++)
        if (!strncmp(in->flags.items[i], name, n) && in->flags.items[i][n] == '=')
            return in->flags.items[i] + n + 1;
    return NULL;
}

bool instruction_switch(const struct instruction *in, const char *name)
{
    const char *value = instruction_flag(in, name);

    return value ? !strcasecmp(value, "true") : strv_contains(&in->flags, name);
}

void instruction_words(const struct instruction *in, struct strv *ret)
{
    if (in->list) {
        json_strings(in->list, ret);
        return;
    }
    for (const char *p = in->text; *(p += strspn(p, BLANKS));) {
        size_t n = strcspn(p, BLANKS);

        strv_take(ret, str_copy_n(p, n));
        p += n;
    }
}
