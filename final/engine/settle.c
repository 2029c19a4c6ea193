/* settle.c - where the record and the world may disagree, the world is right.
 *
 * There is no daemon that watches containers. A record says who answers for its container: first
 * the command that makes it, then the shim. Whoever reads the record checks that process (pid and
 * start time, same boot) and, if it is gone, finishes what it left: takes over the exit status from
 * exit.json, or, when the shim was killed before it could write one, kills what is left in the
 * control group and says so.
 *
 *   creating  by a living command: not there yet       dead: half-made, removed
 *   starting  by a living command: not running yet     dead: running if its shim lives, else as
 * below running   shim alive and no exit.json: true        else: exited, and --rm containers are
 * removed
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
#include "engine/internal.h"
#include "runtime/runtime.h"

#define EXIT_FILE_MAX 4096

void container_cgroup(const char *id, char ret[80])
{
    snprintf(ret, 80, "/cooper/%s", id);
}

char *container_path(struct engine *e, const char *id)
{
    return str_format("%s/containers/%s", e->store->root, id);
}

bool container_running(const struct container *c)
{
    return !strcmp(c->state, "running");
}

void container_set_state(struct container *c, const char *state)
{
    free(c->state);
    c->state = str_copy(state);
}

static bool this_boot(const struct container *c)
{
    struct err ignored;
    char boot[37];

    return !proc_boot_id(boot, &ignored) && !strcmp(boot, c->boot_id);
}

bool container_starting(const struct container *c)
{
    if (!strcmp(c->state, "creating"))
        return c->owner.pid != getpid() && this_boot(c) && proc_alive(&c->owner);
    return !strcmp(c->state, "starting");
}

/* containers/<id>/exit.json into the record. False while it is not there. */
static bool read_exit(struct engine *e, struct container *c)
{
    cleanup_free char *path = str_format("containers/%s/exit.json", c->id);
    struct err ignored;
    cleanup_json json_t *record = json_load(e->store->root_fd, path, EXIT_FILE_MAX, &ignored);

    if (!record)
        return false;
    c->exit_code = (int)json_int(record, "exit_code", 255);
    c->oom_killed = json_flag(record, "oom_killed", false);
    c->finished_ns = json_int(record, "finished_ns", 0);
    return true;
}

/* run/<id>/pids, which the shim writes before it lets init go. */
static bool read_pids(struct engine *e, struct container *c)
{
    cleanup_free char *path = str_format("%s/pids", c->id);
    cleanup_buf struct buf text = {0};
    struct err ignored;

    return !file_load(e->store->run_fd, path, EXIT_FILE_MAX, &text, &ignored) &&
           sscanf(text.data, "%d %llu %d %llu", &c->owner.pid, &c->owner.start, &c->init.pid,
                  &c->init.start) == 4;
}

static int remove_run_files(struct engine *e, const char *id, struct err *err)
{
    return file_remove_tree(e->store->run_fd, id, err);
}

