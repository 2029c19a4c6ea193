/* What unpacking has to leave for later, because it depends on the layers below.
 *
 * Implied directories. A tar may name "etc/app/conf" without "etc" or "etc/app". overlayfs takes a
 * merged directory's mode, owner and times from the topmost layer that has it, so an "etc" made
 * here would change /etc for the container. Such directories get their metadata from the layer
 * below that shows through, if any does.
 *
 * Hard links to files of lower layers. A link needs one file system object: the target is copied
 * up, with all its metadata, as overlayfs itself would do it for a link(2), and then linked.
 *
 * Layers can be unpacked in parallel because only this part needs them in order. */
#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "image/layer.h"

struct link_fix {
    char *path, *target;
};

struct layer_fixups {
    void *implied; /* tsearch(3) tree of paths; "" is the root */
    size_t implied_count;
    struct link_fix *links;
    size_t link_count, link_room;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* A tree, because a directory can be implied ten thousand times and named after that, in any order.
 */
static void imply(struct layer_fixups *f, const char *path)
{
    char *copy = str_copy(path);
    char **found = tsearch(copy, &f->implied, by_text);

    if (!found)
        abort(); /* out of memory, as mem_alloc would */
    if (*found == copy)
        f->implied_count++;
    else
        free(copy);
}

struct layer_fixups *layer_fixups_new(void)
{
    struct layer_fixups *f = mem_alloc(sizeof *f);

    imply(f, ""); /* few layers name their root */
    return f;
}

void layer_fixups_free(struct layer_fixups *f)
{
    if (!f)
        return;
    tdestroy(f->implied, free);
    for (size_t i = 0; i < f->link_count; i++) {
        free(f->links[i].path);
        free(f->links[i].target);
    }
    free(f->links);
    free(f);
}

bool layer_fixups_pending(const struct layer_fixups *f)
{
    return f->implied_count || f->link_count;
}

bool layer_fixups_implied(const struct layer_fixups *f, const char *path)
{
    return tfind(path, &f->implied, by_text) != NULL;
}

int layer_fixups_imply(struct layer_tree *t, const char *path, struct err *err)
{
    if (layer_remember(t, strlen(path) + 64, err) < 0)
        return -err->code;
    imply(t->fixups, path);
    return 0;
}

/* The tar's own header for a directory outweighs the lower layers'. */
void layer_fixups_named(struct layer_fixups *f, const char *path)
{
    char **found = tfind(path, &f->implied, by_text), *name;

    if (!found)
        return;
    name = *found;
    tdelete(path, &f->implied, by_text);
    f->implied_count--;
    free(name);
}

int layer_fixups_link(struct layer_tree *t, const char *path, const char *target, struct err *err)
{
    struct layer_fixups *f = t->fixups;

    if (layer_remember(t, strlen(path) + strlen(target) + sizeof *f->links, err) < 0)
        return -err->code;
    if (f->link_count == f->link_room) {
        f->link_room = f->link_room ? 2 * f->link_room : 16;
        f->links = mem_grow(f->links, f->link_room, sizeof *f->links);
    }
    f->links[f->link_count++] = (struct link_fix){str_copy(path), str_copy(target)};
    return 0;
}

/* --- hard links ------------------------------------------------------------------------------- */

/* Makes sure that this layer has `target`, copying it up. */
static int copy_up(struct layer_tree *t, const char *target, const int *lower_fds, size_t count,
                   struct err *err)
{
    struct layer_place here, below;
    enum layer_look found = layer_look_in(t->root, target, &here);
    cleanup_close int mine = here.parent, theirs = -1;
    const char *name;
    int parent;

