/* Masked and read-only paths.
 *
 * /proc and /sys tell about the whole machine, and root in a container may read nearly all of it. A
 * file is masked by binding /dev/null on it, a directory by an empty read-only tmpfs (one for all
 * of them). The null device is the host's, opened before anything of the image is in sight and
 * checked by its number: an image that brings its own /dev/null once got a host file bound in its
 * place (CVE-2025-31133). What lies in /proc must really be on a procfs before it counts as masked.
 */
#include "runtime/masks.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "runtime/mount_api.h"

int masks_open_null(struct err *err)
{
    cleanup_close int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(err, "cannot open /dev/null");
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return err_set(err, ENODEV, "/dev/null on this host is not the null device");
    return steal_fd(&fd);
}

/* Opens a path to guard; -ENOENT when there is none: nothing to hide then. */
static int open_guarded(int root, const char *path, struct err *err)
{
    cleanup_close int fd = beneath_open(root, path, O_PATH, 0, 0);
    struct statfs fs;

    if (fd == -ENOENT || fd == -ENOTDIR)
        return -ENOENT;
    if (fd < 0)
        return err_set(err, -fd, "cannot open '%s': %s", path, strerror(-fd));
    if (fstatfs(fd, &fs) < 0)
        return err_errno(err, "cannot look at '%s'", path);
    if (!strncmp(path, "/proc/", 6) && fs.f_type != PROC_SUPER_MAGIC)
        return err_set(err, EPERM, "'%s' is not on a procfs", path);
    return steal_fd(&fd);
}

/* The first directory gets the tmpfs itself, the others binds of it. It is cloned only once it is
 * in its place: before Linux 6.15 a mount that is in no namespace yet cannot be. */
static int mask_directory(int target, int *empty, struct err *err)
{
    const uint64_t attributes =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    cleanup_close int copy = -1;

    if (*empty < 0) {
        *empty = mount_new("tmpfs", "tmpfs", "size=4k,nr_inodes=1,mode=555", attributes, err);
        return *empty < 0 ? -err->code : mount_attach(*empty, target, "", err);
    }
    copy = mount_clone(*empty, "", false, err);
    return copy < 0 ? -err->code : mount_attach(copy, target, "", err);
}

static int mask_file(int target, int null, struct err *err)
{
    cleanup_close int copy = mount_clone(null, "", false, err);

    return copy < 0 ? -err->code : mount_attach(copy, target, "", err);
}

static int mask(int root, const char *path, int null, int *empty, struct err *err)
{
    cleanup_close int target = open_guarded(root, path, err);
    struct stat st;

    if (target == -ENOENT)
        return 0;
    if (target < 0)
        return -err->code;
    if (fstat(target, &st) < 0)
        return err_errno(err, "cannot look at '%s'", path);
    return S_ISDIR(st.st_mode) ? mask_directory(target, empty, err) : mask_file(target, null, err);
}

/* Binds a path on itself: the new mount can be read-only while the file system around it is not. */
static int make_readonly(int root, const char *path, struct err *err)
{
    cleanup_close int target = open_guarded(root, path, err);
    cleanup_close int copy = -1;

    if (target == -ENOENT)
        return 0;
    if (target < 0)
        return -err->code;
    copy = mount_clone(target, "", true, err);
    if (copy < 0 || mount_change(copy, MOUNT_ATTR_RDONLY, 0, true, err) < 0)
        return -err->code;
    return mount_attach(copy, target, "", err);
}

int masks_apply(const struct spec *spec, int root, int null, struct err *err)
{
    cleanup_close int empty = -1;

    /* Read-only first: a bind of /proc/sys made later would show what was masked below it again. */
    for (size_t i = 0; i < spec->readonly.len; i++)
        if (make_readonly(root, spec->readonly.items[i], err) < 0)
            return err_wrap(err, "cannot make '%s' read-only", spec->readonly.items[i]);
    for (size_t i = 0; i < spec->masked.len; i++)
        if (mask(root, spec->masked.items[i], null, &empty, err) < 0)
            return err_wrap(err, "cannot mask '%s'", spec->masked.items[i]);
    return 0;
}
