/* The functions of templates and what they have in common: truth, type names, how values print. Go
 * checks argument types by reflection; here each function asks for what it needs (need_string,
 * need_number) and the error has Go's words. */
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/human.h"
#include "cli/template_tree.h"

#define ANY_NUMBER 62

bool template_truth(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return json_object_size(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) != 0;
    default:
        return json_is_true(value);
    }
}

const char *template_type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "map[string]interface {}";
    case JSON_ARRAY:
        return "[]interface {}";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "int";
    case JSON_REAL:
        return "float64";
    case JSON_NULL:
        return "nil";
    default:
        return "bool";
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_object(const json_t *object, struct buf *out)
{
    size_t count = json_object_size(object), i = 0;
    cleanup_free const char **names = mem_alloc((count + 1) * sizeof *names);
    const char *name;
    json_t *item;

    json_object_foreach((json_t *)object, name, item) names[i++] = name;
    qsort(names, count, sizeof *names, by_name);
    buf_add_str(out, "map[");
    for (i = 0; i < count; i++) {
        buf_printf(out, "%s%s:", i ? " " : "", names[i]);
        template_print_value(json_object_get(object, names[i]), out);
    }
    buf_add_char(out, ']');
}

void template_print_value(const json_t *value, struct buf *out)
{
    json_t *item;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        print_object(value, out);
        break;
    case JSON_ARRAY:
        buf_add_char(out, '[');
        json_array_foreach(value, i, item)
        {
            if (i)
                buf_add_char(out, ' ');
            template_print_value(item, out);
        }
        buf_add_char(out, ']');
        break;
    case JSON_STRING:
        buf_add(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        buf_printf(out, "%.15g", json_real_value(value));
        break;
    case JSON_NULL:
        buf_add_str(out, "<nil>");
        break;
    default:
        buf_add_str(out, json_is_true(value) ? "true" : "false");
    }
}

static json_t *string_value(struct buf *text)
{
    json_t *value = json_stringn_nocheck(text->data ? text->data : "", text->len);

    buf_free(text);
    return value;
}

/* The argument as a string, or an error that names its type. */
static const char *need_string(const json_t *value, struct err *err)
{
    if (json_is_string(value))
        return json_string_value(value);
    err_set(err, EINVAL, "wrong type for value; expected string; got %s",
            template_type_name(value));
    return NULL;
}

static int need_number(const json_t *value, json_int_t *ret, struct err *err)
{
    if (!json_is_integer(value))
        return err_set(err, EINVAL, "wrong type for value; expected int; got %s",
                       template_type_name(value));
    *ret = json_integer_value(value);
    return 0;
}

/* As Go writes JSON that may end up in a web page: docker's rows are, its documents are not. */
static json_t *escape_html(const char *text)
{
    struct buf out = {0};

    for (; *text; text++)
        if (strchr("<>&", *text))
            buf_printf(&out, "\\u%04x", *text);
        else
            buf_add_char(&out, *text);
    return string_value(&out);
}

/* A row of a list command carries its method "Label" as a member (see call_method), which is not
 * data. Docker prints the members of such a row by name; documents keep the order they have. */
static json_t *f_json(json_t **a, size_t n, struct err *err)
{
    bool row = json_is_object(json_object_get(a[0], "Label"));
    cleanup_json json_t *shown = row ? json_copy(a[0]) : json_incref(a[0]);
    cleanup_free char *text = NULL;

    (void)n, (void)err;
    if (row)
        json_object_del(shown, "Label");
    text = json_text(shown, JSON_COMPACT | (row ? JSON_SORT_KEYS : 0));
    return row ? escape_html(text) : json_string(text);
}

static json_t *f_join(json_t **a, size_t n, struct err *err)
{
    const char *separator = need_string(a[1], err);
    struct buf out = {0};
    json_t *item;
    size_t i;

    (void)n;
    if (!separator)
        return NULL;
    if (!json_is_array(a[0]) && !json_is_null(a[0])) {
        err_set(err, EINVAL, "wrong type for value; expected []string; got %s",
                template_type_name(a[0]));
        return NULL;
    }
    json_array_foreach(a[0], i, item)
    {
        if (i)
            buf_add_str(&out, separator);
        template_print_value(item, &out);
    }
    return string_value(&out);
}

static json_t *f_split(json_t **a, size_t n, struct err *err)
{
    const char *text = need_string(a[0], err), *separator = text ? need_string(a[1], err) : NULL;
    json_t *list;
    size_t len;

    (void)n;
    if (!separator)
        return NULL;
    list = json_array();
    len = strlen(separator);
    for (const char *end; len && (end = strstr(text, separator)); text = end + len)
        json_push(list, json_stringn_nocheck(text, (size_t)(end - text)));
    json_push(list, json_string_nocheck(text));
    return list;
}

