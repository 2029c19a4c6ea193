/* remove.c - a container goes, with everything that was made for it. The record says so first
 * ("removing") and goes last, so a removal that was broken off is seen and finished by the next
 * command that looks. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/keep.h"
#include "engine/network.h"
#include "engine/volumes.h"

int container_remove_run(struct engine *e, const char *id, struct err *err)
{
    cleanup_free char *shm = str_format("%s/%s/shm", e->store->run, id);

    /* Shared memory of a shim that was killed; nearly always there is none. */
    if (!access(shm, F_OK) && umount2(shm, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
        errno != ENOENT)
        return err_errno(err, "cannot unmount '%s'", shm);
    return file_remove_tree(e->store->run_fd, id, err);
}

static int container_remove_files(struct engine *e, const char *id, struct err *err)
{
    cleanup_free char *path = str_format("containers/%s", id);
    int r = container_remove_run(e, id, err);

    return r < 0 ? r : file_remove_tree(e->store->root_fd, path, err);
}

/* Every step may find that an earlier, killed attempt has done it: all are repeatable. The record
 * goes last. 1; 0: another command took that away, beside us. */
static int take_apart(struct engine *e, const struct container *c, bool volumes, struct err *err)
{
    int r = container_destroy_cgroup(c, err);

    if (!r)
        r = network_down(e, c->id, err);
    volumes_let_go(e, c);
    links_forget(e, c->id);
    if (!r)
        r = container_remove_files(e, c->id, err);
    if (!r)
        r = volumes_release(e, c->id, volumes, err);
    if (r >= 0)
        r = store_container_remove(e->store, c->id, err);
    if (r > 0) /* it was us, and no other command beside us */
        container_event(e, c, "destroy", NULL);
    return r < 0 ? err_wrap(err, "cannot remove container %s", c->name) : r;
}

/* Two of them were asked to do what one can. */
static int refuse_gone(const struct container *c, bool force, struct err *err)
{
    return force ? 0 : err_set(err, ENOENT, "No such container: %s", c->name);
}

/* From here on no other command can start the container. -EAGAIN: one has been faster. */
static int claim_removal(struct engine *e, const struct container *c, struct err *err)
{
    struct container claimed = *c; /* borrows everything */
    char removing[] = "removing";
    int r;

    if (!strcmp(c->state, removing)) /* broken off, or another's: every step may be done twice */
        return 0;
    claimed.state = removing;
    r = store_container_own(&claimed, err);
    return r < 0 ? r : store_container_update(e->store, &claimed, err);
}

static int remove_as_it_is_now(struct engine *e, const struct container *c, bool force,
                               bool volumes, struct err *err)
{
    struct container now;
    int r;

    err_clear(err);
    r = store_container_find(e->store, c->id, &now, err);
    if (r == -ENOENT) { /* removed by another: what we made or saw of it goes all the same */
        r = take_apart(e, c, volumes, err);
        return r < 0 ? r : refuse_gone(c, force, err);
    }
    if (r < 0)
        return r;
    r = engine_remove(e, &now, force, volumes, err);
    container_free(&now);
    return r;
}

static int refuse_removal(const struct container *c, struct err *err)
{
    const char *state = container_starting(c) ? "running" : c->state;

    return err_set(err, EBUSY,
                   "You cannot remove a %s container %s. %s the container before attempting "
                   "removal or force remove",
                   state, c->id, strcmp(state, "paused") ? "Stop" : "Unpause and then stop");
}

/* It could not be taken apart: it is neither what it was nor gone. `rm` may be tried again. */
static void note_dead(struct engine *e, const struct container *c, const struct err *why)
{
    struct err ignored = {0};
    struct container now;

    if (store_container_find(e->store, c->id, &now, &ignored) < 0)
        return;
    container_set_state(&now, "dead");
    free(now.error);
    now.error = str_copy(why->message);
    store_container_update(e->store, &now, &ignored);
    container_free(&now);
}

/* By another command, at this moment. */
static bool being_removed(const struct container *c)
{
    return !strcmp(c->state, "removing") && c->owner.pid != getpid() && proc_alive(&c->owner);
}

/* Force wants it gone, and that it will be; else two were asked to do what one can. */
static int leave_removal(struct engine *e, const struct container *c, bool force, struct err *err)
{
    struct container now;
    int r;

    if (!force)
        return err_set(err, EBUSY, "removal of container %s is already in progress", c->name);
    r = container_await_change(e, c->id, being_removed, &now, err);
    if (r == -ENOENT) {
        err_clear(err);
        return 0;
    }
    if (!r) { /* the other was killed, or could not do it */
        r = engine_remove(e, &now, true, true, err);
        container_free(&now);
    }
    return r;
}

int engine_remove(struct engine *e, const struct container *c, bool force, bool volumes,
                  struct err *err)
{
    int r;

    if (being_removed(c))
        return leave_removal(e, c, force, err);
    if (!force &&
        (container_running(c) || !strcmp(c->state, "restarting") || container_starting(c)))
        return refuse_removal(c, err);
    AFTER_START(e, c, now, err, engine_remove(e, &now, force, volumes, err));
    r = container_end_now(e, c, err);
    if (!r)
        r = claim_removal(e, c, err);
    if (r == -EAGAIN)
        return remove_as_it_is_now(e, c, force, volumes, err);
    if (r < 0)
        return r;
    r = take_apart(e, c, volumes || c->auto_remove, err);
    if (r < 0)
        note_dead(e, c, err);
    return r ? (r < 0 ? r : 0) : refuse_gone(c, force, err);
}

/* What the shim leaves when all is well: nothing. Its run directory goes last, so if that is there
 * the shim was killed at it, and the control group may be left as well. */
static int finish_for_shim(struct engine *e, const struct container *c, struct err *err)
{
    int r;

    if (faccessat(e->store->run_fd, c->id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    r = container_destroy_cgroup(c, err);
    if (!r)
        r = network_down(e, c->id, err);
    volumes_let_go(e, c);
    return r < 0 ? r : container_remove_run(e, c->id, err);
}

static void await_shim(int socket)
{
    char rest[64];
    ssize_t n;

    do
        n = recv(socket, rest, sizeof rest, 0);
    while (n > 0 || (n < 0 && errno == EINTR));
}

int engine_remove_ended(struct engine *e, const char *id, int attach, struct err *err)
{
    cleanup_free char *path = str_format("containers/%s", id);
    cleanup_close int socket = attach;
    struct container c = {0};
    int r = store_container_find(e->store, id, &c, err);

    if (r == -ENOENT) /* by another command: it did what we were to do */
        return 0;
    if (!r && keep_is_valid(e->store->root_fd, path)) { /* `restart` is at it */
        container_free(&c);
        return 0;
    }
    if (!r)
        r = file_remove_tree(e->store->root_fd, path, err);
    await_shim(socket);
    if (!r)
        r = finish_for_shim(e, &c, err);
    if (!r)
        r = volumes_release(e, id, true, err);
    if (r >= 0)
        r = store_container_remove(e->store, id, err);
    if (r > 0)
        container_event(e, &c, "destroy", NULL);
    container_free(&c);
    return r < 0 ? err_wrap(err, "cannot remove container %.12s", id) : 0;
}
