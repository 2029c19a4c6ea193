/* Files from one tree of layers into another, with everything that a layer's tar keeps: content and
 * holes, owner, mode, extended attributes, times, hard links, whiteouts and opaque directories. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/copy.h"
#include "image/layer.h"
#include "image/layer_walk.h"

/* --- one file --------------------------------------------------------------------------------- */

/* O_NONBLOCK: what stat(2) called a file may be a fifo by now, and open(2) must not wait for it.
 * Mode 0600 until it has its owner, so that nobody reads it meanwhile. */
static int copy_regular(const struct layer_place *from, int parent, const char *name,
                        struct err *err)
{
    cleanup_close int in =
        openat(from->parent, from->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
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
static int copy_special(const struct layer_place *from, int parent, const char *name,
                        struct err *err)
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

int layer_copy_file(const struct layer_place *from, int parent, const char *name, struct err *err)
{
    return S_ISREG(from->st.st_mode) ? copy_regular(from, parent, name, err)
                                     : copy_special(from, parent, name, err);
}

/* Times last, as everywhere: everything else would change them again. */
int layer_copy_directory(int from, const struct stat *st, int to, struct err *err)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};

    if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return err_errno(err, "cannot set its owner and mode");
    if (layer_copy_xattrs(from, to, err) < 0)
        return -err->code;
    return futimens(to, times) < 0 ? err_errno(err, "cannot set its times") : 0;
}

/* --- what a container wrote ------------------------------------------------------------------- */

/* A container's upper directory is in overlayfs form already, and so is the layer to come:
 * whiteouts are devices like any other here, and only opaque directories have to be marked anew,
 * because their mark is an attribute that no image may bring. */
struct copying {
    const struct layer_below *below;
    int to[LAYER_DEPTH_MAX + 1]; /* the directories being filled; [0] is the top, the caller's */
    size_t depth;                /* of the innermost */
    struct walk_links links;
};

/* A tar has whole seconds only. Here as there, or the image would differ on the machine it was
 * pulled to. */
static struct stat rounded(const struct stat *st)
{
    struct stat copy = *st;

    copy.st_mtim.tv_nsec = 0;
    copy.st_atim = copy.st_mtim;
    return copy;
}

static int enter_directory(struct copying *c, const struct walk_entry *e, struct err *err)
{
    int parent = c->to[c->depth], fd = parent;

    if (*e->path) {
        if (mkdirat(parent, e->name, 0700) < 0)
            return err_errno(err, "cannot make it");
        fd = openat(parent, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return err_errno(err, "cannot open it");
        c->to[++c->depth] = fd;
    }
    return layer_is_opaque(e->fd) ? layer_set_opaque(fd, err) : 0;
}

/* Behind its children, which would have changed its times, and may be forbidden by its mode. */
static int leave_directory(void *context, const struct walk_entry *e, struct err *err)
{
    struct copying *c = context;
    struct stat st = rounded(&e->st);
    int r = layer_copy_directory(e->fd, &st, c->to[c->depth], err);

    if (*e->path)
        close_fd(&c->to[c->depth--]);
    return r;
}

static int enter(void *context, const struct walk_entry *e, struct err *err)
{
    struct copying *c = context;
    struct layer_place from = {.parent = e->dir, .name = e->name, .st = rounded(&e->st)};
    const char *first;

    if (S_ISSOCK(e->st.st_mode)) /* means nothing without the process that listens on it */
        return 0;
    if (layer_check_name(e->name, err) < 0)
        return -err->code;
    if (layer_is_mount_point(c->below, e))
        return 1;
    if (S_ISDIR(e->st.st_mode))
        return enter_directory(c, e, err);
    first = walk_links_find(&c->links, e);
    if (first && linkat(c->to[0], first, c->to[c->depth], e->name, 0) < 0)
        return err_errno(err, "cannot make the hard link to '%s'", first);
    return first ? 0 : layer_copy_file(&from, c->to[c->depth], e->name, err);
}

int layer_copy(int upper, const struct layer_below *below, int staging_fd, struct err *err)
{
    struct copying c = {.below = below, .to = {staging_fd}};
    const struct walk_calls calls = {enter, leave_directory, &c};
    int r = layer_walk(upper, ".", &calls, err);

    while (c.depth)
        close_fd(&c.to[c.depth--]);
    walk_links_free(&c.links);
    return r;
}
