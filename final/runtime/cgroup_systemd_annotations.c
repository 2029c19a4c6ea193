/* Annotations "org.systemd.property.NAME": a property of the container's unit, written in
 * GVariant's text format (the one of `gdbus call`), as runc and crun read it:
 *
 *     true   'text'   "text"   12   uint64 12   int64 -3   ['a', 'b']   [uint64 1, 2]
 *
 * NAMESec is a number of seconds for NAMEUSec, systemd's unit files know it by that name. */
#include "runtime/cgroup_systemd.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

#define PREFIX "org.systemd.property."

struct reader {
    const char *at;
    char type; /* of what was read, a D-Bus type */
};

static const struct {
    const char *word;
    char type;
} types[] = {
    {"byte ", 'y'},   {"int16 ", 'n'}, {"uint16 ", 'q'}, {"int32 ", 'i'},
    {"uint32 ", 'u'}, {"int64 ", 'x'}, {"uint64 ", 't'},
};

static void skip_blanks(struct reader *r)
{
    r->at += strspn(r->at, " \t\n");
}

static json_t *read_text(struct reader *r)
{
    char quote = *r->at++;
    cleanup_buf struct buf text = {0};

    for (; *r->at && *r->at != quote; r->at++) {
        if (*r->at == '\\' && r->at[1])
            r->at++;
        buf_add_char(&text, *r->at);
    }
    if (!*r->at)
        return NULL;
    r->at++;
    r->type = 's';
    return json_string(text.data ? text.data : "");
}

static json_t *read_number(struct reader *r)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(r->at, &end, 0);
    if (end == r->at || errno)
        return NULL;
    r->at = end;
    return json_integer(number);
}

/* One value that is not a list. A list's type is said once, at its first element. */
static json_t *read_one(struct reader *r)
{
    skip_blanks(r);
    if (*r->at == '\'' || *r->at == '"')
        return read_text(r);
    if (str_starts(r->at, "true") || str_starts(r->at, "false")) {
        bool yes = *r->at == 't';

        r->at += yes ? 4 : 5;
        r->type = 'b';
        return json_boolean(yes);
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_starts(r->at, types[i].word)) {
            r->type = types[i].type;
            r->at += strlen(types[i].word);
        }
    skip_blanks(r);
    r->type = r->type && strchr("ynqiuxt", r->type) ? r->type : 'i';
    return read_number(r);
}

static json_t *read_list(struct reader *r)
{
    cleanup_json json_t *list = json_array();

    r->at++;
    skip_blanks(r);
    while (*r->at != ']') {
        char before = r->type;
        json_t *element = read_one(r);

        if (!element)
            return NULL;
        json_push(list, element);
        skip_blanks(r);
        if ((before && before != r->type) || (*r->at != ',' && *r->at != ']'))
            return NULL;
        r->at += *r->at == ',';
        skip_blanks(r);
    }
    r->at++;
    return r->type ? json_incref(list) : NULL;
}

/* The value, and its signature ("as"); NULL if it is of another form. */
static json_t *read_value(const char *text, char ret_signature[3])
{
    struct reader r = {.at = text};
    cleanup_json json_t *value = NULL;
    bool is_list;

    skip_blanks(&r);
    is_list = *r.at == '[';
    value = is_list ? read_list(&r) : read_one(&r);
    skip_blanks(&r);
    if (!value || *r.at)
        return NULL;
    ret_signature[0] = is_list ? 'a' : r.type;
    ret_signature[1] = is_list ? r.type : 0;
    ret_signature[2] = 0;
    return json_incref(value);
}

static bool is_property_name(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (!isalpha((unsigned char)name[i]))
            return false;
    return n >= 3 && isupper((unsigned char)*name);
}

static json_t *read_annotation(const char *name, const char *text, struct err *err)
{
    cleanup_free char *full = str_copy(name);
    char signature[3];
    json_t *value = is_property_name(name) ? read_value(text, signature) : NULL;

    if (!value) {
        err_set(err, EINVAL,
                is_property_name(name)
                    ? "annotation " PREFIX "%s: '%s' is not a value such as true, 'text', uint64 7 "
                      "or ['a','b']"
                    : "annotation " PREFIX "%s: that is not the name of a property (%s)",
                name, text);
        return NULL;
    }
    if (str_ends(name, "Sec") && !str_ends(name, "USec") && json_is_integer(value)) {
        free(full);
        full = str_format("%.*sUSec", (int)strlen(name) - 3, name);
        json_integer_set(value, json_integer_value(value) * 1000000);
        strcpy(signature, "t");
    }
    return json_pack("[s,s,o]", full, signature, value);
}

int systemd_add_annotations(const json_t *annotations, json_t *properties, struct err *err)
{
    const char *name;
    json_t *text;

    json_object_foreach((json_t *)annotations, name, text)
    {
        json_t *property;

        if (!str_starts(name, PREFIX))
            continue;
        property = read_annotation(name + strlen(PREFIX),
                                   json_string_value(text) ? json_string_value(text) : "", err);
        if (!property)
            return -err->code;
        json_push(properties, property);
    }
    return 0;
}
