/* RUN --mount=type=...,key=value,...: one row a key, which says for which types it is meant. */
#include "build/mount_flag.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "build/internal.h"

static const char *const type_names[] = {[MOUNT_BIND] = "bind",
                                         [MOUNT_CACHE] = "cache",
                                         [MOUNT_TMPFS] = "tmpfs",
                                         [MOUNT_SECRET] = "secret",
                                         [MOUNT_SSH] = "ssh"};
static const char *const sharing_names[] = {
    [SHARING_SHARED] = "shared", [SHARING_PRIVATE] = "private", [SHARING_LOCKED] = "locked"};

const char *mount_type_name(enum mount_type type)
{
    return type_names[type];
}

/* One --mount being read. */
struct reading {
    struct run_mount *mount;
    const char *key, *value;
    struct err *err;
};

static int bad_value(const struct reading *r)
{
    return err_set(r->err, EINVAL, "invalid value for %s: %s", r->key, r->value);
}

/* --- the keys' values ------------------------------------------------------------------------- */

static void set_text(char **field, const char *value)
{
    free(*field);
    *field = str_copy(value);
}

static int take_from(const struct reading *r)
{
    set_text(&r->mount->from, r->value);
    return 0;
}

static int take_source(const struct reading *r)
{
    set_text(&r->mount->source, r->value);
    return 0;
}

static int take_target(const struct reading *r)
{
    set_text(&r->mount->target, r->value);
    return 0;
}

static int take_id(const struct reading *r)
{
    set_text(&r->mount->id, r->value);
    return 0;
}

static int take_env(const struct reading *r)
{
    set_text(&r->mount->env, r->value);
    return 0;
}

static int parse_bool(const struct reading *r, bool *ret)
{
    bool yes = !*r->value || !strcasecmp(r->value, "true") || !strcmp(r->value, "1");

    if (!yes && strcasecmp(r->value, "false") && strcmp(r->value, "0"))
        return bad_value(r);
    *ret = yes;
    return 0;
}

static int take_readonly(const struct reading *r)
{
    bool read_only;
    int result = parse_bool(r, &read_only);

    if (!result)
        r->mount->read_write = !read_only;
    return result;
}

static int take_readwrite(const struct reading *r)
{
    return parse_bool(r, &r->mount->read_write);
}

static int take_required(const struct reading *r)
{
    return parse_bool(r, &r->mount->required);
}

static int take_sharing(const struct reading *r)
{
    for (size_t i = 0; i < sizeof sharing_names / sizeof *sharing_names; i++)
        if (!strcmp(r->value, sharing_names[i])) {
            r->mount->sharing = (enum mount_sharing)i;
            return 0;
        }
    return err_set(r->err, EINVAL, "unsupported sharing value \"%s\"", r->value);
}

static int take_mode(const struct reading *r)
{
    char *end;
    unsigned long mode = strtoul(r->value, &end, 8);

    if (*r->value < '0' || *r->value > '7' || *end || mode > 07777)
        return bad_value(r);
    r->mount->mode = (mode_t)mode;
    r->mount->has_mode = true;
    return 0;
}

static int take_number(const struct reading *r, unsigned *ret)
{
    unsigned long long number;

    if (str_to_u64(r->value, &number) < 0 || number > 0x7fffffff)
        return bad_value(r);
    *ret = (unsigned)number;
    return 0;
}

static int take_uid(const struct reading *r)
{
    return take_number(r, &r->mount->uid);
}

static int take_gid(const struct reading *r)
{
    return take_number(r, &r->mount->gid);
}

