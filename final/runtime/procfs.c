#include "runtime/procfs.h"

#include <linux/openat2.h>
#include <sys/mount.h>

#include "base/beneath.h"
#include "runtime/mount_api.h"

int procfs_open(struct err *err)
{
    return mount_new("proc", "proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                     err);
}

int procfs_open_file(int proc, const char *path, int flags)
{
    return beneath_open(proc, path, flags, 0, RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
}
