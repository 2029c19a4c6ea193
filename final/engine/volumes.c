/* volumes.c - volumes by name: made, listed, inspected, removed; and those of a container. */
#include "engine/volumes.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

/* --- docker's rules -------------------------------------------------------------------------- */

int volume_check_name(const char *name, struct err *err)
{
    if (!name[0] || !name[1])
        return err_set(err, EINVAL,
                       "create %s: volume name is too short, names should be at least two "
                       "alphanumeric characters",
                       name);
    if (name_valid(name))
        return 0;
    return err_set(
        err, EINVAL,
        "create %s: \"%s\" includes invalid characters for a local volume name, only "
        "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, "
        "use absolute path",
        name, name);
}

int volume_check_driver(const char *name, const char *driver, struct err *err)
{
    if (!*driver || !strcmp(driver, "local"))
        return 0;
    return err_set(err, ENOENT,
                   "create %s: error looking up volume plugin %s: plugin \"%s\" not found", name,
                   driver, driver);
}

static int check_option(const char *name, const json_t *options, const char *option,
                        struct err *err)
{
    static const char *const known[] = {"type", "o", "device"};
    static const struct {
        const char *option, *needs;
    } pairs[] = {{"device", "type"}, {"type", "device"}, {"o", "device"}, {"o", "type"}};
    size_t i = 0;

    while (i < sizeof known / sizeof *known && strcmp(known[i], option))
        i++;
    if (!strcmp(option, "size"))
        return err_set(err, EOPNOTSUPP, "create %s: quota size requested but no quota support",
                       name);
    if (i == sizeof known / sizeof *known)
        return err_set(err, EINVAL, "create %s: invalid option: \"%s\"", name, option);
    for (i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!strcmp(pairs[i].option, option) && !json_object_get(options, pairs[i].needs))
            return err_set(err, EINVAL, "create %s: missing required option: \"%s\"", name,
                           pairs[i].needs);
    return 0;
}

int volume_check_options(const char *name, const json_t *options, struct err *err)
{
    const char *option;
    json_t *unused;

    json_object_foreach((json_t *)options, option, unused)
    {
        if (check_option(name, options, option, err) < 0)
            return -err->code;
    }
    return 0;
}

/* --- one by one ------------------------------------------------------------------------------ */

static void tell_volume(struct engine *e, const char *action, const char *name)
{
    json_t *attributes = json_object();

    json_put_str(attributes, "driver", "local");
    engine_event(e, "volume", action, name, attributes);
}

int volume_make(struct engine *e, const char *name, const json_t *labels, const json_t *options,
                const char *container_id, struct volume *ret, struct err *err)
{
    cleanup_json json_t *own = labels ? json_copy((json_t *)labels) : json_object();
    int r;

    if (!name) /* docker's mark of those that were never given a name */
        json_put_str(own, "com.docker.volume.anonymous", "");
    r = store_volume_add(e->store, name, own, options, container_id, ret, err);
    if (r > 0)
        tell_volume(e, "create", ret->name);
    return r < 0 ? r : 0;
}

int engine_volume_create(struct engine *e, const char *name, const char *driver,
                         const json_t *labels, const json_t *options, char **ret_name,
                         struct err *err)
{
    struct volume v;

    if ((name && volume_check_name(name, err) < 0) ||
        volume_check_driver(name ? name : "", driver, err) < 0 ||
        volume_check_options(name ? name : "", options, err) < 0 ||
        volume_make(e, name, labels, options, NULL, &v, err) < 0)
        return -err->code;
    *ret_name = steal_ptr(&v.name);
    volume_free(&v);
    return 0;
}

int engine_volume_find(struct engine *e, const char *name, struct volume *ret, struct err *err)
{
    int r = store_volume_find(e->store, name, ret, err);

    return r == -ENOENT ? err_set(err, ENOENT, "get %s: no such volume", name) : r;
}

char *engine_volume_path(struct engine *e, const char *name)
{
    return store_volume_path(e->store, name);
}

static json_t *or_null(json_t *object)
{
    return json_object_size(object) ? json_incref(object) : json_null();
}

json_t *engine_inspect_volume(struct engine *e, const struct volume *v)
{
    cleanup_free char *path = store_volume_path(e->store, v->name);
    json_t *document = json_object();
    char created[40];

    clock_format(v->created_ns / 1000000000 * 1000000000, created);
    json_put_str(document, "CreatedAt", created);
    json_put_str(document, "Driver", "local");
    json_put(document, "Labels", or_null(v->labels));
    json_put_str(document, "Mountpoint", path);
    json_put_str(document, "Name", v->name);
    json_put(document, "Options", or_null(v->options));
    json_put_str(document, "Scope", "local");
    return document;
}

int engine_volumes(struct engine *e, struct volume_list *ret, struct err *err)
{
    return store_volumes(e->store, ret, err);
}

/* Leftovers of a container whose end nobody has noticed are no users. */
int engine_volume_users(struct engine *e, const char *name, struct strv *ret, struct err *err)
{
    cleanup_strv struct strv users = {0};
    int r = store_volume_users(e->store, name, &users, err);

    for (size_t i = 0; i < users.len && !r; i++) {
        struct container c;

        r = engine_find(e, users.items[i], &c, err);
        if (!r)
            container_free(&c);
        err_clear(err);
        r = r == -ENOENT ? 0 : r;
    }
    return r < 0 ? r : store_volume_users(e->store, name, ret, err);
}

static int refuse_removal(const char *name, const struct strv *users, struct err *err)
{
    cleanup_free char *list = strv_join(users, ", ");

    return err_set(err, EBUSY, "remove %s: volume is in use - [%s]", name, list);
}

