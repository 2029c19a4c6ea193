#include "runtime/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

static pid_t spawn(uint64_t flags, int cgroup_dir, int *ret_pidfd, struct err *err)
{
    int pidfd = -1;
    struct clone_args args = {
        /* Without CLONE_VM this is fork(2). Linux 5.3; 5.7 for CLONE_INTO_CGROUP. */
        .flags = flags | CLONE_PIDFD | (cgroup_dir >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, /* with CLONE_PARENT: as our own */
        .cgroup = cgroup_dir >= 0 ? (uint64_t)cgroup_dir : 0,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

    if (pid < 0)
        return err_errno(err, "cannot make the container's process");
    if (pid)
        *ret_pidfd = pidfd;
    return pid;
}

pid_t spawn_process(uint64_t flags, int cgroup_dir, int *ret_pidfd, struct err *err)
{
    return spawn(flags, cgroup_dir, ret_pidfd, err);
}

pid_t spawn_brother(uint64_t flags, int cgroup_dir, int *ret_pidfd, struct err *err)
{
    return spawn(flags | CLONE_PARENT, cgroup_dir, ret_pidfd, err);
}

bool spawn_may_return(void)
{
    cleanup_close int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);

    return own >= 0 && !setns(own, CLONE_NEWPID);
}

/* setns(2) of a PID namespace counts only for children: there, clone3(2), and back. */
pid_t spawn_inside(int member, int cgroup_dir, int *ret_pidfd, struct err *err)
{
    cleanup_close int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    pid_t pid;

    if (own < 0)
        return err_errno(err, "cannot open our own PID namespace");
    if (setns(member, CLONE_NEWPID) < 0)
        return err_errno(err, "cannot join the container's PID namespace");
    pid = spawn_process(0, cgroup_dir, ret_pidfd, err);
    if (pid && setns(own, CLONE_NEWPID) < 0 && pid > 0)
        return err_errno(err, "cannot return to our own PID namespace");
    return pid;
}

/* As ps shows it; a zombie has a name, too. */
static int read_name(pid_t pid, char ret[32], struct err *err)
{
    char path[32];
    cleanup_close int fd = -1;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot see whether the program was executed: '%s'", path);
    n = file_read(fd, ret, 31);
    if (n < 0)
        return err_set(err, (int)-n, "cannot see whether the program was executed");
    ret[n] = 0;
    return 0;
}

/* Until execve(2) a process is called after the stage it is in (init.c, exec.c). The kernel closes
 * descriptors a moment before it gives the new name: so as long as the process lives, wait. */
int spawn_check_executed(pid_t pid, int pidfd, struct err *err)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    char name[32];

    for (bool ended = false;; ended = poll(&end, 1, 1) > 0) {
        if (read_name(pid, name, err) < 0)
            return -err->code;
        if (!str_starts(name, "init:") && !str_starts(name, "exec:"))
            return 0;
        if (ended)
            return err_set(err, EPIPE,
                           "the container's process was killed before it executed "
                           "its program");
    }
}

void spawn_kill(int pidfd)
{
    pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    spawn_reap(pidfd);
}

void spawn_reap(int pidfd)
{
    siginfo_t ignored;

    while (waitid(P_PIDFD, (id_t)pidfd, &ignored, WEXITED) < 0 && errno == EINTR)
        ;
}
