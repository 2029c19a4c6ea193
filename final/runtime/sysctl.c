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

/* A name that ends in "." allows everything below. */
static const struct {
    const char *name;
    uint64_t namespace;
} allowed[] = {
    {"kernel.msgmax", CLONE_NEWIPC},
    {"kernel.msgmnb", CLONE_NEWIPC},
    {"kernel.msgmni", CLONE_NEWIPC},
    {"kernel.sem", CLONE_NEWIPC},
    {"kernel.shmall", CLONE_NEWIPC},
    {"kernel.shmmax", CLONE_NEWIPC},
    {"kernel.shmmni", CLONE_NEWIPC},
    {"kernel.shm_rmid_forced", CLONE_NEWIPC},
    {"kernel.domainname", CLONE_NEWUTS},
    {"fs.mqueue.", CLONE_NEWIPC},
    {"net.", CLONE_NEWNET},
};

/* Dots and slashes change places on the way to a path, so "//" would become "..". */
static bool key_is_plain(const char *key)
{
    return !strstr(key, "..") && !strstr(key, "//") && strlen(key) < 200;
}

static int check_key(const char *key, uint64_t own, struct err *err)
{
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        size_t n = strlen(allowed[i].name);
        bool fits = allowed[i].name[n - 1] == '.' ? !strncmp(key, allowed[i].name, n)
                                                  : !strcmp(key, allowed[i].name);

        if (!fits || !key_is_plain(key))
            continue;
        if (own & allowed[i].namespace)
            return 0;
        return err_set(err, EPERM,
                       "sysctl '%s' would change the host: the container shares that namespace",
                       key);
    }
    return err_set(err, EPERM, "sysctl '%s' is not in a separate kernel namespace", key);
}

int sysctl_check(const struct spec *spec, struct err *err)
{
    uint64_t own = spec_own_namespaces(spec);
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)spec->sysctl, key, value)
    {
        if (!json_is_string(value))
            return err_set(err, EINVAL, "sysctl '%s': the value is not a string", key);
        if (check_key(key, own, err) < 0)
            return -err->code;
    }
    return 0;
}

static int write_one(int proc, const char *key, const char *value, struct err *err)
{
    cleanup_free char *path = str_format("sys/%s", key);
    cleanup_close int fd = -1;

    for (char *p = path + 4; *p; p++)
        if (*p == '.' ||
            *p == '/') /* sysctl(8): "net/ipv4/conf/eth0.1" names what contains a dot */
            *p = *p == '.' ? '/' : '.';
    fd = procfs_open_file(proc, path, O_WRONLY);
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
