/* Extended attributes of files in a layer.
 *
 * An image may bring file capabilities, ACLs and what users attached. It may not speak to the union
 * file system (trusted.overlay.redirect would let a layer show a directory of another layer under a
 * name of its choice; rootless overlays read the same from user.overlay.*), nor to the host's
 * security modules. So this is a list of what is allowed, and what is not on it is left out. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "image/layer.h"

#define CAPABILITY "security.capability"

static bool allowed(const char *name)
{
    if (str_starts(name, "user."))
        return !str_starts(name, "user.overlay.") && strcmp(name, "user.overlay") != 0;
    return !strcmp(name, CAPABILITY) || !strcmp(name, "system.posix_acl_access") ||
           !strcmp(name, "system.posix_acl_default");
}

/* A file system without ACLs or user attributes still runs the image; without the capability the
 * program would fail in a way nobody could explain. EPERM: user attributes exist on files and
 * directories only. */
static int judge(const char *name, struct err *err)
{
    if ((errno == ENOTSUP || errno == EPERM) && strcmp(name, CAPABILITY) != 0)
        return 0;
    return err_errno(err, "cannot set extended attribute '%s'", name);
}

static int set_all(const char *path, struct archive_entry *entry, struct err *err)
{
    const char *name;
    const void *value;
    size_t size;

    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        int r = 0;

        if (name && allowed(name) && lsetxattr(path, name, value, size, 0) < 0)
            r = judge(name, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int layer_set_xattrs(int fd, struct archive_entry *entry, struct err *err)
{
    const char *name;
    const void *value;
    size_t size;

    if (!entry || !archive_entry_xattr_count(entry))
        return 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        int r = 0;

        if (name && allowed(name) && fsetxattr(fd, name, value, size, 0) < 0)
            r = judge(name, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* There is no setxattrat(2) before Linux 6.13: through the directory's entry in /proc, which nobody
 * can redirect because the last component is not followed. */
int layer_set_xattrs_at(int dirfd, const char *name, struct archive_entry *entry, struct err *err)
{
    cleanup_free char *path = NULL;

    if (!entry || !archive_entry_xattr_count(entry))
        return 0;
    path = str_format("/proc/self/fd/%d/%s", dirfd, name);
    return set_all(path, entry, err);
}

int layer_copy_xattrs(int from, int to, struct err *err)
{
    char names[65536], value[65536];
    ssize_t len = flistxattr(from, names, sizeof names), size;

    if (len < 0)
        return errno == ENOTSUP ? 0 : err_errno(err, "cannot list extended attributes");
    for (const char *name = names; name < names + len; name += strlen(name) + 1) {
        int r = 0;

        if (!allowed(name))
            continue;
        size = fgetxattr(from, name, value, sizeof value);
        if (size < 0)
            return err_errno(err, "cannot read extended attribute '%s'", name);
        if (fsetxattr(to, name, value, (size_t)size, 0) < 0)
            r = judge(name, err);
        if (r < 0)
            return r;
    }
    return 0;
}
