/* Each process has two directories that the kernel keeps for it: where a path that begins with "/"
 * starts, and where every other path starts. chroot(2) moves the first and leaves the second alone.
 * A process that stays outside with its working directory can walk up from there with "..", so we
 * go in first and then say: here. */
#include "rootfs.h"

#include <errno.h>
#include <unistd.h>

#include "die.h"

void rootfs_chroot(const char *path)
{
    if (chdir(path) < 0)
        die("'make rootfs' makes build/rootfs", "cannot enter the root '%s': %m", path);
    if (chroot(".") < 0)
        die(errno == EPERM ? "chroot needs root; from step 2 on keg works without" : NULL,
            "cannot change the root to '%s': %m", path);
}
