#include <dirent.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/copy.h"
#include "engine/copy.h"
#include "image/image.h"

#define DEPTH_MAX 200 /* directories; each is an open descriptor on both sides */

/* A file with several names that was copied: the others become hard links to the copy. */
struct linked {
    dev_t device, copy_device;
    ino_t inode, copy_inode;
    char path[]; /* of the copy, below the top */
};

struct copy_work {
    const struct copy_rules *rules;
    int top;         /* the directory the copy began in */
    struct buf path; /* of what is copied now, below it */
    void *links;     /* tsearch(3) tree of struct linked */
    uint64_t bytes;
    int depth;
};

/* One thing to copy, where it is and where it goes. */
struct item {
    int from;
    const char *from_name;
    int to;
    const char *to_name;
    struct stat st;
};

struct copy_work *copy_work_new(const struct copy_rules *rules)
{
    struct copy_work *w = mem_alloc(sizeof *w);

    w->rules = rules;
    w->top = -1;
    return w;
}

uint64_t copy_work_free(struct copy_work *w)
{
    uint64_t bytes = w->bytes + 1024; /* a tar's end */

    tdestroy(w->links, free);
    buf_free(&w->path);
    free(w);
    return bytes;
}

/* As a tar counts: a header, and the content in whole blocks. */
static void count(struct copy_work *w, uint64_t content)
{
    const struct copy_options *o = w->rules->options;

    w->bytes += 512 + (content + 511) / 512 * 512;
    if (o->progress)
        o->progress(o->context, w->bytes);
}

/* --- metadata
 * ----------------------------------------------------------------------------------- */

static mode_t wanted_mode(const struct copy_work *w, const struct stat *st)
{
    return st->st_mode & (w->rules->tame && !S_ISDIR(st->st_mode) ? 01777 : 07777);
}

static void wanted_owner(const struct copy_work *w, const struct stat *st, uid_t *uid, gid_t *gid)
{
    *uid = w->rules->take_ownership ? geteuid() : st->st_uid;
    *gid = w->rules->take_ownership ? getegid() : st->st_gid;
}

/* Owner before mode: chown(2) clears set-user-ID. Times last: everything else changes them. */
static int set_metadata(const struct copy_work *w, int in, int out, const struct stat *st,
                        struct err *err)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    uid_t uid;
    gid_t gid;

    wanted_owner(w, st, &uid, &gid);
    if (fchown(out, uid, gid) < 0 || fchmod(out, wanted_mode(w, st)) < 0)
        return err_errno(err, "cannot set its owner and mode");
    if (!w->rules->tame && layer_copy_xattrs(in, out, err) < 0)
        return -err->code;
    return futimens(out, times) < 0 ? err_errno(err, "cannot set its times") : 0;
}

