/* ROOT/ID/: made, found, locked and removed. */
#include "runtime/state.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define LOCK_TIME_S 10

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

    if (state_check_id(id, err) < 0)
        return -err->code;
    if (file_make_dirs(AT_FDCWD, root, 0700, err) < 0)
        return geteuid() ? err_wrap(err,
                                    "no place for containers at '%s' (an ordinary user's is "
                                    "below XDG_RUNTIME_DIR, or where --root says)",
                                    root)
                         : -err->code;
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
