/* The mounts of config.json, in their order.
 *
 * The destination of a mount is a path inside an image, so a symlink there may point anywhere. It
 * is opened first, beneath the root (RESOLVE_IN_ROOT: "/x" and ".." mean the container's), made if
 * missing, and the mount is put on that descriptor. /proc, /sys and the like must not be symlinks
 * at all: masks and read-only paths are looked up by name afterwards, and would guard the wrong
 * place (CVE-2019-19921, CVE-2023-27561). Nothing is mounted inside a procfs but /proc's harmless
 * files (CVE-2015-3631). */
#include "runtime/mounts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "runtime/mount_api.h"
#include "runtime/mount_options.h"
#include "runtime/seed.h"

/* What LXCFS and its like replace so that free(1) and uptime(1) tell the container's truth. */
static const char *const replaceable[] = {
    "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat",
    "/proc/swaps",   "/proc/uptime",    "/proc/loadavg", "/proc/slabinfo",
};

/* File systems whose place the rest of the set-up relies on. */
static bool is_fixed_type(const char *type)
{
    return !strcmp(type, "proc") || !strcmp(type, "sysfs");
}

static int check_not_in_proc(const struct spec_mount *mount, int target, struct err *err)
{
    struct statfs fs;

    if (fstatfs(target, &fs) < 0)
        return err_errno(err, "cannot look at '%s'", mount->destination);
    if (fs.f_type != PROC_SUPER_MAGIC || (mount->type && !strcmp(mount->type, "proc")))
        return 0;
    for (size_t i = 0; i < sizeof replaceable / sizeof *replaceable; i++)
        if (!strcmp(mount->destination, replaceable[i]))
            return 0;
    return err_set(err, EPERM, "'%s' is inside /proc: nothing may be mounted there",
                   mount->destination);
}

