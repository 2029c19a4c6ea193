/* The nodes no C library can do without, those of linux.devices, and the usual links. /dev is
 * opened beneath the root once, before it is filled (CVE-2019-16884, CVE-2026-41579): what somebody
 * puts in its place meanwhile gets no nodes. */
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
#include "runtime/mount_target.h"

struct device {
    const char *path;
    mode_t mode; /* with its type */
    unsigned major, minor;
    uid_t uid;
    gid_t gid;
};

#define CHARACTER S_IFCHR | 0666

/* What the specification wants to be there, after those that config.json gives by itself. */
static const struct device standard[] = {
    {"/dev/null", CHARACTER, 1, 3, 0, 0},    {"/dev/zero", CHARACTER, 1, 5, 0, 0},
    {"/dev/full", CHARACTER, 1, 7, 0, 0},    {"/dev/random", CHARACTER, 1, 8, 0, 0},
    {"/dev/urandom", CHARACTER, 1, 9, 0, 0}, {"/dev/tty", CHARACTER, 5, 0, 0, 0},
};

static const struct link {
    const char *name, *target;
} links[] = {
    {"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
};

/* --- one node --------------------------------------------------------------------------------- */

static bool is_same(const struct stat *st, const struct device *device)
{
    return (st->st_mode & S_IFMT) == (device->mode & S_IFMT) &&
           (S_ISFIFO(device->mode) || st->st_rdev == makedev(device->major, device->minor));
}

/* An image may have put something of that name there, or a mount; only the right device may stay.
 */
static int check_existing(int parent, const char *name, const struct device *device,
                          struct err *err)
{
    struct stat st;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot look at it");
    if (!is_same(&st, device))
        return err_set(err, EEXIST, "there is something else already");
    return 0;
}

/* Without CAP_MKNOD outside of all user namespaces no node can be made. The host's of the same name
 * is bound on an empty file: the same device, another mount. */
static int bind_node(int parent, const char *name, const struct device *device, struct err *err)
{
    cleanup_close int copy = mount_clone(AT_FDCWD, device->path, 0, err);
    struct stat st;

    if (copy < 0)
        return err_wrap(err, "not allowed to make it, and the host's");
    if (fstat(copy, &st) < 0)
        return err_errno(err, "cannot look at the host's");
    if (!is_same(&st, device))
        return err_set(err, EPERM, "not allowed to make it, and the host's is another one");
    if (mknodat(parent, name, S_IFREG | 0666, 0) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make a file to bind the host's on");
    return mount_attach(copy, parent, name, err);
}

static int make_node(int parent, const char *name, const struct device *device, struct err *err)
{
    if (mknodat(parent, name, device->mode, makedev(device->major, device->minor)) < 0) {
        if (errno == EEXIST)
            return check_existing(parent, name, device, err);
        return errno == EPERM ? bind_node(parent, name, device, err) : err_errno(err, "mknod");
    }
    /* `name` was made a moment ago and nothing of the container runs: it is no link. */
    if ((device->uid || device->gid) &&
        fchownat(parent, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot give it to %u:%u", device->uid, device->gid);
    return 0;
}

/* Nodes in /dev go into the mount that is there, whatever its name means by now. */
static int make_device(int root, int dev, const struct device *device, struct err *err)
{
    cleanup_free char *path = mount_target_clean(device->path);
    const char *inside = dev >= 0 && str_starts(path, "/dev/") ? path + 5 : NULL;
    cleanup_close int parent = -1;
    char name[256];

    if (inside && !strchr(inside, '/')) {
        if (make_node(dev, inside, device, err) < 0)
            return err_wrap(err, "cannot make the device '%s'", device->path);
        return 0;
    }
    parent = beneath_parent(inside ? dev : root, inside ? inside : path, 1, name, err);
    if (parent < 0 || make_node(parent, name, device, err) < 0)
        return err_wrap(err, "cannot make the device '%s'", device->path);
    return 0;
}

/* --- linux.devices ---------------------------------------------------------------------------- */

static int number(const json_t *item, const char *member, long long otherwise, unsigned *ret,
                  struct err *err)
{
    const json_t *value = json_object_get(item, member);
    long long n = value && !json_is_null(value) ? json_integer_value(value) : otherwise;

    if ((value && !json_is_null(value) && !json_is_integer(value)) || n < 0 || n > UINT32_MAX)
        return err_set(err, EINVAL, "'%s' is missing or not a number from 0 to 4294967295", member);
    *ret = (unsigned)n;
    return 0;
}

static int parse_type(const char *type, mode_t *ret, struct err *err)
{
    static const struct {
        const char *type;
        mode_t mode;
    } types[] = {{"c", S_IFCHR}, {"u", S_IFCHR}, {"b", S_IFBLK}, {"p", S_IFIFO}};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(type, types[i].type)) {
            *ret = types[i].mode;
            return 0;
        }
    return err_set(err, EINVAL, "the type '%s' is none of \"c\", \"b\", \"u\" and \"p\"", type);
}

static int parse_device(const json_t *item, struct device *ret, struct err *err)
{
    unsigned mode;
    mode_t type = S_IFCHR;

    ret->path = json_str(item, "path", "");
    if (*ret->path != '/')
        return err_set(err, EINVAL, "the path is not absolute");
    if (parse_type(json_str(item, "type", ""), &type, err) < 0 ||
        number(item, "fileMode", 0666, &mode, err) < 0 ||
        number(item, "uid", 0, &ret->uid, err) < 0 || number(item, "gid", 0, &ret->gid, err) < 0)
        return -err->code;
    if (type != S_IFIFO && (number(item, "major", -1, &ret->major, err) < 0 ||
                            number(item, "minor", -1, &ret->minor, err) < 0))
        return -err->code;
    ret->mode = type | (mode & 07777);
    return 0;
}

static int make_listed(const struct spec *spec, int root, int dev, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(spec->devices, i, item)
    {
        struct device device = {0};

        if (parse_device(item, &device, err) < 0)
            return err_wrap(err, "linux.devices: '%s'", json_str(item, "path", ""));
        /* It is always the one of the container's own terminals. */
        if (!mount_target_is(device.path, "/dev/ptmx") && make_device(root, dev, &device, err) < 0)
            return err_wrap(err, "linux.devices");
    }
    return 0;
}

/* --- /dev ------------------------------------------------------------------------------------- */

static bool is_link_to(int dev, const struct link *link)
{
    char target[64];
    ssize_t n = readlinkat(dev, link->name, target, sizeof target);

    return n == (ssize_t)strlen(link->target) && !memcmp(target, link->target, (size_t)n);
}

/* Of the links only ptmx has to be right: a node of the image in its place would be the host's. */
static int make_link(int dev, const struct link *link, struct err *err)
{
    bool forced = !strcmp(link->name, "ptmx");

    for (int tries = 0; symlinkat(link->target, dev, link->name) < 0; tries++) {
        if (errno != EEXIST || tries > 1)
            return err_errno(err, "cannot make the link /dev/%s", link->name);
        if (!forced || is_link_to(dev, link))
            return 0;
        if (unlinkat(dev, link->name, 0) < 0 && errno != ENOENT)
            return err_errno(err, "cannot replace the image's /dev/%s", link->name);
    }
    return 0;
}

int devices_make(const struct spec *spec, int root, int dev, struct err *err)
{
    cleanup_close int own = dev < 0 ? beneath_make_dirs(root, "/dev", 0755, err) : -1;

    if (dev < 0 && own < 0)
        return -err->code;
    if (make_listed(spec, root, dev, err) < 0)
        return -err->code;
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++)
        if (make_device(root, dev < 0 ? own : dev, &standard[i], err) < 0)
            return -err->code;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (make_link(dev < 0 ? own : dev, &links[i], err) < 0)
            return -err->code;
    return 0;
}
