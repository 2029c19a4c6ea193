#include "runtime/namespaces.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

static int join(const struct spec_join *join, struct err *err)
{
    cleanup_close int fd = open(join->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "cannot open namespace '%s'", join->path);
    /* The type is checked by the kernel: a path to another kind of namespace is EINVAL. */
    if (setns(fd, (int)join->flag) < 0)
        return err_errno(err, "cannot join namespace '%s'", join->path);
    return 0;
}

int namespaces_join(const struct spec *spec, struct err *err)
{
    for (size_t i = 0; i < spec->join_count; i++)
        if (spec->joins[i].flag != CLONE_NEWPID && join(&spec->joins[i], err) < 0)
            return -err->code;
    return 0;
}

int namespaces_begin_pid(const struct spec *spec, int *ret_saved, struct err *err)
{
    cleanup_close int own = -1;

    *ret_saved = -1;
    for (size_t i = 0; i < spec->join_count; i++) {
        if (spec->joins[i].flag != CLONE_NEWPID)
            continue;
        own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (own < 0)
            return err_errno(err, "cannot open our own PID namespace");
        if (join(&spec->joins[i], err) < 0)
            return -err->code;
        *ret_saved = steal_fd(&own);
    }
    return 0;
}

int namespaces_end_pid(int saved, struct err *err)
{
    int r = 0;

    if (saved >= 0 && setns(saved, CLONE_NEWPID) < 0)
        r = err_errno(err, "cannot return to our own PID namespace");
    close_fd(&saved);
    return r;
}

/* A new network namespace has a loopback interface, but it is down: even 127.0.0.1 is unreachable.
 * The kernel gives it its addresses when it comes up. netdevice(7). */
static int bring_up_loopback(struct err *err)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return err_errno(err, "cannot bring up the loopback interface");
    return 0;
}

int namespaces_configure(const struct spec *spec, struct err *err)
{
    if (spec->hostname && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
        return err_errno(err, "cannot set the host name '%s'", spec->hostname);
    if (spec->domainname && spec->new_namespaces & CLONE_NEWUTS &&
        setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
        return err_errno(err, "cannot set the domain name '%s'", spec->domainname);
    return spec->new_namespaces & CLONE_NEWNET ? bring_up_loopback(err) : 0;
}
