/* The order of the last steps is forced, each by the next:
 *
 *   limits, score     while we still may raise them
 *   bounding set      needs CAP_SETPCAP, which the user will not have
 *   groups, gid, uid  in this order: after setuid(2) nothing else of it is allowed
 *   find the program  as the user, with the user's rights
 *   filter            needs CAP_SYS_ADMIN (unless no_new_privs), kept over setuid(2) for this
 *   capabilities      one capset(2); any filter must allow it and execve(2), nothing more
 *   execve            also resets "not dumpable"
 */
#include "runtime/process.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/proc.h"
#include "runtime/caps.h"
#include "runtime/limits.h"
#include "runtime/masks.h"
#include "runtime/program.h"
#include "runtime/sync.h"
#include "runtime/user.h"

/* --- the beginning ---------------------------------------------------------------------------- */

/* What was ignored stays ignored over execve(2), and a blocked signal stays blocked: a program
 * expects neither (a shell pipeline with SIGPIPE ignored never ends). By the system call itself:
 * libc refuses the two signals it keeps for itself, and posix_spawn(3) leaves them ignored. */
static void reset_signals(void)
{
    static const unsigned long defaults[8]; /* a kernel sigaction: SIG_DFL, no flags, no mask */
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++)
        syscall(SYS_rt_sigaction, sig, defaults, NULL, 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Where things go: 0-2, then the caller's preserved descriptors (they have their places already),
 * then the null device and what is kept. Two rounds, because stdio may name 0-2 in another order:
 * first everything goes up out of the way. */
static int place_descriptors(const int stdio[3], int first_own, int *const keep[2], int null,
                             struct err *err)
{
    int from[6] = {stdio[0], stdio[1], stdio[2], null, *keep[0], *keep[1]};

    for (int i = 0; i < 6; i++) {
        if (from[i] < 0)
            from[i] = i < 3 ? null : -1;
        if (from[i] >= 0 && (from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, first_own + 3)) < 0)
            return err_errno(err, "cannot copy a descriptor for the container");
    }
    for (int i = 0; i < 6; i++) {
        int to = i < 3 ? i : first_own + i - 3;

        if (from[i] >= 0 && dup3(from[i], to, i < 3 ? 0 : O_CLOEXEC) < 0)
            return err_errno(err, "cannot place descriptor %d", to);
    }
    for (int i = 0; i < 2; i++)
        if (*keep[i] >= 0)
            *keep[i] = first_own + 1 + i;
    return first_own;
}

int process_hide(struct err *err)
{
    return prctl(PR_SET_DUMPABLE, 0) < 0 ? err_errno(err, "cannot become undumpable") : 0;
}

int process_begin(const int stdio[3], unsigned preserve, int *const keep[2], struct err *err)
{
    int null, first_own = 3 + (int)preserve;

    if (process_hide(err) < 0)
        return -err->code;
    null = masks_open_null(err);
    if (null < 0)
        return null;
    null = place_descriptors(stdio, first_own, keep, null, err);
    if (null < 0)
        return null;
    /* A descriptor of a host directory would be a way out (CVE-2024-21626); and the parent's end of
     * the socket in our hands would hide the parent's death from us. */
    if (proc_close_from(first_own + (*keep[1] < 0 ? 2 : 3)) < 0)
        return err_set(err, EBADF, "cannot close the inherited descriptors");
    reset_signals();
    umask(0);
    return null;
}

int process_open_cwd(int root, const char *cwd, struct err *err)
{
    int fd = beneath_make_dirs(root, cwd, 0755, err);

    return fd < 0 ? err_wrap(err, "cannot enter the working directory '%s'", cwd) : fd;
}

/* --- the user --------------------------------------------------------------------------------- */

static const char *find_env(const struct strv *env, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < env->len; i++)
        if (!strncmp(env->items[i], name, n) && env->items[i][n] == '=')
            return env->items[i] + n + 1;
    return NULL;
}

