/* Most of /proc/sys is the machine's. What belongs to a namespace is written from inside it, and
 * nothing else is accepted: a value for kernel.core_pattern would be the host's (CVE-2022-0811).
 * The file is looked up in a procfs that we made, by its descriptor, without leaving it
 * (CVE-2025-52881: a procfs swapped for something else made writes go elsewhere). */
#include "runtime/sysctl.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/procfs.h"

/* By path below /proc/sys; one that ends in "/" allows everything below. */
static const struct {
    const char *path;
    uint64_t namespace;
} allowed[] = {
    {"kernel/msgmax", CLONE_NEWIPC},
    {"kernel/msgmnb", CLONE_NEWIPC},
    {"kernel/msgmni", CLONE_NEWIPC},
    {"kernel/sem", CLONE_NEWIPC},
    {"kernel/shmall", CLONE_NEWIPC},
    {"kernel/shmmax", CLONE_NEWIPC},
    {"kernel/shmmni", CLONE_NEWIPC},
    {"kernel/shm_rmid_forced", CLONE_NEWIPC},
    {"kernel/domainname", CLONE_NEWUTS},
    {"fs/mqueue/", CLONE_NEWIPC},
    {"net/", CLONE_NEWNET},
};

/* sysctl(8): whichever of "." and "/" comes first separates, the other is a dot in a name:
 * net.ipv4.conf.eth0/1.forwarding and net/ipv4/conf/eth0.1/forwarding are the same. Returns NULL if
 * this is no path downwards. */
static char *path_of(const char *key)
{
    char separator = key[strcspn(key, "./")] == '/' ? '/' : '.';
    cleanup_free char *path = str_copy(key);
    cleanup_strv struct strv names = {0};

    for (char *p = path; *p; p++)
        if (*p == '.' || *p == '/')
            *p = *p == separator ? '/' : '.';
    strv_split(&names, path, '/');
    for (size_t i = 0; i < names.len; i++)
        if (!*names.items[i] || !strcmp(names.items[i], ".") || !strcmp(names.items[i], ".."))
            return NULL;
    return names.len && strlen(path) < 200 ? steal_ptr(&path) : NULL;
}

static int check_key(const char *key, uint64_t own, struct err *err)
{
    cleanup_free char *path = path_of(key);

    if (path && !strcmp(path, "kernel/hostname"))
        return err_set(err, EPERM,
                       "sysctl \"kernel.hostname\" conflicts with the OCI \"hostname\" "
                       "field");
    for (size_t i = 0; path && i < sizeof allowed / sizeof *allowed; i++) {
        size_t n = strlen(allowed[i].path);

        if (allowed[i].path[n - 1] == '/' ? !!strncmp(path, allowed[i].path, n)
                                          : !!strcmp(path, allowed[i].path))
            continue;
        if (own & allowed[i].namespace)
            return 0;
        return err_set(err, EPERM,
                       "sysctl '%s' would change the host: the container shares that namespace",
                       key);
    }
    return err_set(err, EPERM, "sysctl '%s' is not in a separate kernel namespace", key);
}

/* One line, with or without its end: the kernel reads the first and forgets the others. */
static int check_value(const char *key, const json_t *value, struct err *err)
{
    const char *text = json_string_value(value);
    size_t n = text ? strcspn(text, "\n") : 0;

    if (!text)
        return err_set(err, EINVAL, "sysctl '%s': the value is not a string", key);
    if (n + (text[n] == '\n') != json_string_length(value))
        return err_set(err, EINVAL, "sysctl '%s': the value is more than one line", key);
    return 0;
}

int sysctl_check(const struct spec *spec, struct err *err)
{
    uint64_t own = spec_own_namespaces(spec);
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)spec->sysctl, key, value)
    {
        if (check_value(key, value, err) < 0 || check_key(key, own, err) < 0)
            return -err->code;
    }
    return 0;
}

static int write_one(int proc, const char *key, const char *value, struct err *err)
{
    cleanup_free char *name = path_of(key); /* not NULL: sysctl_check() */
    cleanup_free char *path = str_format("sys/%s", name);
    cleanup_close int fd = procfs_open_file(proc, path, O_WRONLY);

    if (fd < 0)
        return err_set(err, -fd, "cannot open sysctl '%s': %s", key, strerror(-fd));
    if (write(fd, value, strlen(value)) < 0)
        return err_errno(err, "cannot set sysctl '%s' to '%s'", key, value);
    return 0;
}

/* Where config.json has a procfs mounted, that one, by its descriptor; else one of our own, because
 * the host's may be covered and an image's is forged. */
int sysctl_apply(const struct mounts *m, struct err *err)
{
    const json_t *sysctl = m->spec->sysctl;
    cleanup_close int own = -1;
    int proc = mounts_proc(m);
    const char *key;
    json_t *value;

    if (!json_object_size(sysctl))
        return 0;
    if (proc < 0)
        proc = own = procfs_open(err);
    if (proc < 0)
        return err_wrap(err, "linux.sysctl");
    json_object_foreach((json_t *)sysctl, key, value)
    {
        if (write_one(proc, key, json_string_value(value), err) < 0)
            return -err->code;
    }
    return 0;
}
