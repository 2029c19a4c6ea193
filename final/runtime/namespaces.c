#include "runtime/namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

/* --- joining ---------------------------------------------------------------------------------- */

/* 1: it is the namespace we are in. */
static int is_ours(const struct spec_namespace_kind *kind, const struct stat *theirs,
                   struct err *err)
{
    cleanup_free char *own = str_format("/proc/self/ns/%s", kind->file);
    struct stat ours;

    if (stat(own, &ours) < 0)
        return err_errno(err, "cannot look at our own namespace '%s'", own);
    return ours.st_dev == theirs->st_dev && ours.st_ino == theirs->st_ino;
}

/* NS_GET_NSTYPE, Linux 4.11. A fifo or a device in the place of a namespace must not be waited for.
 */
static int open_join(struct spec_join *join, struct err *err)
{
    struct stat st;
    int type;

    join->fd = open(join->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (join->fd < 0)
        return err_errno(err, "cannot open namespace '%s'", join->path);
    type = ioctl(join->fd, NS_GET_NSTYPE);
    if (type < 0)
        return err_set(err, EINVAL, "linux.namespaces: '%s' is not a namespace", join->path);
    if ((uint64_t)type != join->kind->flag)
        return err_set(err, EINVAL, "linux.namespaces: '%s' is not a namespace of type '%s'",
                       join->path, join->kind->name);
    if (fstat(join->fd, &st) < 0)
        return err_errno(err, "cannot look at namespace '%s'", join->path);
    return is_ours(join->kind, &st, err);
}

/* What would change a namespace that is not the container's, and what runc says then. */
static int check_privacy(const struct spec *spec, struct err *err)
{
    const struct {
        bool wanted;
        uint64_t flag;
        const char *what, *name;
    } rules[] = {
        {spec->hostname, CLONE_NEWUTS, "set hostname", "UTS"},
        {spec->domainname, CLONE_NEWUTS, "set domainname", "UTS"},
        {spec->masked.len || spec->readonly.len, CLONE_NEWNS, "restrict sys entries", "MNT"},
        {spec->mount_count || spec->overlay_base, CLONE_NEWNS, "make mounts", "MNT"},
        {spec->root_readonly, CLONE_NEWNS, "make the root read-only", "MNT"},
        {spec->propagation, CLONE_NEWNS, "set the root's propagation", "MNT"},
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        /* A mount namespace that is joined belongs to somebody else, who would see our mounts. */
        uint64_t own =
            rules[i].flag == CLONE_NEWNS ? spec->new_namespaces : spec_own_namespaces(spec);

        if (rules[i].wanted && !(own & rules[i].flag))
            return err_set(err, EINVAL, "unable to %s without a private %s namespace",
                           rules[i].what, rules[i].name);
    }
    return 0;
}

/* The next of those that stay in the list, unless it is ours. */
static void keep(struct spec *spec, size_t *kept, const struct spec_join *join, bool ours)
{
    if (!ours)
        spec->joins[(*kept)++] = *join;
    else if (join->kind->flag == CLONE_NEWUSER)
        spec->user_namespace = false;
}

int namespaces_open(struct spec *spec, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < spec->join_count; i++) {
        struct spec_join join = spec->joins[i];
        int ours = open_join(&join, err);

        if (ours)
            close_fd(&join.fd);
        if (ours < 0)
            return ours;
        spec->joins[i].fd = -1;
        keep(spec, &kept, &join, ours);
    }
    spec->join_count = kept;
    return check_privacy(spec, err);
}

int namespaces_forget_ours(struct spec *spec, pid_t pid, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < spec->join_count; i++) {
        const struct spec_join join = spec->joins[i];
        cleanup_free char *path = str_format("/proc/%d/ns/%s", (int)pid, join.kind->file);
        struct stat st;
        int ours;

        if (stat(path, &st) < 0)
            return err_errno(err, "cannot look at the container's namespace '%s'", path);
        ours = is_ours(join.kind, &st, err);
        if (ours < 0)
            return ours;
        keep(spec, &kept, &join, ours);
    }
    spec->join_count = kept;
    return 0;
}

int namespaces_try_join(const struct spec *spec, uint64_t *which, struct err *err)
{
    for (size_t i = 0; i < spec->join_count; i++) {
        const struct spec_join *join = &spec->joins[i];

        if (!(*which & join->kind->flag))
            continue;
        if (!setns(join->fd, (int)join->kind->flag))
            *which &= ~join->kind->flag;
        else if (errno != EPERM)
            return err_errno(err, "cannot join the %s namespace '%s'", join->kind->name,
                             join->path);
    }
    return 0;
}

int namespaces_join(const struct spec *spec, uint64_t which, struct err *err)
{
    if (namespaces_try_join(spec, &which, err) < 0)
        return -err->code;
    for (size_t i = 0; i < spec->join_count; i++)
        if (which & spec->joins[i].kind->flag)
            return err_set(err, EPERM, "cannot join the %s namespace '%s': Operation not permitted",
                           spec->joins[i].kind->name, spec->joins[i].path);
    return 0;
}

/* --- what new ones need ----------------------------------------------------------------------- */

static void add_offset(struct buf *text, int clock, const struct spec_time_offset *offset)
{
    if (offset->set)
        buf_printf(text, "%d %lld %u\n", clock, (long long)offset->secs, offset->nanosecs);
}

/* time_namespaces(7): only before the first process is in. Clocks by number: Linux 5.6 knows no
 * names yet. */
int namespaces_set_clocks(const struct spec *spec, struct err *err)
{
    cleanup_buf struct buf text = {0};

    add_offset(&text, CLOCK_MONOTONIC, &spec->monotonic);
    add_offset(&text, CLOCK_BOOTTIME, &spec->boottime);
    if (text.len && file_poke(AT_FDCWD, "/proc/self/timens_offsets", text.data, err) < 0)
        return err_wrap(err, "linux.timeOffsets");
    return 0;
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
    if (spec->domainname && setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
        return err_errno(err, "cannot set the domain name '%s'", spec->domainname);
    return spec->new_namespaces & CLONE_NEWNET ? bring_up_loopback(err) : 0;
}
