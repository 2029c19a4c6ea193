/* Extended attributes of a tar's entry onto the file that was made of it; which ones:
 * layer_xattr.c. */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "image/layer.h"

static int set_all(const char *path, struct archive_entry *entry, struct err *err)
{
    const char *name;
    const void *value;
    size_t size;

    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        int r = 0;

        if (name && layer_xattr_allowed(name) && lsetxattr(path, name, value, size, 0) < 0)
            r = layer_xattr_judge(name, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* An entry of NULL is for files that no tar described: copied up, or implied. */
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

        if (name && layer_xattr_allowed(name) && fsetxattr(fd, name, value, size, 0) < 0)
            r = layer_xattr_judge(name, err);
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
