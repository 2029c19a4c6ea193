/* life.c - what is done to a running container from outside: signals, stop, wait, attach, remove.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/attach.h"
#include "engine/internal.h"
#include "runtime/runtime.h"

#define STOP_TIMEOUT_S 10

static int not_running(const struct container *c, struct err *err)
{
    return err_set(err, ESRCH, "Container %s is not running", c->id);
}

static int connect_to_shim(struct engine *e, const struct container *c, struct err *err)
{
    cleanup_close int dir = -1, fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    dir = store_run_dir(e->store, c->id, false, err);
    if (dir < 0)
        return dir;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "cannot make a socket");
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/attach.sock", dir);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_errno(err, "cannot attach to container %s", c->name);
    return steal_fd(&fd);
}

int engine_attach(struct engine *e, const struct container *c, struct err *err)
{
    int fd;

    if (!container_running(c))
        return err_set(err, ESRCH, "You cannot attach to a stopped container, start it first");
    fd = connect_to_shim(e, c, err);
    if (fd >= 0)
        container_event(e, c, "attach", NULL);
    return fd;
}

/* With `now` the container after the start that another command is at: what is asked of a
 * container in the middle of it is answered after it. */
#define AFTER_START(e, c, now, err, action)                                                        \
    do {                                                                                           \
        if (container_starting(c)) {                                                               \
            struct container now;                                                                  \
            int after = container_await_start(e, (c)->id, &now, err);                              \
                                                                                                   \
            if (after < 0)                                                                         \
                return after;                                                                      \
            after = (action);                                                                      \
            container_free(&now);                                                                  \
            return after;                                                                          \
        }                                                                                          \
    } while (0)

int engine_kill(struct engine *e, const struct container *c, int sig, struct err *err)
{
    cleanup_close int pidfd = -1;
    char number[16];
    int r;

    AFTER_START(e, c, now, err, engine_kill(e, &now, sig, err));
    if (!container_running(c)) {
        not_running(c, err);
        return err_wrap(err, "Cannot kill container: %s", c->name);
    }
    snprintf(number, sizeof number, "%d", sig);
    container_event(e, c, "kill", "signal", number, NULL);
    pidfd = proc_open(&c->init);
    r = pidfd < 0 ? pidfd : proc_signal_fd(pidfd, sig);
    if (r == -ESRCH)
        return 0; /* it ended by itself just now */
    return r < 0 ? err_set(err, -r, "cannot send signal %d to container %s: %s", sig, c->name,
                           strerror(-r))
                 : 0;
}

/* The record after the end, so that the next reader need not settle it. */
static int settle_after_end(struct engine *e, const struct container *c, int *ret_code,
                            struct err *err)
{
    struct container now;
    int r = store_container_find(e->store, c->id, &now, err);

    if (r == -ENOENT)
        return ret_code
                   ? err_set(err, ENOENT,
                             "container %s was removed before it was asked how it ended", c->name)
                   : 0;
    if (r < 0)
        return r;
    r = container_settle(e, &now, err);
    if (ret_code)
        *ret_code = now.exit_code;
    container_free(&now);
    return r == -ENOENT ? 0 : r;
}

/* Milliseconds for poll(2); -1, for ever, also for what it could not hold: more than three weeks.
 */
static int stop_timeout(const struct container *c, int timeout_s)
{
    long long seconds = timeout_s;

    if (timeout_s == ENGINE_STOP_DEFAULT)
        seconds = json_int(c->config, "Config.StopTimeout", STOP_TIMEOUT_S);
    return seconds < 0 || seconds > 2000000 ? -1 : (int)seconds * 1000;
}

int engine_stop(struct engine *e, const struct container *c, int sig, int timeout_s,
                struct err *err)
{
    const char *wanted = json_str(c->config, "Config.StopSignal", "");
    int r;

    AFTER_START(e, c, now, err, engine_stop(e, &now, sig, timeout_s, err));
    if (!container_running(c))
        return 0;
    if (!sig)
        sig = *wanted ? proc_signal_number(wanted) : SIGTERM;
    r = engine_kill(e, c, sig, err);
    if (!r)
        r = container_wait_exit(e, c, stop_timeout(c, timeout_s), err);
    if (r == -ETIMEDOUT) {
        r = engine_kill(e, c, SIGKILL, err);
        if (!r)
            r = container_wait_exit(e, c, -1, err);
    }
    if (r < 0)
        return r;
    container_event(e, c, "stop", NULL);
    return settle_after_end(e, c, NULL, err);
}

/* The exit status as the shim tells it: an --rm container's record and files may be gone a moment
 * after the end. False when there is no shim to ask. */
