/* Whiteouts: how a layer says that something of the layers below is gone.
 *
 * A tar has no "deleted", so the image format spells it with names (OCI image spec, layer.md):
 * `.wh.NAME` deletes NAME of the layers below, `.wh..wh..opq` everything in its directory.
 * overlayfs says the same with a character device 0:0 called NAME, and with the extended attribute
 * trusted.overlay.opaque=y of the directory (Documentation/filesystems/overlayfs.rst). Other
 * `.wh..wh.` names were aufs's own bookkeeping, and are left out.
 *
 * A whiteout speaks of the layers below only. So it never removes what its own layer has, whichever
 * came first in the tar: a file of that name hides the lower one anyway, and a directory has to
 * become opaque to do so. */
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "image/layer.h"

#define PREFIX ".wh."
#define OPAQUE PREFIX PREFIX ".opq"

static int set_opaque_at(int parent, const char *name, struct err *err)
{
    cleanup_close int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "cannot open the directory to be made opaque");
    return layer_set_opaque(fd, err);
}

int layer_whiteout(struct layer_tree *t, const char *path, struct err *err)
{
    const char *name, *hidden;
    int parent = layer_open_parent(t, path, &name, err);
    struct stat st;

    if (parent < 0)
        return parent;
    if (!strcmp(name, OPAQUE))
        return set_opaque_at(parent, ".", err);
    if (str_starts(name, PREFIX PREFIX))
        return 0;
    hidden = name + strlen(PREFIX);
    if (!*hidden || !strcmp(hidden, ".") || !strcmp(hidden, ".."))
        return err_set(err, EINVAL, "the whiteout names nothing");
    if (mknodat(parent, hidden, S_IFCHR, makedev(0, 0)) == 0)
        return 0;
    if (errno != EEXIST || fstatat(parent, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot make the whiteout of '%s'", hidden);
    return S_ISDIR(st.st_mode) ? set_opaque_at(parent, hidden, err) : 0;
}
