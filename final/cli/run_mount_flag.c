/* --mount type=bind,source=/a,target=/b,...: one line of CSV becomes one entry of
 * HostConfig.Mounts. The keys are a table; what is wrong with their values is said here, what is
 * wrong with the mount by the engine. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/run_options.h"
#include "cli/values.h"

enum mount_kind { OF_ALL, OF_BIND, OF_VOLUME, OF_TMPFS, OF_IMAGE };

typedef int take_value(json_t *section, const char *member, const char *key, const char *value,
                       struct err *err);

static json_t *section_of(json_t *object, const char *name)
{
    json_t *section = json_object_get(object, name);

    if (!section) {
        section = json_object();
        json_put(object, name, section);
    }
    return section;
}

static int take_text(json_t *section, const char *member, const char *key, const char *value,
                     struct err *err)
{
    (void)key;
    (void)err;
    json_put_str(section, member, value);
    return 0;
}

static int take_type(json_t *section, const char *member, const char *key, const char *value,
                     struct err *err)
{
    cleanup_free char *lower = str_copy(value);

    for (char *p = lower; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    return take_text(section, member, key, lower, err);
}

/* "./x" is below our working directory, which the engine cannot know. */
static int take_source(json_t *section, const char *member, const char *key, const char *value,
                       struct err *err)
{
    cleanup_free char *here = NULL, *whole = NULL;

    if (strcmp(value, ".") && !str_starts(value, "./"))
        return take_text(section, member, key, value, err);
    here = getcwd(NULL, 0);
    whole = str_format("%s/%s", here ? here : "", value);
    return take_text(section, member, key, whole, err);
}

static int take_bool(json_t *section, const char *member, const char *key, const char *value,
                     struct err *err)
{
    struct err unused = {0};

    if (value_check_bool(value, &unused) < 0)
        return err_set(err, EINVAL, "invalid value for %s: %s", key, value);
    json_put(section, member, json_boolean(value_bool(value)));
    return 0;
}

static int take_bytes(json_t *section, const char *member, const char *key, const char *value,
                      struct err *err)
{
    struct err unused = {0};
    int64_t bytes;

    if (value_parse_bytes(value, &bytes, &unused) < 0)
        return err_set(err, EINVAL, "invalid value for %s: %s", key, value);
    json_put(section, member, json_integer(bytes));
    return 0;
}

static int take_mode(json_t *section, const char *member, const char *key, const char *value,
                     struct err *err)
{
    char *end;
    unsigned long mode = strtoul(value, &end, 8);

    if (!*value || *end || mode > UINT32_MAX)
        return err_set(err, EINVAL, "invalid value for %s: %s", key, value);
    json_put(section, member, json_integer((json_int_t)mode));
    return 0;
}

static int take_pair(json_t *section, const char *member, const char *key, const char *value,
                     struct err *err)
{
    (void)key;
    (void)err;
    value_add_pair(section_of(section, member), value);
    return 0;
}

static int take_driver(json_t *section, const char *member, const char *key, const char *value,
                       struct err *err)
{
    return take_text(section_of(section, "DriverConfig"), member, key, value, err);
}

static int take_driver_option(json_t *section, const char *member, const char *key,
                              const char *value, struct err *err)
{
    return take_pair(section_of(section, "DriverConfig"), member, key, value, err);
}

static int take_recursion(json_t *section, const char *member, const char *key, const char *value,
                          struct err *err)
{
    (void)member;
    if (!strcmp(value, "disabled"))
        json_put(section, "NonRecursive", json_true());
    else if (!strcmp(value, "writable"))
        json_put(section, "ReadOnlyNonRecursive", json_true());
    else if (!strcmp(value, "readonly"))
        json_put(section, "ReadOnlyForceRecursive", json_true());
    else if (strcmp(value, "enabled"))
        return err_set(err, EINVAL,
                       "invalid value for %s: %s (must be \"enabled\", \"disabled\", "
                       "\"writable\", or \"readonly\")",
                       key, value);
    return 0;
}

static const struct key {
    const char *name;
    enum mount_kind kind;
    const char *member;
    take_value *take;
    bool alone; /* without "=value" it is true */
} keys[] = {
    {"type", OF_ALL, "Type", take_type, false},
    {"source", OF_ALL, "Source", take_source, false},
    {"src", OF_ALL, "Source", take_source, false},
    {"target", OF_ALL, "Target", take_text, false},
    {"dst", OF_ALL, "Target", take_text, false},
    {"destination", OF_ALL, "Target", take_text, false},
    {"readonly", OF_ALL, "ReadOnly", take_bool, true},
    {"ro", OF_ALL, "ReadOnly", take_bool, true},
    {"consistency", OF_ALL, "Consistency", take_text, false},
    {"bind-propagation", OF_BIND, "Propagation", take_text, false},
    {"bind-nonrecursive", OF_BIND, "NonRecursive", take_bool, true},
    {"bind-recursive", OF_BIND, "", take_recursion, false},
    {"bind-create-src", OF_BIND, "CreateMountpoint", take_bool, true},
    {"volume-nocopy", OF_VOLUME, "NoCopy", take_bool, true},
    {"volume-subpath", OF_VOLUME, "Subpath", take_text, false},
    {"volume-label", OF_VOLUME, "Labels", take_pair, false},
    {"volume-driver", OF_VOLUME, "Name", take_driver, false},
    {"volume-opt", OF_VOLUME, "Options", take_driver_option, false},
    {"image-subpath", OF_IMAGE, "Subpath", take_text, false},
    {"tmpfs-size", OF_TMPFS, "SizeBytes", take_bytes, false},
    {"tmpfs-mode", OF_TMPFS, "Mode", take_mode, false},
};

