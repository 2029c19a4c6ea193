#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "build/ignore.h"

enum token_kind {
    LITERAL, /* one character */
    ANY,     /* ? */
    CLASS,   /* [...] */
    STAR,    /* any text without a slash */
    DIRS,    /* the component **: nothing, or any text that ends in a slash */
    REST,    /* ** at the end, or before plain text: any text */
};

struct range {
    uint32_t from, to;
};

struct token {
    enum token_kind kind;
    uint32_t character;
    bool negated;
    struct range *ranges;
    size_t range_count;
};

struct path_pattern {
    struct token *tokens;
    size_t count;
    char first, last; /* the byte every match begins and ends with, 0: no such */
};

/* --- characters ------------------------------------------------------------------------------- */

/* The next one; a byte that begins none stands for itself, far above all characters. */
static uint32_t next_character(const char **p)
{
    const unsigned char *s = (const unsigned char *)*p;
    size_t n = *s < 0xc2 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 1;
    uint32_t c = *s & (n == 1 ? 0xff : 0x7f >> n);

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            ++*p;
            return 0x80000000u | *s;
        }
        c = c << 6 | (s[i] & 0x3f);
    }
    *p += n;
    return n == 1 && *s >= 0x80 ? 0x80000000u | *s : c;
}

/* --- compiling -------------------------------------------------------------------------------- */

static int bad_pattern(const char *text, struct err *err)
{
    return err_set(err, EINVAL, "syntax error in pattern '%.200s'", text);
}

/* A character of a class, which a backslash may stand before. False: the class does not end. */
static bool class_character(const char **p, uint32_t *ret)
{
    if (!**p || **p == '-' || **p == ']')
        return false;
    if (**p == '\\' && !*++*p)
        return false;
    *ret = next_character(p);
    return true;
}

static bool parse_class(const char **p, struct token *t)
{
    t->kind = CLASS;
    t->negated = **p == '^';
    *p += t->negated;
    while (**p != ']' || !t->range_count) {
        struct range range;

        if (!class_character(p, &range.from))
            return false;
        range.to = range.from;
        if (**p == '-') {
            ++*p;
            if (!class_character(p, &range.to))
                return false;
        }
        t->ranges = mem_grow(t->ranges, t->range_count + 1, sizeof *t->ranges);
        t->ranges[t->range_count++] = range;
    }
    ++*p;
    return true;
}

/* "**foo" at the very beginning, with plain text behind it, means any path that ends so. */
static bool is_suffix_pattern(const char *rest, const struct path_pattern *pattern)
{
    return !pattern->count && *rest != '/' && !strpbrk(rest, "*?[]\\");
}

/* Behind the first star. What says the same twice in a row is taken once: DIRS DIRS, STAR STAR. */
static void parse_stars(const char **p, struct path_pattern *pattern, struct token *t)
{
    const struct token *before = pattern->count ? &pattern->tokens[pattern->count - 1] : NULL;
    bool suffix;

    t->kind = STAR;
    if (**p == '*') {
        ++*p;
        suffix = is_suffix_pattern(*p, pattern);
        if (**p == '/')
            ++*p;
        t->kind = suffix || !**p ? REST : DIRS;
    }
    if (before && before->kind == t->kind)
        pattern->count--;
}

static bool parse_token(const char **p, struct path_pattern *pattern, struct token *t)
{
    char c = **p;

    *t = (struct token){.kind = LITERAL};
    if (c == '*' || c == '?' || c == '[')
        ++*p;
    if (c == '[')
        return parse_class(p, t);
    if (c == '*') {
        parse_stars(p, pattern, t);
    } else if (c == '?') {
        t->kind = ANY;
    } else {
        if (c == '\\' && !*++*p)
            return false;
        t->character = next_character(p);
    }
    return true;
}

static char plain_byte(const struct path_pattern *p, size_t i)
{
    const struct token *t = i < p->count ? &p->tokens[i] : NULL;

    return t && t->kind == LITERAL && t->character < 0x80 ? (char)t->character : 0;
}