static void build_env(const struct spec_process *process, const char *home, struct strv *ret)
{
    const char *given = find_env(&process->env, "HOME");

    for (size_t i = 0; i < process->env.len; i++)
        if (strcmp(process->env.items[i], "HOME="))
            strv_add(ret, process->env.items[i]);
    if (!given || !*given)
        strv_take(ret, str_format("HOME=%s", home));
}

/* In a user namespace that an ordinary user mapped for himself nobody may leave or enter a group
 * (userns_map()): we stay in ours, and cannot be in others. EPERM can have no other reason here. */
static int set_groups(const struct user *user, bool user_namespace, struct err *err)
{
    if (!setgroups(user->group_count, user->groups))
        return 0;
    if (errno == EINVAL && user_namespace)
        return err_set(err, EINVAL,
                       "cannot set the groups: one of those of process.user is not "
                       "mapped in the user namespace");
    if (errno != EPERM || !user_namespace)
        return err_errno(err, "cannot set the groups");
    if (user->group_count > 1)
        return err_set(err, EPERM,
                       "cannot set any additional groups in a rootless container: "
                       "that needs newgidmap and ranges in /etc/subgid");
    return 0;
}

static int cannot_become(const char *what, unsigned id, struct err *err)
{
    if (errno == EINVAL)
        return err_set(err, EINVAL, "cannot become %s %u: it is not mapped in the user namespace",
                       what, id);
    return err_errno(err, "cannot become %s %u", what, id);
}

static int switch_ids(const struct user *user, bool user_namespace, struct err *err)
{
    if (set_groups(user, user_namespace, err) < 0)
        return -err->code;
    if (setresgid(user->gid, user->gid, user->gid) < 0)
        return cannot_become("group", user->gid, err);
    if (setresuid(user->uid, user->uid, user->uid) < 0)
        return cannot_become("user", user->uid, err);
    return 0;
}

static int own_terminal(const struct user *user, bool terminal, struct err *err)
{
    /* stdin of a terminal belongs to who uses it, or `sudo -u` and tmux cannot reopen /dev/stdin.
     */
    if (terminal && user->uid && fchown(0, user->uid, (gid_t)-1) < 0)
        return err_errno(err, "cannot give the terminal to user %u", user->uid);
    return 0;
}

/* Until now the host's null device stood in for missing stdio. The container's own takes its place,
 * so that /dev/stdin and the like can be opened again by name; an image that made something else of
 * /dev/null keeps the host's. */
