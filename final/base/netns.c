#include "base/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"

int netns_of(pid_t pid)
{
    char path[32];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

int netns_enter(int netns, int *ret_own, struct err *err)
{
    cleanup_close int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    if (own < 0)
        return err_errno(err, "cannot open our own network namespace");
    if (setns(netns, CLONE_NEWNET) < 0)
        return err_errno(err, "cannot enter the container's network namespace");
    *ret_own = steal_fd(&own);
    return 0;
}

int netns_leave(int own, struct err *err)
{
    return setns(own, CLONE_NEWNET) < 0
               ? err_errno(err, "cannot return to our own network namespace")
               : 0;
}
