#include "runtime/mount_label.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"

static bool is_enabled(void)
{
    struct statfs fs;

    return !statfs("/sys/fs/selinux", &fs) && fs.f_type == SELINUX_MAGIC;
}

static int check_kind(const char *kind, struct err *err)
{
    static const char *const kinds[] = {"context", "fscontext", "defcontext", "rootcontext"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, kinds[i]))
            return 0;
    return err_set(err, EINVAL,
                   "run.oci.mount_context_type '%s' is none of context, fscontext, defcontext and "
                   "rootcontext",
                   kind);
}

int mount_label_check(const struct spec *spec, struct err *err)
{
    if (!spec->mount_label)
        return 0;
    if (!is_enabled())
        return err_set(err, ENOTSUP,
                       "linux.mountLabel '%s': SELinux is disabled or not supported on this host",
                       spec->mount_label);
    return check_kind(spec->mount_label_kind, err);
}

int mount_label_root(const struct spec *spec, int mount, struct err *err)
{
    cleanup_close int fd = -1;

    if (!spec->mount_label)
        return 0;
    /* A mount's descriptor is O_PATH, which takes no attributes; "." is the same directory. */
    fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 ||
        fsetxattr(fd, "security.selinux", spec->mount_label, strlen(spec->mount_label), 0) < 0)
        return err_errno(err, "cannot label it '%s'", spec->mount_label);
    return 0;
}
