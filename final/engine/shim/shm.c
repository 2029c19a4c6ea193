/* shm.c - the /dev/shm of `--ipc shareable`: a tmpfs in the container's run directory, where the
 * containers that share it can bind it from. */
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/shim/shim.h"

int shim_make_shm(const struct shim_options *o, struct err *err)
{
    cleanup_free char *path = str_format("%s/shm", o->run);
    cleanup_free char *data = str_format("mode=1777,size=%llu", o->shm_size);

    if (!o->shm_size)
        return 0;
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make '%s'", path);
    if (mount("shm", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, data) < 0)
        return err_errno(err, "cannot mount the shared memory on '%s'", path);
    return 0;
}

/* Who still shares it keeps it: theirs are mounts of their own. */
void shim_remove_shm(const struct shim_options *o)
{
    cleanup_free char *path = str_format("%s/shm", o->run);

    if (!o->shm_size)
        return;
    umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
    rmdir(path);
}
