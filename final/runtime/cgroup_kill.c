/* Signals for a whole group, and its end.
 *
 * A list of pids is old when it has been read: processes fork behind our back, and a pid may be
 * another process's by the time it is signalled. Two things help. Version 2's cgroup.kill (Linux
 * 5.14) ends all of a group at once, in the kernel, with whatever is being forked. Where there is
 * none, or for another signal, the group is frozen first: then nobody forks, and the list is true.
 * And each process is opened as a pidfd before the list is read again: if its pid is still in it,
 * the pidfd is the process in the group, and no other. */
#include "runtime/cgroup_systemd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Descriptors held at a time. */
#define BATCH 128

/* One look at a group: everything in it now, sorted. */
static int look(const char *base, const char *path, struct runtime_pids *ret)
{
    int r = cgroup_tree_pids(base, path, true, ret);

    if (!r)
        cgroup_sort_pids(ret);
    return r;
}

static bool contains(const struct runtime_pids *pids, pid_t pid)
{
    size_t low = 0, high = pids->len;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (pids->items[middle] == pid)
            return true;
        if (pids->items[middle] < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static int signal_batch(const char *base, const char *path, const pid_t *pids, size_t count,
                        int sig)
{
    cleanup_with(runtime_pids_free) struct runtime_pids again = {0};
    int fds[BATCH], r;

    for (size_t i = 0; i < count; i++)
        fds[i] = pidfd_open(pids[i], 0); /* ESRCH: it ended by itself */
    r = look(base, path, &again);
    for (size_t i = 0; i < count; i++) {
        if (!r && fds[i] >= 0 && contains(&again, pids[i]))
            pidfd_send_signal(fds[i], sig, NULL, 0);
        close_fd(&fds[i]);
    }
    return r;
}

/* Signals what is in the group now. Returns how many that were, or -errno. */
static int signal_round(const char *base, const char *path, int sig)
{
    cleanup_with(runtime_pids_free) struct runtime_pids found = {0};
    int r = look(base, path, &found);

    for (size_t i = 0; !r && i < found.len; i += BATCH)
        r = signal_batch(base, path, found.items + i, found.len - i < BATCH ? found.len - i : BATCH,
                         sig);
    return r < 0 ? r : (int)found.len;
}

/* The tree in which all of the container's processes are to be found. Caller frees. */
static char *processes_of(const struct cgroup *cg)
{
    return cg->version == 2 ? str_copy(cg->root) : cgroup_v1_processes(cg);
}

static bool kill_at_once(const struct cgroup *cg)
{
    struct err ignored = {0};

    return cg->unified && !cgroup_write(cg->unified, cg->path, "cgroup.kill", "1", &ignored);
}

int cgroup_signal(const struct cgroup *cg, int sig, struct err *err)
{
    cleanup_free char *base = processes_of(cg);
    struct err ignored = {0};
    int frozen = cgroup_frozen(cg, &ignored), held, r;

    /* What version 1's freezer holds does not die until it is let go. */
    if (sig == SIGKILL && kill_at_once(cg))
        return frozen > 0 ? cgroup_freeze(cg, false, err) : 0;
    held = frozen == 0 && !cgroup_freeze(cg, true, &ignored);
    r = signal_round(base, cg->path, sig);
    if ((held || (frozen > 0 && sig == SIGKILL)) && cgroup_freeze(cg, false, err) < 0 &&
        err->code != ENOENT)
        return -err->code;
    return r < 0 ? err_set(err, -r, "cannot signal the control group '%s': %s", cg->path,
                           strerror(-r))
                 : 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* cgroup.events becomes readable with POLLPRI when "populated" changes: no polling at intervals. */
static int wait_empty(const struct cgroup *cg, struct err *err)
{
    cleanup_free char *file = str_format("%s%s/cgroup.events", cg->unified, cg->path);
    cleanup_close int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct pollfd change = {.fd = fd, .events = POLLPRI};

    for (int waits = 0; fd >= 0 && waits < 20; waits++) {
        char text[256] = "";
        ssize_t n = pread(fd, text, sizeof text - 1, 0);

        if (n <= 0 || strstr(text, "populated 0"))
            return 0;
        poll(&change, 1, 500);
    }
    return fd < 0 ? 0
                  : err_set(err, EBUSY, "processes of the control group '%s' do not end", cg->path);
}

/* In version 2's tree: removed, or killed and then removed. */
static int v2_destroy(const struct cgroup *cg, struct err *err)
{
    for (int tries = 0; tries < 20; tries++) {
        int r = cgroup_remove_dirs(cg->unified, cg->path, err);

        if (r != -EBUSY && r != -ENOTEMPTY)
            return r;
        if (!kill_at_once(cg) && cgroup_signal(cg, SIGKILL, err) < 0 && err->code != ENOENT)
            return err_wrap(err, "cannot end the container's processes");
        if (wait_empty(cg, err) < 0)
            return -err->code;
        err_clear(err);
    }
    return err_set(err, EBUSY, "the control group '%s' stays busy", cg->path);
}

/* Waits for the end of one process that has been killed: the others are not far. */
static void wait_for_one(const struct runtime_pids *pids)
{
    cleanup_close int fd = pids->len ? pidfd_open(pids->items[pids->len - 1], 0) : -1;
    struct pollfd end = {.fd = fd, .events = POLLIN};

    if (fd >= 0)
        poll(&end, 1, 1000);
}

static int kill_round(const struct cgroup *cg, const char *base)
{
    cleanup_with(runtime_pids_free) struct runtime_pids found = {0};
    struct err ignored = {0};
    int r = look(base, cg->path, &found);

    if (r < 0 || !found.len)
        return r < 0 ? r : 0;
    cgroup_signal(cg, SIGKILL, &ignored);
    signal_round(base, cg->path, SIGKILL); /* what is in this controller's tree only */
    wait_for_one(&found);
    return (int)found.len;
}

/* A process leaves its group a moment after its parent heard of its end (in the scheduler, since
 * Linux 6.19), so an empty group may still be busy for some microseconds. */
#define EMPTY_ROUNDS 200

static int v1_destroy_one(const struct cgroup *cg, const char *base, struct err *err)
{
    for (int empty = 0; empty < EMPTY_ROUNDS;) {
        int r = cgroup_remove_dirs(base, cg->path, err);

        if (r != -EBUSY && r != -ENOTEMPTY)
            return r;
        r = kill_round(cg, base);
        if (r < 0 && r != -ENOENT)
            return err_set(err, -r, "cannot read the processes of '%s%s'", base, cg->path);
        if (r <= 0 && empty++)
            poll(NULL, 0, 1);
    }
    return err_set(err, EBUSY, "processes of the control group '%s%s' do not end", base, cg->path);
}

static int v1_destroy(const struct cgroup *cg, struct err *err)
{
    struct err first = {0};

    for (size_t i = 0; cgroup_v1_controller(i); i++) {
        cleanup_free char *base = cgroup_v1_base(cg, cgroup_v1_controller(i));

        if (access(base, F_OK) < 0)
            continue; /* this host has no such tree */
        if (v1_destroy_one(cg, base, err) < 0 && !first.code)
            first = *err;
    }
    *err = first;
    return -first.code;
}

/* Stopping a unit, systemd would give its processes time to end by themselves: they had it. */
static int destroy_unit(const struct cgroup *cg, struct err *err)
{
    cleanup_free char *base = processes_of(cg);
    struct err ignored = {0};

    if (!cgroup_has(base, cg->path, "cgroup.procs"))
        return 0; /* systemd forgets a scope with its last process */
    cgroup_signal(cg, SIGKILL, &ignored);
    if (cgroup_frozen(cg, &ignored) > 0)
        systemd_freeze(cg, false, &ignored);
    return systemd_stop(cg, err);
}

int cgroup_destroy(const struct cgroup *cg, struct err *err)
{
    err_clear(err);
    if (!cg->version)
        return 0;
    if (cg->manager == RUNTIME_CGROUP_SYSTEMD && destroy_unit(cg, err) < 0)
        return -err->code;
    /* Version 2's tree first: there killing is certain. */
    if (cg->unified && v2_destroy(cg, err) < 0)
        return -err->code;
    return cg->version == 1 ? v1_destroy(cg, err) : 0;
}
