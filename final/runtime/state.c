#include "runtime/state.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/start.h"

#define STATE_FILE  "state.json"
#define STATE_MAX   (4u << 20)
#define LOCK_TIME_S 10

/* --- the directory and its lock -----------------------------------------------------------------
 */

int state_check_id(const char *id, struct err *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-";

    if (!*id)
        return err_set(err, EINVAL, "container id cannot be empty");
    if (strspn(id, allowed) != strlen(id) || !strcmp(id, ".") || !strcmp(id, "..") ||
        strlen(id) > NAME_MAX)
        return err_set(err, EINVAL, "invalid container ID format");
    return 0;
}

static int does_not_exist(struct err *err)
{
    return err_set(err, ENOENT, "container does not exist");
}

int state_open(const char *root, const char *id, int *ret_dir, struct err *err)
{
    cleanup_free char *path = str_format("%s/%s", root, id);
    int dir;

    if (state_check_id(id, err) < 0)
        return -err->code;
    dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOENT ? does_not_exist(err)
                               : err_errno(err, "cannot open the state directory '%s'", path);
    *ret_dir = dir;
    return 0;
}

/* Between our open(2) and our flock(2) its last holder may have removed it: then we hold the lock
 * of a directory without a name. */
static bool is_removed(int dir)
{
    struct stat st;

    return fstat(dir, &st) < 0 || !st.st_nlink;
}

int state_claim(const char *root, const char *id, int *ret_dir, struct err *err)
{
    cleanup_free char *path = str_format("%s/%s", root, id);

    if (state_check_id(id, err) < 0 || file_make_dirs(AT_FDCWD, root, 0700, err) < 0)
        return -err->code;
    for (;;) {
        cleanup_close int dir = -1;

        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return err_errno(err, "cannot make the state directory '%s'", path);
        dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 && errno != ENOENT)
            return err_errno(err, "cannot open the state directory '%s'", path);
        if (dir < 0)
            continue;
        if (flock(dir, LOCK_EX | LOCK_NB) < 0)
            return err_errno(err, "cannot lock the state directory '%s'", path);
        if (is_removed(dir))
            continue;
        *ret_dir = steal_fd(&dir);
        return 0;
    }
}

static void wake(int sig)
{
    (void)sig; /* flock(2) ends with EINTR */
}

/* flock(2) with an end, by a signal of our own: its handler is set without SA_RESTART. The timer
 * goes on, so that a signal between two calls cannot be the last. */
static int lock_until_alarm(int dir)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec time = {{0, 100000000}, {LOCK_TIME_S, 0}};
    timer_t timer;
    int r;

    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        return -errno;
    timer_settime(timer, 0, &time, NULL);
    r = flock(dir, LOCK_EX) < 0 ? -errno : 0;
    timer_delete(timer);
    return r == -EINTR ? -ETIMEDOUT : r;
}

/* `run` may have blocked the signal to forward it. */
static int lock_in_time(int dir)
{
    struct sigaction action = {.sa_handler = wake}, old;
    sigset_t alarm, mask;
    int r;

    if (!flock(dir, LOCK_EX | LOCK_NB))
        return 0;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigaction(SIGALRM, &action, &old);
    sigprocmask(SIG_UNBLOCK, &alarm, &mask);
    r = lock_until_alarm(dir);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGALRM, &old, NULL);
    return r;
}

int state_lock(int dir, const char *id, struct err *err)
{
    int r = lock_in_time(dir);

    if (r == -ETIMEDOUT)
        return err_set(
            err, ETIMEDOUT,
            "another command has been at work on container %s for %d seconds: end it, or "
            "wait for it",
            id, LOCK_TIME_S);
    if (r < 0)
        return err_set(err, -r, "cannot lock container %s: %s", id, strerror(-r));
    return is_removed(dir) ? does_not_exist(err) : 0;
}

void state_unlock(int dir)
{
    flock(dir, LOCK_UN);
}

int state_remove(const char *root, const char *id, int dir, struct err *err)
{
    static const char *const files[] = {"start.sock", "config.json", STATE_FILE};
    cleanup_free char *path = str_format("%s/%s", root, id);

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (unlinkat(dir, files[i], 0) < 0 && errno != ENOENT)
            return err_errno(err, "cannot remove '%s/%s'", path, files[i]);
    if (!rmdir(path) || errno == ENOENT)
        return 0;
    /* What a killed writer left beside its target. */
    return errno == ENOTEMPTY ? file_remove_tree(AT_FDCWD, path, err)
                              : err_errno(err, "cannot remove the state directory '%s'", path);
}

/* --- the record ---------------------------------------------------------------------------------
 */

static void put_process(json_t *document, const char *name, const struct proc_id *process)
{
    json_t *value;

    if (!process->pid)
        return;
    value = json_object();
    json_put(value, "pid", json_integer(process->pid));
    json_put(value, "start", json_integer((json_int_t)process->start));
    json_put(document, name, value);
}