int engine_volume_remove(struct engine *e, const char *name, struct err *err)
{
    cleanup_strv struct strv users = {0};
    struct volume v;
    int r = engine_volume_find(e, name, &v, err);

    if (r < 0)
        return r;
    volume_free(&v);
    r = engine_volume_users(e, name, &users, err);
    if (!r && users.len)
        return refuse_removal(name, &users, err);
    if (!r && volume_is_mount(e->store->root_fd, name))
        volume_let_go(e->store->root_fd, name, -1); /* a killed shim's */
    if (!r)
        r = store_volume_remove(e->store, name, err);
    if (r == -ENOENT)
        return err_set(err, ENOENT, "get %s: no such volume", name);
    if (r == -EBUSY && !store_volume_users(e->store, name, &users, err))
        return refuse_removal(name, &users, err);
    if (r >= 0)
        tell_volume(e, "destroy", name);
    return r < 0 ? r : 0;
}

uint64_t engine_volume_size(struct engine *e, const char *name)
{
    cleanup_free char *path = str_format("volumes/%s/_data", name);
    unsigned long long bytes = 0;
    struct err ignored;

    return file_tree_size(e->store->root_fd, path, &bytes, &ignored) < 0 ? 0 : bytes;
}

int engine_prune_volumes(struct engine *e, const struct prune_filter *filter, bool all,
                         struct strv *ret_names, uint64_t *ret_bytes, struct err *err)
{
    struct volume_list list;
    int r = store_volumes(e->store, &list, err);

    *ret_bytes = 0;
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len; i++) {
        const struct volume *v = &list.items[i];
        struct err ignored = {0};
        uint64_t bytes;

        if ((!v->anonymous && !all) || !prune_allows(filter, v->labels, v->created_ns))
            continue;
        bytes = engine_volume_size(e, v->name);
        if (engine_volume_remove(e, v->name, &ignored) < 0)
            continue; /* in use, or gone */
        *ret_bytes += bytes;
        strv_add(ret_names, v->name);
    }
    volume_list_free(&list);
    engine_prune_event(e, "volume", *ret_bytes);
    return 0;
}

/* --- a container's --------------------------------------------------------------------------- */

/* Calls `visit` for each volume among the mounts that the record shows. */
static int for_each(const struct container *c,
                    int (*visit)(struct engine *e, const json_t *mount, void *context,
                                 struct err *err),
                    struct engine *e, void *context, struct err *err)
{
    json_t *mount;
    size_t i;

    json_array_foreach(json_object_get(c->config, "Mounts"), i, mount)
    {
        if (!strcmp(json_str(mount, "Type", ""), "volume") && visit(e, mount, context, err) < 0)
            return -err->code;
    }
    return 0;
}

static int hold(struct engine *e, const json_t *mount, void *context, struct err *err)
{
    const char *name = json_str(mount, "Name", "");
    struct volume_holds *holds = context;
    struct volume v;
    int fd = 0, r = store_volume_find(e->store, name, &v, err);

    if (r < 0)
        return r == -ENOENT ? err_set(err, ENOENT, "get %s: no such volume", name) : r;
    if (json_object_size(v.options))
        fd = volume_hold(e->store->root_fd, name, v.options, err);
    volume_free(&v);
    if (fd > 0) {
        holds->items = mem_grow(holds->items, holds->count + 1, sizeof *holds->items);
        holds->items[holds->count++] = (struct volume_hold){str_copy(name), fd};
    }
    return fd < 0 ? fd : 0;
}

int volumes_hold(struct engine *e, const struct container *c, struct volume_holds *ret,
                 struct err *err)
{
    return for_each(c, hold, e, ret, err);
}

/* A container that ended at once did so while we held them, too. */
void volume_holds_close(struct engine *e, struct volume_holds *holds)
{
    for (size_t i = 0; i < holds->count; i++) {
        volume_let_go(e->store->root_fd, holds->items[i].name, holds->items[i].fd);
        free(holds->items[i].name);
    }
    free(holds->items);
    *holds = (struct volume_holds){0};
}

static int let_go(struct engine *e, const json_t *mount, void *context, struct err *err)
{
    const char *name = json_str(mount, "Name", "");

    (void)context;
    (void)err;
    if (volume_is_mount(e->store->root_fd, name))
        volume_let_go(e->store->root_fd, name, -1);
    return 0;
}

void volumes_let_go(struct engine *e, const struct container *c)
{
    struct err unused;

    for_each(c, let_go, e, NULL, &unused);
}

static int tell_mount(struct engine *e, const json_t *mount, void *context, struct err *err)
{
    const struct container *c = context;
    json_t *attributes = json_object();

    (void)err;
    json_put_str(attributes, "container", c->id);
    json_put_str(attributes, "destination", json_str(mount, "Destination", ""));
    json_put_str(attributes, "driver", "local");
    json_put_str(attributes, "propagation", json_str(mount, "Propagation", ""));
    json_put_str(attributes, "read/write", json_flag(mount, "RW", true) ? "true" : "false");
    engine_event(e, "volume", "mount", json_str(mount, "Name", ""), attributes);
    return 0;
}

void volumes_tell_start(struct engine *e, const struct container *c)
{
    struct err unused;

    for_each(c, tell_mount, e, (void *)c, &unused);
}

int volumes_release(struct engine *e, const char *container_id, bool remove_anonymous,
                    struct err *err)
{
    cleanup_strv struct strv removed = {0};
    int r = store_volumes_release(e->store, container_id, remove_anonymous, &removed, err);

    for (size_t i = 0; i < removed.len; i++)
        tell_volume(e, "destroy", removed.items[i]);
    return r;
}
