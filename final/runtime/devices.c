/* OCI config-linux.md, "Default Devices": the nodes no C library can do without, and the usual
 * links. /dev is opened beneath the root once, before it is filled (CVE-2019-16884 and its kin). */
#include "runtime/devices.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/mount_api.h"

static const struct node {
    const char *name;
    unsigned major, minor;
} nodes[] = {
    {"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
    {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const struct link {
    const char *name, *target;
} links[] = {
    {"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
};

/* Without CAP_MKNOD the host's node is bound on an empty file: same device, another mount. */
static int bind_node(int dev, const char *name, struct err *err)
{
    cleanup_close int file = openat(dev, name, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC, 0666);
    cleanup_free char *host = str_format("/dev/%s", name);
    cleanup_close int copy = -1;

    if (file < 0 && errno != EEXIST)
        return err_errno(err, "cannot make /dev/%s", name);
    copy = mount_clone(AT_FDCWD, host, false, err);
    return copy < 0 ? -err->code : mount_attach(copy, dev, name, err);
}

/* An image may have put something of that name there; only the right device may stay. */
static int check_existing(int dev, const char *name, mode_t type, dev_t device, struct err *err)
{
    struct stat st;

    if (fstatat(dev, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot look at /dev/%s", name);
    if ((st.st_mode & S_IFMT) != type || st.st_rdev != device)
        return err_set(err, EEXIST, "the image has something else at /dev/%s", name);
    return 0;
}

static int make_nodes(int dev, struct err *err)
{
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        dev_t device = makedev(nodes[i].major, nodes[i].minor);
        int r = mknodat(dev, nodes[i].name, S_IFCHR | 0666, device);

        if (r < 0 && errno == EEXIST)
            r = check_existing(dev, nodes[i].name, S_IFCHR, device, err);
        else if (r < 0 && errno == EPERM)
            r = bind_node(dev, nodes[i].name, err);
        else if (r < 0)
            r = err_errno(err, "cannot make /dev/%s", nodes[i].name);
        if (r < 0)
            return r;
    }
    return 0;
}

static int make_links(int dev, struct err *err)
{
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
            return err_errno(err, "cannot make the link /dev/%s", links[i].name);
    return 0;
}

static int make_listed(int root, const json_t *item, struct err *err)
{
    const char *path = json_str(item, "path", ""), *type = json_str(item, "type", "");
    mode_t kind = !strcmp(type, "b") ? S_IFBLK : !strcmp(type, "p") ? S_IFIFO : S_IFCHR;
    mode_t mode = (mode_t)json_int(item, "fileMode", 0666) & 07777;
    dev_t device =
        makedev((unsigned)json_int(item, "major", 0), (unsigned)json_int(item, "minor", 0));
    uid_t uid = (uid_t)json_int(item, "uid", 0);
    gid_t gid = (gid_t)json_int(item, "gid", 0);
    cleanup_close int parent = -1;
    char name[256];

    if (!*type || !strchr("bcup", *type) || type[1])
        return err_set(err, EINVAL, "linux.devices: '%s' has no type \"b\", \"c\" or \"p\"", path);
    parent = beneath_parent(root, path, 1, name, err);
    if (parent < 0)
        return -err->code;
    if (mknodat(parent, name, kind | mode, device) < 0)
        return errno == EEXIST
                   ? check_existing(parent, name, kind, kind == S_IFIFO ? 0 : device, err)
                   : err_errno(err, "cannot make the device '%s'", path);
    /* `name` was made a moment ago and nothing of the container runs: it is no link. */
    if ((uid || gid) && fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot give the device '%s' to %u:%u", path, uid, gid);
    return 0;
}

int devices_make(const struct spec *spec, int root, struct err *err)
{
    cleanup_close int dev = beneath_make_dirs(root, "/dev", 0755, err);
    const json_t *item;
    size_t i;

    if (dev < 0 || make_nodes(dev, err) < 0 || make_links(dev, err) < 0)
        return -err->code;
    json_array_foreach(spec->devices, i,
                       item) if (make_listed(root, item, err) < 0) return -err->code;
    return 0;
}
