/* The terminal comes from the container's own devpts instance: its names (/dev/pts/0, what tty(1)
 * says) exist inside, and other containers' terminals do not. Its master goes out to the supervisor
 * over the sync socket.
 *
 * The slave is opened through the master (TIOCGPTPEER, Linux 4.13), not by a path a hostile
 * container could have replaced (CVE-2025-52565 and before); the master's file is checked to be
 * ptmx of a devpts. */
#include "runtime/console.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "runtime/mount_api.h"

#ifndef DEVPTS_SUPER_MAGIC
#define DEVPTS_SUPER_MAGIC 0x1cd1
#endif

static int open_master(int root, struct err *err)
{
    cleanup_close int fd =
        beneath_open(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, RESOLVE_NO_SYMLINKS);
    struct statfs fs;
    struct stat st;

    if (fd < 0)
        return err_set(err, -fd, "cannot open the container's /dev/pts/ptmx: %s", strerror(-fd));
    if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
        return err_errno(err, "cannot look at the container's /dev/pts/ptmx");
    if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
        return err_set(err, EPERM, "the container's /dev/pts/ptmx is no terminal multiplexer");
    return steal_fd(&fd);
}

int console_open(int root, unsigned short rows, unsigned short columns, int *ret_master,
                 int *ret_slave, struct err *err)
{
    cleanup_close int master = open_master(root, err), slave = -1;
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    int unlock = 0;

    if (master < 0)
        return -err->code;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return err_errno(err, "cannot unlock the terminal");
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return err_errno(err, "cannot open the terminal");
    if (rows && columns && ioctl(master, TIOCSWINSZ, &size) < 0)
        return err_errno(err, "cannot set the terminal's size");
    *ret_master = steal_fd(&master);
    *ret_slave = steal_fd(&slave);
    return 0;
}

int console_bind(int root, int slave, struct err *err)
{
    cleanup_close int dev = beneath_open(root, "/dev", O_PATH | O_DIRECTORY, 0, 0);
    cleanup_close int file = -1, target = -1, mount = -1;

    if (dev < 0)
        return err_set(err, -dev, "cannot open the container's /dev: %s", strerror(-dev));
    file = openat(dev, "console", O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_RDONLY | O_CLOEXEC, 0666);
    if (file < 0)
        return err_errno(err, "cannot make the container's /dev/console");
    target = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0)
        return err_errno(err, "cannot open the container's /dev/console");
    mount = mount_clone(slave, "", false, err);
    return mount < 0 ? -err->code : mount_attach(mount, target, "", err);
}

int console_take(int slave, struct err *err)
{
    if (ioctl(slave, TIOCSCTTY, 0) < 0)
        return err_errno(err, "cannot make the terminal the controlling one");
    for (int fd = 0; fd < 3; fd++)
        if (dup2(slave, fd) < 0)
            return err_errno(err, "cannot make the terminal fd %d", fd);
    return 0;
}