/* "64m": powers of 1024. */
static int take_size(const struct reading *r)
{
    static const char units[] = "kmgt";
    unsigned long long number;
    size_t digits = strspn(r->value, "0123456789");
    cleanup_free char *head = str_copy_n(r->value, digits);
    const char *unit = r->value + digits;
    const char *found = *unit ? strchr(units, *unit | 0x20) : NULL;
    int shift = found ? 10 * (int)(found - units + 1) : 0;

    if (str_to_u64(head, &number) < 0 || number > UINT64_MAX >> (shift + 1))
        return bad_value(r);
    if (*unit && (found ? unit[1] && strcasecmp(unit + 1, "b") : strcasecmp(unit, "b") != 0))
        return bad_value(r);
    r->mount->size = number << shift;
    return 0;
}

#define FOR(type) (1u << (type))
#define EVERY     0x1fu

static const struct key {
    const char *names[4];
    unsigned types; /* bits of enum mount_type */
    bool alone;     /* the key without a value is fine */
    int (*take)(const struct reading *r);
} keys[] = {
    {{"from"}, FOR(MOUNT_BIND) | FOR(MOUNT_CACHE), false, take_from},
    {{"source", "src"}, EVERY, false, take_source},
    {{"target", "dst", "destination"}, EVERY, false, take_target},
    {{"readonly", "ro"}, FOR(MOUNT_BIND) | FOR(MOUNT_CACHE), true, take_readonly},
    {{"readwrite", "rw"}, FOR(MOUNT_BIND) | FOR(MOUNT_CACHE), true, take_readwrite},
    {{"id"}, FOR(MOUNT_CACHE) | FOR(MOUNT_SECRET) | FOR(MOUNT_SSH), false, take_id},
    {{"env"}, FOR(MOUNT_SECRET), false, take_env},
    {{"required"}, FOR(MOUNT_SECRET) | FOR(MOUNT_SSH), true, take_required},
    {{"sharing"}, FOR(MOUNT_CACHE), false, take_sharing},
    {{"size"}, FOR(MOUNT_TMPFS), false, take_size},
    {{"mode"}, FOR(MOUNT_CACHE) | FOR(MOUNT_SECRET) | FOR(MOUNT_SSH), false, take_mode},
    {{"uid"}, FOR(MOUNT_CACHE) | FOR(MOUNT_SECRET) | FOR(MOUNT_SSH), false, take_uid},
    {{"gid"}, FOR(MOUNT_CACHE) | FOR(MOUNT_SECRET) | FOR(MOUNT_SSH), false, take_gid},
};

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        for (size_t k = 0; k < 4 && keys[i].names[k]; k++)
            if (!strcasecmp(name, keys[i].names[k]))
                return &keys[i];
    return NULL;
}

/* --- the fields ------------------------------------------------------------------------------- */

/* a,"b,c",d: a field in quotes may have commas, and a quote twice is one. */
static void split_fields(const char *text, struct strv *ret)
{
    struct buf field = {0};
    bool quoted = false;

    for (;; text++) {
        if (!*text || (*text == ',' && !quoted)) {
            strv_take(ret, buf_steal(&field));
            if (!*text)
                return;
        } else if (*text == '"' && quoted && text[1] == '"') {
            buf_add_char(&field, *++text);
        } else if (*text == '"') {
            quoted = !quoted;
        } else {
            buf_add_char(&field, *text);
        }
    }
}

static int find_type(const struct strv *fields, enum mount_type *ret, struct err *err)
{
    *ret = MOUNT_BIND;
    for (size_t i = 0; i < fields->len; i++) {
        const char *value = fields->items[i] + strlen("type=");
        size_t k = 0;

        if (strncasecmp(fields->items[i], "type=", strlen("type=")))
            continue;
        while (k < sizeof type_names / sizeof *type_names && strcasecmp(value, type_names[k]))
            k++;
        if (k == sizeof type_names / sizeof *type_names)
            return err_set(err, EINVAL, "unsupported mount type \"%s\"", value);
        *ret = (enum mount_type)k;
    }
    return 0;
}

