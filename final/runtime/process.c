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
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc.h"
#include "runtime/caps.h"
#include "runtime/masks.h"
#include "runtime/user.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* --- the beginning ------------------------------------------------------------------------------
 */

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

int process_set_oom_score(const struct spec_process *process, struct err *err)
{
    char text[16];
    int r;

    if (!process->has_oom_score_adj)
        return 0;
    snprintf(text, sizeof text, "%d", process->oom_score_adj);
    r = file_poke(AT_FDCWD, "/proc/self/oom_score_adj", text, err);
    if (r != -EACCES)
        return r;
    return err_set(err, EACCES,
                   "cannot lower process.oomScoreAdj to %d: Permission denied: going below what we "
                   "were started with needs CAP_SYS_RESOURCE",
                   process->oom_score_adj);
}

int process_new_session(const char *keyring, struct err *err)
{
    if (setsid() < 0)
        return err_errno(err, "cannot start a session");
    if (!keyring)
        return 0;
    /* ENOSYS: a kernel without keyrings; EDQUOT and EPERM: the caller's quota or filter. Then the
     * keys of the caller's session stay reachable, but keyctl(2) is behind the syscall filter
     * anyway. */
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, keyring) < 0 && errno != ENOSYS &&
        errno != EDQUOT && errno != EPERM && errno != EACCES)
        return err_errno(err, "cannot join a new session keyring");
    return 0;
}

int process_open_cwd(int root, const char *cwd, struct err *err)
{
    int fd = beneath_make_dirs(root, cwd, 0755, err);

    return fd < 0 ? err_wrap(err, "cannot enter the working directory '%s'", cwd) : fd;
}

/* --- the user -----------------------------------------------------------------------------------
 */

static int set_limit(const struct spec_rlimit *limit, const struct rlimit *value, struct err *err)
{
    if (!setrlimit((__rlimit_resource_t)limit->resource, value))
        return 0;
    if (errno == EPERM)
        return err_set(err, EPERM,
                       "cannot raise the hard limit of %s to %llu: Operation not permitted: that "
                       "needs CAP_SYS_RESOURCE; ask for no more than `ulimit -H` shows",
                       limit->name, (unsigned long long)value->rlim_max);
    return err_errno(err, "cannot set %s to %llu:%llu", limit->name,
                     (unsigned long long)value->rlim_cur, (unsigned long long)value->rlim_max);
}

int process_raise_limits(const struct spec_process *process, struct err *err)
{
    for (size_t i = 0; i < process->rlimit_count; i++) {
        const struct spec_rlimit *limit = &process->rlimits[i];
        struct rlimit now;

        if (getrlimit((__rlimit_resource_t)limit->resource, &now) < 0)
            return err_errno(err, "cannot read the limit %s", limit->name);
        if (limit->value.rlim_max <= now.rlim_max)
            continue;
        now.rlim_max = limit->value.rlim_max;
        if (set_limit(limit, &now, err) < 0)
            return -err->code;
    }
    return 0;
}

static int set_limits(const struct spec_process *process, struct err *err)
{
    for (size_t i = 0; i < process->rlimit_count; i++)
        if (set_limit(&process->rlimits[i], &process->rlimits[i].value, err) < 0)
            return -err->code;
    return 0;
}

static const char *find_env(const struct strv *env, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = env->len; i-- > 0;) /* the last one wins, as in a shell */
        if (!strncmp(env->items[i], name, n) && env->items[i][n] == '=')
            return env->items[i] + n + 1;
    return NULL;
}

