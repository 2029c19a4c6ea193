/* An overlay's upper directory becomes a layer where it is: nothing is copied. For steps of builds,
 * whose container is thrown away.
 *
 *     enter   what no layer has goes: sockets, bare mount points (layer_changes.c)
 *     times   whole seconds, as in a tar, and none after a given moment: what a command writes has
 *             the time of its run, and with that in it no two builds would give the same layer
 *     leave   a directory's own time is set when nothing in it changes any more
 *
 * What overlayfs noted in extended attributes stays: it means nothing in a lower directory
 * (index=off, metacopy=off), and a layer's tar does not have it. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "image/layer.h"
#include "image/layer_walk.h"

struct settling {
    const struct layer_below *below;
    int64_t newest_s;
};

static int set_times(const struct settling *s, int dir, const char *name, const struct stat *st,
                     struct err *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = st->st_mtim.tv_sec}};

    if (times[1].tv_sec > s->newest_s)
        times[1].tv_sec = s->newest_s;
    else if (!st->st_mtim.tv_nsec)
        return 0;
    if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot set its time");
    return 0;
}

static int enter(void *context, const struct walk_entry *e, struct err *err)
{
    const struct settling *s = context;
    int r;

    if (layer_check_name(e->name, err) < 0)
        return -err->code;
    if (S_ISSOCK(e->st.st_mode) || layer_is_mount_point(s->below, e)) {
        r = file_remove_tree(e->dir, e->name, err);
        return r < 0 ? r : 1;
    }
    return S_ISDIR(e->st.st_mode) || layer_is_whiteout(&e->st)
               ? 0
               : set_times(s, e->dir, e->name, &e->st, err);
}

/* Looked at again: removing something in it gave it a new time. */
static int leave(void *context, const struct walk_entry *e, struct err *err)
{
    const struct settling *s = context;
    struct stat st;

    if (layer_led_to_mount_points(s->below, e))
        return unlinkat(e->dir, e->name, AT_REMOVEDIR) < 0 ? err_errno(err, "cannot remove it") : 0;
    if (fstat(e->fd, &st) < 0)
        return err_errno(err, "cannot stat it");
    return set_times(context, e->dir, e->name, &st, err);
}

int layer_settle(int upper, const struct layer_below *below, int64_t newest_s, struct err *err)
{
    struct settling s = {below, newest_s};
    const struct walk_calls calls = {enter, leave, &s};

    return layer_walk(upper, ".", &calls, err);
}