static struct proc_id get_process(const json_t *document, const char *name)
{
    const json_t *value = json_object_get(document, name);

    return (struct proc_id){(pid_t)json_int(value, "pid", 0),
                            (unsigned long long)json_int(value, "start", 0)};
}

/* Every text of the record, and where it stands in the document. */
struct text_member {
    const char *name;
    size_t offset;
};
static const struct text_member texts[] = {
    {"id", offsetof(struct state, id)},
    {"bundle", offsetof(struct state, bundle)},
    {"rootfs", offsetof(struct state, rootfs)},
    {"boot", offsetof(struct state, boot)},
    {"created", offsetof(struct state, created)},
    {"cgroupManager", offsetof(struct state, cgroup_manager)},
    {"cgroupPath", offsetof(struct state, cgroup_path)},
};

static char **text_of(const struct state *state, const struct text_member *member)
{
    return (char **)((char *)state + member->offset);
}

/* Where the directory outlives a boot: processes of another one are dead, whoever has their pids
 * now. A creation that was not finished is still known as one. */
static int forget_processes_of_other_boots(struct state *state, struct err *err)
{
    char now[37];

    if (proc_boot_id(now, err) < 0)
        return -err->code;
    if (!strcmp(state->boot, now))
        return 0;
    state->init = (struct proc_id){0};
    if (state->creator.pid)
        state->creator = (struct proc_id){INT_MAX, 0};
    return 0;
}

int state_load(int dir, struct state *ret, struct err *err)
{
    cleanup_json json_t *document = NULL;
    struct state state = {0};

    if (faccessat(dir, STATE_FILE, F_OK, 0) < 0 && errno == ENOENT)
        return does_not_exist(err);
    document = json_load(dir, STATE_FILE, STATE_MAX, err);
    if (!document)
        return err_wrap(err, "cannot read the container's state");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!json_str(document, texts[i].name, NULL))
            return err_set(err, EINVAL, "cannot read the container's state: '%s' is missing",
                           texts[i].name);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *text_of(&state, &texts[i]) = str_copy(json_str(document, texts[i].name, ""));
    state.init = get_process(document, "init");
    state.creator = get_process(document, "creator");
    state.annotations = json_incref(json_object_get(document, "annotations"));
    state.no_new_keyring = json_flag(document, "noNewKeyring", false);
    if (forget_processes_of_other_boots(&state, err) < 0) {
        state_free(&state);
        return -err->code;
    }
    *ret = state;
    return 0;
}

int state_store(int dir, const struct state *state, struct err *err)
{
    cleanup_json json_t *document = json_object();

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        json_put_str(document, texts[i].name, *text_of(state, &texts[i]));
    put_process(document, "init", &state->init);
    put_process(document, "creator", &state->creator);
    if (state->no_new_keyring)
        json_put(document, "noNewKeyring", json_true());
    if (state->annotations)
        json_put(document, "annotations", json_incref(state->annotations));
    if (json_store(dir, STATE_FILE, document, 0600, false, err) < 0)
        return err_wrap(err, "cannot write the container's state");
    return 0;
}

void state_free(struct state *state)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(*text_of(state, &texts[i]));
    json_decref(state->annotations);
    *state = (struct state){0};
}

/* --- what it is now -----------------------------------------------------------------------------
 */

const char *state_status_name(enum state_status status)
{
    static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};

    return names[status];
}

struct runtime_cgroup_place state_cgroup(const struct state *state)
{
    struct runtime_cgroup_place place = {.path = state->cgroup_path ? state->cgroup_path : ""};

    runtime_cgroup_manager_of(state->cgroup_manager, &place.manager); /* else: cgroupfs */
    return place;
}

static bool is_frozen(const struct state *state)
{
    const struct runtime_cgroup_place place = state_cgroup(state);
    struct err ignored = {0};

    return runtime_cgroup_frozen(&place, &ignored) > 0;
}

/* A creation that was not finished and has nobody at it any more is over, even if its init has not
 * noticed yet that it is alone. */
enum state_status state_status(int dir, const struct state *state)
{
    if (state->creator.pid)
        return proc_alive(&state->creator) ? STATE_CREATING : STATE_STOPPED;
    if (!state->init.pid || !proc_alive(&state->init))
        return STATE_STOPPED;
    if (is_frozen(state))
        return STATE_PAUSED;
    return start_is_waiting(dir) ? STATE_CREATED : STATE_RUNNING;
}

json_t *state_document(const struct state *state, enum state_status status, pid_t pid)
{
    json_t *document = json_object();

    json_put_str(document, "ociVersion", STATE_OCI_VERSION);
    json_put_str(document, "id", state->id);
    json_put_str(document, "status", state_status_name(status));
    if (pid)
        json_put(document, "pid", json_integer(pid));
    json_put_str(document, "bundle", state->bundle);
    if (json_object_size(state->annotations))
        json_put(document, "annotations", json_incref(state->annotations));
    return document;
}
