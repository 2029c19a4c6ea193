/* chroot(2) moves where "/" points; the host's tree is still there, one ".." away for root.
 * pivot_root(2) swaps the root of the mount namespace itself. Then the old one can be unmounted,
 * and there is nothing to escape to.
 *
 * /proc comes between the two: after the swap a symbolic link in the new root cannot lead out of it
 * any more, and before the unmounting the kernel still sees the host's /proc, without which it
 * gives an ordinary user no new one. */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "die.h"
#include "rootfs.h"

enum { HARMLESS = MS_NOSUID | MS_NODEV | MS_NOEXEC };

/* A new mount namespace is a copy of the host's, and where the host's mounts are shared the copies
 * still tell each other of every new mount. */
void mounts_make_private(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        die(errno == EINVAL ? "keg runs in a chroot: its / is no mount point" : NULL,
            "cannot make the mounts private: %m");
}

static int is_mount_point(const char *path)
{
    struct statx at;

    return statx(AT_FDCWD, path, 0, 0, &at) == 0 && (at.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* Few errors, many causes; pivot_root(2) lists them. A new root that is no mount point is EBUSY on
 * the file system of the old root, and EINVAL on any other. */
static const char *pivot_hint(void)
{
    struct statfs old = {0};

    if (errno != EBUSY && errno != EINVAL)
        return NULL;
    if (!is_mount_point("."))
        return "the new root is not a mount point: bind it onto itself first";
    if (errno == EBUSY)
        return "this is the root we already have";
    if (statfs("/", &old) == 0 && (old.f_type == RAMFS_MAGIC || old.f_type == TMPFS_MAGIC))
        return "this machine runs from its initramfs, which cannot be swapped";
    return "a mount is shared with another namespace: make all of them private first";
}

/* With "." twice the old root lies on top of the new one, where it needs no directory to be put in.
 */
static void pivot_to(const char *root)
{
    if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0)
        die("'make rootfs' makes build/rootfs", "cannot bind '%s' onto itself: %m", root);
    if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        die(pivot_hint(), "cannot make '%s' the root: %m", root);
}

/* What is bound onto itself can be read-only there and writable elsewhere. */
static void make_read_only(const char *path)
{
    if (mount(path, path, NULL, MS_BIND, NULL) < 0 && errno == ENOENT)
        return; /* this kernel does not have it */
    if (mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | HARMLESS, NULL) < 0)
        die(NULL, "cannot make '%s' read-only: %m", path);
}

/* Some files in /proc change the whole machine and ask for no capability: being user 0 is enough.
 */
static void mount_proc(void)
{
    if (mount("proc", "/proc", "proc", HARMLESS, NULL) < 0)
        die(errno == ENOENT ? "the root needs an empty directory of this name"
                            : "without root this needs a host whose own /proc is complete",
            "cannot mount '/proc': %m");
    make_read_only("/proc/sys");
    make_read_only("/proc/sysrq-trigger");
    make_read_only("/proc/irq");
    make_read_only("/proc/bus");
    make_read_only("/proc/fs");
}

void mounts_build(const char *root)
{
    int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    pivot_to(root);
    mount_proc();
    if (host < 0 || fchdir(host) < 0 || umount2(".", MNT_DETACH) < 0)
        die(NULL, "cannot unmount the host's root: %m");
    close(host);
    rootfs_chroot("/");
}