static void build_env(const struct spec_process *process, const char *home, struct strv *ret)
{
    for (size_t i = 0; i < process->env.len; i++)
        strv_add(ret, process->env.items[i]);
    if (!find_env(ret, "HOME"))
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

int process_become_user(const struct process_setup *setup, struct strv *ret_env, struct err *err)
{
    const struct spec_process *process = setup->process;
    cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct user user = {0};
    int r;

    if (root < 0)
        return err_errno(err, "cannot open the container's root");
    if (set_limits(process, err) < 0 || user_find(root, process, &user, err) < 0)
        return -err->code;
    build_env(process, user.home, ret_env);
    r = enter_cwd(setup->cwd, err);
    if (r >= 0)
        r = reopen_null(setup, root, err);
    if (r >= 0)
        r = own_terminal(&user, process->terminal, err);
    if (r >= 0)
        r = caps_limit_bounding(&process->caps, err);
    /* Without this, setuid(2) away from 0 would take CAP_SYS_ADMIN before the filter is in. */
    if (r >= 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        r = err_errno(err, "cannot keep capabilities");
    if (r >= 0)
        r = switch_ids(&user, setup->user_namespace, err);
    free(user.home);
    /* setresuid(2) may have made us dumpable again (/proc/sys/fs/suid_dumpable). */
    if (r >= 0)
        r = process_hide(err);
    umask(process->umask);
    return r;
}

/* --- the program --------------------------------------------------------------------------------
 */

static int no_program(const char *name, int code, struct err *err)
{
    if (code == ENOENT && !strchr(name, '/'))
        err_set(err, code, "exec: \"%s\": executable file not found in $PATH", name);
    else if (code == ENOENT || code == ENOTDIR)
        err_set(err, ENOENT, "exec: \"%s\": stat %s: no such file or directory", name, name);
    else if (code == EISDIR)
        err_set(err, code, "exec: \"%s\": is a directory", name);
    else
        err_set(err, code, "exec: \"%s\": permission denied", name);
    err->exit_status = code == ENOENT || code == ENOTDIR ? 127 : 126;
    return -err->code;
}

/* 0 if it can be run; the check is the user's own, execve(2) has the last word. */
static int check_program(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -EACCES : 0;
}

static int find_in_path(const char *name, const char *path, char ret[PATH_MAX], struct err *err)
{
    cleanup_strv struct strv dirs = {0};
    int worst = ENOENT;

    strv_split(&dirs, path, ':');
    for (size_t i = 0; i < dirs.len; i++) {
        const char *dir = *dirs.items[i] ? dirs.items[i] : ".";
        int r;

        if (snprintf(ret, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
            continue;
        r = check_program(ret);
        if (!r)
            return 0;
        if (r == -EACCES)
            worst = EACCES; /* found but not executable: say so if nothing better comes */
    }
    return no_program(name, worst, err);
}

int process_find(const struct spec_process *process, const struct strv *env, char ret[PATH_MAX],
                 struct err *err)
{
    const char *name = process->args.items[0], *path = find_env(env, "PATH");
    int r;

    if (!*name)
        return no_program(name, ENOENT, err);
    if (!strchr(name, '/'))
        return find_in_path(name, path ? path : DEFAULT_PATH, ret, err);
    r = check_program(name);
    if (r < 0)
        return no_program(name, -r, err);
    snprintf(ret, PATH_MAX, "%s", name);
    return 0;
}

static int exec_failed(const char *program, struct err *err)
{
    int code = errno;

    /* The file is there: what is missing is its "#!" interpreter or its dynamic loader. */
    if (code == ENOENT)
        err_set(err, code, "exec %s: no such file or directory", program);
    else if (code == ENOEXEC)
        err_set(err, code, "exec %s: exec format error", program);
    else
        err_set(err, code, "exec %s: %s", program,
                code == EACCES ? "permission denied" : strerror(code));
    err->exit_status = code == ENOENT ? 127 : 126;
    return -code;
}

int process_exec(const struct process_setup *setup, const char *program, const struct strv *env,
                 struct err *err)
{
    const struct spec_process *process = setup->process;
    struct spec_caps caps = process->caps;

    /* A named user who is not root gets what execve(2) would leave: only the ambient set. */
    if (process->user && geteuid()) {
        caps.permitted &= caps.ambient;
        caps.effective &= caps.ambient;
    }
    if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(err, "cannot set no_new_privs");
    if (caps_keep(&process->caps, err) < 0 || syscall_filter_install(setup->filter, err) < 0 ||
        caps_finish(&caps, err) < 0)
        return -err->code;
    execve(program, process->args.items, env->items ? env->items : (char *[]){NULL});
    return exec_failed(program, err);
}
