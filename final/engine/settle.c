/* settle.c - where the record and the world may disagree, the world is right.
 *
 * There is no daemon that watches containers. A record says who answers for its container: first
 * the command that makes it, then the shim. Whoever reads the record checks that process (pid and
 * start time, same boot) and, if it is gone, finishes what it left: takes over the exit status from
 * exit.json, or, when the shim was killed before it could write one, kills what is left in the
 * control group and says so.
 *
 *     creating   by a living command: not there yet
 *                dead: running if its shim lives, else half-made: removed
 *     starting   by a living command: not running yet
 *                dead: running if its shim lives, else as below
 *     running    shim alive and no exit.json: true
 *                else: exited, and --rm containers are removed
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/keep.h"
#include "engine/network.h"
#include "engine/volumes.h"
#include "runtime/runtime.h"

#define EXIT_FILE_MAX 4096

char *container_cgroup(const json_t *host, const char *id)
{
    const char *parent = json_str(host, "CgroupParent", "");

    if (!*parent)
        parent = "/cooper";
    return str_format("%s%s/%s", *parent == '/' ? "" : "/", parent, id);
}

int container_destroy_cgroup(const struct container *c, struct err *err)
{
    cleanup_free char *path = container_cgroup(json_object_get(c->config, "HostConfig"), c->id);

    return runtime_cgroup_destroy(NULL, path, err);
}

char *container_path(struct engine *e, const char *id)
{
    return str_format("%s/containers/%s", e->store->root, id);
}

bool container_running(const struct container *c)
{
    return !strcmp(c->state, "running") || !strcmp(c->state, "paused");
}

void container_set_state(struct container *c, const char *state)
{
    free(c->state);
    c->state = str_copy(state);
}

/* In doubt yes: then its processes are looked at, and those of another boot do not fit. */
static bool this_boot(const struct container *c)
{
    struct err ignored;
    char boot[37];

    return proc_boot_id(boot, &ignored) < 0 || !strcmp(boot, c->boot_id);
}

bool container_starting(const struct container *c)
{
    if (!strcmp(c->state, "creating"))
        return c->owner.pid != getpid() && this_boot(c) && proc_alive(&c->owner);
    return !strcmp(c->state, "starting");
}

static json_t *load_exit(struct engine *e, const char *id, struct err *err)
{
    cleanup_free char *path = str_format("containers/%s/exit.json", id);

    return json_load(e->store->root_fd, path, EXIT_FILE_MAX, err);
}

/* Why a file that may be there cannot be read at the moment. */
static bool only_for_now(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOMEM || code == EIO || code == EINTR;
}

/* containers/<id>/exit.json into the record. 1; 0 while it is not there, or when it is of no use.
 */
static int read_exit(struct engine *e, struct container *c, struct err *err)
{
    cleanup_json json_t *record = load_exit(e, c->id, err);

    if (!record && only_for_now(err->code))
        return err_wrap(err, "cannot find out how container %s ended", c->name);
    err_clear(err);
    if (!record)
        return 0;
    c->exit_code = (int)json_int(record, "exit_code", 255);
    c->oom_killed = json_flag(record, "oom_killed", false);
    c->finished_ns = json_int(record, "finished_ns", 0);
    return 1;
}

bool container_restart_note(struct engine *e, const char *id, struct restart_note *ret)
{
    struct err ignored;
    cleanup_json json_t *record = load_exit(e, id, &ignored);
    const json_t *note = json_object_get(record, "restart");

    if (!note)
        return false;
    ret->count = (int)json_int(note, "count", 0);
    ret->delay_ms = (int)json_int(note, "delay_ms", 0);
    ret->process.pid = (pid_t)json_int(note, "pid", 0);
    ret->process.start = (unsigned long long)json_int(note, "start", 0);
    return true;
}

/* run/<id>/pids, which the shim writes before it lets init go. */
static bool read_pids(struct engine *e, struct container *c)
{
    cleanup_free char *path = str_format("%s/pids", c->id);
    cleanup_buf struct buf text = {0};
    long long started_ns;
    struct err ignored;

    if (file_load(e->store->run_fd, path, EXIT_FILE_MAX, &text, &ignored) < 0 ||
        sscanf(text.data, "%d %llu %d %llu %lld", &c->owner.pid, &c->owner.start, &c->init.pid,
               &c->init.start, &started_ns) != 5)
        return false;
    c->started_ns = started_ns;
    return true;
}