static const struct {
    const char *type, *section;
} kinds[] = {[OF_BIND] = {"bind", "BindOptions"},
             [OF_VOLUME] = {"volume", "VolumeOptions"},
             [OF_TMPFS] = {"tmpfs", "TmpfsOptions"},
             [OF_IMAGE] = {"image", "ImageOptions"}};

static const struct key *find_key(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strlen(keys[i].name) == len && !strncasecmp(keys[i].name, name, len))
            return &keys[i];
    return NULL;
}

static int take_field(json_t *mount, const char *field, struct err *err)
{
    size_t n = strcspn(field, "=");
    const struct key *key = find_key(field, n);
    const char *value = field[n] ? field + n + 1 : "true";

    if (!field[n] && !(key && key->alone))
        return err_set(err, EINVAL, "invalid field '%s' must be a key=value pair", field);
    if (!key)
        return err_set(err, EINVAL, "unexpected key '%.*s' in '%s'", (int)n, field, field);
    return key->take(key->kind == OF_ALL ? mount : section_of(mount, kinds[key->kind].section),
                     key->member, key->name, value, err);
}

/* One field of a line of CSV: a quoted one may hold commas, and "" for a quote. */
static const char *next_field(const char *p, struct buf *ret)
{
    bool quoted = *p == '"';

    ret->len = 0;
    buf_add_str(ret, "");
    for (p += quoted; *p && (quoted || *p != ','); p++) {
        if (quoted && *p == '"' && *++p != '"')
            quoted = false;
        if (!quoted && (*p == ',' || !*p))
            break;
        buf_add_char(ret, *p);
    }
    return *p == ',' ? p + 1 : p;
}

static int check_mixture(const json_t *mount, const char *type, struct err *err)
{
    for (size_t i = OF_BIND; i <= OF_IMAGE; i++)
        if (json_object_get(mount, kinds[i].section) && strcmp(type, kinds[i].type))
            return err_set(err, EINVAL, "cannot mix '%s-*' options with mount type '%s'",
                           kinds[i].type, type);
    return 0;
}

/* What says "recursively read-only" must be read-only, and stay what it is. */
static int check_recursion(const json_t *mount, struct err *err)
{
    bool forced = json_flag(mount, "BindOptions.ReadOnlyForceRecursive", false);

    if ((forced || json_flag(mount, "BindOptions.ReadOnlyNonRecursive", false)) &&
        !json_flag(mount, "ReadOnly", false))
        return err_set(err, EINVAL,
                       "option 'bind-recursive=%s' requires 'readonly' to be specified in "
                       "conjunction",
                       forced ? "readonly" : "writable");
    if (forced && strcmp(json_str(mount, "BindOptions.Propagation", ""), "rprivate"))
        return err_set(err, EINVAL,
                       "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to "
                       "be specified in conjunction");
    return 0;
}

static int parse(const char *value, json_t *mount, struct err *err)
{
    cleanup_buf struct buf field = {0};

    json_put_str(mount, "Type", "volume");
    if (!*value)
        return err_set(err, EINVAL, "value is empty");
    for (const char *p = value; *p;) {
        p = next_field(p, &field);
        if (take_field(mount, field.data, err) < 0)
            return -err->code;
    }
    if (!*json_str(mount, "Type", ""))
        return err_set(err, EINVAL, "type is required");
    if (!*json_str(mount, "Target", ""))
        return err_set(err, EINVAL, "target is required");
    if (check_mixture(mount, json_str(mount, "Type", ""), err) < 0)
        return -err->code;
    return check_recursion(mount, err);
}

int value_check_mount(const char *value, struct err *err)
{
    cleanup_json json_t *mount = json_object();

    return parse(value, mount, err);
}

void run_mount_flags_build(const struct options *o, json_t *host)
{
    const struct strv *given = options_list(o, "mount");
    json_t *list = given->len ? json_array() : json_null();

    for (size_t i = 0; i < given->len; i++) {
        json_t *mount = json_object();
        struct err unused = {0}; /* the parser of options checked it */

        parse(given->items[i], mount, &unused);
        json_push(list, mount);
    }
    json_put(host, "Mounts", list);
}
