/* Whose the group is: a container with a user namespace and a writable /sys/fs/cgroup may make
 * groups of its own, as a service manager inside does. So the group's directory is given to its
 * root, and those files by which groups are made and processes moved; limits stay the host's (OCI
 * runtime-spec, config-linux.md, "Cgroup ownership"; cgroups(7), "Delegation"). Version 1 has no
 * safe way to do that. */
#include "runtime/cgroup_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

/* Until Linux 4.15 nobody said which files. */
#define DELEGATED "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n"

static bool has_option(const json_t *mount, const char *wanted)
{
    const json_t *option;
    size_t i;

    json_array_foreach(
        json_object_get(mount, "options"), i,
        option) if (!strcmp(json_string_value(option) ? json_string_value(option) : "",
                            wanted)) return true;
    return false;
}

/* Is it to be seen there, and written to? */
static bool mounts_writable(const json_t *config)
{
    const json_t *mount;
    size_t i;

    json_array_foreach(json_at(config, "mounts"), i,
                       mount) if (!strcmp(json_str(mount, "destination", ""), "/sys/fs/cgroup") &&
                                  str_starts(json_str(mount, "type", ""),
                                             "cgroup")) return !has_option(mount, "ro");
    return false;
}

/* Who `uid` of the process's user namespace is for us; -1: nobody, or the process is in ours. */
static long long outside(pid_t init, long long uid)
{
    cleanup_free char *proc = str_format("/proc/%d", init);
    cleanup_buf struct buf own = {0}, map = {0};
    char *rest;

    if (cgroup_read("/proc/self", "", "uid_map", &own) < 0 ||
        cgroup_read(proc, "", "uid_map", &map) < 0 || !strcmp(own.data, map.data))
        return -1;
    for (char *line = strtok_r(map.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        long long inside, first, count;

        if (sscanf(line, "%lld %lld %lld", &inside, &first, &count) == 3 && uid >= inside &&
            uid < inside + count)
            return first + uid - inside;
    }
    return -1;
}

static int give_files(int dir, uid_t owner, struct err *err)
{
    cleanup_buf struct buf known = {0};
    cleanup_free char *copy = NULL;
    char *rest;

    cgroup_read("/sys/kernel/cgroup", "", "delegate", &known);
    copy = str_copy(known.len ? known.data : DELEGATED);
    for (char *file = strtok_r(copy, "\n", &rest); file; file = strtok_r(NULL, "\n", &rest))
        if (fchownat(dir, file, owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
            return err_errno(err, "cannot give the control group's '%s' to user %u", file, owner);
    return 0;
}

int cgroup_give(const struct cgroup *cg, const json_t *config, pid_t init, struct err *err)
{
    long long owner;

    /* An ordinary user's groups are his own already, and he cannot give them away. */
    if (cg->version != 2 || !cg->namespaced || geteuid() || !mounts_writable(config))
        return 0;
    owner = outside(init, json_int(config, "process.user.uid", 0));
    if (owner < 0)
        return 0;
    if (fchown(cg->dir, (uid_t)owner, (gid_t)-1) < 0)
        return err_errno(err, "cannot give the control group '%s' to user %lld", cg->path, owner);
    return give_files(cg->dir, (uid_t)owner, err);
}
