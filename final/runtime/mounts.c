/* The mounts of config.json, in their order.
 *
 * The destination of a mount is a path inside an image, so a symlink there may point anywhere. It
 * is opened first, beneath the root (RESOLVE_IN_ROOT: "/x" and ".." mean the container's), made if
 * missing, and the mount is put on that descriptor (mount_target.h). What is mounted is made
 * before, detached, with all its attributes: it is never there with too few of them. */
#include "runtime/mounts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "runtime/mount_api.h"
#include "runtime/mount_label.h"
#include "runtime/mount_work.h"

const char *const mounts_places[MOUNTS_PLACES] = {"/dev", "/proc", "/sys"};

static bool is_bind(const struct mount_work *w)
{
    return w->options.bind || mount_work_is(w, "bind");
}

static int make_one(struct mount_work *w, struct err *err)
{
    if (mount_options_parse(&w->mount->options, &w->options, err) < 0)
        return -err->code;
    if (mount_target_is(w->mount->destination, "/"))
        return err_set(err, EINVAL,
                       "the destination is the root itself: that is what root.path is for");
    if (w->options.remount)
        return mount_remount(w, err);
    return is_bind(w) ? mount_bind(w, err) : mount_filesystem(w, err);
}

static void end_work(struct mount_work *w)
{
    mount_options_free(&w->options);
    close_fd(&w->target.fd);
}

int mounts_make(struct mounts *m, struct err *err)
{
    if (mount_label_check(m->spec, err) < 0)
        return -err->code;
    for (size_t i = 0; i < m->spec->mount_count; i++) {
        const struct spec_mount *mount = &m->spec->mounts[i];
        cleanup_with(end_work) struct mount_work w = {.m = m, .mount = mount, .target.fd = -1};

        if (make_one(&w, err) < 0)
            return err_wrap(err, "mounts[%zu]: cannot mount '%s' on '%s'", i,
                            mount->source && *mount->source ? mount->source
                            : mount->type                   ? mount->type
                                                            : "",
                            mount->destination);
    }
    return 0;
}

int mounts_finish(struct mounts *m, struct err *err)
{
    for (size_t i = 0; i < m->later_count; i++)
        if (mount_change(m->later[i], MOUNT_ATTR_RDONLY, 0, false, err) < 0)
            return err_wrap(err, "cannot make a mount read-only");
    return 0;
}

static void close_all(int **fds, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        close((*fds)[i]);
    free(*fds);
    *fds = NULL;
    *count = 0;
}

void mounts_free(struct mounts *m)
{
    close_all(&m->later, &m->later_count);
    close_all(&m->made, &m->made_count);
    for (size_t i = 0; i < MOUNTS_PLACES; i++)
        close_fd(&m->places[i]);
}

int mounts_open(const struct mounts *m, const char *path)
{
    cleanup_free char *clean = mount_target_clean(path);

    for (size_t i = 0; i < MOUNTS_PLACES; i++) {
        size_t n = strlen(mounts_places[i]);

        if (m->places[i] >= 0 && !strncmp(clean, mounts_places[i], n) && clean[n] == '/')
            return beneath_open(m->places[i], clean + n + 1, O_PATH, 0, 0);
    }
    return beneath_open(m->root, clean, O_PATH, 0, 0);
}

int mounts_dev(const struct mounts *m)
{
    return m->places[0];
}

int mounts_proc(const struct mounts *m)
{
    return m->own_proc ? m->places[1] : -1;
}

bool mounts_bind_dev(const struct spec *spec)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct spec_mount *mount = &spec->mounts[i];

        if (mount_target_is(mount->destination, "/dev"))
            return (mount->type && !strcmp(mount->type, "bind")) ||
                   strv_contains(&mount->options, "bind") ||
                   strv_contains(&mount->options, "rbind");
    }
    return false;
}
