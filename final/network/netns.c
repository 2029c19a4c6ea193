/* A network namespace is visited, not moved to: the caller's thread enters, opens sockets (which
 * stay in the namespace they were opened in) and switches of /proc/sys/net (which show the
 * namespace of who looks), and goes back. setns(2), network_namespaces(7). */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "network/internal.h"

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

int net_switch_read(const char *name, char ret[32])
{
    cleanup_free char *path = str_format("/proc/sys/net/%s", name);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, 31);

    if (n < 0)
        return -errno;
    while (n && (ret[n - 1] == '\n' || ret[n - 1] == ' '))
        n--;
    ret[n] = 0;
    return 0;
}

int net_switch_set(const char *name, const char *value, struct err *err)
{
    cleanup_free char *path = str_format("/proc/sys/net/%s", name);
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        return err_errno(err, "cannot set net/%s to %s", name, value);
    return 0;
}