static bool hear_exit(struct engine *e, const struct container *c, int *ret_code)
{
    static const char quiet = ATTACH_QUIET;
    char packet[ATTACH_MAX];
    struct attach_exit status;
    struct err ignored;
    cleanup_close int fd = connect_to_shim(e, c, &ignored);
    ssize_t n;

    if (fd < 0 || send(fd, &quiet, 1, MSG_NOSIGNAL) < 0)
        return false;
    for (;;) {
        n = recv(fd, packet, sizeof packet, 0);
        if (!n || (n < 0 && errno != EINTR))
            return false;
        if (n == 1 + (ssize_t)sizeof status && packet[0] == ATTACH_EXIT) {
            memcpy(&status, packet + 1, sizeof status);
            *ret_code = status.code;
            return true;
        }
    }
}

int engine_wait(struct engine *e, const struct container *c, int *ret_code, struct err *err)
{
    int r;

    AFTER_START(e, c, now, err, engine_wait(e, &now, ret_code, err));
    *ret_code = c->exit_code;
    if (!container_running(c))
        return 0;
    if (hear_exit(e, c, ret_code))
        return settle_after_end(e, c, NULL, err);
    r = container_wait_exit(e, c, -1, err);
    return r < 0 ? r : settle_after_end(e, c, ret_code, err);
}

static int container_remove_files(struct engine *e, const char *id, struct err *err)
{
    cleanup_free char *path = str_format("containers/%s", id);
    int r = file_remove_tree(e->store->run_fd, id, err);

    return r < 0 ? r : file_remove_tree(e->store->root_fd, path, err);
}

/* Every step may find that an earlier, killed attempt has done it: all are repeatable. The record
 * goes last. */
static int take_apart(struct engine *e, const struct container *c, bool volumes, struct err *err)
{
    char cgroup[80];
    int r;

    container_cgroup(c->id, cgroup);
    r = runtime_cgroup_destroy(NULL, cgroup, err);
    if (!r)
        r = container_remove_files(e, c->id, err);
    if (!r)
        r = store_volumes_release(e->store, c->id, volumes, err);
    if (r >= 0)
        r = store_container_remove(e->store, c->id, err);
    if (r > 0) /* it was us, and no other command beside us */
        container_event(e, c, "destroy", NULL);
    return r < 0 ? err_wrap(err, "cannot remove container %s", c->name) : 0;
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
    return r < 0 ? r : store_container_update(e->store, &claimed, c->state, err);
}

static int remove_as_it_is_now(struct engine *e, const struct container *c, bool force,
                               bool volumes, struct err *err)
{
    struct container now;
    int r;

    err_clear(err);
    r = store_container_find(e->store, c->id, &now, err);
    if (r == -ENOENT) /* removed by another: what we made or saw of it goes all the same */
        return take_apart(e, c, volumes, err);
    if (r < 0)
        return r;
    r = engine_remove(e, &now, force, volumes, err);
    container_free(&now);
    return r;
}

int engine_remove(struct engine *e, const struct container *c, bool force, bool volumes,
                  struct err *err)
{
    int r = 0;

    if (!force && (container_running(c) || !strcmp(c->state, "starting")))
        return err_set(err, EBUSY,
                       "You cannot remove a running container %s. Stop the container before "
                       "attempting removal or force remove",
                       c->id);
    AFTER_START(e, c, now, err, engine_remove(e, &now, force, volumes, err));
    if (container_running(c)) {
        r = engine_kill(e, c, SIGKILL, err);
        if (!r)
            r = container_wait_exit(e, c, -1, err);
    }
    if (!r)
        r = claim_removal(e, c, err);
    if (r == -EAGAIN)
        return remove_as_it_is_now(e, c, force, volumes, err);
    return r < 0 ? r : take_apart(e, c, volumes || c->auto_remove, err);
}

/* What the shim leaves when all is well: nothing. Its run directory goes last, so if that is there
 * the shim was killed at it, and the control group may be left as well. */
static int finish_for_shim(struct engine *e, const char *id, struct err *err)
{
    char cgroup[80];
    int r;

    if (faccessat(e->store->run_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    container_cgroup(id, cgroup);
    r = runtime_cgroup_destroy(NULL, cgroup, err);
    return r < 0 ? r : file_remove_tree(e->store->run_fd, id, err);
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
    if (!r)
        r = file_remove_tree(e->store->root_fd, path, err);
    await_shim(socket);
    if (!r)
        r = finish_for_shim(e, id, err);
    if (!r)
        r = store_volumes_release(e->store, id, true, err);
    if (r >= 0)
        r = store_container_remove(e->store, id, err);
    if (r > 0)
        container_event(e, &c, "destroy", NULL);
    container_free(&c);
    return r < 0 ? err_wrap(err, "cannot remove container %.12s", id) : 0;
}
