/* exec: one more process in a container. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/proc.h"
#include "runtime/cli/bundle.h"
#include "runtime/cli/commands.h"
#include "runtime/cli/container.h"
#include "runtime/cli/exec_process.h"
#include "runtime/cli/fd_socket.h"
#include "runtime/cli/foreground.h"
#include "runtime/cli/log.h"
#include "runtime/runtime.h"

#define EXIT_RUNTIME 255 /* ours, where the program's own could be meant: as runc has it */

static const struct flag exec_flags[] = {
    {0, "console-socket", FLAG_TEXT, NULL,
     "path to an AF_UNIX socket which will receive a file descriptor of the terminal's master"},
    {0, "pidfd-socket", FLAG_TEXT, NULL,
     "path to an AF_UNIX socket which will receive a file descriptor of the process"},
    {0, "cwd", FLAG_TEXT, NULL, "current working directory in the container"},
    {'e', "env", FLAG_LIST, NULL, "set environment variables"},
    {'t', "tty", FLAG_BOOL, NULL, "allocate a pseudo-TTY"},
    {'u', "user", FLAG_TEXT, NULL, "UID (format: <uid>[:<gid>]), or names of the container's"},
    {'g', "additional-gids", FLAG_LIST, NULL, "additional gids"},
    {'p', "process", FLAG_TEXT, NULL, "path to the process.json"},
    {'d', "detach", FLAG_BOOL, NULL, "detach from the container's process"},
    {0, "pid-file", FLAG_TEXT, NULL, "specify the file to write the process id to"},
    {0, "process-label", FLAG_TEXT, NULL, "set the SELinux label of the process"},
    {0, "apparmor", FLAG_TEXT, NULL, "set the apparmor profile for the process"},
    {0, "no-new-privs", FLAG_BOOL, NULL, "set the no new privileges value for the process"},
    {'c', "cap", FLAG_LIST, NULL, "add a capability to the bounding set for the process"},
    {0, "preserve-fds", FLAG_NUMBER, "0",
     "pass N additional file descriptors to the process (stdio + $LISTEN_FDS + N in total)"},
    {0, "cgroup", FLAG_TEXT, NULL, "run the process in an (existing) sub-cgroup"},
    {0, "ignore-paused", FLAG_BOOL, NULL, "allow exec in a paused container"},
    FLAGS_END,
};

/* --- running it ------------------------------------------------------------------------------- */

struct job {
    const struct cli *cli;
    struct container container;
    json_t *config, *process;
    int init, console_socket, pidfd_socket, signals, master;
    unsigned descriptors;
    pid_t pid;
};

static void job_free(struct job *job)
{
    container_close(&job->container);
    json_decref(job->config);
    json_decref(job->process);
    close_fd(&job->init);
    close_fd(&job->console_socket);
    close_fd(&job->pidfd_socket);
    close_fd(&job->signals);
    close_fd(&job->master);
}

static int check_status(const struct job *job, struct err *err)
{
    enum state_status status = container_status(&job->container);

    if (status == STATE_STOPPED)
        return err_set(err, ESRCH, "cannot exec in a stopped container");
    if (status == STATE_PAUSED && !args_flag(&job->cli->args, "ignore-paused"))
        return err_set(err, EBUSY,
                       "cannot exec in a paused container (use --ignore-paused to override)");
    return 0;
}

static int prepare(struct job *job, struct err *err)
{
    const struct args *args = &job->cli->args;

    if (container_open(job->cli, args->rest[0], &job->container, err) < 0 ||
        check_status(job, err) < 0)
        return -err->code;
    job->init = proc_open(&job->container.state.init);
    if (job->init < 0)
        return err_set(err, ESRCH, "cannot exec in a stopped container");
    job->config = container_config(&job->container, err);
    job->process = job->config ? exec_process(args, job->config, err) : NULL;
    if (!job->process ||
        fd_sockets_check(args, json_flag(job->process, "terminal", false),
                         args_flag(args, "detach"), err) < 0 ||
        bundle_descriptors(args_number(args, "preserve-fds"), NULL, &job->descriptors, err) < 0 ||
        fd_sockets_connect(args, &job->console_socket, &job->pidfd_socket, err) < 0)
        return -err->code;
    if (!args_flag(args, "detach"))
        job->signals = foreground_begin(false, err);
    return args_flag(args, "detach") || job->signals >= 0 ? 0 : -err->code;
}

