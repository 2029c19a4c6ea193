#include "runtime/mount_target.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/str.h"

#define PROC_ROOT_INODE 1 /* linux/proc_ns.h: PROC_ROOT_INO; no other file of a procfs has it */

#ifndef DEVPTS_SUPER_MAGIC
#define DEVPTS_SUPER_MAGIC 0x1cd1
#endif

/* --- names ------------------------------------------------------------------------------------ */

char *mount_target_clean(const char *destination)
{
    cleanup_strv struct strv parts = {0};
    struct buf clean = {0};

    strv_split(&parts, destination, '/');
    for (size_t i = 0; i < parts.len; i++) {
        const char *part = parts.items[i];

        if (!*part || !strcmp(part, "."))
            continue;
        if (strcmp(part, ".."))
            buf_printf(&clean, "/%s", part);
        else if (clean.len)
            clean.data[clean.len = (size_t)(strrchr(clean.data, '/') - clean.data)] = 0;
    }
    if (!clean.len)
        buf_add_char(&clean, '/');
    return buf_steal(&clean);
}

/* Nearly always it is written plainly. */
static bool is_plain(const char *destination)
{
    return *destination == '/' && !strstr(destination, "//") && !strstr(destination, "/.") &&
           (!destination[1] || !str_ends(destination, "/"));
}

bool mount_target_is(const char *destination, const char *path)
{
    cleanup_free char *clean = NULL;

    if (is_plain(destination))
        return !strcmp(destination, path);
    clean = mount_target_clean(destination);
    return !strcmp(clean, path);
}

/* --- finding or making it --------------------------------------------------------------------- */

static int open_directory(int root, const char *destination, bool *ret_made, struct err *err)
{
    int fd = beneath_open(root, destination, O_PATH | O_DIRECTORY, 0, 0);

    if (fd != -ENOENT)
        return fd;
    *ret_made = true;
    return beneath_make_dirs(root, destination, 0755, err);
}

static int open_fixed(int root, const char *destination, bool *ret_made, struct err *err)
{
    int fd = beneath_open(root, destination, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);

    if (fd == -ENOENT) {
        int made = open_directory(root, destination, ret_made, err);

        if (made < 0)
            return made;
        close(made);
        fd = beneath_open(root, destination, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);
    }
    if (fd == -ELOOP)
        return err_set(err, ELOOP,
                       "there is a symlink in the image: this is mounted on a real directory only");
    return fd < 0 ? err_set(err, -fd, "cannot open the mount point: %s", strerror(-fd)) : fd;
}

static int open_link(int root, const char *destination, struct err *err)
{
    int fd = beneath_open(root, destination, O_PATH | O_NOFOLLOW, 0, 0);

    return fd == -ENOENT ? beneath_make_file(root, destination, 0644, err) : fd;
}

static int open_file(int root, const char *destination, struct err *err)
{
    int fd = beneath_open(root, destination, O_PATH, 0, 0);

    return fd == -ENOENT ? beneath_make_file(root, destination, 0644, err) : fd;
}

static int open_place(int root, const char *destination, enum mount_target_kind kind,
                      bool *ret_made, struct err *err)
{
    int fd;

    err->code = 0;
    switch (kind) {
    case TARGET_FIXED:
        fd = open_fixed(root, destination, ret_made, err);
        break;
    case TARGET_DIRECTORY:
        fd = open_directory(root, destination, ret_made, err);
        break;
    case TARGET_LINK:
        fd = open_link(root, destination, err);
        break;
    default:
        fd = open_file(root, destination, err);
        break;
    }
    if (fd < 0 && !err->code)
        return err_set(err, -fd, "cannot open the mount point: %s", strerror(-fd));
    return fd;
}

bool mount_target_is_kernel(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC;
}

int mount_target_open(int root, const char *destination, enum mount_target_kind kind,
                      struct mount_target *ret, struct err *err)
{
    bool made = false;
    cleanup_close int fd = open_place(root, destination, kind, &made, err);
    struct statfs fs;
    struct stat st = {0};

    if (fd < 0)
        return fd;
    if (fstatfs(fd, &fs) < 0 || (fs.f_type == PROC_SUPER_MAGIC && fstat(fd, &st) < 0))
        return err_errno(err, "cannot look at the mount point");
    if (kind == TARGET_LINK && (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
                                fs.f_type == DEVPTS_SUPER_MAGIC))
        return err_set(err, EPERM,
                       "with 'dest-nofollow' nothing is mounted in /proc, /sys or /dev/pts");
    *ret = (struct mount_target){
        .on_proc = fs.f_type == PROC_SUPER_MAGIC,
        .at_root = st.st_ino == PROC_ROOT_INODE,
        .made = made,
    };
    ret->fd = steal_fd(&fd);
    return 0;
}

/* --- what may be mounted there ---------------------------------------------------------------- */

/* What LXCFS and its like replace so that free(1) and uptime(1) tell the container's truth; the
 * last two are what systemd and FIPS images expect to be able to bind. */
static const char *const replaceable[] = {
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/net/dev",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
};

static bool is_replaceable(const char *clean)
{
    for (size_t i = 0; i < sizeof replaceable / sizeof *replaceable; i++)
        if (!strcmp(clean, replaceable[i]))
            return true;
    return false;
}

int mount_target_check(const struct mount_target *target, const char *destination, bool proc,
                       struct err *err)
{
    cleanup_free char *clean = NULL;

    if (!target->on_proc && !strstr(destination, "proc"))
        return 0;
    clean = mount_target_clean(destination);
    if (target->at_root || !strcmp(clean, "/proc"))
        return proc ? 0
                    : err_set(err, EPERM, "'%s' cannot be mounted because it is not of type proc",
                              clean);
    if ((!target->on_proc && !str_starts(clean, "/proc/")) || is_replaceable(clean))
        return 0;
    return err_set(err, EPERM, "'%s' cannot be mounted because it is inside /proc", clean);
}