static int set_metadata_at(const struct copy_work *w, const struct item *item, struct err *err)
{
    const struct timespec times[2] = {item->st.st_atim, item->st.st_mtim};
    uid_t uid;
    gid_t gid;

    wanted_owner(w, &item->st, &uid, &gid);
    if (fchownat(item->to, item->to_name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot set its owner");
    return utimensat(item->to, item->to_name, times, AT_SYMLINK_NOFOLLOW) < 0
               ? err_errno(err, "cannot set its times")
               : 0;
}

/* --- hard links
 * --------------------------------------------------------------------------------- */

static int by_inode(const void *a, const void *b)
{
    const struct linked *x = a, *y = b;

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static void remember(struct copy_work *w, const struct item *item, const struct stat *copy)
{
    struct linked *link = mem_alloc(sizeof *link + w->path.len + 1);

    link->device = item->st.st_dev;
    link->inode = item->st.st_ino;
    link->copy_device = copy->st_dev;
    link->copy_inode = copy->st_ino;
    memcpy(link->path, w->path.data, w->path.len + 1);
    if (!tsearch(link, &w->links, by_inode))
        abort(); /* out of memory, as mem_alloc would */
}

/* The copy of the first name is looked up below the top, without following anything, and has to be
 * the file we made: the container may have put another one there. */
static bool link_again(struct copy_work *w, const struct item *item)
{
    struct linked key = {.device = item->st.st_dev, .inode = item->st.st_ino};
    struct linked **found = item->st.st_nlink > 1 ? tfind(&key, &w->links, by_inode) : NULL;
    cleanup_close int fd = -1;
    struct stat st;

    if (!found)
        return false;
    fd = beneath_open(w->top, (*found)->path, O_PATH | O_NOFOLLOW, 0, 0);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != (*found)->copy_device ||
        st.st_ino != (*found)->copy_inode)
        return false;
    return !linkat(fd, "", item->to, item->to_name, AT_EMPTY_PATH);
}

/* --- one thing
 * ---------------------------------------------------------------------------------- */

/* What is there goes, unless both are directories. 1: both are. */
static int make_way(const struct item *item, struct err *err)
{
    bool directory = S_ISDIR(item->st.st_mode);
    struct stat there;

    if (fstatat(item->to, item->to_name, &there, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot stat what is there");
    if (S_ISDIR(there.st_mode) && directory)
        return 1;
    if (S_ISDIR(there.st_mode))
        return err_set(err, EISDIR, "cannot overwrite directory \"%s\" with non-directory",
                       item->to_name);
    if (directory)
        return err_set(err, ENOTDIR, "cannot overwrite non-directory \"%s\" with directory",
                       item->to_name);
    if (there.st_dev == item->st.st_dev && there.st_ino == item->st.st_ino)
        return err_set(err, EINVAL, "it would be copied onto itself");
    if (unlinkat(item->to, item->to_name, 0) < 0 && errno != ENOENT && errno != EBUSY)
        return err_errno(err, "cannot replace what is there");
    return 0;
}

/* Something is mounted on a name that could not be removed (/etc/hosts): then into it. */
static int create_file(const struct item *item)
{
    int fd =
        openat(item->to, item->to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat st;

    if (fd >= 0 || errno != EEXIST)
        return fd;
    fd = openat(item->to, item->to_name,
                O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = EEXIST;
        return -1;
    }
    return fd;
}

static int copy_regular(struct copy_work *w, struct item *item, struct err *err)
{
    cleanup_close int in = openat(item->from, item->from_name,
                                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    cleanup_close int out = -1;
    struct stat copy;
    int r;

    /* Looked at again: it may have become something else since its name was read. */
    if (in < 0 || fstat(in, &item->st) < 0)
        return err_errno(err, "cannot open it");
    if (!S_ISREG(item->st.st_mode))
        return err_set(err, EAGAIN, "it changed while it was copied");
    out = create_file(item);
    if (out < 0)
        return err_errno(err, "cannot create it");
    r = copy_content(in, out, item->st.st_size);
    if (r < 0)
        return err_set(err, -r, "cannot copy it: %s", strerror(-r));
    if (item->st.st_nlink > 1 && !fstat(out, &copy))
        remember(w, item, &copy);
    return set_metadata(w, in, out, &item->st, err);
}

static int copy_symlink(struct copy_work *w, const struct item *item, struct err *err)
{
    char target[4096];
    ssize_t n = readlinkat(item->from, item->from_name, target, sizeof target - 1);

    if (n < 0)
        return err_errno(err, "cannot read the symlink");
    target[n] = 0;
    if (symlinkat(target, item->to, item->to_name) < 0)
        return err_errno(err, "cannot make the symlink");
    return set_metadata_at(w, item, err);
}

static int copy_node(struct copy_work *w, const struct item *item, struct err *err)
{
    if (w->rules->tame && !S_ISFIFO(item->st.st_mode))
        return 0;
    if (mknodat(item->to, item->to_name, item->st.st_mode, item->st.st_rdev) < 0)
        return err_errno(err, "cannot make the special file");
    return set_metadata_at(w, item, err);
}

static int copy_item(struct copy_work *w, struct item *item, struct err *err);

/* --- directories
 * -------------------------------------------------------------------------------- */

static int copy_child(struct copy_work *w, int from, int to, const char *name, struct err *err)
{
    struct item item = {from, name, to, name, {0}};
    size_t len = w->path.len;
    int r;

    if (fstatat(from, name, &item.st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot stat '%s'", name);
    buf_printf(&w->path, "%s%s", len ? "/" : "", name);
    r = copy_item(w, &item, err);
    w->path.len = len;
    w->path.data[len] = 0;
    return r < 0 ? err_wrap(err, "'%s'", name) : 0;
}

static int copy_children(struct copy_work *w, int from, int to, struct err *err)
{
    int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;
    int r = 0;

    if (!dir)
        return err_errno(err, "cannot list the directory");
    if (++w->depth > DEPTH_MAX)
        return err_set(err, ELOOP, "directories are nested deeper than %d", DEPTH_MAX);
    while (r >= 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            r = copy_child(w, from, to, entry->d_name, err);
    w->depth--;
    return r;
}

static int open_directory(int dir, const char *name)
{
    return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int copy_directory(struct copy_work *w, const struct item *item, bool merge, struct err *err)
{
    cleanup_close int in = open_directory(item->from, item->from_name), out = -1;
    int r;

    if (in < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot open the directory");
    if (copy_is_kernel_fs(in)) /* a mount point stays, as an empty directory */
        close_fd(&in);
    if (!merge && mkdirat(item->to, item->to_name, 0700) < 0)
        return err_errno(err, "cannot make the directory");
    out = open_directory(item->to, item->to_name);
    if (out < 0)
        return err_errno(err, "cannot open the new directory");
    r = in < 0 ? 0 : copy_children(w, in, out, err);
    return r < 0 || in < 0 ? r : set_metadata(w, in, out, &item->st, err);
}

static int copy_item(struct copy_work *w, struct item *item, struct err *err)
{
    int r = make_way(item, err);

    if (r < 0 || S_ISSOCK(item->st.st_mode)) /* a socket means nothing without who listens on it */
        return r < 0 ? r : 0;
    count(w, S_ISREG(item->st.st_mode) ? (uint64_t)item->st.st_size : 0);
    if (S_ISDIR(item->st.st_mode))
        return copy_directory(w, item, r, err);
    if (link_again(w, item))
        return 0;
    if (S_ISREG(item->st.st_mode))
        return copy_regular(w, item, err);
    return S_ISLNK(item->st.st_mode) ? copy_symlink(w, item, err) : copy_node(w, item, err);
}

int copy_tree(struct copy_work *w, int from, const char *from_name, int to, const char *to_name,
              struct err *err)
{
    struct item item = {from, from_name, to, to_name, {0}};

    w->top = to;
    w->path.len = 0;
    buf_add_str(&w->path, to_name ? to_name : "");
    if (!strcmp(from_name, "."))
        return copy_children(w, from, to, err);
    if (fstatat(from, from_name, &item.st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot stat '%s'", from_name);
    return copy_item(w, &item, err);
}
