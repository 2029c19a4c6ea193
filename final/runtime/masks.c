/* Masked and read-only paths.
 *
 * /proc and /sys tell about the whole machine, and root in a container may read nearly all of it. A
 * file is masked by binding /dev/null on it, a directory by an empty read-only tmpfs (one for all
 * of them). The null device is the host's, opened before anything of the image is in sight and
 * checked by its number: an image that brings its own /dev/null once got a host file bound in its
 * place (CVE-2025-31133). What lies in /proc or /sys is looked up in the mount that was put there,
 * not by the name, which may mean something else by now (CVE-2019-19921, CVE-2023-27561).
 */
#include "runtime/masks.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "runtime/mount_api.h"
#include "runtime/mount_target.h"

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

/* Opens a path to guard; -ENOENT when there is none: nothing to hide then. One that we may not even
 * look up (EACCES: in a user namespace) is hidden from the container's root as well. */
static int open_guarded(const struct mounts *m, const char *path, struct err *err)
{
    int fd = mounts_open(m, path);

    if (fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES)
        return -ENOENT;
    return fd < 0 ? err_set(err, -fd, "cannot open it: %s", strerror(-fd)) : fd;
}

/* The first directory gets the tmpfs itself, the others binds of it. It is cloned only once it is
 * in its place: before Linux 6.15 a mount that is in no namespace yet cannot be. */
static int mask_directory(const struct spec *spec, int target, int *empty, struct err *err)
{
    char *words[] = {"size=4k", "nr_inodes=1", "mode=555", NULL};
    const struct strv data = {.items = words, .len = 3};
    const struct mount_fs fs = {
        .type = "tmpfs",
        .source = "tmpfs",
        .data = &data,
        .label_option = spec->mount_label_kind,
        .label = spec->mount_label,
        .attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
    };
    cleanup_close int copy = -1;

    if (*empty < 0) {
        *empty = mount_make(&fs, err);
        return *empty < 0 ? -err->code : mount_attach(*empty, target, "", err);
    }
    copy = mount_clone(*empty, "", 0, err);
    return copy < 0 ? -err->code : mount_attach(copy, target, "", err);
}

static int mask_file(int target, int null, struct err *err)
{
    cleanup_close int copy = mount_clone(null, "", 0, err);

    return copy < 0 ? -err->code : mount_attach(copy, target, "", err);
}

static int mask(const struct mounts *m, const char *path, int null, int *empty, struct err *err)
{
    cleanup_close int target = open_guarded(m, path, err);
    struct stat st;

    if (target == -ENOENT)
        return 0;
    if (target < 0)
        return -err->code;
    if (mount_target_is(path, "/"))
        return err_set(err, EINVAL, "the root cannot be masked");
    if (fstat(target, &st) < 0)
        return err_errno(err, "cannot look at it");
    return S_ISDIR(st.st_mode) ? mask_directory(m->spec, target, empty, err)
                               : mask_file(target, null, err);
}

/* Binds a path on itself: the new mount can be read-only while the file system around it is not.
 * The root is a mount of its own already. */
static int make_readonly(const struct mounts *m, const char *path, struct err *err)
{
    cleanup_close int target = open_guarded(m, path, err);
    cleanup_close int copy = -1;

    if (target == -ENOENT)
        return 0;
    if (target < 0)
        return -err->code;
    if (mount_target_is(path, "/"))
        return mount_change(m->root, MOUNT_ATTR_RDONLY, 0, false, err);
    copy = mount_clone(target, "", AT_RECURSIVE, err);
    if (copy < 0 || mount_change(copy, MOUNT_ATTR_RDONLY, 0, true, err) < 0)
        return -err->code;
    return mount_attach(copy, target, "", err);
}

int masks_apply(const struct mounts *m, int null, struct err *err)
{
    const struct strv *readonly = &m->spec->readonly, *masked = &m->spec->masked;
    cleanup_close int empty = -1;

    /* Read-only first: a bind of /proc/sys made later would show what was masked below it again. */
    for (size_t i = 0; i < readonly->len; i++)
        if (make_readonly(m, readonly->items[i], err) < 0)
            return err_wrap(err, "linux.readonlyPaths: cannot make '%s' read-only",
                            readonly->items[i]);
    for (size_t i = 0; i < masked->len; i++)
        if (mask(m, masked->items[i], null, &empty, err) < 0)
            return err_wrap(err, "linux.maskedPaths: cannot mask '%s'", masked->items[i]);
    return 0;
}
