/* The grammar is ambiguous for one word of look-ahead: after a comma, "realm" may be a parameter of
 * the challenge before it or the scheme of the next. A word followed by "=" and a value is a
 * parameter; any other begins a challenge. */
#include "registry/challenge.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

#define LIST_MAX 16

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* RFC 9110, 5.6.2: what a token may consist of. */
static size_t token_length(const char *p)
{
    return strspn(p,
                  "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
}

/* A quoted string with its escapes undone, or a token. NULL when there is neither; *end is behind
 * it. */
static char *read_value(const char *p, const char **end)
{
    struct buf value = {0};

    if (*p != '"') {
        size_t n = token_length(p);

        *end = p + n;
        return n ? str_copy_n(p, n) : NULL;
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
        buf_add_char(&value, *p);
    }
    if (*p != '"') { /* not closed: nothing behind it can be trusted */
        buf_free(&value);
        return NULL;
    }
    *end = p + 1;
    return buf_steal(&value);
}

static void keep(struct challenge *c, const char *name, size_t n, char *value)
{
    const struct {
        const char *name;
        char **field;
    } fields[] = {
        {"realm", &c->realm}, {"service", &c->service}, {"scope", &c->scope}, {"error", &c->error}};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen(fields[i].name) == n && !strncasecmp(fields[i].name, name, n) &&
            !*fields[i].field) {
            *fields[i].field = value;
            return;
        }
    free(value);
}

/* "name = value": 1 and *end behind it; 0 when this is no parameter; -1 when its value cannot be
 * read. */
static int read_parameter(struct challenge *c, const char *p, const char **end)
{
    size_t n = token_length(p);
    const char *after = skip_blanks(p + n);
    char *value;

    if (!n || *after != '=')
        return 0;
    after = skip_blanks(after + 1);
    if (*after == ',' || *after == '=' || !*after)
        return 0; /* a token68's padding: "Negotiate YWJj=" */
    value = read_value(after, end);
    if (!value)
        return -1;
    keep(c, p, n, value);
    return 1;
}

static struct challenge *add(struct challenge_list *list, const char *scheme, size_t n)
{
    struct challenge *c;

    list->items = mem_grow(list->items, list->len + 1, sizeof *list->items);
    c = &list->items[list->len++];
    *c = (struct challenge){.scheme = str_copy_n(scheme, n)};
    return c;
}

void challenge_parse(const char *p, struct challenge_list *ret)
{
    struct challenge *current = NULL;

    while (*(p += strspn(p, " \t,"))) {
        size_t n = token_length(p);
        int r = current ? read_parameter(current, p, &p) : 0;

        if (r < 0)
            return;
        if (r)
            continue;
        if (!n || ret->len == LIST_MAX)
            return;
        current = add(ret, p, n);
        p = skip_blanks(p + n);
        n = strspn(p, "-._~+/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
        n += strspn(p + n, "=");
        if (n && (!p[n] || p[skip_blanks(p + n) - p] == ','))
            p += n; /* a token68 in place of parameters */
    }
}

void challenge_list_free(struct challenge_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        free(list->items[i].scheme);
        free(list->items[i].realm);
        free(list->items[i].service);
        free(list->items[i].scope);
        free(list->items[i].error);
    }
    free(list->items);
    memset(list, 0, sizeof *list);
}

const struct challenge *challenge_find(const struct challenge_list *list, const char *scheme)
{
    for (size_t i = 0; i < list->len; i++)
        if (!strcasecmp(list->items[i].scheme, scheme))
            return &list->items[i];
    return NULL;
}