/* An empty file to bind a file on, with its directories. */
static int make_file(int root, const char *path, struct err *err)
{
    char name[256];
    cleanup_close int parent = beneath_parent(root, path, 1, name, err);
    cleanup_close int fd = -1;

    if (parent < 0)
        return parent;
    fd = openat(parent, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    return fd < 0 ? err_errno(err, "cannot make the file '%s' to mount on", path) : 0;
}

/* Opens the place a mount goes to; `want_dir` says what to make if nothing is there. */
static int open_target(const struct mounts_context *c, const struct spec_mount *mount,
                       bool want_dir, struct err *err)
{
    const char *path = mount->destination;
    uint64_t resolve = mount->type && is_fixed_type(mount->type) ? RESOLVE_NO_SYMLINKS : 0;
    int target = beneath_open(c->root, path, O_PATH, 0, resolve);

    if (target == -ENOENT && want_dir) {
        target = beneath_make_dirs(c->root, path, 0755, err);
    } else if (target == -ENOENT) {
        if (make_file(c->root, path, err) < 0)
            return -err->code;
        target = beneath_open(c->root, path, O_PATH, 0, resolve);
    }
    if (target == -ELOOP && resolve)
        return err_set(err, ELOOP, "'%s' is a symlink in the image: refused for a '%s'", path,
                       mount->type);
    if (target < 0)
        return err_set(err, -target, "cannot open the mount point '%s': %s", path,
                       strerror(-target));
    if (check_not_in_proc(mount, target, err) < 0) {
        close(target);
        return -err->code;
    }
    return target;
}

static int change_attributes(int mount, const struct mount_options *options, struct err *err)
{
    if (mount_change(mount, options->set, options->clear, false, err) < 0)
        return -err->code;
    return mount_change(mount, options->set_recursive, options->clear_recursive, true, err);
}

static int change_propagation(int mount_fd, const struct mount_options *options, struct err *err)
{
    struct mount_attr attr = {.propagation = options->propagation & ~(unsigned long)MS_REC};

    if (!options->propagation)
        return 0;
    if (mount_setattr(mount_fd, "",
                      AT_EMPTY_PATH | (options->propagation & MS_REC ? AT_RECURSIVE : 0), &attr,
                      sizeof attr) < 0)
        return err_errno(err, "cannot change the propagation of a mount");
    return 0;
}

static int type_mismatch(const struct spec_mount *mount, const char *source, bool source_is_dir,
                         struct err *err)
{
    return err_set(
        err, ENOTDIR,
        "cannot mount '%s' on '%s': not a directory: one is a %s, the other is not. Are you "
        "trying to mount a directory onto a file (or vice-versa)?",
        source, mount->destination, source_is_dir ? "directory" : "file");
}

/* A bind keeps the flags its source is mounted with: a host that says nosuid means it here too. */
static int make_bind(const struct mounts_context *c, const struct spec_mount *mount,
                     const struct mount_options *options, struct err *err)
{
    cleanup_free char *source =
        mount->source && *mount->source == '/'
            ? str_copy(mount->source)
            : str_format("%s/%s", c->bundle, mount->source ? mount->source : "");
    cleanup_close int tree = mount_clone(AT_FDCWD, source, options->recursive, err);
    cleanup_close int target = -1;
    struct stat from, to;

    if (tree < 0)
        return -err->code;
    if (fstat(tree, &from) < 0)
        return err_errno(err, "cannot look at '%s'", source);
    target = open_target(c, mount, S_ISDIR(from.st_mode), err);
    if (target < 0)
        return -err->code;
    if (fstat(target, &to) < 0)
        return err_errno(err, "cannot look at '%s'", mount->destination);
    if (S_ISDIR(from.st_mode) != S_ISDIR(to.st_mode))
        return type_mismatch(mount, source, S_ISDIR(from.st_mode), err);
    if (options->seed && S_ISDIR(from.st_mode) && seed_directory(target, tree, err) < 0)
        return err_wrap(err, "cannot fill the volume at '%s'", mount->destination);
    if (change_attributes(tree, options, err) < 0 || mount_attach(tree, target, "", err) < 0)
        return -err->code;
    return change_propagation(tree, options, err);
}

static int make_filesystem(const struct mounts_context *c, const struct spec_mount *mount,
                           const struct mount_options *options, struct err *err)
{
    cleanup_close int target = open_target(c, mount, true, err);
    cleanup_close int made = -1;

    if (target < 0)
        return -err->code;
    if (!strcmp(mount->type, "cgroup") || !strcmp(mount->type, "cgroup2")) {
        if (c->enter_cgroup(c->context, err) < 0)
            return -err->code;
        return cgroup_mount(c->cgroup, target, options->set, err);
    }
    made = mount_new(mount->type, mount->source, options->data.data, options->set, err);
    if (made < 0 || mount_attach(made, target, "", err) < 0)
        return -err->code;
    return change_propagation(made, options, err);
}

static int make_one(const struct mounts_context *c, const struct spec_mount *mount, struct err *err)
{
    cleanup_with(mount_options_free) struct mount_options options = {0};
    bool bind;

    if (mount_options_parse(&mount->options, &options, err) < 0)
        return -err->code;
    bind = options.bind || !mount->type || !strcmp(mount->type, "bind");
    if (bind && !(mount->source && *mount->source))
        return err_set(err, EINVAL, "a bind needs a source");
    return bind ? make_bind(c, mount, &options, err) : make_filesystem(c, mount, &options, err);
}

int mounts_make(const struct mounts_context *c, struct err *err)
{
    for (size_t i = 0; i < c->spec->mount_count; i++)
        if (make_one(c, &c->spec->mounts[i], err) < 0)
            return err_wrap(err, "mount '%s'", c->spec->mounts[i].destination);
    return 0;
}

bool mounts_bind_dev(const struct spec *spec)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct spec_mount *mount = &spec->mounts[i];

        if (!strcmp(mount->destination, "/dev"))
            return !mount->type || !strcmp(mount->type, "bind") ||
                   strv_contains(&mount->options, "bind") ||
                   strv_contains(&mount->options, "rbind");
    }
    return false;
}