    if (found == LOOK_FOUND)
        return S_ISDIR(here.st.st_mode) ? err_set(err, EINVAL, "it is a directory") : 0;
    if (found == LOOK_HIDDEN || !layer_look_below(target, lower_fds, count, &below))
        return err_set(err, ENOENT, "it is in no layer");
    theirs = below.parent;
    if (S_ISDIR(below.st.st_mode))
        return err_set(err, EINVAL, "it is a directory");
    parent = layer_open_parent(t, target, &name, err);
    if (parent < 0)
        return parent;
    return layer_copy_file(&below, parent, name, err);
}

/* Links, unless a later entry of the tar took the name; a whiteout gives way. */
static int link_now(int from, const char *name, int to, const char *link_name, struct err *err)
{
    struct stat st;

    if (linkat(from, name, to, link_name, 0) == 0)
        return 0;
    if (errno != EEXIST || fstatat(to, link_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot make it");
    if (!layer_is_whiteout(&st))
        return 0;
    if (unlinkat(to, link_name, 0) < 0 || linkat(from, name, to, link_name, 0) < 0)
        return err_errno(err, "cannot make it");
    return 0;
}

/* The directories' times were set from the tar already, so they are put back. */
static int fix_link(struct layer_tree *t, const struct link_fix *fix, const int *lower_fds,
                    size_t count, struct err *err)
{
    cleanup_close int from = -1, to = -1;
    struct layer_place target;
    struct timespec times[2];
    struct stat st;
    const char *name;
    int r;

    if (copy_up(t, fix->target, lower_fds, count, err) < 0)
        return err_wrap(err, "target '%s'", fix->target);
    if (layer_look_in(t->root, fix->target, &target) != LOOK_FOUND)
        return err_set(err, ENOENT, "target '%s' is not there", fix->target);
    from = target.parent;
    /* Its directory was made when the entry was read; what is there now may have replaced it. */
    r = layer_open_parent(t, fix->path, &name, err);
    if (r < 0)
        return r;
    to = openat(r, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0 || fstat(to, &st) < 0)
        return err_errno(err, "cannot open its directory");
    r = link_now(from, target.name, to, name, err);
    if (r < 0)
        return r;
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    return futimens(to, times) < 0 ? err_errno(err, "cannot set the times of its directory") : 0;
}

/* --- implied directories ---------------------------------------------------------------------- */

static int fix_directory(int staging_fd, const char *path, const int *lower_fds, size_t count,
                         struct err *err)
{
    cleanup_close int mine = -1, theirs = -1, to = -1, in = -1;
    struct layer_place here, below;

    if (layer_look_in(staging_fd, path, &here) != LOOK_FOUND || !S_ISDIR(here.st.st_mode))
        return 0; /* a later entry replaced it, or it lies behind a symlink: no implied directory of
                     ours */
    mine = here.parent;
    if (here.opaque_above || !layer_look_below(path, lower_fds, count, &below))
        return 0;
    theirs = below.parent;
    if (!S_ISDIR(below.st.st_mode))
        return 0;
    to = openat(mine, here.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return err_errno(err, "cannot open it");
    in = openat(theirs, below.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0)
        return err_errno(err, "cannot open it in the layer below");
    return layer_copy_directory(in, &below.st, to, err);
}

struct walk {
    int staging_fd;
    const int *lower_fds;
    size_t count;
    struct err *err;
    int result;
};

/* twalk(3) visits an inner node three times; once is enough. Parents come before their children
 * only by their names, but it does not matter: setting one's metadata leaves the other's alone. */
static void fix_node(const void *node, VISIT visit, void *context)
{
    struct walk *w = context;
    const char *path = *(char *const *)node;

    if ((visit != postorder && visit != leaf) || w->result < 0)
        return;
    w->result = fix_directory(w->staging_fd, path, w->lower_fds, w->count, w->err);
    if (w->result < 0)
        err_wrap(w->err, "directory '%s'", path);
}

int layer_complete(int staging_fd, struct layer_fixups *fixups, const int *lower_fds, size_t count,
                   struct err *err)
{
    struct walk w = {staging_fd, lower_fds, count, err, 0};
    struct layer_tree t = {.root = staging_fd, .parent_fd = -1, .fixups = fixups};
    int r = 0;

    /* Links first: copying up makes directories, which are implied ones too. */
    for (size_t i = 0; i < fixups->link_count && !r; i++) {
        r = fix_link(&t, &fixups->links[i], lower_fds, count, err);
        if (r < 0)
            err_wrap(err, "hard link '%s'", fixups->links[i].path);
    }
    layer_tree_free(&t);
    if (r < 0)
        return r;
    twalk_r(fixups->implied, fix_node, &w);
    return w.result;
}
