/* The root file system in four moves.
 *
 * 1. The new mount namespace is a copy of the host's, and where the host's mounts are "shared" the
 * copy still propagates: a mount made here would appear there. So first everything becomes private
 * (or slave, when the host's later mounts shall come in).
 * 2. The root is mounted: as an overlay (named relative to a directory we chdir(2) to, because
 * mount(2) takes one page of options and 127 absolute names do not fit), or bound onto itself,
 * since pivot_root(2) accepts only a mount point.
 * 3. All other mounts are made beneath it while the host's paths can still be named as sources.
 * 4. pivot_root(".", ".") puts the new root in the place of the old and stacks the old one on top
 * of it; unmounting "." removes that top. Afterwards no path and no ".." leads back: unlike
 * chroot(2), the host's tree is not merely out of sight, it is not in this namespace any more.
 */
#include "runtime/rootfs.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

static const struct {
    const char *name;
    unsigned long flags;
} propagations[] = {
    {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
    {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
    {"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
    {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC},
};

static int propagation_flags(const char *name, unsigned long *ret, struct err *err)
{
    for (size_t i = 0; i < sizeof propagations / sizeof *propagations; i++)
        if (!strcmp(name, propagations[i].name)) {
            *ret = propagations[i].flags;
            return 0;
        }
    return err_set(err, EINVAL, "linux.rootfsPropagation: there is no '%s'", name);
}

/* While the container is made nothing may go out to the host, whatever the final propagation:
 * "shared" and "slave" want the host's mounts to come in, and both are a slave for now. */
static int cut_off(const struct spec *spec, struct err *err)
{
    unsigned long wanted, flags = MS_PRIVATE;

    if (spec->propagation) {
        if (propagation_flags(spec->propagation, &wanted, err) < 0)
            return -err->code;
        flags = wanted & (MS_SLAVE | MS_SHARED) ? MS_SLAVE : MS_PRIVATE;
    }
    if (mount(NULL, "/", NULL, flags | MS_REC, NULL) < 0)
        return err_errno(err, "cannot separate the container's mounts from the host's");
    return 0;
}

static int mount_overlay(const struct spec *spec, const char *path, struct err *err)
{
    const char *options = spec->overlay_options ? spec->overlay_options : "";

    if (chdir(spec->overlay_base) < 0)
        return err_errno(err, "cannot enter '%s' to mount the overlay", spec->overlay_base);
    if (mount("overlay", path, "overlay", 0, options) < 0)
        return err_errno(err, "cannot mount the overlay '%.512s' on '%s'", options, path);
    return 0;
}

/* Without one of its own the container shares its mounts with the host or whoever made the namespace
 * it joined. Then nothing is mounted (namespaces.c refuses it) and the root is only changed. */
static bool has_mount_namespace(const struct spec *spec)
{
    return spec->new_namespaces & CLONE_NEWNS;
}

int rootfs_mount(const struct spec *spec, const char *bundle, struct err *err)
{
    cleanup_free char *path = *spec->root_path == '/'
                                  ? str_copy(spec->root_path)
                                  : str_format("%s/%s", bundle, spec->root_path);
    int root;

    if (!has_mount_namespace(spec)) {
        root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return root < 0 ? err_errno(err, "cannot open the root '%s'", path) : root;
    }
    if (cut_off(spec, err) < 0)
        return -err->code;
    if (spec->overlay_base) {
        if (mount_overlay(spec, path, err) < 0)
            return -err->code;
    } else if (mount(path, path, NULL, MS_BIND | MS_REC, NULL) < 0) {
        return err_errno(err, "cannot bind the root '%s'", path);
    }
    root = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return root < 0 ? err_errno(err, "cannot open the root '%s'", path) : root;
}

int rootfs_pivot(const struct spec *spec, int root, struct err *err)
{
    unsigned long flags = 0;

    if (fchdir(root) < 0)
        return err_errno(err, "cannot enter the container's root");
    if (!has_mount_namespace(spec))
        return chroot(".") < 0 ? err_errno(err, "cannot change the root") : 0;
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return err_errno(err, "cannot make the container's root the root (pivot_root)");
    if (umount2(".", MNT_DETACH) < 0)
        return err_errno(err, "cannot detach the host's root");
    if (chdir("/") < 0)
        return err_errno(err, "cannot enter the new root");
    /* Private is what it is already; anything else is set once the host is out of reach. */
    if (spec->propagation && propagation_flags(spec->propagation, &flags, err) < 0)
        return -err->code;
    if (flags & ~(unsigned long)(MS_PRIVATE | MS_REC) && mount(NULL, "/", NULL, flags, NULL) < 0)
        return err_errno(err, "cannot set the root's propagation to '%s'", spec->propagation);
    return 0;
}