/* "/a/b" and "a/b" are the same: below the container's group. */
static const char *subgroup_of(const struct args *args)
{
    const char *given = args_text(args, "cgroup");

    if (given)
        given += strspn(given, "/");
    return given && *given ? given : NULL;
}

static int spawn(struct job *job, struct err *err)
{
    const struct args *args = &job->cli->args;
    struct runtime_exec_request request = {
        .init = job->container.state.init.pid,
        .init_pidfd = job->init,
        .bundle = job->container.state.bundle,
        .id = job->container.state.id,
        .no_new_keyring = job->container.state.no_new_keyring,
        .config = job->config,
        .process = job->process,
        .user = exec_user(args),
        .cgroup = state_cgroup(&job->container.state),
        .subgroup = subgroup_of(args),
        .stdio = {0, 1, 2},
        .preserve_fds = job->descriptors,
        .warn = log_warn,
    };

    if (job->signals >= 0)
        foreground_size(&request.rows, &request.columns);
    if (runtime_exec(&request, &job->pid, &job->master, err) < 0)
        return err_wrap(err, "unable to start container process");
    log_debug("process %d runs in %s", (int)job->pid, job->container.state.id);
    return 0;
}

/* Our own child, not reaped yet: the pid is nobody else's. */
static int send_pidfd(const struct job *job, struct err *err)
{
    cleanup_close int pidfd = pidfd_open(job->pid, 0);

    if (pidfd < 0)
        return err_errno(err, "cannot open process %d", (int)job->pid);
    return fd_socket_send(job->pidfd_socket, pidfd, "setns", err);
}

static int hand_over(const struct job *job, struct err *err)
{
    const char *pid_file = args_text(&job->cli->args, "pid-file");

    if (job->console_socket >= 0 &&
        fd_socket_send(job->console_socket, job->master, "/dev/ptmx", err) < 0)
        return -err->code;
    if (job->pidfd_socket >= 0 && send_pidfd(job, err) < 0)
        return -err->code;
    return pid_file ? bundle_write_pid(pid_file, job->pid, err) : 0;
}

static int execute(struct job *job, int *ret_code, struct err *err)
{
    if (prepare(job, err) < 0 || spawn(job, err) < 0)
        return -err->code;
    if (hand_over(job, err) < 0) { /* nobody would know of it */
        kill(job->pid, SIGKILL);
        waitpid(job->pid, NULL, 0);
        return -err->code;
    }
    if (args_flag(&job->cli->args, "detach"))
        return 0;
    return foreground_wait(job->signals, job->pid, job->master, ret_code, err);
}

static int cmd_exec(struct cli *cli)
{
    cleanup_with(job_free) struct job job = {.cli = cli,
                                             .container = CONTAINER_NONE,
                                             .init = -1,
                                             .console_socket = -1,
                                             .pidfd_socket = -1,
                                             .signals = -1,
                                             .master = -1};
    struct err err = {0};
    int code = 0;

    if (execute(&job, &code, &err) < 0) {
        code = cli_fail("exec failed", &err);
        return code == 1 ? EXIT_RUNTIME : code;
    }
    return code;
}

const struct command command_exec = {
    .name = "exec",
    .arguments = "<container-id> <command> [command options]  || -p process.json <container-id>",
    .summary = "execute new process inside the container",
    .details = "   Ends with the exit code of the process; 127 if the command is not there, 126 if "
               "it cannot\n"
               "   be executed, 255 if " PROGRAM " itself failed.\n",
    .flags = exec_flags,
    .min = 1,
    .max = SIZE_MAX,
    .stop_after = 1,
    .run = cmd_exec,
};
