/* From a name in the tar to a directory descriptor and a name in that directory.
 *
 * A layer's tar names every file by its whole path, and paths are hostile: they may climb (".."),
 * be absolute, or go through a symlink that an earlier entry made. Docker and containerd clean the
 * text first ("a/../b" is "b",
 * "../b" is an error), then resolve the directory's symlinks as the container would, inside the
 * root. So do we, but with openat2(2) and RESOLVE_IN_ROOT instead of string work, and everything
 * after that happens relative to the descriptor, on a last component that is never followed.
 *
 * Files of one directory come one after another in nearly every tar, so the last directory stays
 * open. What makes its name mean something else, removing a directory or a symlink, drops it:
 * layer_forget_parent(). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "image/layer.h"

#define SYMLINKS_MAX 40 /* as the kernel's own limit */

/* Appends one component to a cleaned path of `len` bytes or takes one off; returns the new length.
 */
static ssize_t append_component(char *path, size_t len, const char *part, size_t n)
{
    if (!n || (n == 1 && part[0] == '.'))
        return (ssize_t)len;
    if (n == 2 && part[0] == '.' && part[1] == '.') {
        if (!len)
            return -EINVAL;
        while (len && path[len - 1] != '/')
            len--;
        return len ? (ssize_t)len - 1 : 0;
    }
    if (n > NAME_MAX || len + 1 + n >= LAYER_PATH_MAX)
        return -ENAMETOOLONG;
    if (len)
        path[len++] = '/';
    memcpy(path + len, part, n);
    return (ssize_t)(len + n);
}

static const char too_deep[] = "directories are nested too deep";

static unsigned slashes(const char *path, ssize_t len)
{
    unsigned count = 0;

    for (ssize_t i = 0; i < len; i++)
        count += path[i] == '/';
    return count;
}

/* `clamp`: above the root is the root, as for a symlink in a container; a name in the tar has no
 * business there. */
static int clean(const char *name, bool clamp, char ret[LAYER_PATH_MAX], struct err *err)
{
    ssize_t len = 0;

    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");

        len = append_component(ret, (size_t)len, p, n);
        if (len == -EINVAL && clamp)
            len = 0;
        else if (len == -EINVAL)
            return err_set(err, EINVAL, "the name climbs out of the layer's root");
        if (len < 0)
            return err_set(err, ENAMETOOLONG, "the name is too long");
        p += n + (p[n] == '/');
    }
    ret[len] = 0;
    if (slashes(ret, len) >= LAYER_DEPTH_MAX)
        return err_set(err, ELOOP, "%s", too_deep);
    return 0;
}

int layer_clean_path(const char *name, char ret[LAYER_PATH_MAX], struct err *err)
{
    return clean(name, false, ret, err);
}

/* Makes one missing directory `prefix`, the last component of which is `name` in `at`. */
static int make_dir(struct layer_tree *t, int at, const char *prefix, const char *name,
                    struct err *err)
{
    if (layer_check_name(name, err) < 0)
        return -err->code;
    /* Twice, because mkdir's mode goes through the umask. */
    if (mkdirat(at, name, 0755) < 0 || fchmodat(at, name, 0755, 0) < 0)
        return err_errno(err, "cannot make directory '%s'", prefix);
    return layer_fixups_imply(t, prefix, err);
}

/* Something is in the way of the directory `name` and it is not a directory that can be opened: a
 * whiteout of this layer (then the new directory hides the lower one: opaque) or anything else,
 * which the tar's order says comes first and so gives way. */
static int replace_by_dir(struct layer_tree *t, int at, const char *prefix, const char *name,
                          struct err *err)
{
    cleanup_close int fd = -1;
    struct stat st;
    int r;

    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot stat '%s'", prefix);
    if (!layer_is_whiteout(&st))
        return err_set(err, ENOTDIR, "'%s' is not a directory", prefix);
    if (unlinkat(at, name, 0) < 0)
        return err_errno(err, "cannot replace '%s'", prefix);
    r = make_dir(t, at, prefix, name, err);
    if (r < 0)
        return r;
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_errno(err, "cannot open '%s'", prefix) : layer_set_opaque(fd, err);
}