/* `rules` NULL: only the form, the value may be of any kind where it has a variable. */
static int take_field(struct run_mount *m, char *field, const struct word_rules *rules,
                      struct err *err)
{
    cleanup_free char *expanded = NULL;
    char *equals = strchr(field, '=');
    const struct key *key;
    struct reading r = {m, field, "", err};

    if (equals)
        *equals = 0;
    if (!strcasecmp(field, "type"))
        return 0;
    key = find_key(field);
    if (!key)
        return err_set(err, EINVAL, "unexpected key '%s' in '%s%s%s'", field, field,
                       equals ? "=" : "", equals ? equals + 1 : "");
    if (!equals && !key->alone)
        return err_set(err, EINVAL, "invalid field '%s' must be a key=value pair", field);
    if (!(key->types & FOR(m->type)))
        return err_set(err, EINVAL, "%s mount should not define %s", type_names[m->type], field);
    if (equals && !rules && strchr(equals + 1, '$'))
        return 0;
    if (equals && rules && word_expand(rules, equals + 1, &expanded, err) < 0)
        return -err->code;
    r.value = expanded ? expanded : equals ? equals + 1 : "";
    return key->take(&r);
}

static int check_whole(const struct run_mount *m, bool only_form, struct err *err)
{
    bool wants_target = m->type == MOUNT_BIND || m->type == MOUNT_CACHE || m->type == MOUNT_TMPFS;

    if (m->type == MOUNT_SECRET && !m->source && !m->target && !m->id && !only_form)
        return err_set(err, EINVAL, "invalid secret mount. one of source, target required");
    if (m->type == MOUNT_SECRET && m->source && m->id)
        return err_set(err, EINVAL, "both source and id can't be set");
    if (wants_target && !m->target && !only_form)
        return err_set(err, EINVAL, "invalid %s mount: no target: target=PATH says where",
                       type_names[m->type]);
    if (m->type == MOUNT_TMPFS && m->source)
        return err_set(err, EINVAL, "tmpfs mount should not define source");
    return 0;
}

static int read_fields(const char *text, const struct word_rules *rules, struct run_mount *m,
                       struct err *err)
{
    cleanup_strv struct strv fields = {0};
    bool variables = !rules && strchr(text, '$');
    int r;

    split_fields(text, &fields);
    r = find_type(&fields, &m->type, err);
    m->read_write = m->type == MOUNT_CACHE;
    for (size_t i = 0; i < fields.len && !r; i++)
        r = take_field(m, fields.items[i], rules, err);
    return r < 0 ? r : check_whole(m, variables, err);
}

int mount_flag_parse(const char *text, const struct word_rules *rules, struct run_mount *ret,
                     struct err *err)
{
    struct run_mount m = {0};
    int r = read_fields(text, rules, &m, err);

    if (r < 0)
        run_mount_free(&m);
    else
        *ret = m;
    return r;
}

int mount_flag_check(const char *text, struct err *err)
{
    struct run_mount m = {0};
    int r = read_fields(text, NULL, &m, err);

    run_mount_free(&m);
    return r;
}

void run_mount_free(struct run_mount *m)
{
    free(m->from);
    free(m->source);
    free(m->target);
    free(m->id);
    free(m->env);
}

static void describe_text(struct buf *out, const char *key, const char *value)
{
    if (value)
        buf_printf(out, ",%s=%s", key, value);
}

void run_mount_describe(const struct run_mount *m, struct buf *out)
{
    buf_printf(out, "type=%s", type_names[m->type]);
    describe_text(out, "from", m->from);
    describe_text(out, "source", m->source);
    describe_text(out, "target", m->target);
    describe_text(out, "id", m->id);
    describe_text(out, "env", m->env);
    buf_printf(out, ",rw=%d,required=%d,sharing=%d,size=%llu,mode=%o,uid=%u,gid=%u", m->read_write,
               m->required, m->sharing, (unsigned long long)m->size, m->has_mode ? m->mode : 010000,
               m->uid, m->gid);
}
