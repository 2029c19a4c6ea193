#include "runtime/mount_api.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* The file system context explains its errors in words, one a read(2): "e tmpfs: Bad value for
 * 'size'". */
static int context_error(int context, const char *type, const char *what, struct err *err)
{
    int code = errno;
    char text[256];
    ssize_t n = read(context, text, sizeof text - 1);

    errno = code;
    if (n <= 2)
        return err_errno(err, "cannot mount a '%s': %s", type, what);
    text[n - (text[n - 1] == '\n')] = 0;
    return err_set(err, code, "cannot mount a '%s': %s: %s", type, what, text + 2);
}

static int configure(int context, const char *type, const char *data, struct err *err)
{
    cleanup_strv struct strv words = {0};

    strv_split(&words, data, ',');
    for (size_t i = 0; i < words.len; i++) {
        char *value = strchr(words.items[i], '=');
        int r;

        if (value)
            *value++ = 0;
        r = fsconfig(context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, words.items[i],
                     value, 0);
        if (r < 0)
            return context_error(context, type, words.items[i], err);
    }
    return 0;
}

int mount_new(const char *type, const char *source, const char *data, uint64_t attributes,
              struct err *err)
{
    cleanup_close int context = fsopen(type, FSOPEN_CLOEXEC);
    int mount;

    if (context < 0)
        return err_errno(err, "cannot mount a '%s'", type);
    if (source && *source && fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
        return context_error(context, type, source, err);
    if (data && *data && configure(context, type, data, err) < 0)
        return -err->code;
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return context_error(context, type, data ? data : "", err);
    mount = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attributes);
    return mount < 0 ? context_error(context, type, "fsmount", err) : mount;
}

int mount_clone(int dir, const char *path, bool recursive, struct err *err)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) |
                     (*path ? 0 : AT_EMPTY_PATH);
    int mount = open_tree(dir, path, flags);

    return mount < 0 ? err_errno(err, "cannot bind '%s'", path) : mount;
}

int mount_change(int mount, uint64_t set, uint64_t clear, bool recursive, struct err *err)
{
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear};

    /* The access time setting is a field of three values, not a bit: changing it clears all of it.
     */
    if ((set | clear) & MOUNT_ATTR__ATIME)
        attr.attr_clr |= MOUNT_ATTR__ATIME;
    if (!attr.attr_set && !attr.attr_clr)
        return 0;
    if (mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
                      sizeof attr) < 0)
        return err_errno(err, "cannot change the attributes of a mount");
    return 0;
}

int mount_attach(int mount, int dir, const char *name, struct err *err)
{
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

    if (move_mount(mount, "", dir, name, flags) < 0)
        return err_errno(err, "cannot put the mount in its place");
    return 0;
}
