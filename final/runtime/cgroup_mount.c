/* What the container sees of its group: /sys/fs/cgroup.
 *
 * In a cgroup namespace of its own (cgroup_namespaces(7)) mounting a hierarchy shows the
 * container's group as its root. Without one, the group's directory is bound there instead: a mount
 * would show the whole host. A container that was given no group may look at those it shares, not
 * write. */
#include "runtime/cgroup_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/mount_api.h"

#define SAFE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* A directory of the host's, as a detached mount. */
static int bind_group(const char *base, const char *path, uint64_t attributes, struct err *err)
{
    cleanup_free char *group = str_format("%s%s", base, path);
    cleanup_close int mount = mount_clone(AT_FDCWD, group, false, err);

    if (mount < 0 || mount_change(mount, attributes, 0, false, err) < 0)
        return -err->code;
    return steal_fd(&mount);
}

/* A user namespace that does not own the cgroup namespace may not mount: bound then, as without
 * one. */
static int new_or_bound(const struct cgroup *cg, const struct mount_fs *fs, const char *base,
                        struct err *err)
{
    int mount = cg->namespaced ? mount_make(fs, err) : -1;

    if (mount >= 0 || (cg->namespaced && err->code != EPERM))
        return mount;
    return bind_group(base, cg->path, fs->attributes, err);
}

static int v2_mount(const struct cgroup *cg, const struct cgroup_view *view, int target,
                    struct err *err)
{
    const struct mount_fs fs = {
        .type = "cgroup2",
        .source = "cgroup",
        .data = view->data,
        .attributes = view->attributes,
    };
    cleanup_close int mount = -1;

    if (!cg->unified)
        return err_set(err, ENOENT, "this host has no control groups of version 2");
    mount = new_or_bound(cg, &fs, cg->unified, err);
    return mount < 0 ? -err->code : mount_attach(mount, target, "", err);
}

/* The options that name a controller's hierarchy: all controllers in it (the directory "cpu" is
 * often a link to "cpu,cpuacct"); or the name of one that has none. */
static char *hierarchy_of(const struct cgroup *cg, const char *controller)
{
    cleanup_free char *base = cgroup_v1_base(cg, controller);
    char target[256];
    ssize_t n;

    if (!strcmp(controller, "systemd"))
        return str_copy("none,name=systemd");
    n = readlink(base, target, sizeof target - 1);
    if (n < 0)
        return str_copy(controller);
    target[n] = 0;
    return str_copy(strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

static int open_hierarchy(const struct cgroup *cg, const char *controller, uint64_t attributes,
                          struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, controller);
    cleanup_free char *options = hierarchy_of(cg, controller);
    const struct strv data = {.items = &options, .len = 1};
    const struct mount_fs fs = {
        .type = "cgroup", .source = "cgroup", .data = &data, .attributes = attributes};

    return new_or_bound(cg, &fs, base, err);
}

/* Trees that were not joined are left out: what they would show is the engine's own group. */
static int mount_one(const struct cgroup *cg, const char *controller, int dir, uint64_t attributes,
                     struct err *err)
{
    cleanup_free char *group = str_format("%s/%s%s", cg->root, controller, cg->path);
    cleanup_close int mount = -1;

    if (access(group, F_OK) < 0)
        return 0;
    if (mkdirat(dir, controller, 0755) < 0)
        return err_errno(err, "cannot make '%s' in /sys/fs/cgroup", controller);
    mount = open_hierarchy(cg, controller, attributes, err);
    if (mount < 0 || mount_attach(mount, dir, controller, err) < 0)
        return err_wrap(err, "control groups '%s'", controller);
    return 0;
}

static int v1_mount(const struct cgroup *cg, const struct cgroup_view *view, int target,
                    struct err *err)
{
    cleanup_close int dir = -1;

    if (view->data->len)
        return err_set(err, EINVAL, "option '%s': control groups of version 1 have none",
                       view->data->items[0]);
    dir = mount_new("tmpfs", "tmpfs", "mode=755,size=64k",
                    view->attributes & ~(uint64_t)MOUNT_ATTR_RDONLY, err);
    if (dir < 0 || mount_attach(dir, target, "", err) < 0)
        return -err->code;
    for (size_t i = 0; cg->version && cgroup_v1_controller(i); i++)
        if (mount_one(cg, cgroup_v1_controller(i), dir, view->attributes, err) < 0)
            return -err->code;
    /* Peers leave this tmpfs writable: the container could fill the host's memory beside its limit.
     */
    return mount_change(dir, view->attributes & MOUNT_ATTR_RDONLY, 0, false, err);
}

int cgroup_mount(const struct cgroup *cg, const struct cgroup_view *view, int target,
                 struct err *err)
{
    int version = cg->version ? cg->version : runtime_cgroup_version(cg->root);
    struct cgroup_view safe = *view;

    safe.attributes |= SAFE | (cg->version ? 0 : MOUNT_ATTR_RDONLY);
    err->code = 0;
    if (!version)
        return err_set(err, ENOENT, "no control groups at '%s'", cg->root);
    return version == 2 || view->unified ? v2_mount(cg, &safe, target, err)
                                         : v1_mount(cg, &safe, target, err);
}
