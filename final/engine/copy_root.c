#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "engine/copy.h"
#include "engine/internal.h"
#include "runtime/runtime.h"

static bool is_our_root(int fd)
{
    struct stat st, ours;

    return fstat(fd, &st) < 0 || stat("/", &ours) < 0 ||
           (st.st_dev == ours.st_dev && st.st_ino == ours.st_ino);
}

/* What its init sees as "/", with everything mounted on it. */
static int open_living(const struct container *c, struct err *err)
{
    cleanup_free char *path = str_format("/proc/%d/root", (int)c->init.pid);
    cleanup_close int pidfd = proc_open(&c->init);
    cleanup_close int root = pidfd < 0 ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    /* Signal 0: it is still the process that was opened, so the path was its path. */
    if (root < 0 || proc_signal_fd(pidfd, 0) < 0)
        return err_set(err, ESRCH, "Container %s is not running", c->id);
    if (is_our_root(root)) /* no container's: whatever went wrong, nothing is written there */
        return err_set(err, EPERM, "Container %s has the host's root", c->id);
    return steal_fd(&root);
}

static int open_resting(struct engine *e, const struct container *c, struct copy_root *root,
                        struct err *err)
{
    cleanup_free char *dir = container_path(e, c->id);
    cleanup_free char *path = str_format("%s/config.json", dir);
    cleanup_json json_t *config = json_load(AT_FDCWD, path, SPEC_MAX, err);
    int r = config ? container_allow_mount(e, c, err) : -err->code;

    if (!r)
        r = volumes_hold(e, c, &root->holds, err);
    if (root->holds.count)
        root->mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    return r < 0 ? r : runtime_assemble(dir, config, err);
}

/* Until a start or an end has come further: both make or remove a directory in run/. */
static int wait_for_turn(struct engine *e, struct err *err)
{
    cleanup_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct pollfd p = {watch, POLLIN, 0};

    if (watch < 0 || inotify_add_watch(watch, e->store->run, IN_CREATE | IN_DELETE) < 0)
        return err_errno(err, "cannot watch '%s'", e->store->run);
    return poll(&p, 1, 100) < 0 && errno != EINTR ? err_errno(err, "poll") : 0;
}

/* Tries once. -EWOULDBLOCK: somebody is starting or ending it, or copying too. */
static int open_as_it_is(struct engine *e, const struct container *c, struct copy_root *root,
                         struct err *err)
{
    struct container now;
    int r = container_await_start(e, c->id, &now, err);

    if (r < 0)
        return r;
    if (container_running(&now)) {
        root->fd = open_living(&now, err);
    } else {
        /* A start takes the same lock, and two overlays must not write into one directory. */
        root->lock = container_lock_run(e, c->id, false, err);
        root->fd = root->lock < 0 ? root->lock : open_resting(e, &now, root, err);
    }
    container_free(&now);
    return root->fd < 0 ? root->fd : 0;
}

int copy_root_open(struct engine *e, const struct container *c, struct copy_root *ret,
                   struct err *err)
{
    struct copy_root root = {.fd = -1, .lock = -1, .mounts = -1};
    int r;

    while ((r = open_as_it_is(e, c, &root, err)) == -EWOULDBLOCK)
        if ((r = wait_for_turn(e, err)) < 0)
            break;
    if (r < 0) {
        copy_root_close(e, c, &root);
        return r;
    }
    *ret = root;
    return 0;
}

/* The directory goes before the lock: whoever waits for it makes a new one. */
void copy_root_close(struct engine *e, const struct container *c, struct copy_root *root)
{
    struct err ignored;

    close_fd(&root->fd);
    if (root->mounts >= 0 && setns(root->mounts, CLONE_NEWNS) < 0)
        close_fd(&root->mounts); /* the next one to use them unmounts them */
    volume_holds_close(e, &root->holds);
    close_fd(&root->mounts);
    if (root->lock >= 0)
        container_remove_run(e, c->id, &ignored);
    close_fd(&root->lock);
}

int container_open_files(struct engine *e, const struct container *c, struct err *err)
{
    cleanup_free char *base = str_format("%s/layers", e->store->root);
    cleanup_free char *dir = container_path(e, c->id), *place = str_format("%s/merged", dir);
    cleanup_strv struct strv dirs = {0};
    cleanup_buf struct buf layers = {0};
    int r = store_image_layers(e->store, c->image_id, &dirs, NULL, err);

    buf_printf(&layers, "../containers/%s/upper", c->id);
    for (size_t i = dirs.len; i-- > 0;)
        buf_printf(&layers, ":%s", dirs.items[i]);
    if (!dirs.len) /* overlayfs wants two; create.c made this one */
        buf_add_str(&layers, ":.empty");
    return r < 0 ? r : runtime_show_layers(base, layers.data, place, err);
}
