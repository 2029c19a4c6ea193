/* mounts.c - the list of a container's mount points, from everything that asks for one.
 *
 * What other containers have (--volumes-from) gives way to what the user asks for by itself, and
 * the image's VOLUMEs to both. Two of the user's own at one place are an error. */
#include "engine/mounts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/volumes.h"

static void mount_point_free(struct mount_point *m)
{
    free(m->type);
    free(m->name);
    free(m->source);
    free(m->destination);
    free(m->mode);
    free(m->propagation);
    free(m->subpath);
    free(m->layers);
    strv_free(&m->options);
}

void mount_list_free(struct mount_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        mount_point_free(&list->items[i]);
    free(list->items);
    *list = (struct mount_list){0};
}

static struct mount_point *append(struct mount_list *list)
{
    list->items = mem_grow(list->items, list->len + 1, sizeof *list->items);
    list->items[list->len] = (struct mount_point){0};
    return &list->items[list->len++];
}

static void remove_at(struct mount_list *list, size_t i)
{
    mount_point_free(&list->items[i]);
    memmove(list->items + i, list->items + i + 1, (--list->len - i) * sizeof *list->items);
}

static bool destination_used(const struct mount_list *list, const char *destination)
{
    for (size_t i = 0; i < list->len; i++)
        if (str_equal(list->items[i].destination, destination))
            return true;
    return false;
}

/* The last one appended must not repeat an earlier destination, unless that gives way. */
static int check_last(struct mount_list *list, int r, struct err *err)
{
    struct mount_point *last = &list->items[list->len - 1];

    for (size_t i = 0; !r && i + 1 < list->len; i++) {
        if (!str_equal(list->items[i].destination, last->destination))
            continue;
        if (!list->items[i].inherited)
            return err_set(err, EINVAL, "Duplicate mount point: %s", last->destination);
        remove_at(list, i);
        break;
    }
    return r;
}

/* --- of other containers --------------------------------------------------------------------- */

static const json_t *find_object(const json_t *config, const char *destination)
{
    json_t *object;
    size_t i;

    json_array_foreach(json_at(config, "HostConfig.Mounts"), i, object)
    {
        cleanup_free char *target = mount_point_clean(json_str(object, "Target", ""));

        if (str_equal(target, destination))
            return object;
    }
    return NULL;
}

/* What inspect shows of it says nearly everything; what only --mount can say is in its entry. */
static int inherit_one(const json_t *config, const json_t *shown, struct mount_point *m,
                       struct err *err)
{
    const char *destination = json_str(shown, "Destination", "");
    const json_t *object = find_object(config, destination);
    int r = object ? mount_point_object(object, m, err) : 0;

    free(m->type);
    free(m->mode);
    m->type = str_copy(json_str(shown, "Type", "volume"));
    m->mode = str_copy("");
    m->labels = m->driver_options = NULL; /* it is there; and `config` goes */
    if (!m->destination)
        m->destination = str_copy(destination);
    if (!m->source && !strcmp(m->type, "bind"))
        m->source = str_copy(json_str(shown, "Source", ""));
    if (!m->name && *json_str(shown, "Name", ""))
        m->name = str_copy(json_str(shown, "Name", ""));
    if (!m->propagation && *json_str(shown, "Propagation", ""))
        m->propagation = str_copy(json_str(shown, "Propagation", ""));
    m->read_only |= !json_flag(shown, "RW", true);
    m->no_copy = m->inherited = true;
    return r;
}

static int inherit_all(const json_t *config, const char *mode, struct mount_list *list,
                       struct err *err)
{
    json_t *shown;
    size_t i;

    json_array_foreach(json_object_get(config, "Mounts"), i, shown)
    {
        struct mount_point *m = append(list);
        int r = inherit_one(config, shown, m, err);

        if (!r)
            r = mount_point_mode(m, mode, err);
        if (check_last(list, r, err) < 0)
            return -err->code;
    }
    return 0;
}

/* NAME[:MODE] */
static int inherit(struct engine *e, const char *text, struct mount_list *list, struct err *err)
{
    size_t n = strcspn(text, ":");
    cleanup_free char *name = str_copy_n(text, n);
    struct mount_point unused = {0};
    struct container other;
    int r;

    if (!*name)
        return err_set(err, EINVAL, "invalid name or ID supplied: \"\"");
    r = mount_point_mode(&unused, text[n] ? text + n + 1 : "", err);
    free(unused.propagation);
    if (!r)
        r = engine_find(e, name, &other, err);
    if (r < 0)
        return r;
    r = inherit_all(other.config, text[n] ? text + n + 1 : "", list, err);
    container_free(&other);
    return r;
}

/* --- the image's VOLUMEs --------------------------------------------------------------------- */

/* Where nothing else is mounted: anonymous volumes. */
static int add_image_volumes(const json_t *volumes, struct mount_list *list, struct err *err)
{
    const char *path;
    json_t *unused;

    json_object_foreach((json_t *)volumes, path, unused)
    {
        cleanup_free char *destination = mount_point_clean(path);
        struct mount_point *m;

        if (!destination)
            return err_set(err, EINVAL, "the volume '%s' is not an absolute path below '/'", path);
        if (destination_used(list, destination))
            continue;
        m = append(list);
        m->type = str_copy("volume");
        m->mode = str_copy("");
        m->destination = steal_ptr(&destination);
    }
    return 0;
}

