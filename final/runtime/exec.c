/* One more process in a running container.
 *
 * The container is hostile by now: its processes may watch /proc for ours and its files may have
 * been replaced. So the new process is undumpable from its first call (ptrace(2) and /proc/PID/fd
 * of it are closed to them, CVE-2016-9962), has no descriptor of the host's when it joins, and
 * resolves every path beneath the container's root after joining.
 *
 * setns(2) of a PID namespace counts only for children, so it is the parent that enters it for the
 * time of the clone3(2); the others are joined by the child, all at once through init's pidfd
 * (Linux 5.8), which cannot mean another process of a reused pid. */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "runtime/caps.h"
#include "runtime/cgroup.h"
#include "runtime/console.h"
#include "runtime/init.h"
#include "runtime/limits.h"
#include "runtime/lsm.h"
#include "runtime/namespaces.h"
#include "runtime/process.h"
#include "runtime/rdt.h"
#include "runtime/runtime.h"
#include "runtime/seccomp_notify.h"
#include "runtime/session.h"
#include "runtime/spawn.h"
#include "runtime/sync.h"
#include "runtime/userns.h"
#include "runtime/usher.h"

#include "base/json.h"
#include "base/proc.h"

struct joining {
    const struct runtime_exec_request *request;
    struct spec namespaces; /* only new_namespaces and joins */
    struct spec_process process;
    struct syscall_filter filter;
    struct cgroup cgroup;
    int sockets[2];
    int pidfd;    /* of the new process */
    bool ushered; /* somebody goes in first and starts it there (usher.h) */
};

static int open_cgroup(struct joining *j, struct err *err)
{
    const struct runtime_exec_request *request = j->request;
    struct runtime_cgroup_place place = request->cgroup;

    if (!place.path)
        place.path = json_str(request->config, "linux.cgroupsPath", NULL);
    if (!place.path)
        return err_set(err, EINVAL, "config.json has no linux.cgroupsPath to join");
    return cgroup_open(&place, &j->cgroup, err) < 0
               ? -err->code
               : cgroup_open_beside(&j->cgroup, request->init, request->subgroup, err);
}

static int prepare(struct joining *j, struct err *err)
{
    const struct runtime_exec_request *request = j->request;

    if (spec_parse_process(request->process, request->config, &j->process, err) < 0 ||
        spec_parse_namespaces(request->config, &j->namespaces, err) < 0 ||
        lsm_check(&j->process, err) < 0 ||
        namespaces_forget_ours(&j->namespaces, request->init, err) < 0 ||
        syscall_filter_load(request->config, request->bundle, &j->filter, err) < 0)
        return -err->code;
    j->process.user = request->user;
    j->ushered = j->namespaces.user_namespace ||
                 (spec_own_namespaces(&j->namespaces) & CLONE_NEWPID && !spawn_may_return());
    return open_cgroup(j, err) < 0 ? -err->code : sync_pair(j->sockets, err);
}

/* --- the child -------------------------------------------------------------------------------- */

static int take_console(const struct joining *j, int root, int *ret_master, struct err *err)
{
    bool given = j->request->rows && j->request->columns;
    cleanup_close int slave = -1;

    if (!j->process.terminal)
        return 0;
    if (console_open(root, given ? j->request->rows : j->process.rows,
                     given ? j->request->columns : j->process.columns, ret_master, &slave, err) < 0)
        return -err->code;
    return console_take(slave, err);
}

/* The namespaces we were born into. */
static uint64_t entered(const struct joining *j)
{
    return j->ushered ? usher_entered_container(&j->namespaces) : CLONE_NEWPID;
}

/* A container without a mount namespace of its own has for its root a directory of somebody else's,
 * which only its processes know. Its init must have lived when we had looked it up by number. */
static int open_root(const struct joining *j, int init_pidfd, int *ret, struct err *err)
{
    cleanup_free char *path = str_format("/proc/%d/root", (int)j->request->init);
    cleanup_close int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (root < 0)
        return err_errno(err, "cannot open the container's root");
    if (proc_signal_fd(init_pidfd, 0) < 0)
        return err_set(err, ESRCH, "the container has ended");
    *ret = steal_fd(&root);
    return 0;
}