int path_pattern_new(const char *text, struct path_pattern **ret, struct err *err)
{
    struct path_pattern *p = mem_alloc(sizeof *p);
    const char *at = text;
    size_t room = 0;

    while (*at) {
        struct token t;
        bool fine = parse_token(&at, p, &t);

        if (p->count == room)
            p->tokens = mem_grow(p->tokens, room = room ? 2 * room : 16, sizeof *p->tokens);
        p->tokens[p->count++] = t;
        if (!fine) {
            path_pattern_free(p);
            return bad_pattern(text, err);
        }
    }
    p->first = plain_byte(p, 0);
    p->last = p->count ? plain_byte(p, p->count - 1) : 0;
    *ret = p;
    return 0;
}

void path_pattern_free(struct path_pattern *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        free(p->tokens[i].ranges);
    free(p->tokens);
    free(p);
}

bool path_has_pattern(const char *text)
{
    return strpbrk(text, "*?[\\") != NULL;
}

/* --- matching --------------------------------------------------------------------------------- */

static bool in_class(const struct token *t, uint32_t c)
{
    bool found = false;

    for (size_t i = 0; i < t->range_count && !found; i++)
        found = c >= t->ranges[i].from && c <= t->ranges[i].to;
    return found != t->negated;
}

static bool takes(const struct token *t, uint32_t c)
{
    if (t->kind == REST || t->kind == DIRS)
        return true;
    if (t->kind == LITERAL)
        return c == t->character;
    return t->kind == CLASS ? in_class(t, c) : c != '/';
}

/* The pattern has got to token i; on over those that may be nothing. */
static void reach(const struct path_pattern *p, bool *states, size_t i)
{
    for (; !states[i]; i++) {
        states[i] = true;
        if (i == p->count || p->tokens[i].kind < STAR)
            return;
    }
}

static void step(const struct path_pattern *p, const bool *from, bool *to, uint32_t c)
{
    memset(to, 0, p->count + 1);
    for (size_t i = 0; i < p->count; i++) {
        const struct token *t = &p->tokens[i];

        if (!from[i] || !takes(t, c))
            continue;
        if (t->kind < STAR)
            reach(p, to, i + 1);
        else if (t->kind != DIRS)
            reach(p, to, i);
        else if (c == '/')
            reach(p, to, i);
        else
            to[i] = true; /* in the middle of a name it cannot end */
    }
}

bool path_pattern_matches(const struct path_pattern *p, const char *path)
{
    size_t len = strlen(path);
    bool small[2][64] = {{false}}, *big = NULL, *now = small[0], *then = small[1];
    bool matches;

    if ((p->first && *path != p->first) || (p->last && (!len || path[len - 1] != p->last)))
        return false;
    if (p->count >= 64) {
        big = mem_alloc(2 * (p->count + 1) * sizeof *big);
        now = big;
        then = big + p->count + 1;
    }
    reach(p, now, 0);
    while (*path) {
        bool *last = now;

        step(p, now, then, next_character(&path));
        now = then;
        then = last;
    }
    matches = now[p->count];
    free(big);
    return matches;
}

/* --- cleaning --------------------------------------------------------------------------------- */

char *path_clean(const char *path)
{
    struct buf out = {0};
    bool rooted = *path == '/';

    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        bool up = n == 2 && !strncmp(p, "..", 2);
        size_t last = out.len;

        while (last && out.data[last - 1] != '/')
            last--;
        if (up && out.len && strcmp(out.data + last, "..")) {
            out.len = last ? last - 1 : 0;
            out.data[out.len] = 0;
        } else if (n && !(n == 1 && *p == '.') && !(up && rooted)) {
            if (out.len)
                buf_add_char(&out, '/');
            buf_add(&out, p, n);
        }
        p += n + (p[n] == '/');
    }
    if (!out.len)
        buf_add_char(&out, '.');
    return buf_steal(&out);
}
