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

static int v2_mount(const struct cgroup *cg, int target, uint64_t attributes, struct err *err)
{
    cleanup_close int mount = cg->namespaced ? mount_new("cgroup2", "cgroup", NULL, attributes, err)
                                             : bind_group(cg->unified, cg->path, attributes, err);

    if (mount < 0 || mount_attach(mount, target, "", err) < 0)
        return err_wrap(err, "control groups");
    return 0;
}

/* The options that name a controller's hierarchy: all controllers in it (the directory "cpu" is
 * often a link to "cpu,cpuacct"); or the name of one that has none. */
static char *hierarchy_of(const struct cgroup *cg, const char *controller)
{
    cleanup_free char *base = cgroup_v1_base(cg, controller), *real = realpath(base, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;

    if (!strcmp(controller, "systemd"))
        return str_copy("none,name=systemd");
    return str_copy(slash ? slash + 1 : controller);
}

static int open_hierarchy(const struct cgroup *cg, const char *controller, uint64_t attributes,
                          struct err *err)
{
    cleanup_free char *base = cgroup_v1_base(cg, controller);
    cleanup_free char *options = hierarchy_of(cg, controller);

    return cg->namespaced ? mount_new("cgroup", "cgroup", options, attributes, err)
                          : bind_group(base, cg->path, attributes, err);
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

static int v1_mount(const struct cgroup *cg, int target, uint64_t attributes, struct err *err)
{
    cleanup_close int dir = mount_new("tmpfs", "tmpfs", "mode=755,size=64k",
                                      attributes & ~(uint64_t)MOUNT_ATTR_RDONLY, err);

    if (dir < 0 || mount_attach(dir, target, "", err) < 0)
        return err_wrap(err, "/sys/fs/cgroup");
    for (size_t i = 0; cg->version && cgroup_v1_controller(i); i++)
        if (mount_one(cg, cgroup_v1_controller(i), dir, attributes, err) < 0)
            return -err->code;
    /* Peers leave this tmpfs writable: the container could fill the host's memory beside its limit.
     */
    return mount_change(dir, attributes & MOUNT_ATTR_RDONLY, 0, false, err);
}

int cgroup_mount(const struct cgroup *cg, int target, uint64_t attributes, struct err *err)
{
    int version = cg->version ? cg->version : runtime_cgroup_version(cg->root);
    uint64_t safe = attributes | SAFE | (cg->version ? 0 : MOUNT_ATTR_RDONLY);

    if (!version)
        return err_set(err, ENOENT, "no control groups at '%s'", cg->root);
    return version == 2 ? v2_mount(cg, target, safe, err) : v1_mount(cg, target, safe, err);
}