/* The shim is gone without a word. Its container may live on without anybody to reap it: end it. */
static int clean_after_killed_shim(struct container *c, struct err *err)
{
    int r = container_destroy_cgroup(c, err);

    if (r < 0)
        return err_wrap(err, "cannot clean up after container %s, whose shim was killed", c->name);
    c->finished_ns = clock_now();
    c->exit_code = this_boot(c) ? 137 : 255;
    free(c->error);
    c->error = str_copy(this_boot(c) ? "the container's shim was killed, and the container with it"
                                     : "the machine was restarted while the container ran");
    return 0;
}

/* Whether a broken-off `rm` was to remove the anonymous volumes too is not known: they stay. */
static int drop_record(struct engine *e, struct container *c, struct err *err)
{
    int r = engine_remove(e, c, true, strcmp(c->state, "removing") != 0, err);

    return r < 0 ? r : -ENOENT;
}

/* Held by the starting command and its shim (start.c). */
static bool run_dir_locked(struct engine *e, const struct container *c)
{
    struct err ignored;
    cleanup_close int run = store_run_dir(e->store, c->id, false, &ignored);

    return run >= 0 && flock(run, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* Nothing can be written: the disk is full, or nobody may write to it. */
static bool is_unwritable(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EROFS;
}

static bool has_run_dir(struct engine *e, const struct container *c)
{
    return !faccessat(e->store->run_fd, c->id, F_OK, AT_SYMLINK_NOFOLLOW);
}

static int finish(struct engine *e, const struct container *c, bool left, struct err *err)
{
    int r = left ? container_destroy_cgroup(c, err) : 0;

    if (!r)
        r = network_down(e, c->id, err);
    return r < 0 ? r : container_remove_run(e, c->id, err);
}

/* What its shim does at the end, unless it is at it, or the next start is: whose lock we then hold.
 * Its run directory goes last, so if that is there the control group may be left as well. */
static int finish_if_idle(struct engine *e, const struct container *c, struct err *err)
{
    bool left = has_run_dir(e, c);
    cleanup_close int run = store_run_dir(e->store, c->id, true, err);
    int r = run < 0 ? run : 0;

    if (!r && flock(run, LOCK_EX | LOCK_NB) < 0)
        return 0;
    if (!r)
        r = finish(e, c, left, err);
    if (r < 0 && is_unwritable(-r)) { /* it is no less true that the container has ended */
        err_clear(err);
        r = 0;
    }
    return r;
}

/* --rm, unless `restart` is between its stop and its start. */
static bool removed_at_end(struct engine *e, const struct container *c)
{
    cleanup_free char *dir = str_format("containers/%s", c->id);

    return c->auto_remove && !keep_is_valid(e->store->root_fd, dir);
}

static void tell_end(struct engine *e, const struct container *c)
{
    char code[16];

    snprintf(code, sizeof code, "%d", c->exit_code);
    container_event(e, c, "die", "exitCode", code, NULL);
}

/* Writes down what was found. 1: done; 0: another command was faster, or it cannot be written: then
 * it is true all the same, and for the next command that can to write down. */
static int record(struct engine *e, struct container *c, struct err *err)
{
    int r = store_container_update(e->store, c, err);

    if (r < 0 && r != -EAGAIN && !is_unwritable(-r))
        return r;
    if (r < 0)
        err_clear(err);
    return r < 0 ? 0 : 1;
}

static int settle_ended(struct engine *e, struct container *c, struct err *err)
{
    int r = read_exit(e, c, err);
    bool shim_killed = !r;

    if (shim_killed)
        r = clean_after_killed_shim(c, err);
    if (r >= 0)
        r = finish_if_idle(e, c, err);
    if (shim_killed)
        volumes_let_go(e, c);
    if (r < 0)
        return r;
    container_set_state(c, "exited");
    r = record(e, c, err);
    if (r < 0)
        return r;
    if (r && shim_killed)
        tell_end(e, c); /* which else its shim does */
    return removed_at_end(e, c) ? drop_record(e, c, err) : 0;
}

/* Its shim waits to start it again. */
static int settle_between_runs(struct engine *e, struct container *c,
                               const struct restart_note *note, struct err *err)
{
    int r = read_exit(e, c, err);

    if (r < 0)
        return r;
    c->owner = note->process;
    c->restarts = note->count;
    container_set_state(c, "restarting");
    r = record(e, c, err);
    return r < 0 ? r : 0;
}

/* The exit is recorded, or its shim is gone. */
static int settle_after_run(struct engine *e, struct container *c, struct err *err)
{
    struct restart_note note;

    if (this_boot(c) && container_restart_note(e, c->id, &note) && proc_alive(&note.process))
        return settle_between_runs(e, c, &note, err);
    return settle_ended(e, c, err);
}

/* For `start`, or for a `run` that is making it. */
static int settle_starting(struct engine *e, struct container *c, struct err *err)
{
    int r;

    if (this_boot(c) && proc_alive(&c->owner))
        return 0;
    if (this_boot(c) && read_pids(e, c) && proc_alive(&c->owner)) {
        container_set_state(c, "running");
        r = record(e, c, err);
        return r < 0 ? r : 0;
    }
    if (this_boot(c) && run_dir_locked(e, c))
        return 0; /* the command was killed, its shim is at work and will record itself */
    r = strcmp(c->state, "creating") ? 1 : read_exit(e, c, err);
    if (r <= 0)
        return r < 0 ? r : drop_record(e, c, err); /* half-made */
    return settle_after_run(e, c, err);
}

static bool exit_recorded(struct engine *e, const struct container *c)
{
    cleanup_free char *path = str_format("containers/%s/exit.json", c->id);

    return !faccessat(e->store->root_fd, path, F_OK, 0);
}

/* Who paused it was killed before it stood still, or who unpaused it before the record said so. */
static int settle_thawed(struct engine *e, struct container *c, struct err *err)
{
    int r;

    container_set_state(c, "running");
    r = record(e, c, err);
    return r < 0 ? r : 0;
}

static int settle_running(struct engine *e, struct container *c, struct err *err)
{
    bool paused = !strcmp(c->state, "paused");

    if (!this_boot(c) || !proc_alive(&c->owner) || exit_recorded(e, c))
        return settle_after_run(e, c, err);
    if (!paused)
        return container_wake(e, c, err);
    return container_frozen(c, err) == 1 ? 0 : settle_thawed(e, c, err);
}

/* Somebody may have stopped it meanwhile: then the exit says nothing of a restart any more. Where
 * there is no exit it is being started at this moment. */
static int settle_restarting(struct engine *e, struct container *c, struct err *err)
{
    struct restart_note note;

    if (this_boot(c) && proc_alive(&c->owner) &&
        (!exit_recorded(e, c) || container_restart_note(e, c->id, &note)))
        return 0;
    return settle_ended(e, c, err);
}

/* --rm, and the command that was to remove it after the end was killed; or the shim was killed
 * after it had told the end, while it tidied up. */
static int settle_exited(struct engine *e, struct container *c, struct err *err)
{
    if (removed_at_end(e, c))
        return drop_record(e, c, err);
    return has_run_dir(e, c) ? finish_if_idle(e, c, err) : 0;
}

int container_settle(struct engine *e, struct container *c, struct err *err)
{
    if (!strcmp(c->state, "running") || !strcmp(c->state, "paused"))
        return settle_running(e, c, err);
    if (!strcmp(c->state, "restarting"))
        return settle_restarting(e, c, err);
    if (!strcmp(c->state, "starting") || !strcmp(c->state, "creating"))
        return settle_starting(e, c, err);
    if (!strcmp(c->state, "removing") && !(this_boot(c) && proc_alive(&c->owner)))
        return drop_record(e, c, err);
    if (!strcmp(c->state, "exited"))
        return settle_exited(e, c, err);
    return 0;
}

/* Until something is made or removed in the watched directories, or the process ends. The record
 * itself cannot be watched, so it is looked at again now and then, soon if its process is gone. */
static int wait_for_news(int watch, const struct proc_id *process, struct err *err)
{
    cleanup_close int pidfd = proc_open(process);
    struct pollfd p[] = {{watch, POLLIN, 0}, {pidfd, POLLIN, 0}};
    char events[4096];

    if (poll(p, 2, pidfd < 0 ? 50 : 1000) < 0 && errno != EINTR)
        return err_errno(err, "poll");
    while (read(watch, events, sizeof events) > 0)
        ;
    return 0;
}

/* True when the shim has let init go, or is about to: the record will say so next. */
static bool started_already(struct engine *e, struct container *c)
{
    struct proc_id owner = c->owner;

    if (strcmp(c->state, "restarting") && read_pids(e, c) && proc_alive(&c->owner)) {
        container_set_state(c, "running");
        return true;
    }
    c->owner = owner;
    return false;
}

static int watch_container(struct engine *e, const char *id, int watch, struct err *err)
{
    cleanup_free char *run = str_format("%s/%s", e->store->run, id);
    cleanup_free char *dir = container_path(e, id);

    if (inotify_add_watch(watch, run, IN_MOVED_TO) < 0 && errno != ENOENT)
        return err_errno(err, "cannot watch '%s'", run);
    if (inotify_add_watch(watch, dir, IN_MOVED_TO | IN_DELETE) < 0 && errno != ENOENT)
        return err_errno(err, "cannot watch '%s'", dir);
    return 0;
}

int container_await_change(struct engine *e, const char *id,
                           bool (*unsettled)(const struct container *), struct container *ret,
                           struct err *err)
{
    cleanup_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (watch < 0 || inotify_add_watch(watch, e->store->run, IN_CREATE | IN_DELETE) < 0)
        return err_errno(err, "cannot watch '%s'", e->store->run);
    for (;;) {
        /* Before the question, so that no answer is missed. */
        int r = watch_container(e, id, watch, err);

        if (!r)
            r = engine_find(e, id, ret, err);
        if (r < 0 || !unsettled(ret) || started_already(e, ret))
            return r;
        r = wait_for_news(watch, &ret->owner, err);
        container_free(ret);
        if (r < 0)
            return r;
    }
}

int container_await_start(struct engine *e, const char *id, struct container *ret, struct err *err)
{
    return container_await_change(e, id, container_starting, ret, err);
}

/* Another command is making it: there is no container yet, only a name that is taken. Once a shim
 * is at work (run/<id>), or has been (exit.json), it is being started. */
static bool still_being_made(struct engine *e, const struct container *c)
{
    return !strcmp(c->state, "creating") && c->owner.pid != getpid() && !exit_recorded(e, c) &&
           !has_run_dir(e, c);
}

int engine_find(struct engine *e, const char *name_or_id, struct container *ret, struct err *err)
{
    struct container c;
    int r = store_container_find(e->store, name_or_id, &c, err);

    if (!r) {
        r = container_settle(e, &c, err);
        if (!r && still_being_made(e, &c))
            r = -ENOENT;
        if (r < 0)
            container_free(&c);
    }
    if (r == -ENOENT)
        return err_set(err, ENOENT, "No such container: %s", name_or_id);
    if (r == -ENOTUNIQ)
        return err_set(err, ENOTUNIQ, "Multiple IDs found with provided prefix: %s", name_or_id);
    if (!r)
        *ret = c;
    return r;
}

int engine_list(struct engine *e, struct container_list *ret, struct err *err)
{
    struct container_list all, kept = {0};
    int r = store_containers(e->store, &all, err);

    if (r < 0)
        return r;
    kept.items = mem_alloc((all.len + 1) * sizeof *kept.items);
    for (size_t i = 0; i < all.len; i++) {
        int settled = container_settle(e, &all.items[i], err);

        if (settled < 0 && settled != -ENOENT && !r)
            r = settled;
        if (settled < 0 || still_being_made(e, &all.items[i]))
            container_free(&all.items[i]);
        else
            kept.items[kept.len++] = all.items[i];
    }
    free(all.items);
    if (r < 0)
        container_list_free(&kept);
    else
        *ret = kept;
    return r;
}

static int milliseconds_left(const struct timespec *deadline)
{
    struct timespec now;
    long long left;

    clock_gettime(CLOCK_MONOTONIC, &now);
    left = (deadline->tv_sec - now.tv_sec) * 1000LL + (deadline->tv_nsec - now.tv_nsec) / 1000000;
    return left > 0 ? (int)left : 0;
}

int container_wait_exit(struct engine *e, const struct container *c, int timeout_ms,
                        struct err *err)
{
    cleanup_free char *dir = container_path(e, c->id);
    cleanup_free char *file = str_format("%s/exit.json", dir);
    cleanup_close int pidfd = proc_open(&c->owner), watch = -1;
    struct timespec deadline;

    /* `stop -t 0` only asks: the kernel takes milliseconds to be rid of a watch. */
    if (!timeout_ms && pidfd >= 0 && access(file, F_OK) < 0)
        return -ETIMEDOUT;
    watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0 || inotify_add_watch(watch, dir, IN_MOVED_TO | IN_DELETE_SELF) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot watch '%s'", dir);
    if (pidfd < 0 && pidfd != -ESRCH)
        return err_set(err, -pidfd, "cannot wait for container %s: %s", c->name, strerror(-pidfd));
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
    while (pidfd >= 0 && access(file, F_OK) < 0) {
        struct pollfd p[] = {{pidfd, POLLIN, 0}, {watch, POLLIN, 0}};
        char events[4096];
        int n = poll(p, 2, timeout_ms < 0 ? -1 : milliseconds_left(&deadline));

        if (n < 0 && errno != EINTR)
            return err_errno(err, "poll");
        if (!n)
            return -ETIMEDOUT;
        if (p[0].revents ||
            (p[1].revents && read(watch, events, sizeof events) < 0 && errno != EAGAIN))
            return 0;
        if (access(dir, F_OK) < 0)
            return 0;
    }
    return 0;
}