static int make_dirs(struct layer_tree *t, const char *path, int depth, struct err *err);

/* `prefix` is a symlink to a directory that is not there (yet): it is made where the link says, so
 * that the entry lands where the container will look for it. */
static int follow_dangling(struct layer_tree *t, int at, const char *prefix, const char *name,
                           const char *rest, int depth, struct err *err)
{
    char target[LAYER_PATH_MAX], path[LAYER_PATH_MAX];
    cleanup_free char *whole = NULL;
    ssize_t n = readlinkat(at, name, target, sizeof target - 1);
    size_t dir = (size_t)(strlen(prefix) - strlen(name));

    if (n < 0)
        return replace_by_dir(t, at, prefix, name, err);
    if (depth >= SYMLINKS_MAX)
        return err_set(err, ELOOP, "'%s' leads through too many symlinks", prefix);
    target[n] = 0;
    whole = *target == '/' ? str_format("%s/%s", target, rest)
                           : str_format("%.*s%s/%s", (int)dir, prefix, target, rest);
    if (clean(whole, true, path, err) < 0)
        return err_wrap(err, "symlink '%s' to '%s'", prefix, target);
    return make_dirs(t, path, depth + 1, err);
}

/* Opens a directory beneath the root as the container would find it. */
static int open_dir(struct layer_tree *t, const char *path)
{
    return beneath_open(t->root, path, O_PATH | O_DIRECTORY, 0, 0);
}

/* Goes down `path` as far as it exists and makes the rest. Returns O_PATH. */
static int make_dirs(struct layer_tree *t, const char *path, int depth, struct err *err)
{
    cleanup_close int at = open_dir(t, "");
    char prefix[LAYER_PATH_MAX];
    size_t len = 0;

    while (at >= 0 && path[len]) {
        size_t start = len + (len > 0), n = strcspn(path + start, "/");
        int next, r = 0;

        len = start + n;
        memcpy(prefix, path, len);
        prefix[len] = 0;
        next = open_dir(t, prefix);
        if (next == -ENOENT && faccessat(at, prefix + start, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return follow_dangling(t, at, prefix, prefix + start, path + len, depth, err);
        if (next == -ENOENT)
            r = make_dir(t, at, prefix, prefix + start, err);
        else if (next == -ENOTDIR)
            r = replace_by_dir(t, at, prefix, prefix + start, err);
        if (r < 0)
            return r;
        if (next < 0)
            next = next == -ENOENT || next == -ENOTDIR ? open_dir(t, prefix) : next;
        close(at);
        at = next;
    }
    if (at < 0)
        return err_set(err, -at, "cannot open directory '%s': %s", path, strerror(-at));
    return steal_fd(&at);
}

/* Names are shallow enough by now, but a symlink to a deep directory and more below it makes a tree
 * deeper than any name says; removing such a tree again would need a descriptor for each level. The
 * kernel knows the real path. */
static int check_depth(struct layer_tree *t, int fd, struct err *err)
{
    char link[64], path[2 * LAYER_PATH_MAX];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path);
    if (n < 0)
        return err_errno(err, "cannot find out how deep '%s' is", t->parent);
    if (slashes(path, n) > LAYER_DEPTH_MAX)
        return err_set(err, ELOOP, "%s", too_deep);
    return 0;
}

int layer_open_parent(struct layer_tree *t, const char *path, const char **ret_name,
                      struct err *err)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    int fd;

    *ret_name = slash ? slash + 1 : path;
    if (t->parent_fd >= 0 && !strncmp(t->parent, path, len) && !t->parent[len])
        return t->parent_fd;
    close_fd(&t->parent_fd);
    memcpy(t->parent, path, len);
    t->parent[len] = 0;
    fd = open_dir(t, t->parent);
    if (fd < 0)
        fd = make_dirs(t, t->parent, 0, err);
    if (fd < 0)
        return fd;
    t->parent_fd = fd;
    return check_depth(t, fd, err) < 0 ? -err->code : fd;
}

void layer_forget_parent(struct layer_tree *t)
{
    strcpy(t->parent, "/"); /* no cleaned path begins like this */
}
