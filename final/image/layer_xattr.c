/* Extended attributes of files in a layer.
 *
 * An image may bring file capabilities, ACLs and what users attached. It may not speak to the union
 * file system (trusted.overlay.redirect would let a layer show a directory of another layer under a
 * name of its choice; rootless overlays read the same from user.overlay.*), nor to the host's
 * security modules. So this is a list of what is allowed, and what is not on it is left out. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "image/layer.h"

#define CAPABILITY "security.capability"

bool layer_xattr_allowed(const char *name)
{
    if (str_starts(name, "user."))
        return !str_starts(name, "user.overlay.") && strcmp(name, "user.overlay") != 0;
    return !strcmp(name, CAPABILITY) || !strcmp(name, "system.posix_acl_access") ||
           !strcmp(name, "system.posix_acl_default");
}

/* A file system without ACLs or user attributes still runs the image; without the capability the
 * program would fail in a way nobody could explain. EPERM: user attributes exist on files and
 * directories only. */
int layer_xattr_judge(const char *name, struct err *err)
{
    if ((errno == ENOTSUP || errno == EPERM) && strcmp(name, CAPABILITY) != 0)
        return 0;
    return err_errno(err, "cannot set extended attribute '%s'", name);
}

/* What a tar would not keep is not copied either, or an image would differ between the machine it
 * was made on and the one it was pulled to. */
int layer_copy_xattrs(int from, int to, struct err *err)
{
    char names[65536], value[65536];
    ssize_t len = flistxattr(from, names, sizeof names), size;

    if (len < 0)
        return errno == ENOTSUP ? 0 : err_errno(err, "cannot list extended attributes");
    for (const char *name = names; name < names + len; name += strlen(name) + 1) {
        int r = 0;

        if (!layer_xattr_allowed(name))
            continue;
        size = fgetxattr(from, name, value, sizeof value);
        if (size < 0)
            return err_errno(err, "cannot read extended attribute '%s'", name);
        if (fsetxattr(to, name, value, (size_t)size, 0) < 0)
            r = layer_xattr_judge(name, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- reading them ----------------------------------------------------------------------------- */

void layer_xattrs_free(struct layer_xattrs *xattrs)
{
    for (size_t i = 0; i < xattrs->len; i++) {
        free(xattrs->items[i].name);
        free(xattrs->items[i].value);
    }
    free(xattrs->items);
    *xattrs = (struct layer_xattrs){0};
}

/* The kernel lists them as the file system has them: sorted, the same file gives the same bytes. */
static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

static void add(struct layer_xattrs *list, const char *name, const void *value, size_t size)
{
    struct tar_xattr *x;

    list->items = mem_grow(list->items, list->len + 1, sizeof *list->items);
    x = &list->items[list->len++];
    x->name = str_copy(name);
    x->value = mem_alloc(size + 1);
    memcpy(x->value, value, size);
    x->size = size;
}

/* What can be opened has a descriptor, the rest is reached by name. */
struct source {
    int fd;
    const char *path;
};

static ssize_t list_names(const struct source *s, char *names, size_t room)
{
    return s->fd >= 0 ? flistxattr(s->fd, names, room) : llistxattr(s->path, names, room);
}

static ssize_t get_value(const struct source *s, const char *name, char *value, size_t room)
{
    return s->fd >= 0 ? fgetxattr(s->fd, name, value, room) : lgetxattr(s->path, name, value, room);
}

/* Linux gives neither a list nor a value of more than 64 KiB. */
static int get_all(const struct source *s, struct layer_xattrs *ret, struct err *err)
{
    char names[65536], value[65536];
    ssize_t len = list_names(s, names, sizeof names);

    if (len < 0)
        return errno == ENOTSUP || errno == ENOENT
                   ? 0
                   : err_errno(err, "cannot list extended attributes");
    for (const char *name = names; name < names + len; name += strlen(name) + 1) {
        ssize_t size = layer_xattr_allowed(name) ? get_value(s, name, value, sizeof value) : 0;

        if (size < 0 && errno != ENODATA)
            return err_errno(err, "cannot read extended attribute '%s'", name);
        if (size >= 0 && layer_xattr_allowed(name))
            add(ret, name, value, (size_t)size);
    }
    if (ret->len)
        qsort(ret->items, ret->len, sizeof *ret->items, by_name);
    return 0;
}

int layer_get_xattrs(int fd, struct layer_xattrs *ret, struct err *err)
{
    const struct source s = {.fd = fd};

    return get_all(&s, ret, err);
}

int layer_get_xattrs_at(int dirfd, const char *name, struct layer_xattrs *ret, struct err *err)
{
    cleanup_free char *path = str_format("/proc/self/fd/%d/%s", dirfd, name);
    const struct source s = {.fd = -1, .path = path};

    return get_all(&s, ret, err);
}
