#include "cli/members.h"

#include <string.h>

#include "base/json.h"
#include "cli/values.h"

json_t *member_bytes(const char *value)
{
    struct err unused = {0}; /* the parser of options checked it */
    int64_t bytes = -1;

    if (strcmp(value, "-1"))
        value_parse_bytes(value, &bytes, &unused);
    return json_integer(bytes);
}

static json_t *cpus_value(const char *value)
{
    struct err unused = {0};
    int64_t nano = 0;

    value_parse_cpus(value, &nano, &unused);
    return json_integer(nano);
}

static json_t *member_value(const struct options *o, const struct member *m)
{
    const char *value = options_one(o, m->flag);
    const struct strv *list = options_list(o, m->flag);

    switch (m->kind) {
    case MEMBER_TEXT:
        return json_string(value ? value : "");
    case MEMBER_BOOL:
        return json_boolean(options_flag(o, m->flag));
    case MEMBER_INT:
        return json_integer(options_number(o, m->flag, 0));
    case MEMBER_BYTES:
        return value ? member_bytes(value) : json_integer(0);
    case MEMBER_CPUS:
        return value ? cpus_value(value) : json_integer(0);
    case MEMBER_LIST:
        break;
    }
    return list->len ? json_from_strings(list) : json_null();
}

/* jansson refuses what is no UTF-8 by giving NULL. */
static int put_one(const struct options *o, const struct member *m, json_t *object, struct err *err)
{
    json_t *value = member_value(o, m);

    if (!value)
        return err_set(err, EINVAL, "the value of --%s is not valid UTF-8", m->flag);
    json_put(object, m->name, value);
    return 0;
}

int members_put(const struct options *o, const struct member *members, json_t *object,
                struct err *err)
{
    for (; members->flag; members++)
        if (put_one(o, members, object, err) < 0)
            return -err->code;
    return 0;
}

int members_put_given(const struct options *o, const struct member *members, json_t *object,
                      struct err *err)
{
    for (; members->flag; members++)
        if (options_given(o, members->flag) && put_one(o, members, object, err) < 0)
            return -err->code;
    return 0;
}
