/* What shows through from the layers below, as overlayfs would find it: layers from the top, where
 * a whiteout, a file or an opaque directory on the way hides everything further down. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/layer.h"

/* A component at a time, because each may be a whiteout or opaque. Nothing is followed: a lower
 * layer is as hostile as this one, and overlayfs merges directories only. */
enum layer_look layer_look_in(int root, const char *path, struct layer_place *ret)
{
    cleanup_close int at = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char name[NAME_MAX + 1];

    *ret = (struct layer_place){.parent = -1, .name = *path ? strrchr(path, '/') : "."};
    ret->name = !ret->name ? path : *ret->name == '/' ? ret->name + 1 : ret->name;
    while (at >= 0) {
        size_t n = strcspn(path, "/");
        int next;

        if (n > NAME_MAX)
            return LOOK_HIDDEN;
        memcpy(name, *path ? path : ".", n ? n : 1);
        name[n ? n : 1] = 0;
        if (fstatat(at, name, &ret->st, AT_SYMLINK_NOFOLLOW) < 0)
            return errno == ENOENT && !ret->opaque_above ? LOOK_BELOW : LOOK_HIDDEN;
        if (layer_is_whiteout(&ret->st))
            return LOOK_HIDDEN;
        path += n;
        if (!*path) {
            ret->parent = steal_fd(&at);
            return LOOK_FOUND;
        }
        path++;
        if (!S_ISDIR(ret->st.st_mode))
            return LOOK_HIDDEN;
        next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
        if (at >= 0)
            ret->opaque_above |= layer_is_opaque(at);
    }
    return LOOK_HIDDEN;
}

/* From the top: the first layer that has something to say about the path decides, and what it says
 * may be that nothing is there. */
bool layer_look_below(const char *path, const int *lower_fds, size_t count, struct layer_place *ret)
{
    for (size_t i = 0; i < count; i++) {
        enum layer_look found = layer_look_in(lower_fds[i], path, ret);

        if (found != LOOK_BELOW)
            return found == LOOK_FOUND;
    }
    return false;
}

/* One layer's part of a directory: its names, unless a layer above deleted them. */
static void add_names(int fd, struct strv *names, struct strv *deleted)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;
    struct stat st;

    while (dir && (entry = readdir(dir))) {
        const char *name = entry->d_name;

        if (!strcmp(name, ".") || !strcmp(name, "..") || strv_contains(names, name) ||
            strv_contains(deleted, name) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        strv_add(layer_is_whiteout(&st) ? deleted : names, name);
    }
}

/* The merged directory. An opaque one ends it: what is further down does not show through; so does
 * anything that is no directory. */
void layer_list_below(const char *path, const int *lower_fds, size_t count, struct strv *ret)
{
    cleanup_strv struct strv deleted = {0};

    for (size_t i = 0; i < count; i++) {
        struct layer_place place;
        enum layer_look found = layer_look_in(lower_fds[i], path, &place);
        cleanup_close int parent = place.parent, fd = -1;

        if (found == LOOK_BELOW)
            continue;
        if (found == LOOK_HIDDEN || !S_ISDIR(place.st.st_mode))
            return;
        fd = openat(parent, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return;
        add_names(fd, ret, &deleted);
        if (place.opaque_above || layer_is_opaque(fd))
            return;
    }
}
