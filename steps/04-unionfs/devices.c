/* A device file is a door into the kernel: whoever opens block 8:0 has the host's first disk,
 * however deep in a keg. And docker's fourteen capabilities let root make device files. So all of
 * the keg is mounted "nodev", where they do not open, but for a few that are bound here from the
 * host. (Docker filters with the device cgroup instead.) */
#include "devices.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mount.h>
#include <unistd.h>

#include "die.h"

static const char *const paths[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                    "/dev/random", "/dev/urandom", "/dev/tty"};
enum { COUNT = sizeof paths / sizeof *paths };

static int taken[COUNT];

/* A copy of the mount with nothing in it but this one file; since Linux 5.2. */
void devices_take(void)
{
    for (int i = 0; i < COUNT; i++) {
        taken[i] = open_tree(AT_FDCWD, paths[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (taken[i] < 0)
            die(NULL, "cannot take the host's '%s': %m", paths[i]);
    }
}

void devices_mount(void)
{
    if (mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755") < 0)
        die("the root needs an empty directory of this name", "cannot mount '/dev': %m");
    for (int i = 0; i < COUNT; i++) {
        close(open(paths[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
        if (move_mount(taken[i], "", AT_FDCWD, paths[i], MOVE_MOUNT_F_EMPTY_PATH) < 0)
            die(NULL, "cannot mount '%s': %m", paths[i]);
        close(taken[i]);
    }
    if (symlink("/proc/self/fd", "/dev/fd") < 0)
        die(NULL, "cannot make '/dev/fd': %m");
}
