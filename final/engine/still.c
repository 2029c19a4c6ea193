/* still.c - a container that stands still while somebody copies its files.
 *
 * A killed command must not leave a container frozen for ever. It holds a lock on run/<id>/still
 * from before it freezes until after it thawed, and writes into the file when it is about to
 * freeze. The kernel takes the lock away when the command dies; a file with something in it and no
 * lock tells the next command that there is a container to let go. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/internal.h"
#include "runtime/runtime.h"

#define STILL "still"

static int set_frozen(const struct container *c, bool frozen, struct err *err)
{
    int r = container_set_frozen(c, frozen, err);

    if (r == -ENOENT) /* it ended meanwhile: stiller than that it cannot be */
        return 0;
    return r < 0 ? err_wrap(err, "cannot %s container %s", frozen ? "pause" : "unpause", c->name)
                 : 0;
}

static bool is_named(int dir, int fd)
{
    struct stat by_name, by_fd;

    return !fstatat(dir, STILL, &by_name, AT_SYMLINK_NOFOLLOW) && !fstat(fd, &by_fd) &&
           by_name.st_ino == by_fd.st_ino;
}

/* Whoever had the lock before us may have removed the file: then ours is nobody's. */
static int take_lock(int dir, struct err *err)
{
    for (;;) {
        cleanup_close int lock =
            openat(dir, STILL, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r;

        if (lock < 0)
            return err_errno(err, "cannot open the container's '" STILL "'");
        while ((r = flock(lock, LOCK_EX)) < 0 && errno == EINTR)
            ;
        if (r < 0)
            return err_errno(err, "cannot lock the container's '" STILL "'");
        if (is_named(dir, lock))
            return steal_fd(&lock);
    }
}

int container_hold_still(struct engine *e, const struct container *c, struct err *err)
{
    cleanup_close int dir = store_run_dir(e->store, c->id, false, err);

    return dir < 0 ? dir : take_lock(dir, err);
}

void container_let_still(struct engine *e, const struct container *c, int *lock)
{
    cleanup_free char *path = str_format("%s/" STILL, c->id);

    if (*lock >= 0)
        unlinkat(e->store->run_fd, path, 0);
    close_fd(lock);
}

int container_freeze(struct engine *e, const struct container *c, int *ret_lock, struct err *err)
{
    cleanup_close int dir = -1, lock = -1;
    int r;

    *ret_lock = -1;
    if (!container_running(c))
        return 0;
    dir = store_run_dir(e->store, c->id, false, err);
    lock = dir < 0 ? dir : take_lock(dir, err);
    if (lock < 0)
        return -err->code;
    r = container_frozen(c, err);
    if (r) { /* by `pause`: that is not ours to undo. Or it has ended. */
        unlinkat(dir, STILL, 0);
        return r < 0 && r != -ENOENT ? r : 0;
    }
    r = file_write(lock, "frozen\n", 7);
    if (r < 0)
        return err_set(err, -r, "cannot note that the container is to stand still");
    r = set_frozen(c, true, err);
    *ret_lock = steal_fd(&lock);
    if (r < 0) {
        struct err ignored = {0};

        container_thaw(e, c, ret_lock, &ignored);
    }
    return r;
}

/* The file goes last, and while the lock is held: nobody takes a living command's for a dead
 * one's. */
int container_thaw(struct engine *e, const struct container *c, int *lock, struct err *err)
{
    struct err ignored;
    cleanup_close int dir = -1;
    int r;

    if (*lock < 0)
        return 0;
    r = set_frozen(c, false, err);
    dir = store_run_dir(e->store, c->id, false, &ignored);
    if (!r && dir >= 0)
        unlinkat(dir, STILL, 0);
    close_fd(lock);
    return r;
}

int container_wake(struct engine *e, const struct container *c, struct err *err)
{
    cleanup_free char *path = str_format("%s/" STILL, c->id);
    cleanup_close int lock = openat(e->store->run_fd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    int taken;

    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0 || fstat(lock, &st) < 0 || !st.st_size)
        return 0;
    taken = steal_fd(&lock);
    return container_thaw(e, c, &taken, err);
}
