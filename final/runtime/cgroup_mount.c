/* What the container sees of its group: /sys/fs/cgroup.
 *
 * Mounting a hierarchy inside a new cgroup namespace (cgroup_namespaces(7)) shows the container's
 * own group as its root: the same directory a bind mount would show, without naming the host's
 * path. */
#include "runtime/cgroup_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/mount_api.h"

/* The hierarchy a controller's directory belongs to: "cpu" is often a link to "cpu,cpuacct", and
 * must be mounted by the names of all controllers in it. */
static char *hierarchy_of(const struct cgroup *cg, const char *name)
{
    cleanup_free char *base = cgroup_v1_base(cg, name), *real = realpath(base, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;

    return str_copy(slash ? slash + 1 : name);
}

/* Trees that were not joined are left out, because their root would be the engine's own group. */
static int mount_one(const struct cgroup *cg, const char *name, int dir, uint64_t attributes,
                     struct err *err)
{
    cleanup_free char *group = str_format("%s/%s%s", cg->root, name, cg->path);
    cleanup_free char *hierarchy = NULL;
    cleanup_close int mount = -1;

    if (access(group, F_OK) < 0)
        return 0;
    if (mkdirat(dir, name, 0755) < 0)
        return errno == EEXIST ? 0 : err_errno(err, "cannot make '%s' in /sys/fs/cgroup", name);
    hierarchy = hierarchy_of(cg, name);
    mount = mount_new("cgroup", "cgroup", hierarchy, attributes, err);
    if (mount < 0 || mount_attach(mount, dir, name, err) < 0)
        return err_wrap(err, "control groups '%s'", hierarchy);
    return 0;
}

int cgroup_v1_mount(const struct cgroup *cg, int target, uint64_t attributes, struct err *err)
{
    uint64_t safe = attributes | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    cleanup_close int dir =
        mount_new("tmpfs", "tmpfs", "mode=755,size=64k", safe & ~(uint64_t)MOUNT_ATTR_RDONLY, err);

    if (dir < 0 || mount_attach(dir, target, "", err) < 0)
        return err_wrap(err, "/sys/fs/cgroup");
    for (size_t i = 0; cgroup_v1_controllers[i]; i++)
        if (mount_one(cg, cgroup_v1_controllers[i], dir, safe, err) < 0)
            return -err->code;
    /* Peers leave this tmpfs writable: the container could fill the host's memory beside its limit.
     */
    return mount_change(dir, attributes & MOUNT_ATTR_RDONLY, 0, false, err);
}

int cgroup_v2_mount(const struct cgroup *cg, int target, uint64_t attributes, struct err *err)
{
    uint64_t safe = attributes | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    cleanup_close int mount = mount_new("cgroup2", "cgroup", NULL, safe, err);

    (void)cg; /* the cgroup namespace knows which group is the root */
    if (mount < 0 || mount_attach(mount, target, "", err) < 0)
        return err_wrap(err, "control groups");
    return 0;
}
