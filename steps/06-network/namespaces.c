/* A namespace is a table of names that the kernel looks things up in: "/usr" in the table of
 * mounts, 1 in the table of processes. clone(2) starts a process with new tables. That takes
 * CAP_SYS_ADMIN, with one exception: everybody may make a new *user* namespace, and has every
 * capability in it, over the tables made there. */
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "die.h"

enum { NAMESPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC };

static const char *namespace_hint(void)
{
    if (errno == EPERM)
        return "user namespaces may be switched off: try sysctl "
               "kernel.unprivileged_userns_clone=1, or root";
    if (errno == ENOSPC)
        return "there are too many: sysctl user.max_user_namespaces and its neighbours";
    return NULL;
}

static void write_map(const char *path, const char *format, unsigned id)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || dprintf(fd, format, id) < 0)
        die("Ubuntu forbids it: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or root",
            "cannot write our user's map '%s': %m", path);
    close(fd);
}

/* An ordinary user may map one ID, the own one, and a group only after giving up setgroups(2): with
 * it a process could leave a group that keeps it out of a file. */
void namespaces_become_root(void)
{
    uid_t user = geteuid();
    gid_t group = getegid();

    if (user == 0)
        return;
    if (unshare(CLONE_NEWUSER) < 0)
        die(namespace_hint(), "cannot make a user namespace: %m");
    write_map("/proc/self/setgroups", "deny", 0);
    write_map("/proc/self/gid_map", "0 %u 1", group);
    write_map("/proc/self/uid_map", "0 %u 1", user);
}

pid_t namespaces_clone(unsigned long more)
{
    pid_t pid = syscall(SYS_clone, NAMESPACES | more | SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid < 0)
        die(namespace_hint(), "cannot make namespaces: %m");
    if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        die(NULL, "cannot tie our life to our parent's: %m");
    return pid;
}

void namespaces_set_hostname(const char *name)
{
    if (sethostname(name, strlen(name)) < 0)
        die(errno == EINVAL ? "64 bytes at most" : NULL, "cannot set the host name to '%s': %m",
            name);
}
