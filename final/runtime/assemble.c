/* assemble.c - the files of a container that does not run, as it would see them.
 *
 * `cp` has to read and write where the container's own paths lead: through its overlay and the
 * volumes on it. The same code that mounts them for its init mounts them for the calling process,
 * in a mount namespace of its own, so nobody else sees them and nothing has to be unmounted: they
 * go with the process, however it ends. */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/mount_api.h"
#include "runtime/mounts.h"
#include "runtime/rootfs.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"

/* Some sources are made for each start (resolv.conf), and are not there before the first. */
static bool is_bind(const struct spec_mount *mount)
{
    return mount->type && !strcmp(mount->type, "bind") && mount->source &&
           !access(mount->source, F_OK);
}

/* Other mounts (/proc, /dev, tmpfs) hold nothing while nobody runs. */
static void keep_binds(struct spec *spec)
{
    size_t kept = 0;

    for (size_t i = 0; i < spec->mount_count; i++)
        if (is_bind(&spec->mounts[i])) {
            struct spec_mount bind = spec->mounts[i];

            spec->mounts[i] = spec->mounts[kept]; /* both stay in the list: it frees them */
            spec->mounts[kept++] = bind;
        }
    spec->mount_count = kept;
}

static int mount_all(const struct spec *spec, const char *bundle, struct err *err)
{
    cleanup_close int root = rootfs_mount(spec, bundle, err);
    struct mounts m = {.spec = spec,
                       .bundle = bundle,
                       .root = root,
                       .isolated = rootfs_isolated(spec),
                       .places = {-1, -1, -1}};
    int r = root < 0 ? root : mounts_make(&m, err);

    mounts_free(&m);
    if (!r && spec->root_readonly)
        r = mount_change(root, MOUNT_ATTR_RDONLY, 0, false, err);
    return r < 0 ? r : steal_fd(&root);
}

int runtime_assemble(const char *bundle, const json_t *config, struct err *err)
{
    cleanup_close int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct spec spec = {0};
    size_t mounts;
    int root = spec_parse(config, &spec, err);

    mounts = spec.mount_count;
    if (!root && (here < 0 || unshare(CLONE_NEWNS) < 0))
        root = err_errno(err, "cannot make a mount namespace");
    if (!root) {
        keep_binds(&spec);
        root = mount_all(&spec, bundle, err);
        spec.mount_count = mounts;
    }
    spec_free(&spec);
    /* Mounting the overlay took us elsewhere. */
    if (root >= 0 && fchdir(here) < 0) {
        close(root);
        return err_errno(err, "cannot return to the working directory");
    }
    return root;
}

int runtime_show_layers(const char *base, const char *layers, const char *place, struct err *err)
{
    cleanup_free char *options =
        str_format("lowerdir=%s,redirect_dir=nofollow,metacopy=off,index=off", layers);
    cleanup_close int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), root = -1;

    if (here < 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
        return err_errno(err, "cannot make a mount namespace");
    if (chdir(base) < 0 || mount("overlay", place, "overlay", MS_RDONLY, options) < 0)
        return err_errno(err, "cannot mount the layers '%.512s'", layers);
    root = open(place, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0 || fchdir(here) < 0)
        return err_errno(err, "cannot open the mounted layers at '%s'", place);
    return steal_fd(&root);
}
