/* The root file system in four moves.
 *
 * 1. The new mount namespace is a copy of the host's, and where the host's mounts are "shared" the
 * copy still propagates: a mount made here would appear there. So first everything becomes private,
 * or slave when the host's later mounts shall come in. Only linux.rootfsPropagation "shared" leaves
 * the host's mounts as they are, because then a bind of a shared mount shall be a true peer of it;
 * what we mount ourselves is kept from going out by the one mount above the root.
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/mount_api.h"
#include "runtime/rootfs_move.h"

/* --- propagation: mount_namespaces(7) --------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned long flags;
} propagations[] = {
    {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
    {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
    {"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
    {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC},
};

/* MS_* of linux.rootfsPropagation: 0 without one, and for a word that rootfs_mount() refuses. */
static unsigned long wanted_propagation(const struct spec *spec)
{
    for (size_t i = 0; spec->propagation && i < sizeof propagations / sizeof *propagations; i++)
        if (!strcmp(spec->propagation, propagations[i].name))
            return propagations[i].flags;
    return 0;
}

static bool asks_for_events(const struct spec_mount *mount)
{
    static const char *const words[] = {"slave", "rslave", "shared", "rshared"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strv_contains(&mount->options, words[i]))
            return true;
    return false;
}

/* A single bind that wants the host's later mounts gets them, as in runc, although the root is
 * private: the host's side has to be a master for it. */
static unsigned long host_propagation(const struct spec *spec)
{
    unsigned long wanted = wanted_propagation(spec) & ~(unsigned long)MS_REC;

    if (wanted == MS_SHARED || wanted == MS_SLAVE)
        return wanted;
    for (size_t i = 0; i < spec->mount_count; i++)
        if (asks_for_events(&spec->mounts[i]))
            return MS_SLAVE;
    return MS_PRIVATE;
}

bool rootfs_isolated(const struct spec *spec)
{
    return host_propagation(spec) == MS_PRIVATE;
}

static int cut_off(const struct spec *spec, struct err *err)
{
    unsigned long propagation = host_propagation(spec);

    if (spec->propagation && !wanted_propagation(spec))
        return err_set(err, EINVAL, "linux.rootfsPropagation: there is no '%s'", spec->propagation);
    if (propagation != MS_SHARED && mount(NULL, "/", NULL, propagation | MS_REC, NULL) < 0)
        return err_errno(err, "cannot separate the container's mounts from the host's");
    return 0;
}

/* The mount that holds the root's mount point: what is mounted on a private one stays here. Only
 * the root of a mount can be changed, and ".." of that leads to the next one. */
