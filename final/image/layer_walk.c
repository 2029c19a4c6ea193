/* By descriptors and never by whole paths: the tree may be a running container's, where somebody
 * exchanges directories for symlinks while we walk. What goes away meanwhile was not there. */
#include "image/layer_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "image/layer.h"

struct walk {
    const struct walk_calls *calls;
    struct buf path;
    int depth;
};

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All at once, because the order of a directory's own list is the file system's affair. Through a
 * descriptor of its own: one that was copied by dup(2) would share its position with the entry's,
 * and whoever enter() gave that to may read it, too. */
static int list(int fd, struct strv *ret, struct err *err)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!dir)
        return err_errno(err, "cannot list the directory");
    while ((entry = file_next_entry(dir)))
        strv_add(ret, entry->d_name);
    if (errno)
        return err_errno(err, "cannot list the directory");
    if (ret->len)
        qsort(ret->items, ret->len, sizeof *ret->items, by_bytes);
    return 0;
}

static int visit(struct walk *w, int dir, const char *name, struct err *err);

/* Each level holds a descriptor and its list of names while those below are visited: the limit on
 * depth is a limit on both. */
static int visit_children(struct walk *w, int fd, struct err *err)
{
    cleanup_strv struct strv names = {0};
    size_t len = w->path.len;
    int r = list(fd, &names, err);

    if (!r && ++w->depth > LAYER_DEPTH_MAX)
        r = err_set(err, ELOOP, "directories are nested deeper than %d", LAYER_DEPTH_MAX);
    for (size_t i = 0; i < names.len && r >= 0; i++) {
        if (len)
            buf_add_char(&w->path, '/');
        buf_add_str(&w->path, names.items[i]);
        r = visit(w, fd, names.items[i], err);
        if (r >= 0) {
            w->path.len = len; /* on an error the path stays, for the message */
            w->path.data[len] = 0;
        }
    }
    w->depth--;
    return r;
}

/* Stat first: open(2) of a device or a fifo can do something, or wait. That it has become something
 * else by the time it is opened, O_DIRECTORY and O_NOFOLLOW find out. */
static int visit(struct walk *w, int dir, const char *name, struct err *err)
{
    struct walk_entry entry = {.dir = dir, .name = name, .fd = -1};
    cleanup_close int fd = -1;
    int r;

    if (fstatat(dir, name, &entry.st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot stat it");
    if (S_ISDIR(entry.st.st_mode)) {
        fd = entry.fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return errno == ENOENT ? 0 : err_errno(err, "cannot open the directory");
    }
    entry.path = w->path.data;
    r = w->calls->enter(w->calls->context, &entry, err);
    if (r || fd < 0)
        return r < 0 ? r : 0;
    r = visit_children(w, fd, err);
    if (r < 0 || !w->calls->leave)
        return r;
    entry.path = w->path.data; /* it may have moved */
    return w->calls->leave(w->calls->context, &entry, err);
}

int layer_walk(int dirfd, const char *name, const struct walk_calls *calls, struct err *err)
{
    struct walk w = {.calls = calls};
    int r;

    buf_add_str(&w.path, "");
    r = visit(&w, dirfd, name, err);
    if (r < 0)
        err_wrap(err, "'%s'", w.path.len ? w.path.data : name);
    buf_free(&w.path);
    return r;
}

/* --- hard links ------------------------------------------------------------------------------- */

/* The first name of an inode that has several. In the order of the walk, so that the same tree
 * always has the same one written as a file and the others as links to it. */
struct link {
    dev_t device;
    ino_t inode;
    char path[];
};

static int by_inode(const void *a, const void *b)
{
    const struct link *x = a, *y = b;

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

const char *walk_links_find(struct walk_links *links, const struct walk_entry *entry)
{
    size_t n = strlen(entry->path) + 1;
    struct link *link, **found;

    if (entry->st.st_nlink < 2 || S_ISDIR(entry->st.st_mode))
        return NULL;
    link = mem_alloc(sizeof *link + n);
    link->device = entry->st.st_dev;
    link->inode = entry->st.st_ino;
    memcpy(link->path, entry->path, n);
    found = tsearch(link, &links->seen, by_inode);
    if (!found)
        abort(); /* out of memory, as mem_alloc would */
    if (*found == link)
        return NULL;
    free(link);
    return (*found)->path;
}

void walk_links_free(struct walk_links *links)
{
    tdestroy(links->seen, free);
    links->seen = NULL;
}
