/* Words as a Dockerfile's instructions have them: like a shell's, but less. */
#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/internal.h"

#define DEPTH_MAX 100 /* ${a:-${b:-...}}: who nests deeper wants to see the stack overflow */

void words_split(const char *p, char escape, struct strv *ret)
{
    for (;;) {
        const char *start;
        char quote = 0;

        while (isspace((unsigned char)*p))
            p++;
        if (!*p)
            return;
        for (start = p; *p && (quote || !isspace((unsigned char)*p)); p++) {
            if (*p == escape && p[1] && quote != '\'')
                p++;
            else if (quote ? *p == quote : *p == '"' || *p == '\'')
                quote = quote ? 0 : *p;
        }
        strv_take(ret, str_copy_n(start, (size_t)(p - start)));
    }
}

/* --- expansion -------------------------------------------------------------------------------- */

struct expansion {
    const struct word_rules *rules;
    const char *whole; /* for messages */
    const char *p;
    int depth;    /* of braces */
    bool pattern; /* what is escaped stays so: it means no star */
    struct err *err;
};

/* The last one wins, as in a process's environment that was appended to. */
static const char *value_in_list(const json_t *list, const char *name, size_t n)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const char *pair = json_string_value(json_array_get(list, i));

        if (pair && !strncmp(pair, name, n) && pair[n] == '=')
            return pair + n + 1;
    }
    return NULL;
}

static const char *value_of(const struct expansion *x, const char *name, size_t n)
{
    cleanup_free char *key = str_copy_n(name, n);
    const char *value = json_is_object(x->rules->env)
                            ? json_string_value(json_object_get(x->rules->env, key))
                            : value_in_list(x->rules->env, name, n);

    if (!value && x->rules->unset)
        strv_add(x->rules->unset, key);
    return value;
}

static size_t name_length(const char *p)
{
    size_t n = 0;

    if (isdigit((unsigned char)*p))
        return strspn(p, "0123456789");
    while (isalnum((unsigned char)p[n]) || p[n] == '_')
        n++;
    return n;
}

static int fail(struct expansion *x, const char *why)
{
    return err_set(x->err, EINVAL, "failed to process \"%.200s\": %s", x->whole, why);
}

static int expand_until(struct expansion *x, char end, struct buf *out);

static void add_value(struct buf *out, const char *value)
{
    if (value)
        buf_add_str(out, value);
}

/* ${name-word} ${name+word} ${name?word}, each also with a colon before, which takes an empty value
 * for none. */
static int expand_default(struct expansion *x, const char *name, size_t n, bool colon, char how,
                          struct buf *out)
{
    const char *value = value_of(x, name, n);
    bool there = value && (!colon || *value);
    cleanup_buf struct buf word = {0};
    int r = expand_until(x, '}', &word);

    if (r < 0)
        return r;
    if (how == '?' && !there)
        return err_set(x->err, EINVAL, "%.*s: %s", (int)n, name,
                       word.len         ? word.data
                       : colon && value ? "is not allowed to be empty"
                                        : "is not allowed to be unset");
    if (how == '+')
        value = there ? word.data : "";
    else if (!there)
        value = word.data;
    add_value(out, value);
    return 0;
}

static int expand_pattern(struct expansion *x, char end, struct buf *out)
{
    bool before = x->pattern;
    int r;

    x->pattern = true;
    r = expand_until(x, end, out);
    x->pattern = before;
    return r;
}

/* ${name#pattern} ${name%pattern}, doubled: as much as can be. */
static int expand_trim(struct expansion *x, const char *value, char how, struct buf *out)
{
    cleanup_buf struct buf pattern = {0};
    bool greedy = *x->p == how;
    size_t from = 0, to;
    int r;

    x->p += greedy;
    r = expand_pattern(x, '}', &pattern);
    if (r < 0 || !value)
        return r;
    to = strlen(value);
    if (how == '#')
        from = pattern_prefix(pattern.data, value, greedy);
    else
        to = pattern_suffix(pattern.data, value, greedy);
    buf_add(out, value + from, to - from);
    return 0;
}

/* ${name/pattern/text}, with two slashes everywhere. */
static int expand_replace(struct expansion *x, const char *value, struct buf *out)
{
    cleanup_buf struct buf pattern = {0}, text = {0};
    bool all = *x->p == '/';
    int r;

    x->p += all;
    r = expand_pattern(x, '/', &pattern);
    if (r >= 0)
        r = expand_until(x, '}', &text);
    if (r >= 0 && value)
        pattern_replace(pattern.data, value, text.data, all, out);
    return r;
}