static int isolate_parent(int mount_point, struct err *err)
{
    cleanup_close int at = fcntl(mount_point, F_DUPFD_CLOEXEC, 3);
    struct mount_attr attr = {.propagation = MS_PRIVATE};

    while (at >= 0 && mount_setattr(at, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0) {
        int up = errno == EINVAL ? openat(at, "..", O_PATH | O_CLOEXEC) : -1;

        if (up < 0)
            return err_errno(err, "cannot separate the container's root from the host's mounts");
        close(at);
        at = up;
    }
    return at < 0 ? err_errno(err, "cannot open the root's parent") : 0;
}

/* --- mounting it ------------------------------------------------------------------------------ */

/* To mount on oneself what is one's root already would give the container the host's files. */
static int check_not_ours(int root, const char *path, struct err *err)
{
    struct stat root_st, our_st;

    if (fstat(root, &root_st) < 0 || stat("/", &our_st) < 0)
        return err_errno(err, "cannot look at the root '%s'", path);
    if (root_st.st_dev == our_st.st_dev && root_st.st_ino == our_st.st_ino)
        return err_set(
            err, EINVAL,
            "root.path '%s' is the host's own root: give the container a directory of its own",
            path);
    return 0;
}

static int mount_overlay(const struct spec *spec, const char *path, struct err *err)
{
    const char *options = spec->overlay_options ? spec->overlay_options : "";
    int root;

    if (chdir(spec->overlay_base) < 0)
        return err_errno(err, "cannot enter '%s' to mount the overlay", spec->overlay_base);
    if (mount("overlay", path, "overlay", 0, options) < 0)
        return err_errno(err, "cannot mount the overlay '%.512s' on '%s'", options, path);
    root = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return root < 0 ? err_errno(err, "cannot open the root '%s'", path) : root;
}

/* The root's own later mounts come in only if linux.rootfsPropagation says so. */
static int mount_bind(const struct spec *spec, int place, const char *path, struct err *err)
{
    bool slave = wanted_propagation(spec) & MS_SLAVE;
    cleanup_close int root = -1;

    root = mount_clone(place, "", AT_RECURSIVE, err);
    if (root < 0 ||
        (!rootfs_isolated(spec) && !slave && mount_propagate(root, MS_PRIVATE | MS_REC, err) < 0) ||
        mount_attach(root, place, "", err) < 0)
        return err_wrap(err, "the root '%s'", path);
    return steal_fd(&root);
}

/* Without one of its own the container shares its mounts with the host or whoever made the
 * namespace it joined. Then nothing is mounted (namespaces.c refuses it) and the root is only
 * changed. */
static bool has_mount_namespace(const struct spec *spec)
{
    return spec->new_namespaces & CLONE_NEWNS;
}

int rootfs_mount(const struct spec *spec, const char *bundle, struct err *err)
{
    cleanup_free char *path = *spec->root_path == '/'
                                  ? str_copy(spec->root_path)
                                  : str_format("%s/%s", bundle, spec->root_path);
    cleanup_close int place = -1;

    if (has_mount_namespace(spec) && cut_off(spec, err) < 0)
        return -err->code;
    if (spec->overlay_base && host_propagation(spec) != MS_SHARED)
        return mount_overlay(spec, path, err);
    place = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place < 0)
        return err_errno(err, "cannot open the root '%s'", path);
    if (!has_mount_namespace(spec))
        return steal_fd(&place);
    if (!spec->overlay_base && check_not_ours(place, path, err) < 0)
        return -err->code;
    if (host_propagation(spec) == MS_SHARED && isolate_parent(place, err) < 0)
        return -err->code;
    return spec->overlay_base ? mount_overlay(spec, path, err) : mount_bind(spec, place, path, err);
}

/* --- entering it ------------------------------------------------------------------------------ */

/* Shared mounts of the host would be unmounted there, too. `old` is -1 where nothing is shared. */
static int separate(int old, struct err *err)
{
    if (old >= 0 && mount_propagate(old, MS_SLAVE | MS_REC, err) < 0)
        return err_wrap(err, "cannot separate the old root from the host's");
    return 0;
}

static int pivot(const struct spec *spec, int root, struct err *err)
{
    bool shared = host_propagation(spec) == MS_SHARED;
    cleanup_close int old = shared ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

    if (shared && old < 0)
        return err_errno(err, "cannot open the host's root");
    if (fchdir(root) < 0)
        return err_errno(err, "cannot enter the container's root");
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return err_errno(err, "cannot make the container's root the root (pivot_root)");
    if (separate(old, err) < 0)
        return -err->code;
    if (umount2(".", MNT_DETACH) < 0)
        return err_errno(err, "cannot detach the host's root");
    return 0;
}

static int change_root(int root, struct err *err)
{
    if (fchdir(root) < 0 || chroot(".") < 0)
        return err_errno(err, "cannot change the root");
    return 0;
}

int rootfs_pivot(const struct spec *spec, int root, struct err *err)
{
    unsigned long flags = wanted_propagation(spec);
    int r;

    if (!has_mount_namespace(spec))
        r = change_root(root, err);
    else
        r = spec->no_pivot ? rootfs_move(root, err) : pivot(spec, root, err);
    if (r < 0)
        return r;
    if (chdir("/") < 0)
        return err_errno(err, "cannot enter the new root");
    /* Private is what it is already; anything else is set once the host is out of reach. */
    if (flags & ~(unsigned long)(MS_PRIVATE | MS_REC) && mount(NULL, "/", NULL, flags, NULL) < 0)
        return err_errno(err, "cannot set the root's propagation to '%s'", spec->propagation);
    return 0;
}