/* upper, lower and title: `first` is applied to the first letter of each word, `rest` to the
 * others. */
static json_t *change_case(json_t *value, int (*first)(int), int (*rest)(int), struct err *err)
{
    const char *text = need_string(value, err);
    struct buf out = {0};
    bool begins = true;

    if (!text)
        return NULL;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        buf_add_char(&out, c < 0x80 ? (char)(begins ? first : rest)(c) : *text);
        begins = isspace(c);
    }
    return string_value(&out);
}

static int same(int c)
{
    return c;
}

static json_t *f_upper(json_t **a, size_t n, struct err *err)
{
    (void)n;
    return change_case(a[0], toupper, toupper, err);
}

static json_t *f_lower(json_t **a, size_t n, struct err *err)
{
    (void)n;
    return change_case(a[0], tolower, tolower, err);
}

static json_t *f_title(json_t **a, size_t n, struct err *err)
{
    (void)n;
    return change_case(a[0], toupper, same, err);
}

#define PAD_MAX 4096

/* pad VALUE BEFORE BEHIND: that many blanks around a value that is not empty. */
static json_t *f_pad(json_t **a, size_t n, struct err *err)
{
    const char *text = need_string(a[0], err);
    json_int_t before = 0, behind = 0;

    (void)n;
    if (!text || need_number(a[1], &before, err) < 0 || need_number(a[2], &behind, err) < 0)
        return NULL;
    if (before < 0 || behind < 0 || before > PAD_MAX || behind > PAD_MAX) {
        err_set(err, EINVAL, "strings: padding outside of 0 to %d", PAD_MAX);
        return NULL;
    }
    return *text ? json_sprintf("%*s%s%*s", (int)before, "", text, (int)behind, "")
                 : json_string("");
}

static json_t *f_truncate(json_t **a, size_t n, struct err *err)
{
    const char *text = need_string(a[0], err);
    json_int_t length = 0;
    size_t bytes = 0;

    (void)n;
    if (!text || need_number(a[1], &length, err) < 0)
        return NULL;
    for (; text[bytes] && length > 0; length--)
        do
            bytes++;
        while (((unsigned char)text[bytes] & 0xc0) == 0x80);
    return json_stringn(text, bytes);
}

static json_t *f_len(json_t **a, size_t n, struct err *err)
{
    (void)n;
    if (json_is_string(a[0]))
        return json_integer((json_int_t)json_string_length(a[0]));
    if (json_is_object(a[0]))
        return json_integer((json_int_t)json_object_size(a[0]));
    if (json_is_array(a[0]) || json_is_null(a[0]))
        return json_integer((json_int_t)json_array_size(a[0]));
    err_set(err, EINVAL, "len of type %s", template_type_name(a[0]));
    return NULL;
}

/* One step of `index`; a key that a map does not have gives nothing, an index that a list has not
 * fails. */
static json_t *index_one(json_t *value, const json_t *key, struct err *err)
{
    json_int_t i = 0;
    json_t *found;

    if (json_is_object(value)) {
        const char *name = need_string(key, err);

        found = name ? json_object_get(value, name) : NULL;
        return name ? (found ? json_incref(found) : json_string("")) : NULL;
    }
    if (!json_is_array(value)) {
        err_set(err, EINVAL,
                json_is_null(value) ? "index of untyped nil" : "can't index item of type %s",
                template_type_name(value));
        return NULL;
    }
    if (need_number(key, &i, err) < 0)
        return NULL;
    if (i < 0 || (size_t)i >= json_array_size(value)) {
        err_set(err, EINVAL, "index out of range: %lld", (long long)i);
        return NULL;
    }
    return json_incref(json_array_get(value, (size_t)i));
}

static json_t *f_index(json_t **a, size_t n, struct err *err)
{
    json_t *value = json_incref(a[0]);

    for (size_t i = 1; value && i < n; i++) {
        json_t *next = index_one(value, a[i], err);

        json_decref(value);
        value = next;
    }
    return value;
}

static json_t *f_slice(json_t **a, size_t n, struct err *err)
{
    size_t len = json_is_string(a[0]) ? json_string_length(a[0]) : json_array_size(a[0]);
    json_int_t from = 0, to = (json_int_t)len;
    json_t *list;

    if ((n > 1 && need_number(a[1], &from, err) < 0) || (n > 2 && need_number(a[2], &to, err) < 0))
        return NULL;
    if (from < 0 || to > (json_int_t)len || from > to) {
        err_set(err, EINVAL, "index out of range: %lld",
                (long long)(to > (json_int_t)len ? to : from));
        return NULL;
    }
    if (json_is_string(a[0]))
        return json_stringn_nocheck(json_string_value(a[0]) + from, (size_t)(to - from));
    list = json_array();
    for (; from < to; from++)
        json_array_append(list, json_array_get(a[0], (size_t)from));
    return list;
}

