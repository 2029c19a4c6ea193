/* life.c - what is done to a running container from outside: signals, stop, wait, attach.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

int container_connect(struct engine *e, const struct container *c, struct err *err)
{
    cleanup_close int dir = -1, fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    dir = store_run_dir(e->store, c->id, false, err);
    if (dir < 0)
        return err_wrap(err, "cannot attach to container %s", c->name);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(err, "cannot make a socket");
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/attach.sock", dir);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_errno(err, "cannot attach to container %s", c->name);
    return steal_fd(&fd);
}

int engine_check_attach(const struct container *c, struct err *err)
{
    if (!strcmp(c->state, "paused"))
        return err_set(err, EINVAL, "You cannot attach to a paused container, unpause it first");
    if (!strcmp(c->state, "restarting"))
        return err_set(err, EINVAL,
                       "You cannot attach to a restarting container, wait until it is running");
    if (!container_running(c))
        return err_set(err, ESRCH, "You cannot attach to a stopped container, start it first");
    return 0;
}

int engine_attach(struct engine *e, const struct container *c, struct err *err)
{
    int fd = engine_check_attach(c, err);

    if (!fd)
        fd = container_connect(e, c, err);
    if (fd >= 0)
        container_event(e, c, "attach", NULL);
    return fd;
}

static bool restarts(const struct container *c)
{
    const char *policy = json_str(c->config, "HostConfig.RestartPolicy.Name", "");

    return *policy && strcmp(policy, "no");
}

/* containers/<id>/stopped: the end to come is meant. No policy starts the container again, and
 * `unless-stopped` remembers it over a boot. `by`: nothing for a person; see boot.c. */
static int mark_stopped_by(struct engine *e, const struct container *c, const char *by,
                           struct err *err)
{
    cleanup_free char *path = str_format("containers/%s/stopped", c->id);
    int r = *by && faccessat(e->store->root_fd, path, F_OK, 0) < 0
                ? file_store(e->store->root_fd, path, by, strlen(by), 0600, false, err)
                : file_create(e->store->root_fd, path, "", 0, 0600, err);

    if (r == -EEXIST || r == -ENOENT || /* -ENOENT: it is being removed */
        (r < 0 && !restarts(c))) {      /* and can be stopped though the disk is full */
        err_clear(err);
        r = 0;
    }
    return r;
}

static int mark_stopped(struct engine *e, const struct container *c, struct err *err)
{
    return mark_stopped_by(e, c, "", err);
}

static int stop_signal(const struct container *c)
{
    const char *wanted = json_str(c->config, "Config.StopSignal", "");

    return *wanted ? proc_signal_number(wanted) : SIGTERM;
}

/* 0 also when it ended by itself just now. */
static int signal_init(struct engine *e, const struct container *c, int sig, struct err *err)
{
    cleanup_close int pidfd = proc_open(&c->init);
    int r = pidfd < 0 ? pidfd : 0;
    char number[16];

    snprintf(number, sizeof number, "%d", sig);
    container_event(e, c, "kill", "signal", number, NULL);
    if (!r)
        r = proc_signal_fd(pidfd, sig);
    if (!r || r == -ESRCH)
        return 0;
    return err_set(err, -r, "cannot send signal %d to container %s: %s", sig, c->name,
                   strerror(-r));
}

/* What is frozen does not act on a signal, unless it is SIGKILL on version 2's control groups. */
static int thaw_for_signal(const struct container *c, struct err *err)
{
    int r = strcmp(c->state, "paused") ? 0 : container_set_frozen(c, false, err);

    if (r == -ENOENT) { /* it has ended meanwhile */
        err_clear(err);
        r = 0;
    }
    return r;
}

