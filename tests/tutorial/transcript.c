#include "tutorial/transcript.h"

#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void transcript_free(struct transcript *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->commands[i].text);
        free(t->commands[i].typed);
        free(t->commands[i].expected);
    }
    free(t->commands);
    *t = (struct transcript){0};
}

static bool is_prompt(const char *line)
{
    return str_starts(line, "# ") || str_starts(line, "$ ");
}

/* Would the shell ask for more after `text`, when the next line is `line`? */
static bool goes_on(const char *text, const char *line)
{
    size_t quotes = 0;

    if (str_ends(text, "\\"))
        return true;
    for (const char *c = text; *c; c++)
        quotes += *c == '\'';
    return (quotes % 2 || strstr(text, "<<")) && str_starts(line, "> ");
}

/* One command with all its lines; returns the index of the line behind them. */
static size_t take_command(struct command *c, const struct strv *lines, size_t i)
{
    struct buf text = {0}, typed = {0};

    c->line = (int)i;
    c->prompt = *lines->items[i];
    buf_add_str(&text, lines->items[i] + 2);
    buf_printf(&typed, "%s\n", lines->items[i]);
    for (i++; i < lines->len && goes_on(text.data, lines->items[i]); i++) {
        const char *more = lines->items[i];

        buf_printf(&typed, "%s\n", more);
        buf_printf(&text, "\n%s", str_starts(more, "> ") ? more + 2 : more);
    }
    c->text = buf_steal(&text);
    c->typed = buf_steal(&typed);
    return i;
}

bool transcript_parse(struct transcript *t, const char *text)
{
    cleanup_strv struct strv lines = {0};
    size_t i = 0;

    *t = (struct transcript){0};
    strv_split(&lines, text, '\n');
    if (lines.len && !*lines.items[lines.len - 1])
        free(lines.items[--lines.len]); /* behind the last newline */
    if (!lines.len || !is_prompt(lines.items[0]))
        return false;
    while (i < lines.len) {
        struct buf expected = {0};
        struct command *c;

        t->commands = mem_grow(t->commands, t->count + 1, sizeof *t->commands);
        c = &t->commands[t->count++];
        i = take_command(c, &lines, i);
        for (; i < lines.len && !is_prompt(lines.items[i]); i++)
            buf_printf(&expected, "%s\n", lines.items[i]);
        c->expected = buf_steal(&expected);
    }
    return true;
}

/* --- masks ----------------------------------------------------------------------------------- */

/* One of these, the leftmost and then the longest. Those without a name stay as they are. */
static const struct mask {
    const char *name, *pattern;
} masks[] = {
    {NULL, "\\bsha(1|256|512)\\b"},
    {"<date>", "\\b[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+Z?)?"},
    {"<date>", "\\b((Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|"
               "Dec) +[0-9]{1,2}( +[0-2][0-9]:[0-5][0-9](:[0-9]{2})?)?( UTC)?( +20[0-9]{2})?\\b"},
    {"<time>", "\\b[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?(\\.[0-9]+)?\\b"},
    {"<time>", "\\b[0-9]+(\\.[0-9]+)? (ms|us|s|seconds)\\b"},
    {"<mac>", "\\b([0-9a-f]{2}:){5}[0-9a-f]{2}\\b"},
    {NULL, "\\b(127\\.0\\.0\\.1|10\\.99\\.[0-9]{1,3}\\.[0-9]{1,3})\\b"},
    {"<ip>", "\\b[0-9]{1,3}(\\.[0-9]{1,3}){3}\\b"},
    {"<ip>", "\\bfe80::[0-9a-f:]+\\b"},
    {"<hex>", "\\b(0x[0-9a-f]{8,}|[0-9a-f]{12,})\\b"},
    {"<n>", "[0-9]{3,}"},
};
enum { MASKS = sizeof masks / sizeof *masks, GROUPS = 64 };

/* Each mask is a group of one pattern, so that the longest one wins; first[] says which group. */
static void compile(regex_t *ret, size_t first[MASKS])
{
    cleanup_buf struct buf all = {0};
    size_t group = 1;

    for (size_t i = 0; i < MASKS; i++) {
        buf_printf(&all, "%s(%s)", i ? "|" : "", masks[i].pattern);
        first[i] = group++;
        for (const char *c = masks[i].pattern; *c; c++)
            group += *c == '(';
    }
    if (group > GROUPS || regcomp(ret, all.data, REG_EXTENDED))
        abort();
}

