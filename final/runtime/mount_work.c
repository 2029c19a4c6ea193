#include "runtime/mount_work.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/mount_api.h"

bool mount_work_is(const struct mount_work *w, const char *type)
{
    return w->mount->type && !strcmp(w->mount->type, type);
}

/* Masks and read-only paths are looked up by name in these afterwards: through a symlink they would
 * guard the wrong place (CVE-2019-19921, CVE-2023-27561). */
static bool is_fixed(const struct mount_work *w)
{
    return mount_work_is(w, "proc") || mount_work_is(w, "sysfs") ||
           mount_target_is(w->mount->destination, "/proc") ||
           mount_target_is(w->mount->destination, "/sys");
}

int mount_work_target(struct mount_work *w, enum mount_target_kind kind, struct err *err)
{
    close_fd(&w->target.fd);
    if (kind == TARGET_DIRECTORY && is_fixed(w))
        kind = TARGET_FIXED;
    return mount_target_open(w->m->root, w->mount->destination, kind, &w->target, err);
}

/* --- attributes ------------------------------------------------------------------------------- */

int mount_work_change(const struct mount_work *w, int mount, struct err *err)
{
    const struct mount_options *options = &w->options;

    if (mount_change(mount, options->own.set, options->own.clear, false, err) < 0)
        return -err->code;
    return mount_change(mount, options->all.set, options->all.clear, true, err);
}

int mount_work_propagate(const struct mount_work *w, int mount, struct err *err)
{
    for (size_t i = 0; i < w->options.propagation_count; i++) {
        unsigned long propagation = w->options.propagation[i];

        if (w->m->isolated && i == 0 && propagation & MS_PRIVATE)
            continue;
        if (mount_propagate(mount, propagation, err) < 0)
            return -err->code;
    }
    return 0;
}

/* --- in its place ----------------------------------------------------------------------------- */

int mount_work_mismatch(struct err *err)
{
    return err_set(
        err, ENOTDIR,
        "not a directory: one of both is a directory and the other is not. Are you trying "
        "to mount a directory onto a file (or vice-versa)? Check if the specified host "
        "path exists and is the expected type");
}

int mount_work_keep(int mount, int **list, size_t *count, struct err *err)
{
    int fd = fcntl(mount, F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return err_errno(err, "cannot keep the mount open");
    *list = mem_grow(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = fd;
    return 0;
}

/* The rest of the set-up goes on to work there. */
static int remember_place(const struct mount_work *w, int mount, struct err *err)
{
    for (size_t i = 0; i < MOUNTS_PLACES; i++) {
        if (!mount_target_is(w->mount->destination, mounts_places[i]))
            continue;
        close_fd(&w->m->places[i]);
        w->m->own_proc &= i != 1;
        w->m->places[i] = fcntl(mount, F_DUPFD_CLOEXEC, 3);
        if (w->m->places[i] < 0)
            return err_errno(err, "cannot keep the mount open");
    }
    return 0;
}

/* The kernel's answer to that has changed over time: ENOTDIR, EINVAL. */
static bool mismatch(const struct mount_work *w, int mount)
{
    struct stat from, to;

    return !fstat(mount, &from) && !fstat(w->target.fd, &to) &&
           S_ISDIR(from.st_mode) != S_ISDIR(to.st_mode);
}

int mount_work_attach(const struct mount_work *w, int mount, struct err *err)
{
    if (mount_attach(mount, w->target.fd, "", err) < 0)
        return mismatch(w, mount) ? mount_work_mismatch(err) : -err->code;
    if (w->m->remember && mount_work_keep(mount, &w->m->made, &w->m->made_count, err) < 0)
        return -err->code;
    return mount_work_propagate(w, mount, err) < 0 ? -err->code : remember_place(w, mount, err);
}