static int join_container(const struct joining *j, int *init_pidfd, struct err *err)
{
    int flags = (int)(spec_own_namespaces(&j->namespaces) & ~entered(j));
    cleanup_close int root = -1;

    /* v1: the files of its group are the host's, so before the mount namespace changes, and root's,
     * so before we are somebody else. */
    if (cgroup_join(&j->cgroup, err) < 0)
        return -err->code;
    if (j->namespaces.user_namespace && userns_become_root(err) < 0)
        return -err->code;
    if (!(j->namespaces.new_namespaces & CLONE_NEWNS) && open_root(j, *init_pidfd, &root, err) < 0)
        return -err->code;
    if (flags && setns(*init_pidfd, flags) < 0)
        return err_errno(err, "cannot join the container's namespaces");
    close_fd(init_pidfd);
    if (root >= 0 && (fchdir(root) < 0 || chroot(".") < 0))
        return err_errno(err, "cannot enter the container's root");
    return 0;
}

/* A container's directory is made for it, exec's has to be there: a mistyped --workdir would leave
 * something behind in a container that others use. */
static int open_cwd(int root, const char *cwd, struct err *err)
{
    int fd = beneath_open(root, cwd, O_PATH | O_DIRECTORY, 0, 0);

    return fd < 0 ? err_set(err, -fd, "cannot enter the working directory '%s': %s", cwd,
                            fd == -ENOENT ? "no such file or directory" : strerror(-fd))
                  : fd;
}

static int enter(const struct joining *j, int *socket, int *master, struct err *err)
{
    int init_pidfd = j->request->init_pidfd, *keep[2] = {socket, &init_pidfd};
    struct process_setup setup = {
        .process = &j->process,
        .filter = &j->filter,
        .stdio = j->request->stdio,
        .cwd = -1,
        .user_namespace = j->namespaces.user_namespace,
    };
    struct strv env = {0};
    char program[PATH_MAX];
    int root;

    if (j->ushered && sync_wait(*socket, SYNC_CGROUP, NULL, err) < 0)
        return -err->code;
    if (process_begin(j->request->stdio, j->request->preserve_fds, keep, err) < 0 ||
        session_begin(&j->process, j->request->id, j->request->no_new_keyring, err) < 0 ||
        (!j->ushered && limits_set_oom_score(&j->process, err) < 0) ||
        lsm_apply(&j->process, err) < 0 || join_container(j, &init_pidfd, err) < 0 ||
        scheduling_bind_finally(&j->process.scheduling, err) < 0)
        return -err->code;
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_errno(err, "cannot open the container's root");
    if (take_console(j, root, master, err) < 0)
        return -err->code;
    setup.cwd = open_cwd(root, j->process.cwd, err);
    if (setup.cwd < 0 && setup.cwd != -EACCES) /* then the user tries */
        return setup.cwd;
    if (process_become_user(&setup, &env, err) < 0 ||
        process_find(&j->process, &env, program, err) < 0 ||
        process_notify(&setup, *socket, err) < 0 ||
        sync_send(*socket, SYNC_READY, *master, err) < 0)
        return -err->code;
    close_fd(master);
    return process_exec(&setup, program, &env, err);
}

static _Noreturn void run_child(const struct joining *j)
{
    int socket = j->sockets[1], master = -1;
    struct err err = {0};

    prctl(PR_SET_NAME, "exec:joining");
    enter(j, &socket, &master, &err);
    sync_send_error(socket, &err);
    _exit(1);
}

/* --- the parent ------------------------------------------------------------------------------- */

