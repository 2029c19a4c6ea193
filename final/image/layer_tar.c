/* A tree becomes a tar: the way back of layer_apply.c.
 *
 * Everything that is in a layer's files is in the bytes, and nothing else is: no access times, no
 * names of users, no order of a directory. So a tree that was unpacked from these bytes, or copied
 * from the one that made them, gives the same bytes again, and a layer that was made here can be
 * packed again when somebody wants to have it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/layer.h"
#include "image/layer_walk.h"
#include "image/tar.h"

#define WHITEOUT ".wh."
#define OPAQUE   WHITEOUT WHITEOUT ".opq"

struct packing {
    struct tar_writer *writer;
    const char *as; /* the top's name in the tar */
    bool is_layer;
    struct walk_links links;
    uint64_t size; /* bytes of regular files */
};

/* A path of the tree as the tar names it. "." stands for itself only. */
static char *name_in_tar(const struct packing *p, const char *path)
{
    if (!*path)
        return str_copy(p->as);
    return strcmp(p->as, ".") ? str_format("%s/%s", p->as, path) : str_copy(path);
}

/* "a/b" + ".wh." -> "a/.wh.b". These files are nobody's and of no time: what they say is their
 * name. */
static int add_marker(struct packing *p, const char *dir, const char *prefix, const char *name,
                      struct err *err)
{
    cleanup_free char *path =
        *dir ? str_format("%s/%s%s", dir, prefix, name) : str_format("%s%s", prefix, name);
    cleanup_free char *in_tar = name_in_tar(p, path);
    struct tar_entry entry = {.name = in_tar, .mode = S_IFREG};

    return tar_writer_add(p->writer, &entry, err);
}

static int add_whiteout(struct packing *p, const struct walk_entry *e, struct err *err)
{
    const char *slash = strrchr(e->path, '/');
    cleanup_free char *dir = str_copy_n(e->path, slash ? (size_t)(slash - e->path) : 0);

    return add_marker(p, dir, WHITEOUT, e->name, err);
}

static int add_entry(struct packing *p, const struct walk_entry *e, struct tar_entry *entry, int fd,
                     struct err *err)
{
    cleanup_free char *name = name_in_tar(p, e->path);
    struct layer_xattrs xattrs = {0};
    int r = S_ISLNK(e->st.st_mode) ? 0
            : fd >= 0              ? layer_get_xattrs(fd, &xattrs, err)
                                   : layer_get_xattrs_at(e->dir, e->name, &xattrs, err);

    entry->name = name;
    entry->mode = e->st.st_mode;
    entry->uid = e->st.st_uid;
    entry->gid = e->st.st_gid;
    entry->device = e->st.st_rdev;
    entry->mtime = e->st.st_mtim.tv_sec;
    entry->xattrs = xattrs.items;
    entry->xattr_count = xattrs.len;
    if (!r)
        r = tar_writer_add(p->writer, entry, err);
    layer_xattrs_free(&xattrs);
    return r;
}

/* O_NONBLOCK, and looked at again once it is open: in a living tree it may have become something
 * else. The size is that of now. */
static int add_regular(struct packing *p, struct walk_entry *e, struct err *err)
{
    cleanup_close int fd =
        openat(e->dir, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOATIME);
    struct tar_entry entry = {0};
    int r;

    if (fd < 0 && errno == EPERM) /* O_NOATIME is the owner's right */
        fd = openat(e->dir, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot open it");
    if (fstat(fd, &e->st) < 0)
        return err_errno(err, "cannot stat it");
    if (!S_ISREG(e->st.st_mode))
        return 0;
    entry.size = (uint64_t)e->st.st_size;
    p->size += entry.size;
    r = add_entry(p, e, &entry, fd, err);
    return r < 0 ? r : tar_writer_copy(p->writer, fd, entry.size, err);
}

static int add_symlink(struct packing *p, const struct walk_entry *e, struct err *err)
{
    char target[LAYER_PATH_MAX];
    ssize_t n = readlinkat(e->dir, e->name, target, sizeof target - 1);
    struct tar_entry entry = {.symlink = target};

    if (n < 0)
        return errno == ENOENT || errno == EINVAL ? 0 : err_errno(err, "cannot read the symlink");
    target[n] = 0;
    p->size += (uint64_t)n;
    return add_entry(p, e, &entry, -1, err);
}

static int add_directory(struct packing *p, const struct walk_entry *e, struct err *err)
{
    struct tar_entry entry = {0};
    int r = add_entry(p, e, &entry, e->fd, err);

    if (r < 0 || !layer_is_opaque(e->fd))
        return r;
    /* Before everything else in it: there are readers that take it for "what came so far goes". */
    return add_marker(p, e->path, "", OPAQUE, err);
}

static int enter(void *context, const struct walk_entry *e, struct err *err)
{
    struct packing *p = context;
    struct walk_entry now = *e;
    struct tar_entry entry = {0};
    cleanup_free char *first = NULL;
    const char *seen;

    if (p->is_layer && layer_check_name(e->name, err) < 0)
        return -err->code;
    if (layer_is_whiteout(&e->st))
        return add_whiteout(p, e, err);
    if (S_ISSOCK(e->st.st_mode))
        return 0;
    if (S_ISDIR(e->st.st_mode))
        return add_directory(p, e, err);
    seen = walk_links_find(&p->links, e);
    if (seen) {
        entry.hard_link = first = name_in_tar(p, seen);
        return add_entry(p, e, &entry, -1, err);
    }
    if (S_ISREG(e->st.st_mode))
        return add_regular(p, &now, err);
    if (S_ISLNK(e->st.st_mode))
        return add_symlink(p, e, err);
    return add_entry(p, e, &entry, -1, err);
}

static int add_tree(struct packing *p, int dirfd, const char *name, struct err *err)
{
    const struct walk_calls calls = {.enter = enter, .context = p};
    int r = layer_walk(dirfd, name, &calls, err);

    walk_links_free(&p->links);
    return r;
}

int tar_writer_add_tree(struct tar_writer *w, int dirfd, const char *name, const char *as,
                        struct err *err)
{
    struct packing p = {.writer = w, .as = as};

    return add_tree(&p, dirfd, name, err);
}

/* --- a layer ---------------------------------------------------------------------------------- */

int layer_write(int tree, tar_sink *sink, void *context, uint64_t *ret_size, struct err *err)
{
    struct packing p = {.writer = tar_writer_new(sink, context), .as = ".", .is_layer = true};
    int r = add_tree(&p, tree, ".", err);

    if (r >= 0)
        r = tar_writer_end(p.writer, err);
    tar_writer_free(p.writer);
    if (r >= 0)
        *ret_size = p.size;
    return r < 0 ? r : 0;
}

int layer_pack(int tree_fd, tar_sink *sink, void *context, struct err *err)
{
    uint64_t size;

    return layer_write(tree_fd, sink, context, &size, err);
}