/* The shim is gone without a word. Its container may live on without anybody to reap it: end it. */
static int clean_after_killed_shim(struct container *c, struct err *err)
{
    char cgroup[80];
    int r;

    container_cgroup(c->id, cgroup);
    r = runtime_cgroup_destroy(NULL, cgroup, err);
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

static void tell_end(struct engine *e, const struct container *c)
{
    char code[16];

    snprintf(code, sizeof code, "%d", c->exit_code);
    container_event(e, c, "die", "exitCode", code, NULL);
}

static int settle_ended(struct engine *e, struct container *c, const char *from, struct err *err)
{
    bool shim_killed = false;
    int r = 0;

    if (!read_exit(e, c)) {
        r = clean_after_killed_shim(c, err);
        shim_killed = !r;
    }
    if (!r && !run_dir_locked(e, c)) /* else its shim is cleaning up, or the next one is there */
        r = remove_run_files(e, c->id, err);
    if (r < 0)
        return r;
    container_set_state(c, "exited");
    r = store_container_update(e->store, c, from, err);
    if (r == -EAGAIN) { /* another command settled it in the meantime */
        err_clear(err);
        r = 0;
    } else if (!r && shim_killed) {
        tell_end(e, c); /* which else its shim does */
    }
    if (!r && c->auto_remove)
        return drop_record(e, c, err);
    return r;
}

static int settle_starting(struct engine *e, struct container *c, struct err *err)
{
    if (this_boot(c) && proc_alive(&c->owner))
        return 0;
    if (this_boot(c) && read_pids(e, c) && proc_alive(&c->owner)) {
        container_set_state(c, "running");
        if (!c->started_ns)
            c->started_ns = clock_now();
        return store_container_update(e->store, c, "starting", err);
    }
    if (this_boot(c) && run_dir_locked(e, c))
        return 0; /* the command was killed, its shim is at work and will record itself */
    return settle_ended(e, c, "starting", err);
}

static int settle_running(struct engine *e, struct container *c, struct err *err)
{
    cleanup_free char *path = str_format("containers/%s/exit.json", c->id);

    if (this_boot(c) && proc_alive(&c->owner) && faccessat(e->store->root_fd, path, F_OK, 0) < 0)
        return container_wake(e, c, err);
    return settle_ended(e, c, "running", err);
}

int container_settle(struct engine *e, struct container *c, struct err *err)
{
    if (!strcmp(c->state, "running"))
        return settle_running(e, c, err);
    if (!strcmp(c->state, "starting"))
        return settle_starting(e, c, err);
    if ((!strcmp(c->state, "creating") || !strcmp(c->state, "removing")) &&
        !(this_boot(c) && proc_alive(&c->owner)))
        return drop_record(e, c, err);
    /* --rm, and the command that was to remove it after the end was killed; or it was created for a
     * command that never started it. */
    if (c->auto_remove && !strcmp(c->state, "exited"))
        return drop_record(e, c, err);
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

    if (read_pids(e, c) && proc_alive(&c->owner)) {
        container_set_state(c, "running");
        return true;
    }
    c->owner = owner;
    return false;
}

int container_await_start(struct engine *e, const char *id, struct container *ret, struct err *err)
{
    cleanup_free char *run = str_format("%s/%s", e->store->run, id);
    cleanup_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (watch < 0 || inotify_add_watch(watch, e->store->run, IN_CREATE | IN_DELETE) < 0)
        return err_errno(err, "cannot watch '%s'", e->store->run);
    for (;;) {
        int r;

        /* Before the question, so that no answer is missed. It may not be there yet. */
        if (inotify_add_watch(watch, run, IN_MOVED_TO) < 0 && errno != ENOENT)
            return err_errno(err, "cannot watch '%s'", run);
        r = engine_find(e, id, ret, err);
        if (r < 0 || !container_starting(ret) || started_already(e, ret))
            return r;
        r = wait_for_news(watch, &ret->owner, err);
        container_free(ret);
        if (r < 0)
            return r;
    }
}

/* Another command is making it: there is no container yet, only a name that is taken. */
static bool still_being_made(const struct container *c)
{
    return !strcmp(c->state, "creating") && c->owner.pid != getpid();
}

int engine_find(struct engine *e, const char *name_or_id, struct container *ret, struct err *err)
{
    struct container c;
    int r = store_container_find(e->store, name_or_id, &c, err);

    if (!r) {
        r = container_settle(e, &c, err);
        if (!r && still_being_made(&c))
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
        if (settled < 0 || still_being_made(&all.items[i]))
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
    cleanup_close int pidfd = proc_open(&c->owner);
    cleanup_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct timespec deadline;

    if (watch < 0 || inotify_add_watch(watch, dir, IN_MOVED_TO | IN_DELETE_SELF) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot watch '%s'", dir);
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