static pid_t spawn_ushered(struct joining *j, struct err *err)
{
    const struct usher usher = {
        .spec = &j->namespaces,
        .process = &j->process,
        .container = j->request->init_pidfd,
        .cgroup_dir = j->cgroup.dir,
        .sockets = j->sockets,
    };
    pid_t pid = usher_spawn(&usher, &j->pidfd, err);

    if (!pid)
        run_child(j);
    if (pid > 0 && (cgroup_attach(&j->cgroup, pid, err) < 0 ||
                    scheduling_apply(&j->process.scheduling, pid, err) < 0 ||
                    sync_send(j->sockets[0], SYNC_CGROUP, -1, err) < 0))
        return -err->code;
    return pid;
}

static pid_t spawn_beside(struct joining *j, struct err *err)
{
    bool other = spec_own_namespaces(&j->namespaces) & CLONE_NEWPID;
    pid_t pid = other ? spawn_inside(j->request->init_pidfd, j->cgroup.dir, &j->pidfd, err)
                      : spawn_process(0, j->cgroup.dir, &j->pidfd, err);

    if (!pid)
        run_child(j);
    return pid;
}

/* The new process begins on the processors that process.execCPUAffinity names, and so must we. */
static pid_t spawn(struct joining *j, struct err *err)
{
    struct bit_list before;
    pid_t pid;

    if (scheduling_bind(j->process.scheduling.initial_cpus, &before, err) < 0)
        return -err->code;
    pid = j->ushered ? spawn_ushered(j, err) : spawn_beside(j, err);
    if (scheduling_unbind(&before, err) < 0 && pid >= 0)
        return -err->code;
    return pid;
}

static int send_listener(const struct joining *j, pid_t pid, struct err *err)
{
    const struct runtime_exec_request *request = j->request;
    const struct runtime_request container = {
        .id = request->id ? request->id : "", .bundle = request->bundle, .config = request->config};
    cleanup_close int listener = -1;

    if (sync_wait(j->sockets[0], SYNC_LISTENER, &listener, err) < 0)
        return -err->code;
    return seccomp_notify_send(&j->filter, listener, pid,
                               runtime_state_document(&container, STATE_RUNNING, request->init),
                               err);
}

static void warn(struct joining *j)
{
    struct spec_process *process = &j->process;

    if (!j->namespaces.user_namespace)
        caps_warn_of_missing(&process->caps, &process->warnings);
    for (size_t i = 0; j->request->warn && i < process->warnings.len; i++)
        j->request->warn(j->request->context, process->warnings.items[i]);
}

static void end_joining(struct joining *j)
{
    spec_process_free(&j->process);
    spec_free(&j->namespaces);
    syscall_filter_free(&j->filter);
    cgroup_close(&j->cgroup);
    close_fd(&j->sockets[0]);
    close_fd(&j->sockets[1]);
    close_fd(&j->pidfd);
}

int runtime_exec(const struct runtime_exec_request *request, pid_t *ret_pid, int *ret_console,
                 struct err *err)
{
    cleanup_with(end_joining) struct joining j = {
        .request = request, .sockets = {-1, -1}, .pidfd = -1};
    cleanup_close int console = -1;
    pid_t pid;
    int r;

    err_clear(err);
    if (prepare(&j, err) < 0 || (pid = spawn(&j, err)) < 0) {
        if (j.pidfd >= 0)
            spawn_kill(j.pidfd);
        err->exit_status = err->exit_status ? err->exit_status : 125;
        return -err->code;
    }
    close_fd(&j.sockets[1]);
    warn(&j);
    r = rdt_join(NULL, request->config, request->id ? request->id : "", pid, err);
    if (!r && j.filter.notifies)
        r = send_listener(&j, pid, err);
    if (!r)
        r = sync_wait(j.sockets[0], SYNC_READY, &console, err);
    if (!r)
        r = sync_wait_end(j.sockets[0], err);
    if (!r)
        r = spawn_check_executed(pid, j.pidfd, err);
    if (r < 0) {
        spawn_kill(j.pidfd);
        err->exit_status = err->exit_status ? err->exit_status : 125;
        return r;
    }
    *ret_pid = pid;
    *ret_console = steal_fd(&console);
    return 0;
}