char *transcript_mask(const char *line)
{
    static size_t first[MASKS];
    static regex_t regex;
    static bool ready;
    regmatch_t at[GROUPS] = {{.rm_so = 0, .rm_eo = (regoff_t)strlen(line)}};
    regoff_t done = 0, end = at[0].rm_eo;
    struct buf b = {0};

    if (!ready)
        compile(&regex, first);
    ready = true;
    /* REG_STARTEND: "\b" sees what stands before the place where the search begins. */
    while (!regexec(&regex, line, GROUPS, at, REG_STARTEND)) {
        regoff_t so = at[0].rm_so, eo = at[0].rm_eo;
        size_t i = 0;

        while (i < MASKS && at[first[i]].rm_so < 0)
            i++;
        buf_add(&b, line + done, (size_t)(so - done));
        if (i < MASKS && masks[i].name)
            buf_add_str(&b, masks[i].name);
        else
            buf_add(&b, line + so, (size_t)(eo - so));
        done = eo;
        at[0] = (regmatch_t){.rm_so = eo, .rm_eo = end};
    }
    buf_add_str(&b, line + done);
    return buf_steal(&b);
}

/* --- comparison ------------------------------------------------------------------------------ */

/* The lines without blanks at their ends, masked unless `exact`; empty lines at the end do not
 * count. */
static void prepare(struct strv *ret, const char *text, bool exact)
{
    cleanup_strv struct strv lines = {0};

    strv_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        size_t n = strlen(lines.items[i]);

        while (n && strchr(" \t\r", lines.items[i][n - 1]))
            lines.items[i][--n] = 0;
        strv_take(ret, exact ? str_copy(lines.items[i]) : transcript_mask(lines.items[i]));
    }
    while (ret->len && !*ret->items[ret->len - 1])
        free(ret->items[--ret->len]);
}

/* As a file name pattern is matched, with "..." for the star: only the last one need be tried anew.
 */
bool transcript_same(const char *expected, const char *actual, bool exact)
{
    cleanup_strv struct strv want = {0}, have = {0};
    size_t w = 0, h = 0, star = SIZE_MAX, from = 0;

    prepare(&want, expected, exact);
    prepare(&have, actual, exact);
    while (h < have.len) {
        if (w < want.len && str_equal(want.items[w], "...")) {
            star = ++w;
            from = h;
        } else if (w < want.len && str_equal(want.items[w], have.items[h])) {
            w++;
            h++;
        } else if (star != SIZE_MAX) {
            w = star;
            h = ++from;
        } else {
            return false;
        }
    }
    while (w < want.len && str_equal(want.items[w], "..."))
        w++;
    return w == want.len;
}

char *transcript_keep(const char *expected, const char *actual)
{
    cleanup_strv struct strv old = {0}, want = {0}, lines = {0};
    struct buf b = {0};
    size_t next = 0;

    strv_split(&old, expected, '\n');
    strv_split(&lines, actual, '\n');
    for (size_t i = 0; i < old.len; i++)
        strv_take(&want, transcript_mask(old.items[i]));
    for (size_t i = 0; i < lines.len; i++) {
        cleanup_free char *masked = transcript_mask(lines.items[i]);
        size_t at = next;

        while (at < want.len && !str_equal(want.items[at], masked))
            at++;
        if (at < want.len)
            next = at + 1;
        buf_printf(&b, "%s%s", i ? "\n" : "", at < want.len ? old.items[at] : lines.items[i]);
    }
    return buf_steal(&b);
}

char *transcript_shown(const char *actual)
{
    cleanup_strv struct strv lines = {0};
    struct buf b = {0};

    strv_split(&lines, actual, '\n');
    if (lines.len && !*lines.items[lines.len - 1])
        free(lines.items[--lines.len]);
    for (size_t i = 0; i < lines.len; i++) {
        const char *line = lines.items[i];
        bool hidden = is_prompt(line) || str_starts(line, "```");

        buf_printf(&b, "%s\n", hidden ? "..." : line);
    }
    return buf_steal(&b);
}
