/* linux.namespaces: which are new and which are joined, and what new user and time namespaces are
 * set to. OCI config-linux.md, "Namespaces", "User namespace mappings", "Offset for Time
 * Namespace". */
#include "runtime/spec.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* Linux 5.6; only clone3(2) takes it, clone(2) reads it as a signal */
#endif

const struct spec_namespace_kind spec_namespace_kinds[8] = {
    {"mount", "mnt", CLONE_NEWNS},    {"pid", "pid", CLONE_NEWPID},
    {"network", "net", CLONE_NEWNET}, {"ipc", "ipc", CLONE_NEWIPC},
    {"uts", "uts", CLONE_NEWUTS},     {"cgroup", "cgroup", CLONE_NEWCGROUP},
    {"user", "user", CLONE_NEWUSER},  {"time", "time", CLONE_NEWTIME},
};

static const struct spec_namespace_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof spec_namespace_kinds / sizeof *spec_namespace_kinds; i++)
        if (!strcmp(name, spec_namespace_kinds[i].name))
            return &spec_namespace_kinds[i];
    return NULL;
}

static int parse_namespace(const json_t *item, struct spec *ret, uint64_t *seen, struct err *err)
{
    const char *name = json_str(item, "type", ""), *path = json_str(item, "path", "");
    const struct spec_namespace_kind *kind = find_kind(name);

    if (!kind)
        return err_set(err, EINVAL, "linux.namespaces: there is no namespace '%s'", name);
    if (*seen & kind->flag)
        return err_set(err, EINVAL, "linux.namespaces: '%s' is there twice", name);
    if (*path && *path != '/')
        return err_set(err, EINVAL, "linux.namespaces: '%s': '%s' is not an absolute path", name,
                       path);
    *seen |= kind->flag;
    if (*path)
        ret->joins[ret->join_count++] = (struct spec_join){kind, path, -1};
    else
        ret->new_namespaces |= kind->flag;
    return 0;
}

uint64_t spec_own_namespaces(const struct spec *spec)
{
    uint64_t flags = spec->new_namespaces;

    for (size_t i = 0; i < spec->join_count; i++)
        flags |= spec->joins[i].kind->flag;
    return flags;
}

/* --- mappings --------------------------------------------------------------------------------- */

/* The last id, 2^32-1, means "none" to the kernel and is never mapped. */
static int parse_id(const json_t *item, const char *name, uint32_t *ret, struct err *err)
{
    const json_t *value = json_object_get(item, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) >= UINT32_MAX)
        return err_set(err, EINVAL, "%s is not a number from 0 to 4294967294", name);
    *ret = (uint32_t)json_integer_value(value);
    return 0;
}

static int parse_range(const json_t *item, struct spec_id_range *ret, struct err *err)
{
    if (parse_id(item, "containerID", &ret->inside, err) < 0 ||
        parse_id(item, "hostID", &ret->outside, err) < 0 ||
        parse_id(item, "size", &ret->size, err) < 0)
        return -err->code;
    if (!ret->size || ret->size > UINT32_MAX - ret->inside || ret->size > UINT32_MAX - ret->outside)
        return err_set(err, EINVAL, "the range %u:%u:%u is empty or ends above 4294967294",
                       ret->inside, ret->outside, ret->size);
    return 0;
}

int spec_parse_id_map(const json_t *array, const char *what, struct spec_id_map *ret,
                      struct err *err)
{
    const json_t *item;
    size_t i;

    if (array && !json_is_array(array) && !json_is_null(array))
        return err_set(err, EINVAL, "%s is not an array", what);
    if (!json_array_size(array))
        return 0;
    ret->items = mem_alloc(json_array_size(array) * sizeof *ret->items);
    json_array_foreach(array, i, item)
    {
        if (parse_range(item, &ret->items[i], err) < 0)
            return err_wrap(err, "%s: entry %zu", what, i);
        ret->len++;
    }
    return 0;
}

void spec_id_map_free(struct spec_id_map *map)
{
    free(map->items);
    *map = (struct spec_id_map){0};
}

/* runc's rules and words: a new user namespace needs both mappings, and nothing else takes any. */
static int parse_user(const json_t *config, struct spec *ret, struct err *err)
{
    ret->user_namespace = spec_own_namespaces(ret) & CLONE_NEWUSER;
    if (spec_parse_id_map(json_at(config, "linux.uidMappings"), "linux.uidMappings", &ret->uid_map,
                          err) < 0 ||
        spec_parse_id_map(json_at(config, "linux.gidMappings"), "linux.gidMappings", &ret->gid_map,
                          err) < 0)
        return -err->code;
    if (!ret->user_namespace && (ret->uid_map.len || ret->gid_map.len))
        return err_set(err, EINVAL,
                       "user namespace mappings specified, but user namespace isn't "
                       "enabled in the config");
    if (ret->new_namespaces & CLONE_NEWUSER && !(ret->uid_map.len && ret->gid_map.len))
        return err_set(err, EINVAL, "user namespaces enabled, but no %s mappings found",
                       ret->uid_map.len ? "gid" : "uid");
    return 0;
}

/* --- clocks ----------------------------------------------------------------------------------- */

static int parse_offset(const json_t *item, struct spec_time_offset *ret, struct err *err)
{
    long long nanosecs = json_int(item, "nanosecs", 0);

    if (nanosecs < 0 || nanosecs > 999999999)
        return err_set(err, EINVAL, "nanosecs %lld is not from 0 to 999999999", nanosecs);
    *ret = (struct spec_time_offset){true, json_int(item, "secs", 0), (uint32_t)nanosecs};
    return 0;
}

static int parse_time(const json_t *config, struct spec *ret, struct err *err)
{
    const struct {
        const char *name;
        struct spec_time_offset *offset;
    } clocks[] = {{"monotonic", &ret->monotonic}, {"boottime", &ret->boottime}};
    json_t *offsets = json_at(config, "linux.timeOffsets");
    const char *name;
    json_t *item;

    if (!json_object_size(offsets))
        return 0;
    if (!(spec_own_namespaces(ret) & CLONE_NEWTIME))
        return err_set(err, EINVAL,
                       "time namespace offsets specified, but time namespace isn't "
                       "enabled in the config");
    if (!(ret->new_namespaces & CLONE_NEWTIME))
        return err_set(err, EINVAL,
                       "time namespace enabled, but both namespace path and time "
                       "offsets specified -- you may only provide one");
    json_object_foreach(offsets, name, item)
    {
        int i = !strcmp(name, clocks[1].name);

        if (!i && strcmp(name, clocks[0].name))
            return err_set(err, EINVAL,
                           "linux.timeOffsets: there is no clock '%s': known are "
                           "monotonic and boottime",
                           name);
        if (parse_offset(item, clocks[i].offset, err) < 0)
            return err_wrap(err, "linux.timeOffsets.%s", name);
    }
    return 0;
}

int spec_parse_namespaces(const json_t *config, struct spec *ret, struct err *err)
{
    const json_t *item, *list = json_at(config, "linux.namespaces");
    uint64_t seen = 0;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (parse_namespace(item, ret, &seen, err) < 0)
            return -err->code;
    }
    return parse_user(config, ret, err) < 0 ? -err->code : parse_time(config, ret, err);
}