int engine_kill(struct engine *e, const struct container *c, int sig, struct err *err)
{
    bool meant = sig == SIGKILL || sig == stop_signal(c);
    int r = 0;

    AFTER_START(e, c, now, err, engine_kill(e, &now, sig, err));
    if (!strcmp(c->state, "restarting")) /* docker's way: it is not started again */
        return mark_stopped(e, c, err);
    if (!container_running(c)) {
        not_running(c, err);
        return err_wrap(err, "Cannot kill container: %s", c->name);
    }
    if (meant)
        r = mark_stopped(e, c, err);
    if (!r)
        r = signal_init(e, c, sig, err);
    return r || !meant ? r : thaw_for_signal(c, err);
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

static bool is_restarting(const struct container *c)
{
    return !strcmp(c->state, "restarting");
}

/* Its shim waits to start it again, and sees the mark. Or it had just begun to start it. */
static int stop_restarting(struct engine *e, const struct container *c, int sig, int timeout_s,
                           struct err *err)
{
    struct container now;
    int r = mark_stopped(e, c, err);

    if (!r)
        r = container_await_change(e, c->id, is_restarting, &now, err);
    if (r < 0)
        return r;
    r = engine_stop(e, &now, sig, timeout_s, err);
    container_free(&now);
    return r;
}

int container_ask_to_end(struct engine *e, const struct container *c, const char *by, int sig,
                         struct err *err)
{
    int r = mark_stopped_by(e, c, by, err);

    if (r < 0 || is_restarting(c))
        return r;
    r = signal_init(e, c, sig ? sig : stop_signal(c), err);
    return r < 0 ? r : thaw_for_signal(c, err);
}

int container_stop_timeout(const struct container *c)
{
    return stop_timeout(c, ENGINE_STOP_DEFAULT);
}

static int signal_and_wait(struct engine *e, const struct container *c, int sig, int timeout_ms,
                           struct err *err)
{
    int r = signal_init(e, c, sig, err);

    if (!r)
        r = thaw_for_signal(c, err);
    return r < 0 ? r : container_wait_exit(e, c, timeout_ms, err);
}

/* What we were told to stop may have been on its way from one run to the next when we read of it:
 * then its policy's start has come between, the last one as the mark is there. A person's start
 * takes the mark away, and is meant. */
static int stop_next_run(struct engine *e, const struct container *c, int sig, int timeout_s,
                         struct err *err)
{
    cleanup_free char *mark = str_format("containers/%s/stopped", c->id);
    struct container now;
    int r = restarts(c) ? engine_find(e, c->id, &now, err) : -ENOENT;

    if (r < 0) {
        err_clear(err);
        return r == -ENOENT ? 0 : r;
    }
    if ((now.init.pid != c->init.pid || now.init.start != c->init.start) &&
        !faccessat(e->store->root_fd, mark, F_OK, 0))
        r = engine_stop(e, &now, sig, timeout_s, err); /* does nothing if it does not run */
    container_free(&now);
    return r;
}

int engine_stop(struct engine *e, const struct container *c, int sig, int timeout_s,
                struct err *err)
{
    int r;

    AFTER_START(e, c, now, err, engine_stop(e, &now, sig, timeout_s, err));
    if (is_restarting(c))
        return stop_restarting(e, c, sig, timeout_s, err);
    if (!container_running(c))
        return 0;
    r = mark_stopped(e, c, err);
    if (!r)
        r = signal_and_wait(e, c, sig ? sig : stop_signal(c), stop_timeout(c, timeout_s), err);
    if (r == -ETIMEDOUT)
        r = signal_and_wait(e, c, SIGKILL, -1, err);
    if (r < 0)
        return r;
    container_event(e, c, "stop", NULL);
    r = settle_after_end(e, c, NULL, err);
    return r < 0 ? r : stop_next_run(e, c, sig, timeout_s, err);
}

/* The exit status as the shim tells it: an --rm container's record and files may be gone a moment
 * after the end. False when there is no shim to ask. */
static bool hear_exit(struct engine *e, const struct container *c, int *ret_code)
{
    static const char quiet = ATTACH_QUIET;
    char packet[ATTACH_MAX];
    struct attach_exit status;
    struct err ignored;
    cleanup_close int fd = container_connect(e, c, &ignored);
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

/* docker's way: what is between two runs counts as running, and is waited for. */
static int wait_for_next_run(struct engine *e, const struct container *c, int *ret_code,
                             struct err *err)
{
    struct container now;
    int r = container_await_change(e, c->id, is_restarting, &now, err);

    if (r < 0)
        return r;
    r = engine_wait(e, &now, ret_code, err);
    container_free(&now);
    return r;
}

int engine_wait(struct engine *e, const struct container *c, int *ret_code, struct err *err)
{
    int r;

    AFTER_START(e, c, now, err, engine_wait(e, &now, ret_code, err));
    if (is_restarting(c))
        return wait_for_next_run(e, c, ret_code, err);
    *ret_code = c->exit_code;
    if (!container_running(c))
        return 0;
    if (hear_exit(e, c, ret_code))
        return settle_after_end(e, c, NULL, err);
    r = container_wait_exit(e, c, -1, err);
    return r < 0 ? r : settle_after_end(e, c, ret_code, err);
}

int container_end_now(struct engine *e, const struct container *c, struct err *err)
{
    int r;

    if (is_restarting(c))
        return stop_restarting(e, c, SIGKILL, -1, err);
    if (!container_running(c))
        return 0;
    r = mark_stopped(e, c, err);
    return r < 0 ? r : signal_and_wait(e, c, SIGKILL, -1, err);
}
