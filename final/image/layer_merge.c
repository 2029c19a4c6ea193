/* Several layers become one that says the same: for build --squash. As in an overlay the topmost
 * layer that has a name decides about it; directories of the same name are put together until one
 * is opaque, or is none. What hides something further down must still hide it: whiteouts stay, and
 * a directory that replaced something is opaque. */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "image/layer.h"
#include "image/layer_walk.h"

struct merging {
    const int *fds; /* top first; `below` are those that stay what they are */
    size_t count, below;
    int root; /* what is being made */
    struct walk_links links;
    int depth;
};

/* The names of a directory that no layer above has, with the layer that has them: {"name": layer}.
 */
static int add_names(int dir, size_t layer, json_t *names, struct err *err)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *list = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    while (list && (entry = file_next_entry(list)))
        if (!json_object_get(names, entry->d_name) &&
            json_object_setn_new_nocheck(names, entry->d_name, strlen(entry->d_name),
                                         json_integer((json_int_t)layer)) < 0)
            return err_set(err, ENOMEM, "out of memory");
    return !list || errno ? err_errno(err, "cannot list the directory") : 0;
}

/* All names of directory `path`; *ret_opaque: what lies below these layers is hidden there. */
static int gather(const struct merging *m, const char *path, json_t *names, bool *ret_opaque,
                  struct err *err)
{
    *ret_opaque = false;
    for (size_t i = 0; i < m->count && !*ret_opaque; i++) {
        struct layer_place place;
        enum layer_look found = layer_look_in(m->fds[i], path, &place);
        cleanup_close int parent = place.parent, fd = -1;

        if (found == LOOK_BELOW)
            continue;
        *ret_opaque = found == LOOK_HIDDEN || !S_ISDIR(place.st.st_mode);
        if (*ret_opaque)
            return 0;
        fd = openat(parent, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return err_errno(err, "cannot open '%s'", path);
        if (add_names(fd, i, names, err) < 0)
            return -err->code;
        *ret_opaque = place.opaque_above || layer_is_opaque(fd);
    }
    return 0;
}

static int merge_directory(struct merging *m, const char *path, int to, struct err *err);

/* Its metadata last, because making files in it sets its time; and 0700 until then, because its
 * files may not be for everybody. Of several layers that have it the topmost says what it is. */
static int merge_below(struct merging *m, const struct layer_place *place, const char *path, int to,
                       struct err *err)
{
    cleanup_close int from = openat(place->parent, place->name,
                                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                      fd = -1;
    int r;

    if (from < 0 || mkdirat(to, place->name, 0700) < 0)
        return err_errno(err, "cannot make '%s'", path);
    fd = openat(to, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot open '%s'", path);
    if (++m->depth > LAYER_DEPTH_MAX)
        return err_set(err, ELOOP, "directories are nested deeper than %d", LAYER_DEPTH_MAX);
    r = merge_directory(m, path, fd, err);
    m->depth--;
    return r < 0 ? r : layer_copy_directory(from, &place->st, fd, err);
}

/* Only where there is something to hide: overlayfs lists a whiteout in a directory that it need not
 * merge like a file. */
static int merge_whiteout(const struct merging *m, const char *path, const char *name, int to,
                          struct err *err)
{
    struct layer_place place;
    bool hides = layer_look_below(path, m->fds + m->count, m->below, &place);

    close_fd(&place.parent);
    if (hides && mknodat(to, name, S_IFCHR, 0) < 0)
        return err_errno(err, "cannot make the whiteout '%s'", path);
    return 0;
}

/* Only the layer that `names` gave is asked: those above have nothing of this name, and what those
 * further down have is hidden, or put together in merge_directory(). */
static int merge_name(struct merging *m, size_t layer, const char *path, bool hidden, int to,
                      struct err *err)
{
    struct layer_place place;
    struct walk_entry entry;
    cleanup_close int parent = -1;
    const char *first;

    layer_look_in(m->fds[layer], path, &place);
    parent = place.parent;
    if (parent < 0) /* it is a whiteout */
        return hidden ? 0 : merge_whiteout(m, path, place.name, to, err);
    if (S_ISDIR(place.st.st_mode))
        return merge_below(m, &place, path, to, err);
    entry = (struct walk_entry){.dir = parent, .name = place.name, .path = path, .st = place.st};
    first = walk_links_find(&m->links, &entry);
    if (first && linkat(m->root, first, to, place.name, 0) < 0)
        return err_errno(err, "cannot make the hard link '%s'", path);
    return first ? 0 : layer_copy_file(&place, to, place.name, err);
}

static int merge_directory(struct merging *m, const char *path, int to, struct err *err)
{
    cleanup_json json_t *names = json_object();
    const char *name;
    json_t *layer;
    bool opaque;
    int r = gather(m, path, names, &opaque, err);

    if (!r && opaque)
        r = layer_set_opaque(to, err);
    json_object_foreach(names, name, layer)
    {
        cleanup_free char *whole = str_format("%s%s%s", path, *path ? "/" : "", name);

        if (r >= 0)
            r = merge_name(m, (size_t)json_integer_value(layer), whole, opaque, to, err);
    }
    return r;
}

int layer_merge(const int *fds, size_t count, size_t below, int staging_fd, struct err *err)
{
    struct merging m = {.fds = fds, .count = count, .below = below, .root = staging_fd};
    struct stat st;
    int r = merge_directory(&m, "", staging_fd, err);

    if (r >= 0 && count && fstat(fds[0], &st) < 0)
        r = err_errno(err, "cannot stat a layer");
    if (r >= 0 && count)
        r = layer_copy_directory(fds[0], &st, staging_fd, err);
    walk_links_free(&m.links);
    return r;
}
