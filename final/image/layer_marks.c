/* How overlayfs marks what hides the layers below, and how the names begin that a tar marks it
 * with; what those do is in layer_whiteout.c, which needs libarchive as this does not. */
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "image/layer.h"

/* ".wh." of aufs, the union file system docker began with: layers are written in its language to
 * this day, whatever mounts them. Names of two prefixes (".wh..wh.aufs", ".wh..wh.plnk") are its
 * own bookkeeping and no files of anybody's. */
#define PREFIX ".wh."

#define XATTR_OPAQUE "trusted.overlay.opaque"

bool layer_is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int layer_set_opaque(int dirfd, struct err *err)
{
    if (fsetxattr(dirfd, XATTR_OPAQUE, "y", 1, 0) < 0)
        return err_errno(err, "cannot mark a directory opaque (%s)", XATTR_OPAQUE);
    return 0;
}

/* Of a directory without the attribute fgetxattr(2) says ENODATA, of a file system without any
 * attributes ENOTSUP: neither hides anything. */
bool layer_is_opaque(int dirfd)
{
    char value = 0;

    return fgetxattr(dirfd, XATTR_OPAQUE, &value, 1) == 1 && value == 'y';
}

bool layer_is_whiteout_name(const char *name)
{
    return str_starts(name, PREFIX);
}

bool layer_is_aufs_path(const char *path)
{
    for (const char *p = path; strchr(p, '/'); p += strcspn(p, "/") + 1)
        if (str_starts(p, PREFIX PREFIX))
            return true;
    return false;
}

int layer_check_name(const char *name, struct err *err)
{
    if (!layer_is_whiteout_name(name))
        return 0;
    return err_set(err, EINVAL,
                   "a layer cannot have a file called '%s': the name says that '%s' is deleted",
                   name, name + strlen(PREFIX));
}
