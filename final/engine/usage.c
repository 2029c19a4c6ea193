/* usage.c - what everything takes on disk: `system df`. Bytes are those of regular files, each
 * counted once, and in images those of symlinks' targets: what du(1) --apparent-size says of them. */
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/internal.h"

static int use_images(struct engine *e, struct usage_part *ret, struct err *err)
{
    struct image_usage bytes;
    struct image_list list;
    int r = store_images(e->store, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len; i++)
        ret->active += list.items[i].containers > 0;
    ret->total = list.len;
    image_list_free(&list);
    r = store_image_usage(e->store, &bytes, err);
    if (!r) {
        ret->bytes = bytes.total;
        ret->unused = bytes.unused;
    }
    return r;
}

static int use_containers(struct engine *e, struct usage_part *ret, struct err *err)
{
    struct container_list list;
    int r = engine_list(e, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len; i++) {
        const struct container *c = &list.items[i];
        bool active = container_running(c) || !strcmp(c->state, "restarting");
        uint64_t bytes = engine_container_size(e, c);

        ret->active += active;
        ret->bytes += bytes;
        ret->unused += active ? 0 : bytes;
    }
    ret->total = list.len;
    container_list_free(&list);
    return 0;
}

static int use_volumes(struct engine *e, struct usage_part *ret, struct err *err)
{
    struct volume_list list;
    int r = engine_volumes(e, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len && !r; i++) {
        const char *name = list.items[i].name;
        cleanup_strv struct strv users = {0};
        uint64_t bytes = engine_volume_size(e, name);

        r = engine_volume_users(e, name, &users, err);
        ret->active += users.len > 0;
        ret->bytes += bytes;
        ret->unused += users.len ? 0 : bytes;
    }
    ret->total = list.len;
    volume_list_free(&list);
    return r;
}

/* Steps whose layers no image has, and what RUN --mount=type=cache keeps. */
int engine_cache_usage(struct engine *e, struct usage_part *ret, struct err *err)
{
    struct build_step_list list = {0};
    unsigned long long kept = 0;
    struct err ignored;
    int r = store_build_list(e->store, &list, err);

    for (size_t i = 0; i < list.len && r >= 0; i++) {
        ret->active += list.items[i].in_use;
        ret->bytes += list.items[i].in_use ? 0 : list.items[i].size;
    }
    ret->total = list.len;
    build_step_list_free(&list);
    if (r >= 0 && !file_tree_size(e->store->root_fd, "build/cache", &kept, &ignored))
        ret->bytes += kept;
    ret->unused = ret->bytes;
    return r < 0 ? r : 0;
}

int engine_usage(struct engine *e, struct engine_usage *ret, struct err *err)
{
    struct engine_usage usage = {0};
    int r = use_containers(e, &usage.containers, err);

    if (!r)
        r = use_images(e, &usage.images, err);
    if (!r)
        r = use_volumes(e, &usage.volumes, err);
    if (!r)
        r = engine_cache_usage(e, &usage.cache, err);
    if (!r)
        *ret = usage;
    return r;
}