/* --- all together ---------------------------------------------------------------------------- */

static int depth(const char *path)
{
    int n = 0;

    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* Insertion sort: stable, and lists are short. */
static void sort_by_depth(struct mount_list *list)
{
    for (size_t i = 1; i < list->len; i++)
        for (size_t k = i;
             k > 0 && depth(list->items[k].destination) < depth(list->items[k - 1].destination);
             k--) {
            struct mount_point swapped = list->items[k];

            list->items[k] = list->items[k - 1];
            list->items[k - 1] = swapped;
        }
}

static const char *text_of(const json_t *item)
{
    return json_string_value(item) ? json_string_value(item) : "";
}

static int parse_all(struct engine *e, const json_t *config, const json_t *host,
                     struct mount_list *list, struct err *err)
{
    const char *path;
    json_t *item;
    size_t i;
    int r = 0;

    json_array_foreach(json_object_get(host, "VolumesFrom"), i, item) if (!r) r =
        inherit(e, text_of(item), list, err);
    json_array_foreach(json_object_get(host, "Binds"), i, item) if (!r) r =
        check_last(list, mount_point_bind(text_of(item), append(list), err), err);
    json_array_foreach(json_object_get(host, "Mounts"), i, item) if (!r) r =
        check_last(list, mount_point_object(item, append(list), err), err);
    json_object_foreach(json_object_get(host, "Tmpfs"), path, item) if (!r) r =
        check_last(list, mount_point_tmpfs(path, text_of(item), append(list), err), err);
    return r < 0 ? r : add_image_volumes(json_object_get(config, "Volumes"), list, err);
}

int mounts_parse(struct engine *e, const json_t *config, const json_t *host, struct mount_list *ret,
                 struct err *err)
{
    struct mount_list list = {0};
    int r = parse_all(e, config, host, &list, err);

    if (!r)
        r = volume_check_driver("", json_str(host, "VolumeDriver", ""), err);
    if (r < 0) {
        mount_list_free(&list);
        return r;
    }
    sort_by_depth(&list);
    *ret = list;
    return 0;
}

static int prepare_volume(struct engine *e, const char *container_id, struct mount_point *m,
                          struct err *err)
{
    struct volume v;
    int r = volume_make(e, m->name, m->labels, m->driver_options, container_id, &v, err);

    if (r < 0)
        return r;
    free(m->name);
    m->name = str_copy(v.name);
    m->source = store_volume_path(e->store, v.name);
    volume_free(&v);
    return 0;
}

static int prepare_image(struct engine *e, const char *container_id, struct mount_point *m,
                         struct err *err)
{
    cleanup_strv struct strv dirs = {0};
    cleanup_buf struct buf layers = {0};
    struct image image;
    int r = engine_find_image(e, m->source, &image, err);

    if (r < 0)
        return err_wrap(err, "invalid mount config for type \"image\"");
    free(m->source);
    m->source = str_copy(image.id);
    r = store_image_mount(e->store, container_id, image.id, err);
    if (!r)
        r = image_layers(e, image.id, &dirs, err);
    for (size_t i = dirs.len; i-- > 0;)
        buf_printf(&layers, "%s%s/layers/%s", layers.len ? ":" : "", e->store->root, dirs.items[i]);
    m->layers = buf_steal(&layers);
    image_free(&image);
    return r;
}

static int prepare_bind(struct mount_point *m, struct err *err)
{
    struct stat st;

    if (!stat(m->source, &st) || m->must_exist)
        return 0;
    if (errno != ENOENT)
        return err_errno(err, "cannot use '%s' as a bind mount", m->source);
    if (file_make_dirs(AT_FDCWD, m->source, 0755, err) < 0)
        return err_wrap(err, "error while creating mount source path '%s'", m->source);
    return 0;
}

int mounts_prepare(struct engine *e, const char *container_id, struct mount_list *list,
                   struct err *err)
{
    for (size_t i = 0; i < list->len; i++) {
        struct mount_point *m = &list->items[i];
        int r = 0;

        if (!strcmp(m->type, "volume"))
            r = prepare_volume(e, container_id, m, err);
        else if (!strcmp(m->type, "bind"))
            r = prepare_bind(m, err);
        else if (!strcmp(m->type, "image"))
            r = prepare_image(e, container_id, m, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static json_t *mount_json(const struct mount_point *m)
{
    json_t *entry = json_object();

    json_put_str(entry, "Type", m->type);
    if (m->name)
        json_put_str(entry, "Name", m->name);
    json_put_str(entry, "Source", strcmp(m->type, "tmpfs") ? m->source : "");
    json_put_str(entry, "Destination", m->destination);
    if (m->name)
        json_put_str(entry, "Driver", "local");
    json_put_str(entry, "Mode", m->mode);
    json_put(entry, "RW", json_boolean(!m->read_only));
    json_put_str(entry, "Propagation",
                 m->propagation            ? m->propagation
                 : strcmp(m->type, "bind") ? ""
                                           : "rprivate");
    return entry;
}

json_t *mounts_json(const struct mount_list *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->len; i++)
        if (!list->items[i].unlisted)
            json_push(array, mount_json(&list->items[i]));
    return array;
}
