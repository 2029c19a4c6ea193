/* Words as a Dockerfile's instructions have them: like a shell's, but less. */
#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/build.h"

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

/* --- expansion ----------------------------------------------------------------------------------
 */

struct expansion {
    const struct word_rules *rules;
    const char *whole; /* for messages */
    const char *p;
    struct err *err;
};

/* The last one wins, as in a process's environment that was appended to. */
static const char *value_of(const struct expansion *x, const char *name, size_t n)
{
    for (size_t i = json_array_size(x->rules->env); i-- > 0;) {
        const char *pair = json_string_value(json_array_get(x->rules->env, i));

        if (pair && !strncmp(pair, name, n) && pair[n] == '=')
            return pair + n + 1;
    }
    return NULL;
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

static int expand_until(struct expansion *x, char end, struct buf *out);

/* Behind "${name": the operator and its word, up to the brace. */
static int expand_operator(struct expansion *x, const char *name, size_t n, struct buf *out)
{
    const char *value = value_of(x, name, n);
    bool colon = *x->p == ':';
    bool there = value && (!colon || *value);
    cleanup_buf struct buf word = {0};
    char how;
    int r;

    x->p += colon;
    how = *x->p;
    if (!how || !strchr("-+?", how))
        return err_set(x->err, EINVAL,
                       "failed to process \"%s\": unsupported modifier in substitution", x->whole);
    x->p++;
    r = expand_until(x, '}', &word);
    if (r < 0)
        return r;
    if (how == '?' && !there)
        return err_set(x->err, EINVAL, "%.*s: %s", (int)n, name,
                       word.len ? word.data : "is not allowed to be unset");
    if (how == '+')
        value = there ? word.data : "";
    else if (!there)
        value = word.data;
    buf_add_str(out, value ? value : "");
    return 0;
}

static int expand_braces(struct expansion *x, struct buf *out)
{
    const char *name = ++x->p, *value;
    size_t n = name_length(name);

    x->p += n;
    if (!n || !*x->p)
        return err_set(x->err, EINVAL, "failed to process \"%s\": %s", x->whole,
                       n ? "syntax error: missing '}'" : "bad substitution");
    if (*x->p != '}')
        return expand_operator(x, name, n, out);
    x->p++;
    value = value_of(x, name, n);
    buf_add_str(out, value ? value : "");
    return 0;
}

/* A dollar that nothing follows stays one. */
static int expand_dollar(struct expansion *x, struct buf *out)
{
    const char *name = ++x->p, *value;
    size_t n = name_length(name);

    if (*x->p == '{')
        return expand_braces(x, out);
    if (!n) {
        buf_add_char(out, '$');
        return 0;
    }
    x->p += n;
    value = value_of(x, name, n);
    buf_add_str(out, value ? value : "");
    return 0;
}

static int unclosed(struct expansion *x, const char *what)
{
    return err_set(x->err, EINVAL,
                   "failed to process \"%s\": unexpected end of statement while "
                   "looking for matching %s",
                   x->whole, what);
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

/* Up to `end`, which is passed over; 0: all of it. */
static int expand_until(struct expansion *x, char end, struct buf *out)
{
    int r = 0;

    buf_add_str(out, "");
    while (*x->p && *x->p != end && r >= 0) {
        if (*x->p == '\'') {
            r = take_single_quotes(x, out);
        } else if (*x->p == '"') {
            r = take_double_quotes(x, out);
        } else if (*x->p == '$') {
            r = expand_dollar(x, out);
        } else {
            if (*x->p == x->rules->escape && x->p[1])
                x->p++;
            buf_add_char(out, *x->p++);
        }
    }
    if (r >= 0 && end && !*x->p)
        return err_set(x->err, EINVAL, "failed to process \"%s\": syntax error: missing '%c'",
                       x->whole, end);
    x->p += end != 0 && *x->p == end;
    return r;
}

int word_expand(const struct word_rules *rules, const char *text, char **ret, struct err *err)
{
    struct expansion x = {rules, text, text, err};
    struct buf out = {0};
    int r = expand_until(&x, 0, &out);

    if (r < 0)
        buf_free(&out);
    else
        *ret = buf_steal(&out);
    return r;
}
