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
 * "The layer below that shows through" is what overlayfs would find: layers from the top, where a
 * whiteout, a file or an opaque directory on the way hides everything further down. Layers can be
 * unpacked in parallel because only this part needs them in order. */
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

/* --- looking through the layers -----------------------------------------------------------------
 */

/* What one layer says about a path: here it is; nothing, ask the layer below; nobody below may be
 * asked. */
enum look { LOOK_FOUND, LOOK_BELOW, LOOK_HIDDEN };

/* Where something was found: the directory that holds it, what it is, and whether a directory on
 * the way was opaque. `parent` is -1 unless found. */
struct place {
    int parent;
    const char *name;
    struct stat st;
    bool opaque_above;
};

/* Looks for `path` in one layer, a component at a time, because each may be a whiteout or opaque.
 * Nothing is followed: a lower layer is as hostile as this one, and overlayfs merges directories
 * only. */
static enum look look_in(int root, const char *path, struct place *ret)
{
    cleanup_close int at = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char name[NAME_MAX + 1];

    *ret = (struct place){.parent = -1, .name = *path ? strrchr(path, '/') : "."};
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

/* Looks for what shows through from the layers below. On true the caller closes ret->parent. */
static bool look_below(const char *path, const int *lower_fds, size_t count, struct place *ret)
{
    for (size_t i = 0; i < count; i++) {
        enum look found = look_in(lower_fds[i], path, ret);

        if (found != LOOK_BELOW)
            return found == LOOK_FOUND;
    }
    return false;
}

/* --- copying up ---------------------------------------------------------------------------------
 */

static int copy_bytes(int from, int to, off_t start, off_t end)
{
    cleanup_free char *buffer = mem_alloc(128 << 10);

    while (start < end) {
        size_t want = end - start < (128 << 10) ? (size_t)(end - start) : (size_t)128 << 10;
        ssize_t n = pread(from, buffer, want, start);

        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        if (pwrite(to, buffer, (size_t)n, start) != n)
            return errno ? -errno : -EIO;
        start += n;
    }
    return 0;
}

/* Only what SEEK_DATA finds: holes stay holes. */
static int copy_content(int from, int to, off_t size)
{
    off_t data = 0, hole;

    while ((data = lseek(from, data, SEEK_DATA)) >= 0 && data < size) {
        int r;

        hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        r = copy_bytes(from, to, data, hole < size ? hole : size);
        if (r < 0)
            return r;
        data = hole;
    }
    if (data < 0 && errno != ENXIO)
        return -errno;
    return ftruncate(to, size) < 0 ? -errno : 0;
}

static int copy_regular(const struct place *from, int parent, const char *name, struct err *err)
{
    cleanup_close int in = openat(from->parent, from->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int out =
        openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    const struct timespec times[2] = {from->st.st_atim, from->st.st_mtim};
    int r;

    if (in < 0 || out < 0)
        return err_errno(err, "cannot copy it");
    r = copy_content(in, out, from->st.st_size);
    if (r < 0)
        return err_set(err, -r, "cannot copy it: %s", strerror(-r));
    if (fchown(out, from->st.st_uid, from->st.st_gid) < 0 ||
        fchmod(out, from->st.st_mode & 07777) < 0)
        return err_errno(err, "cannot set its owner and mode");
    if (layer_copy_xattrs(in, out, err) < 0)
        return -err->code;
    return futimens(out, times) < 0 ? err_errno(err, "cannot set its times") : 0;
}

/* Symlinks, devices and fifos: nothing to copy but what they are. */
static int copy_special(const struct place *from, int parent, const char *name, struct err *err)
{
    const struct timespec times[2] = {from->st.st_atim, from->st.st_mtim};
    char target[LAYER_PATH_MAX];
    int r;

    if (S_ISLNK(from->st.st_mode)) {
        ssize_t n = readlinkat(from->parent, from->name, target, sizeof target - 1);

        if (n < 0)
            return err_errno(err, "cannot read the symlink");
        target[n] = 0;
        r = symlinkat(target, parent, name);
    } else {
        r = mknodat(parent, name, from->st.st_mode, from->st.st_rdev);
    }
    if (r < 0 || fchownat(parent, name, from->st.st_uid, from->st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot copy it");
    if (!S_ISLNK(from->st.st_mode) && fchmodat(parent, name, from->st.st_mode & 07777, 0) < 0)
        return err_errno(err, "cannot set its mode");
    if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot set its times");
    return 0;
}

/* --- hard links ---------------------------------------------------------------------------------
 */

/* Makes sure that this layer has `target`, copying it up. */
static int copy_up(struct layer_tree *t, const char *target, const int *lower_fds, size_t count,
                   struct err *err)
{
    struct place here, below;
    enum look found = look_in(t->root, target, &here);
    cleanup_close int mine = here.parent, theirs = -1;
    const char *name;
    int parent;

    if (found == LOOK_FOUND)
        return S_ISDIR(here.st.st_mode) ? err_set(err, EINVAL, "it is a directory") : 0;
    if (found == LOOK_HIDDEN || !look_below(target, lower_fds, count, &below))
        return err_set(err, ENOENT, "it is in no layer");
    theirs = below.parent;
    if (S_ISDIR(below.st.st_mode))
        return err_set(err, EINVAL, "it is a directory");
    parent = layer_open_parent(t, target, &name, err);
    if (parent < 0)
        return parent;
    return S_ISREG(below.st.st_mode) ? copy_regular(&below, parent, name, err)
                                     : copy_special(&below, parent, name, err);
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
    struct place target;
    struct timespec times[2];
    struct stat st;
    const char *name;
    int r;

    if (copy_up(t, fix->target, lower_fds, count, err) < 0)
        return err_wrap(err, "target '%s'", fix->target);
    if (look_in(t->root, fix->target, &target) != LOOK_FOUND)
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

/* --- implied directories ------------------------------------------------------------------------
 */

/* Times last, as everywhere: everything else would change them again. */
static int copy_directory(int to, const struct place *from, struct err *err)
{
    const struct timespec times[2] = {from->st.st_atim, from->st.st_mtim};
    cleanup_close int in =
        openat(from->parent, from->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (in < 0)
        return err_errno(err, "cannot open it in the layer below");
    if (fchown(to, from->st.st_uid, from->st.st_gid) < 0 ||
        fchmod(to, from->st.st_mode & 07777) < 0)
        return err_errno(err, "cannot set its owner and mode");
    if (layer_copy_xattrs(in, to, err) < 0)
        return -err->code;
    return futimens(to, times) < 0 ? err_errno(err, "cannot set its times") : 0;
}

static int fix_directory(int staging_fd, const char *path, const int *lower_fds, size_t count,
                         struct err *err)
{
    cleanup_close int mine = -1, theirs = -1, to = -1;
    struct place here, below;

    if (look_in(staging_fd, path, &here) != LOOK_FOUND || !S_ISDIR(here.st.st_mode))
        return 0; /* a later entry replaced it, or it lies behind a symlink: no implied directory of
                     ours */
    mine = here.parent;
    if (here.opaque_above || !look_below(path, lower_fds, count, &below))
        return 0;
    theirs = below.parent;
    if (!S_ISDIR(below.st.st_mode))
        return 0;
    to = openat(mine, here.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return to < 0 ? err_errno(err, "cannot open it") : copy_directory(to, &below, err);
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