/* Go's Print puts a blank between two values when neither is a string; Println always does. */
static json_t *print_all(json_t **a, size_t n, bool line)
{
    struct buf out = {0};

    for (size_t i = 0; i < n; i++) {
        if (i && (line || (!json_is_string(a[i]) && !json_is_string(a[i - 1]))))
            buf_add_char(&out, ' ');
        template_print_value(a[i], &out);
    }
    if (line)
        buf_add_char(&out, '\n');
    return string_value(&out);
}

static json_t *f_print(json_t **a, size_t n, struct err *err)
{
    (void)err;
    return print_all(a, n, false);
}

static json_t *f_println(json_t **a, size_t n, struct err *err)
{
    (void)err;
    return print_all(a, n, true);
}

static json_t *f_printf(json_t **a, size_t n, struct err *err)
{
    const char *format = need_string(a[0], err);
    struct buf out = {0};

    if (!format)
        return NULL;
    template_printf(format, a + 1, n - 1, &out);
    return string_value(&out);
}

/* Compares numbers with numbers and strings with strings; -2: they cannot be compared. */
static int compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);

        return (x > y) - (x < y);
    }
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);

        return (x > y) - (x < y);
    }
    if (json_is_string(a) && json_is_string(b)) {
        int order = strcmp(json_string_value(a), json_string_value(b));

        return (order > 0) - (order < 0);
    }
    return -2;
}

static json_t *incompatible(struct err *err)
{
    err_set(err, EINVAL, "incompatible types for comparison");
    return NULL;
}

/* eq A B C...: A equals any of the others. */
static json_t *f_eq(json_t **a, size_t n, struct err *err)
{
    for (size_t i = 1; i < n; i++) {
        int order = compare(a[0], a[i]);

        if (order == -2 && json_typeof(a[0]) != json_typeof(a[i]) && !json_is_null(a[0]) &&
            !json_is_null(a[i]) && !(json_is_boolean(a[0]) && json_is_boolean(a[i])))
            return incompatible(err);
        if (order == 0 || json_equal(a[0], a[i]))
            return json_true();
    }
    return json_false();
}

static json_t *f_not(json_t **a, size_t n, struct err *err)
{
    (void)n, (void)err;
    return json_boolean(!template_truth(a[0]));
}

static json_t *f_ne(json_t **a, size_t n, struct err *err)
{
    cleanup_json json_t *equal = f_eq(a, n, err);

    return equal ? json_boolean(!json_is_true(equal)) : NULL;
}

static json_t *f_lt(json_t **a, size_t n, struct err *err)
{
    int order = compare(a[0], a[1]);

    (void)n;
    return order == -2 ? incompatible(err) : json_boolean(order < 0);
}

static json_t *f_le(json_t **a, size_t n, struct err *err)
{
    int order = compare(a[0], a[1]);

    (void)n;
    return order == -2 ? incompatible(err) : json_boolean(order <= 0);
}

static json_t *f_gt(json_t **a, size_t n, struct err *err)
{
    int order = compare(a[0], a[1]);

    (void)n;
    return order == -2 ? incompatible(err) : json_boolean(order > 0);
}

static json_t *f_ge(json_t **a, size_t n, struct err *err)
{
    int order = compare(a[0], a[1]);

    (void)n;
    return order == -2 ? incompatible(err) : json_boolean(order >= 0);
}

/* `and` and `or` come here only undecided (see call_function): the last argument is the value. */
static json_t *f_last(json_t **a, size_t n, struct err *err)
{
    (void)err;
    return json_incref(a[n - 1]);
}

static const struct template_function functions[] = {
    {"and", 1, ANY_NUMBER, f_last},
    {"eq", 2, ANY_NUMBER, f_eq},
    {"ge", 2, 2, f_ge},
    {"gt", 2, 2, f_gt},
    {"index", 1, ANY_NUMBER, f_index},
    {"join", 2, 2, f_join},
    {"json", 1, 1, f_json},
    {"le", 2, 2, f_le},
    {"len", 1, 1, f_len},
    {"lower", 1, 1, f_lower},
    {"lt", 2, 2, f_lt},
    {"ne", 2, 2, f_ne},
    {"not", 1, 1, f_not},
    {"or", 1, ANY_NUMBER, f_last},
    {"pad", 3, 3, f_pad},
    {"print", 0, ANY_NUMBER, f_print},
    {"printf", 1, ANY_NUMBER, f_printf},
    {"println", 0, ANY_NUMBER, f_println},
    {"slice", 1, 3, f_slice},
    {"split", 2, 2, f_split},
    {"title", 1, 1, f_title},
    {"truncate", 2, 2, f_truncate},
    {"upper", 1, 1, f_upper},
};

const struct template_function *template_function_find(const char *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i].name, name))
            return &functions[i];
    return NULL;
}
