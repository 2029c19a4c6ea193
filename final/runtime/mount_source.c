#include "runtime/mount_source.h"

#include <fcntl.h>
#include <string.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/mount_api.h"
#include "runtime/mount_idmap.h"

/* Whoever writes into the source may change what its paths mean at any moment: they are resolved
 * inside of it. */
static int clone_beneath(const char *path, const char *name, unsigned flags, struct err *err)
{
    cleanup_close int source = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int there = source < 0 ? -errno : beneath_open(source, name, O_PATH, 0, 0);

    if (there < 0)
        return err_set(err, -there, "cannot access path '%s' in '%s': %s", name, path,
                       strerror(-there));
    return mount_clone(there, "", flags & AT_RECURSIVE, err);
}

int mount_source_open(const char *bundle, const struct spec_mount *mount,
                      const struct mount_options *options, struct err *err)
{
    bool nofollow = options->source_nofollow || options->copy_symlink;
    unsigned flags = (options->recursive ? AT_RECURSIVE : 0) | (nofollow ? AT_SYMLINK_NOFOLLOW : 0);
    cleanup_free char *path = *mount->source == '/' ? str_copy(mount->source)
                                                    : str_format("%s/%s", bundle, mount->source);

    return options->beneath ? clone_beneath(path, options->beneath, flags, err)
                            : mount_clone(AT_FDCWD, path, flags, err);
}

bool mount_source_is_mapped(const struct spec_mount *mount, const struct mount_options *options)
{
    return options->idmap || json_array_size(mount->uid_mappings);
}

/* The container's user namespace; -1 when it has none of its own. */
static int open_user_namespace(const struct spec *spec, pid_t init, struct err *err)
{
    cleanup_free char *path = str_format("/proc/%d/ns/user", (int)init);
    int fd;

    if (!spec->user_namespace)
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_errno(err, "cannot open the container's user namespace") : fd;
}

static int map_ids(const struct spec *spec, pid_t init, const struct spec_mount *mount,
                   const struct mount_options *options, int tree, struct err *err)
{
    cleanup_close int container = -1, own = mount_idmap_namespace(spec, mount, options, err);

    if (own < 0 && err->code)
        return -err->code;
    if (own < 0 && (container = open_user_namespace(spec, init, err)) < 0)
        return err->code
                   ? -err->code
                   : err_set(err, EINVAL,
                             "'idmap' needs uidMappings and gidMappings, or a container with a "
                             "user namespace");
    return mount_idmap_apply(tree, own >= 0 ? own : container, options->idmap_recursive, err);
}

int mount_source_serve(const struct spec *spec, const char *bundle, pid_t init, size_t number,
                       struct err *err)
{
    cleanup_with(mount_options_free) struct mount_options options = {0};
    const struct spec_mount *mount = number < spec->mount_count ? &spec->mounts[number] : NULL;
    cleanup_close int tree = -1;

    err->code = 0;
    if (!mount || !mount->source)
        return err_set(err, EPROTO, "mount %zu has no source", number);
    if (mount_options_parse(&mount->options, &options, err) < 0 ||
        (tree = mount_source_open(bundle, mount, &options, err)) < 0)
        return -err->code;
    if (mount_source_is_mapped(mount, &options) &&
        map_ids(spec, init, mount, &options, tree, err) < 0)
        return -err->code;
    return steal_fd(&tree);
}
