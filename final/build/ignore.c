#include "build/ignore.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

struct rule {
    struct path_pattern *pattern;
    bool exception; /* "!" */
};

struct ignore {
    struct rule *rules;
    size_t count, room;
    bool exceptions;
};

struct ignore_state {
    bool matched[1]; /* as many as there are rules */
};

static int add(struct ignore *list, const char *pattern, bool exception, struct err *err)
{
    cleanup_free char *clean = path_clean(pattern);
    struct path_pattern *compiled;
    int r;

    if (!strcmp(clean, ".")) /* docker's: the context itself cannot be ignored */
        return 0;
    r = path_pattern_new(clean, &compiled, err);
    if (r < 0)
        return r;
    if (list->count == list->room)
        list->rules = mem_grow(list->rules, list->room = list->room ? 2 * list->room : 16,
                               sizeof *list->rules);
    list->rules[list->count++] = (struct rule){compiled, exception};
    list->exceptions = list->exceptions || exception;
    return 0;
}

static char *trimmed(const char *text, size_t len)
{
    while (len && strchr(" \t\r\v\f", text[len - 1]))
        len--;
    while (len && strchr(" \t\r\v\f", *text)) {
        text++;
        len--;
    }
    return str_copy_n(text, len);
}

static int add_line(struct ignore *list, const char *line, size_t len, struct err *err)
{
    cleanup_free char *text = trimmed(line, len), *pattern = NULL;
    bool exception = *text == '!';

    if (!*text || *line == '#')
        return 0;
    pattern = trimmed(text + exception, strlen(text + exception));
    if (exception && !*pattern)
        return err_set(err, EINVAL, "illegal exclusion pattern: \"!\"");
    return add(list, pattern, exception, err);
}

int ignore_parse(const char *name, const char *text, size_t len, struct ignore **ret,
                 struct err *err)
{
    struct ignore *list = mem_alloc(sizeof *list);
    const char *p = text, *end = text + len;

    if (len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
        p += 3;
    for (int number = 1; p < end; number++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
        int r = memchr(p, 0, (size_t)(stop - p)) ? err_set(err, EINVAL, "a NUL byte: no pattern")
                                                 : add_line(list, p, (size_t)(stop - p), err);

        if (r < 0) {
            ignore_free(list);
            return err_wrap(err, "%s line %d", name, number);
        }
        p = newline ? newline + 1 : end;
    }
    *ret = list;
    return 0;
}

int ignore_add(struct ignore **list, const char *pattern, struct err *err)
{
    if (!*list)
        *list = mem_alloc(sizeof **list);
    return add_line(*list, pattern, strlen(pattern), err);
}

void ignore_free(struct ignore *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        path_pattern_free(list->rules[i].pattern);
    free(list->rules);
    free(list);
}

bool ignore_matches(const struct ignore *list, const struct ignore_state *parent, const char *path,
                    struct ignore_state **ret_state)
{
    struct ignore_state *state = NULL;
    bool ignored = false;

    if (ret_state)
        *ret_state = state = mem_alloc(sizeof *state + (list ? list->count : 0));
    for (size_t i = 0; list && i < list->count; i++) {
        bool above = parent && parent->matched[i];
        bool decides = list->rules[i].exception == ignored;
        bool match =
            above || ((state || decides) && path_pattern_matches(list->rules[i].pattern, path));

        if (state)
            state->matched[i] = match;
        if (match && decides)
            ignored = !list->rules[i].exception;
    }
    return ignored;
}

bool ignore_matches_path(const struct ignore *list, const char *path)
{
    struct ignore_state *state = NULL;
    bool ignored = false;

    for (const char *end = path; list && *end; end += *end == '/') {
        struct ignore_state *above = state;
        cleanup_free char *part = NULL;

        end += strcspn(end, "/");
        part = str_copy_n(path, (size_t)(end - path));
        ignored = ignore_matches(list, above, part, &state);
        free(above);
    }
    free(state);
    return ignored;
}

bool ignore_has_exceptions(const struct ignore *list)
{
    return list && list->exceptions;
}