/* Behind "${name": the operator and its words, up to the brace. */
static int expand_operator(struct expansion *x, const char *name, size_t n, struct buf *out)
{
    bool colon = *x->p == ':';
    char how = x->p[colon];

    if (!how || !strchr(colon ? "-+?" : "-+?#%/", how))
        return fail(x, "unsupported modifier in substitution");
    x->p += colon + 1;
    if (how == '#' || how == '%')
        return expand_trim(x, value_of(x, name, n), how, out);
    if (how == '/')
        return expand_replace(x, value_of(x, name, n), out);
    return expand_default(x, name, n, colon, how, out);
}

static int expand_braces(struct expansion *x, struct buf *out)
{
    const char *name = ++x->p;
    size_t n = name_length(name);
    int r;

    x->p += n;
    if (!n)
        return fail(x, "bad substitution");
    if (!*x->p)
        return fail(x, "syntax error: missing '}'");
    if (*x->p != '}') {
        if (++x->depth > DEPTH_MAX)
            return fail(x, "substitutions are nested too deeply");
        r = expand_operator(x, name, n, out);
        x->depth--;
        return r;
    }
    x->p++;
    add_value(out, value_of(x, name, n));
    return 0;
}

/* A dollar that nothing follows stays one. */
static int expand_dollar(struct expansion *x, struct buf *out)
{
    const char *name = ++x->p;
    size_t n = name_length(name);

    if (*x->p == '{')
        return expand_braces(x, out);
    if (!n) {
        buf_add_char(out, '$');
        return 0;
    }
    x->p += n;
    add_value(out, value_of(x, name, n));
    return 0;
}

static int unclosed(struct expansion *x, const char *what)
{
    cleanup_free char *why =
        str_format("unexpected end of statement while looking for matching %s", what);

    return fail(x, why);
}

static int take_single_quotes(struct expansion *x, struct buf *out)
{
    const char *start = ++x->p, *end = strchr(start, '\'');

    if (!end)
        return unclosed(x, "single-quote");
    buf_add(out, start, (size_t)(end - start));
    x->p = end + 1;
    return 0;
}

/* Only these characters are escaped in here; before any other one the escape stands for itself. */
static int take_double_quotes(struct expansion *x, struct buf *out)
{
    const char escape = x->rules->escape;
    int r = 0;

    for (x->p++; *x->p && *x->p != '"' && r >= 0;) {
        if (*x->p == '$') {
            r = expand_dollar(x, out);
            continue;
        }
        if (*x->p == escape && (x->p[1] == '"' || x->p[1] == '$' || x->p[1] == escape))
            x->p++;
        buf_add_char(out, *x->p++);
    }
    if (r < 0)
        return r;
    if (!*x->p)
        return unclosed(x, "double-quote");
    x->p++;
    return 0;
}

/* In a heredoc the escape stands before a dollar or itself, as in a shell's. */
static void take_escape(struct expansion *x, struct buf *out)
{
    bool escapes = !x->rules->heredoc || x->p[1] == '$' || x->p[1] == x->rules->escape;

    if (escapes && x->p[1]) {
        x->p++;
        if (x->pattern)
            buf_add_char(out, '\\');
    }
    buf_add_char(out, *x->p++);
}

/* Up to `end`, which is passed over; 0: all of it. */
static int expand_until(struct expansion *x, char end, struct buf *out)
{
    bool quotes = !x->rules->heredoc;
    int r = 0;

    buf_add_str(out, "");
    while (*x->p && *x->p != end && r >= 0) {
        if (quotes && *x->p == '\'')
            r = take_single_quotes(x, out);
        else if (quotes && *x->p == '"')
            r = take_double_quotes(x, out);
        else if (*x->p == '$')
            r = expand_dollar(x, out);
        else if (*x->p == x->rules->escape)
            take_escape(x, out);
        else
            buf_add_char(out, *x->p++);
    }
    if (r >= 0 && end && !*x->p)
        return fail(x, end == '}' ? "syntax error: missing '}'" : "syntax error: missing '/'");
    x->p += end != 0 && *x->p == end;
    return r;
}

int word_expand(const struct word_rules *rules, const char *text, char **ret, struct err *err)
{
    struct expansion x = {.rules = rules, .whole = text, .p = text, .err = err};
    struct buf out = {0};
    int r = expand_until(&x, 0, &out);

    if (r < 0)
        buf_free(&out);
    else
        *ret = buf_steal(&out);
    return r;
}
