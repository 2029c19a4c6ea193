/* How overlayfs marks what hides the layers below; the spelling of a tar is in layer_whiteout.c,
 * which needs libarchive as this does not. */
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "image/layer.h"

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

bool layer_is_opaque(int dirfd)
{
    char value = 0;

    return fgetxattr(dirfd, XATTR_OPAQUE, &value, 1) == 1 && value == 'y';
}
