#include "base/json.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define MAX_DEPTH 64

/* jansson has a depth limit of its own, but a generous one (2048). */
static bool too_deep(const char *text, size_t len)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < len; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && (text[i] == '[' || text[i] == '{') && ++depth > MAX_DEPTH)
            return true;
        else if (!in_string && (text[i] == ']' || text[i] == '}'))
            depth--;
    }
    return false;
}

json_t *json_parse(const char *text, size_t len, const char *what, struct err *err)
{
    json_error_t where;
    json_t *json;

    if (!len) {
        err_set(err, EINVAL, "%s is empty", what);
        return NULL;
    }
    if (too_deep(text, len)) {
        err_set(err, EINVAL, "%s is nested deeper than %d levels", what, MAX_DEPTH);
        return NULL;
    }
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (!json)
        err_set(err, EINVAL, "%s is not valid JSON: line %d, column %d: %s", what, where.line,
                where.column, where.text);
    return json;
}

/* The length of the run of digits at `p`, a number's whole text (not a part of "1.5" or "1e3"); 0
 * otherwise. */
static size_t whole_number(const char *text, const char *p, const char *end)
{
    size_t n = 0;

    if (p > text && strchr("0123456789.+-eE", p[-1]))
        return 0;
    while (p + n < end && isdigit((unsigned char)p[n]))
        n++;
    return p + n < end && strchr(".eE", p[n]) ? 0 : n;
}

/* Appends the number, as the signed one of the same bits if it is so large. */
static void add_number(struct buf *out, const char *digits, size_t n)
{
    char copy[24];
    unsigned long long value;

    if (n >= 19 && n < sizeof copy) {
        memcpy(copy, digits, n);
        copy[n] = 0;
        if (!str_to_u64(copy, &value) && value > LLONG_MAX) {
            buf_printf(out, "%lld", (long long)value);
            return;
        }
    }
    buf_add(out, digits, n);
}

static void make_signed(const char *text, size_t len, struct buf *out)
{
    const char *end = text + len;
    bool in_string = false;

    for (const char *p = text; p < end; p++) {
        size_t n = in_string ? 0 : whole_number(text, p, end);

        if (n) {
            add_number(out, p, n);
            p += n - 1;
            continue;
        }
        if (*p == '"')
            in_string = !in_string;
        buf_add_char(out, *p);
        if (in_string && *p == '\\' && p + 1 < end)
            buf_add_char(out, *++p);
    }
}

/* Nearly no document has one, and copying costs more than looking. */
static bool may_be_large(const char *text, size_t len)
{
    size_t run = 0;

    for (size_t i = 0; i < len && run < 19; i++)
        run = isdigit((unsigned char)text[i]) ? run + 1 : 0;
    return run == 19;
}

json_t *json_parse_u64(const char *text, size_t len, const char *what, struct err *err)
{
    cleanup_buf struct buf signed_text = {0};

    if (!may_be_large(text, len))
        return json_parse(text, len, what, err);
    buf_reserve(&signed_text, len + 64);
    make_signed(text, len, &signed_text);
    return json_parse(signed_text.data, signed_text.len, what, err);
}

json_t *json_load_u64(int dirfd, const char *path, size_t max, struct err *err)
{
    cleanup_buf struct buf text = {0};

    if (file_load(dirfd, path, max, &text, err) < 0)
        return NULL;
    return json_parse_u64(text.data, text.len, path, err);
}

json_t *json_load(int dirfd, const char *path, size_t max, struct err *err)
{
    cleanup_buf struct buf text = {0};

    if (file_load(dirfd, path, max, &text, err) < 0)
        return NULL;
    return json_parse(text.data, text.len, path, err);
}

int json_store(int dirfd, const char *path, const json_t *json, mode_t mode, bool durable,
               struct err *err)
{
    cleanup_free char *text = json_text(json, JSON_COMPACT);

    return file_store(dirfd, path, text, strlen(text), mode, durable, err);
}

json_t *json_at(const json_t *json, const char *path)
{
    while (json && *path) {
        size_t n = strcspn(path, ".");
        char name[128];

        if (n >= sizeof name)
            return NULL;
        memcpy(name, path, n);
        name[n] = 0;
        json = json_object_get(json, name);
        path += path[n] ? n + 1 : n;
    }
    return (json_t *)json;
}

const char *json_str(const json_t *json, const char *path, const char *otherwise)
{
    const json_t *value = json_at(json, path);

    return json_is_string(value) ? json_string_value(value) : otherwise;
}

long long json_int(const json_t *json, const char *path, long long otherwise)
{
    const json_t *value = json_at(json, path);

    if (json_is_real(value) && fabs(json_real_value(value)) < 0x1p63)
        return (long long)json_real_value(value);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool json_flag(const json_t *json, const char *path, bool otherwise)
{
    const json_t *value = json_at(json, path);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

void json_strings(const json_t *array, struct strv *ret)
{
    json_t *item;
    size_t i;

    json_array_foreach(array, i, item) if (json_is_string(item))
        strv_add(ret, json_string_value(item));
}

json_t *json_from_strings(const struct strv *v)
{
    json_t *array = json_array();

    for (size_t i = 0; i < v->len; i++)
        json_push(array, json_string(v->items[i]));
    return array;
}

json_t *json_from_argv(char *const *argv)
{
    json_t *array = json_array();

    for (; argv && *argv; argv++)
        json_push(array, json_string(*argv));
    return array;
}

static void check(int failed)
{
    if (failed)
        abort();
}

void json_put(json_t *object, const char *name, json_t *value)
{
    check(json_object_set_new(object, name, value));
}

void json_put_str(json_t *object, const char *name, const char *value)
{
    json_put(object, name, value ? json_string(value) : json_null());
}

void json_push(json_t *array, json_t *value)
{
    check(json_array_append_new(array, value));
}

char *json_text(const json_t *json, size_t flags)
{
    char *text = json_dumps(json, flags | JSON_ENCODE_ANY);

    check(!text);
    return text;
}
