/* What a container changed: its upper directory compared with the layers below.
 *
 * Mount points need care. Where an image has no /proc or /etc/hosts, the engine makes an empty one
 * to mount on, and where else than in the container's own directory. That is not the user's doing:
 * such an entry is no change, and neither is a directory that holds nothing but such. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/layer.h"
#include "image/layer_walk.h"

/* --- mount points ----------------------------------------------------------------------------- */

static bool is_empty(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_closedir DIR *list = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    while (list && (entry = readdir(list)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            return false;
    return list != NULL;
}

/* One of the paths the engine mounts on, not there in the image, and nothing was put into it. */
static bool is_bare_mount_point(const struct layer_below *b, int dir, const char *name,
                                const char *path)
{
    struct layer_place place;
    struct stat st;
    bool found;

    if (!b->mount_points || !strv_contains(b->mount_points, path) ||
        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    if (S_ISDIR(st.st_mode) ? !is_empty(dir, name) : !S_ISREG(st.st_mode) || st.st_size)
        return false;
    found = layer_look_below(path, b->fds, b->count, &place);
    close_fd(&place.parent);
    return !found;
}

static bool has_mount_point_below(const struct layer_below *b, const char *path)
{
    size_t n = strlen(path);

    for (size_t i = 0; b->mount_points && i < b->mount_points->len; i++)
        if (!strncmp(b->mount_points->items[i], path, n) && b->mount_points->items[i][n] == '/')
            return true;
    return false;
}

/* Making something in a directory copies it up; only that happened to this one if it looks as it
 * did, or as the engine makes directories. */
static bool is_untouched(const struct layer_below *b, const struct walk_entry *e)
{
    struct layer_place place;
    bool found = layer_look_below(e->path, b->fds, b->count, &place);

    close_fd(&place.parent);
    if (!found)
        return (e->st.st_mode & 07777) == 0755 && !e->st.st_uid && !e->st.st_gid;
    return place.st.st_mode == e->st.st_mode && place.st.st_uid == e->st.st_uid &&
           place.st.st_gid == e->st.st_gid;
}

/* All that is in it are bare mount points, one level down: the engine makes none deeper. */
static bool holds_mount_points_only(const struct layer_below *b, const struct walk_entry *e)
{
    int copy = openat(e->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;
    size_t seen = 0;

    while (dir && (entry = readdir(dir))) {
        cleanup_free char *path = str_format("%s/%s", e->path, entry->d_name);

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (!is_bare_mount_point(b, e->fd, entry->d_name, path))
            return false;
        seen++;
    }
    return seen && is_untouched(b, e);
}

bool layer_is_mount_point(const struct layer_below *b, const struct walk_entry *e)
{
    if (!*e->path)
        return false;
    if (is_bare_mount_point(b, e->dir, e->name, e->path))
        return true;
    return e->fd >= 0 && has_mount_point_below(b, e->path) && !layer_is_opaque(e->fd) &&
           holds_mount_points_only(b, e);
}

/* What only led to mount points, once they are gone. */
bool layer_led_to_mount_points(const struct layer_below *b, const struct walk_entry *e)
{
    return *e->path && has_mount_point_below(b, e->path) && !layer_is_opaque(e->fd) &&
           is_empty(e->dir, e->name) && is_untouched(b, e);
}

/* --- changes ---------------------------------------------------------------------------------- */

struct comparison {
    const struct layer_below *below;
    layer_change_visit *visit;
    void *context;
    struct buf added; /* the last directory that is new: what is in it is new, too */
};

static bool below_added(const struct comparison *c, const char *path)
{
    return c->added.len && !strncmp(path, c->added.data, c->added.len) && path[c->added.len] == '/';
}

static int tell(const struct comparison *c, enum layer_change_kind kind, const char *path,
                const struct stat *st, struct err *err)
{
    const struct layer_change change = {kind, path, st};

    return c->visit(c->context, &change, err);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What an opaque directory hides and does not have itself is deleted. */
static int tell_hidden(const struct comparison *c, const struct walk_entry *e, struct err *err)
{
    cleanup_strv struct strv names = {0};
    struct stat st;
    int r = 0;

    layer_list_below(e->path, c->below->fds, c->below->count, &names);
    if (names.len)
        qsort(names.items, names.len, sizeof *names.items, by_bytes);
    for (size_t i = 0; i < names.len && r >= 0; i++) {
        cleanup_free char *path =
            str_format("%s%s%s", e->path, *e->path ? "/" : "", names.items[i]);

        if (fstatat(e->fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
            r = tell(c, LAYER_DELETED, path, &e->st, err);
    }
    return r;
}

/* In a directory that is new everything is new, whatever a layer below has under the same name: the
 * layers are not asked again. A whiteout of what no layer has is left by something that was made
 * and removed again, and is no change. */
static int enter(void *context, const struct walk_entry *e, struct err *err)
{
    struct comparison *c = context;
    struct layer_place place = {.parent = -1};
    bool there;
    int r;

    if (!*e->path)
        return 0;
    if (layer_is_mount_point(c->below, e))
        return 1;
    there = !below_added(c, e->path) &&
            layer_look_below(e->path, c->below->fds, c->below->count, &place);
    close_fd(&place.parent);
    if (layer_is_whiteout(&e->st))
        return there ? tell(c, LAYER_DELETED, e->path, &e->st, err) : 0;
    r = tell(c, there ? LAYER_CHANGED : LAYER_ADDED, e->path, &e->st, err);
    if (r < 0 || e->fd < 0)
        return r;
    if (there)
        return layer_is_opaque(e->fd) ? tell_hidden(c, e, err) : 0;
    c->added.len = 0;
    buf_add_str(&c->added, e->path);
    return 0;
}

int layer_changes(int upper, const struct layer_below *below, layer_change_visit *visit,
                  void *context, struct err *err)
{
    struct comparison c = {.below = below, .visit = visit, .context = context};
    const struct walk_calls calls = {.enter = enter, .context = &c};
    int r = layer_walk(upper, ".", &calls, err);

    buf_free(&c.added);
    return r < 0 ? r : 0;
}