static int reopen_null(const struct process_setup *setup, int root, struct err *err)
{
    cleanup_close int null = beneath_open(root, "/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK, 0, 0);
    struct stat st;

    if (setup->process->terminal || null < 0 || fstat(null, &st) < 0 || !S_ISCHR(st.st_mode) ||
        st.st_rdev != makedev(1, 3))
        return 0;
    if (fcntl(null, F_SETFL, 0) < 0)
        return err_errno(err, "cannot set up the null device");
    for (int fd = 0; fd < 3; fd++)
        if (setup->stdio[fd] < 0 && dup2(null, fd) < 0)
            return err_errno(err, "cannot make the null device fd %d", fd);
    return 0;
}

/* fchdir(2) onto a descriptor of a directory outside of the root works, and every ".." from there
 * is the host's. getcwd(2) says "(unreachable)" for such a place. */
static int enter_cwd(int cwd, struct err *err)
{
    char path[PATH_MAX];

    if (fchdir(cwd) < 0)
        return err_errno(err, "cannot enter the working directory");
    if (!getcwd(path, sizeof path) || *path != '/')
        return err_set(err, EPERM, "the working directory is outside of the container");
    return 0;
}

/* Root is not always the one who may: not on NFS ("root_squash"), and root of a user namespace has
 * no power over what is not mapped. The user may be. */
static int enter_cwd_as_user(int root, const char *cwd, struct err *err)
{
    cleanup_close int fd = beneath_open(root, cwd, O_PATH | O_DIRECTORY, 0, 0);

    if (fd < 0)
        return err_set(err, -fd, "cannot enter the working directory '%s': %s", cwd, strerror(-fd));
    return enter_cwd(fd, err);
}

/* While we are root. `later`: process.cwd is not for root, and has to be entered as the user. */
static int prepare_as_root(const struct process_setup *setup, const struct user *user, int root,
                           bool *later, struct err *err)
{
    const struct spec_process *process = setup->process;
    int r = setup->cwd < 0 ? -EACCES : enter_cwd(setup->cwd, err);

    *later = r == -EACCES;
    if ((r < 0 && !*later) || reopen_null(setup, root, err) < 0 ||
        own_terminal(user, process->terminal, err) < 0)
        return -err->code;
    if (process->personality >= 0 && personality((unsigned long)process->personality) < 0)
        return err_errno(err, "cannot set linux.personality");
    if (!setup->user_namespace && scheduling_apply(&process->scheduling, 0, err) < 0)
        return -err->code;
    if (scheduling_apply_memory(&process->scheduling, err) < 0 ||
        caps_limit_bounding(&process->caps, err) < 0)
        return -err->code;
    /* Without this, setuid(2) away from 0 would take CAP_SYS_ADMIN before the filter is in. */
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_errno(err, "cannot keep capabilities");
    return 0;
}

int process_become_user(const struct process_setup *setup, struct strv *ret_env, struct err *err)
{
    const struct spec_process *process = setup->process;
    cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_with(user_free) struct user user = {0};
    bool later;

    if (root < 0)
        return err_errno(err, "cannot open the container's root");
    if (limits_set(process, err) < 0 || user_find(root, process, &user, err) < 0)
        return -err->code;
    build_env(process, user.home, ret_env);
    if (prepare_as_root(setup, &user, root, &later, err) < 0 ||
        switch_ids(&user, setup->user_namespace, err) < 0)
        return -err->code;
    umask(process->umask);
    if (later && enter_cwd_as_user(root, process->cwd, err) < 0)
        return -err->code;
    /* setresuid(2) may have made us dumpable again (/proc/sys/fs/suid_dumpable). */
    return process_hide(err);
}

/* --- the program ------------------------------------------------------------------------------ */

int process_find(const struct spec_process *process, const struct strv *env, char ret[PATH_MAX],
                 struct err *err)
{
    return program_find(process->args.items[0], find_env(env, "PATH"), ret, err);
}

static int install_filter(const struct process_setup *setup, int *ret_listener, struct err *err)
{
    if (setup->process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(err, "cannot set no_new_privs");
    if (caps_keep(&setup->process->caps, err) < 0)
        return -err->code;
    return syscall_filter_install(setup->filter, ret_listener, err);
}

int process_notify(const struct process_setup *setup, int socket, struct err *err)
{
    int listener; /* O_CLOEXEC: closing it would be one more call under the filter */

    if (!setup->filter->notifies)
        return 0;
    if (install_filter(setup, &listener, err) < 0)
        return -err->code;
    return sync_send_listener(socket, listener, setup->filter->notifies_sendmsg, err);
}

int process_exec(const struct process_setup *setup, const char *program, const struct strv *env,
                 struct err *err)
{
    const struct spec_process *process = setup->process;
    struct spec_caps caps = process->caps;
    int none;

    /* A named user who is not root gets what execve(2) would leave: only the ambient set. */
    if (process->user && geteuid()) {
        caps.permitted &= caps.ambient;
        caps.effective &= caps.ambient;
    }
    if ((!setup->filter->notifies && install_filter(setup, &none, err) < 0) ||
        caps_finish(&caps, err) < 0)
        return -err->code;
    execve(program, process->args.items, env->items ? env->items : (char *[]){NULL});
    return program_failed(program, err);
}
