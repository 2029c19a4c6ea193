#include "runtime/mount_borrow.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "runtime/mount_api.h"
#include "runtime/mount_target.h"

static const struct {
    const char *type, *path;
    uint64_t shared; /* the host's is the right one only without a namespace of one's own */
} lent[] = {
    {"sysfs", "/sys", 0},
    {"proc", "/proc", CLONE_NEWPID},
    {"mqueue", "/dev/mqueue", CLONE_NEWIPC},
};

/* With all that is mounted below: the kernel does not let one mount out of a tree that a user
 * namespace was given. */
int mount_borrow(const struct spec *spec, const char *type)
{
    struct err ignored = {0};

    for (size_t i = 0; i < sizeof lent / sizeof *lent; i++)
        if (!strcmp(type, lent[i].type) && !(spec_own_namespaces(spec) & lent[i].shared)) {
            int mount = mount_clone(AT_FDCWD, lent[i].path, AT_RECURSIVE, &ignored);

            return mount < 0 ? -1 : mount;
        }
    return -1;
}

static bool mounts_cgroups(const struct spec *spec)
{
    for (size_t i = 0; i < spec->mount_count; i++)
        if (mount_target_is(spec->mounts[i].destination, "/sys/fs/cgroup"))
            return true;
    return false;
}

int mount_borrow_finish(const struct spec *spec, const char *type, int mount, struct err *err)
{
    cleanup_close int place = -1, empty = -1;

    if (strcmp(type, "sysfs") || mounts_cgroups(spec))
        return 0;
    place = beneath_open(mount, "fs/cgroup", O_PATH | O_DIRECTORY, 0, 0);
    if (place < 0)
        return 0;
    empty = mount_new("tmpfs", "tmpfs", "size=4k,nr_inodes=1,mode=555", MOUNT_ATTR_RDONLY, err);
    if (empty < 0 || mount_attach(empty, place, "", err) < 0)
        return err_wrap(err, "cannot cover the host's control groups");
    return 0;
}
