#include "build/follow.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/str.h"

#define LINKS_MAX 40          /* the kernel's own limit */
#define REST_MAX  (64u << 10) /* what symlinks may make of a path */

struct way {
    int root;
    bool links;
    struct buf at; /* real names so far */
    char *rest;    /* what is still to go; p is inside of it */
    const char *p;
    int link_count;
    size_t missing;
    struct stat st; /* of `at`, while nothing is missing */
};

int follow_open(int root, const char *path, int flags)
{
    return beneath_open(root, path, flags | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS);
}

char *path_join(const char *directory, const char *name)
{
    if (!*directory || !*name)
        return str_copy(*directory ? directory : name);
    return str_format("%s/%s", directory, name);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void go_up(struct way *w)
{
    const char *slash = w->at.len ? memrchr(w->at.data, '/', w->at.len) : NULL;

    w->at.len = slash ? (size_t)(slash - w->at.data) : 0;
    if (w->at.data)
        w->at.data[w->at.len] = 0;
    if (w->missing)
        w->missing--;
}

/* The target takes the place of the link in the rest of the way. */
static int take_link(struct way *w, int fd)
{
    char target[4096];
    ssize_t n = readlinkat(fd, "", target, sizeof target - 1);
    char *rest;

    if (n < 0)
        return -errno;
    if (++w->link_count > LINKS_MAX)
        return -ELOOP;
    target[n] = 0;
    if (*target == '/')
        w->at.len = 0;
    else
        go_up(w);
    if (w->at.data)
        w->at.data[w->at.len] = 0;
    rest = str_format("%s/%s", target, w->p);
    free(w->rest);
    w->p = w->rest = rest;
    return strlen(rest) > REST_MAX ? -ENAMETOOLONG : 0;
}

static int go_down(struct way *w, const char *name, size_t len)
{
    cleanup_close int fd = -1;

    if (w->at.len)
        buf_add_char(&w->at, '/');
    buf_add(&w->at, name, len);
    if (w->missing) {
        w->missing++;
        return 0;
    }
    fd = follow_open(w->root, w->at.data, O_PATH);
    if (fd == -ENOENT)
        w->missing = 1;
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    if (fstat(fd, &w->st) < 0)
        return -errno;
    return w->links && S_ISLNK(w->st.st_mode) ? take_link(w, fd) : 0;
}

static int go(struct way *w)
{
    while (*w->p) {
        const char *name = w->p;
        size_t len = strcspn(name, "/");
        int r = 0;

        w->p += len + (name[len] == '/');
        if (len == 2 && !strncmp(name, "..", 2))
            go_up(w);
        else if (len && !(len == 1 && *name == '.'))
            r = go_down(w, name, len);
        if (r < 0)
            return r;
    }
    return 0;
}

/* What the last step saw may be from before a "..". */
static int look(struct way *w)
{
    cleanup_close int fd =
        w->missing ? -1 : follow_open(w->root, w->at.data ? w->at.data : "", O_PATH);

    if (w->missing)
        return 0;
    if (fd < 0)
        return fd;
    return fstat(fd, &w->st) < 0 ? -errno : 0;
}

int follow_path(int root, const char *path, bool links, struct followed *ret)
{
    struct way w = {.root = root, .links = links, .rest = str_copy(path)};
    int r;

    w.p = w.rest;
    r = go(&w);
    if (!r)
        r = look(&w);
    free(w.rest);
    if (r < 0) {
        buf_free(&w.at);
        return r;
    }
    *ret = (struct followed){.path = buf_steal(&w.at), .missing = w.missing, .st = w.st};
    return 0;
}

void followed_free(struct followed *f)
{
    free(f->path);
    f->path = NULL;
}
