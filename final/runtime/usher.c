#include "runtime/usher.h"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/limits.h"
#include "runtime/namespaces.h"
#include "runtime/process.h"
#include "runtime/spawn.h"
#include "runtime/sync.h"
#include "runtime/userns.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* The cgroup namespace is the process's own affair, in create, because its root is the group that
 * the process has joined by then, in exec, because in one we could not be born into a group outside
 * of it (cgroups(7), "nsdelegate"). The mount namespace comes last, in exec: version 1's groups are
 * joined through the host's files. */
#define LATER (CLONE_NEWNS | CLONE_NEWCGROUP)

static bool joins(const struct spec *spec, uint64_t flag)
{
    return spec_own_namespaces(spec) & ~spec->new_namespaces & flag;
}

static bool sets_clocks(const struct spec *spec)
{
    return spec->monotonic.set || spec->boottime.set;
}

bool usher_needed(const struct spec *spec)
{
    return spec->user_namespace || joins(spec, CLONE_NEWPID) || sets_clocks(spec);
}

uint64_t usher_entered(const struct spec *spec)
{
    return usher_needed(spec) ? spec_own_namespaces(spec) & ~(uint64_t)CLONE_NEWCGROUP : 0;
}

uint64_t usher_entered_container(const struct spec *spec)
{
    return spec_own_namespaces(spec) & ~(uint64_t)LATER;
}

/* --- the usher -------------------------------------------------------------------------------- */

/* Not hidden yet (process_hide()): nobody is in a new user namespace, and the files in /proc of a
 * hidden process are root's: an ordinary user could not write our mappings. */
static int make_user(const struct usher *u, struct err *err)
{
    if (unshare(CLONE_NEWUSER) < 0)
        return err_errno(err, "cannot make a user namespace");
    if (sync_send(u->sockets[1], SYNC_NEW_USER, -1, err) < 0)
        return -err->code;
    return sync_wait(u->sockets[1], SYNC_MAPPED, NULL, err);
}

static int join_user(const struct usher *u, struct err *err)
{
    if (process_hide(err) < 0 || namespaces_join(u->spec, CLONE_NEWUSER, err) < 0)
        return -err->code;
    return userns_check_maps(u->spec, err);
}

/* With the host's powers first, and what these do not reach with those of the user namespace: a
 * pod's network belongs to the pod's user namespace, another engine's to the host. */
static int join_all(const struct usher *u, struct err *err)
{
    uint64_t rest = spec_own_namespaces(u->spec) & ~(uint64_t)(CLONE_NEWUSER | CLONE_NEWCGROUP);

    if (namespaces_try_join(u->spec, &rest, err) < 0)
        return -err->code;
    if (u->spec->new_namespaces & CLONE_NEWUSER && make_user(u, err) < 0)
        return -err->code;
    if (joins(u->spec, CLONE_NEWUSER) && join_user(u, err) < 0)
        return -err->code;
    return namespaces_join(u->spec, rest, err);
}

static int set_clocks(const struct usher *u, struct err *err)
{
    if (!sets_clocks(u->spec))
        return 0;
    if (unshare(CLONE_NEWTIME) < 0)
        return err_errno(err, "cannot make a time namespace");
    return namespaces_set_clocks(u->spec, err);
}

/* exec: everything at once, of one process that cannot be mistaken for another (Linux 5.8). */
static int enter_container(const struct usher *u, struct err *err)
{
    if (process_hide(err) < 0)
        return -err->code;
    return setns(u->container, (int)usher_entered_container(u->spec)) < 0
               ? err_errno(err, "cannot join the container's namespaces")
               : 0;
}

/* What the new process is made with; the rest it inherits from the usher. */
static uint64_t clone_flags(const struct usher *u)
{
    uint64_t flags = u->spec->new_namespaces & ~(uint64_t)(CLONE_NEWUSER | CLONE_NEWCGROUP);

    if (u->container >= 0)
        return 0;
    return sets_clocks(u->spec) ? flags & ~(uint64_t)CLONE_NEWTIME : flags;
}

/* 0 in the new process; the usher itself does not return, unless to say why it failed. */
static int lead(const struct usher *u, struct err *err)
{
    int pidfd = -1;
    pid_t pid;

    if (limits_set_oom_score(u->process, err) < 0 || limits_raise(u->process, err) < 0)
        return -err->code;
    if (u->container >= 0 ? enter_container(u, err) < 0
                          : join_all(u, err) < 0 || set_clocks(u, err) < 0)
        return -err->code;
    if (process_hide(err) < 0)
        return -err->code;
    pid = spawn_brother(clone_flags(u), u->cgroup_dir, &pidfd, err);
    if (pid <= 0)
        return pid;
    _exit(sync_send_spawned(u->sockets[1], pid, pidfd, err) < 0);
}

/* --- the parent ------------------------------------------------------------------------------- */

static int attend(const struct usher *u, pid_t usher, pid_t *ret_pid, int *ret_pidfd,
                  struct err *err)
{
    if (u->container < 0 && u->spec->new_namespaces & CLONE_NEWUSER &&
        (sync_wait(u->sockets[0], SYNC_NEW_USER, NULL, err) < 0 ||
         userns_map(u->spec, usher, err) < 0 || sync_send(u->sockets[0], SYNC_MAPPED, -1, err) < 0))
        return -err->code;
    return sync_wait_spawned(u->sockets[0], ret_pid, ret_pidfd, err);
}

pid_t usher_spawn(const struct usher *u, int *ret_pidfd, struct err *err)
{
    cleanup_close int usher_pidfd = -1;
    pid_t usher = spawn_process(0, -1, &usher_pidfd, err), pid = -1;
    int r;

    if (usher < 0)
        return usher;
    if (!usher) {
        prctl(PR_SET_NAME, "usher");
        close_fd(&u->sockets[0]); /* our own end of it would hide the parent's death from us */
        if (!lead(u, err))
            return 0;
        sync_send_error(u->sockets[1], err);
        _exit(1);
    }
    close_fd(&u->sockets[1]);
    r = attend(u, usher, &pid, ret_pidfd, err);
    if (r < 0)
        spawn_kill(usher_pidfd);
    else
        spawn_reap(usher_pidfd);
    return r < 0 ? r : pid;
}
