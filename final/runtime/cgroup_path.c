/* linux.cgroupsPath: where a container's group is to be. */
#include "runtime/cgroup_systemd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char *const managers[] = {
    [RUNTIME_CGROUPFS] = "cgroupfs",
    [RUNTIME_CGROUP_SYSTEMD] = "systemd",
    [RUNTIME_CGROUP_DISABLED] = "disabled",
};

int runtime_cgroup_manager_of(const char *name, enum runtime_cgroup_manager *ret)
{
    for (size_t i = 0; i < sizeof managers / sizeof *managers; i++)
        if (!strcmp(managers[i], name)) {
            *ret = (enum runtime_cgroup_manager)i;
            return 0;
        }
    return -EINVAL;
}

const char *runtime_cgroup_manager_name(enum runtime_cgroup_manager manager)
{
    return managers[manager];
}

/* "/a/b": absolute, and no component is empty, "." or "..". */
bool cgroup_path_is_plain(const char *path)
{
    if (*path != '/')
        return false;
    while (*path) {
        size_t n = strcspn(++path, "/");

        if (!n || n > 255 || (n == 1 && *path == '.') || (n == 2 && !strncmp(path, "..", 2)))
            return false;
        path += n;
    }
    return true;
}

/* In the first user namespace every id is mapped to itself (user_namespaces(7)). */
static bool in_user_namespace(void)
{
    cleanup_buf struct buf map = {0};
    unsigned long long inside, outside, count;

    return !cgroup_read("/proc/self", "", "uid_map", &map) &&
           (sscanf(map.data, "%llu %llu %llu", &inside, &outside, &count) != 3 || inside ||
            outside || count != 4294967295ULL);
}

bool cgroup_is_ordinary_user(void)
{
    return geteuid() || in_user_namespace();
}

/* FNV-1a: the same bundle gives the same number, another one most likely another. */
static unsigned number_of(const char *text)
{
    unsigned number = 2166136261U;

    for (; *text; text++)
        number = (number ^ (unsigned char)*text) * 16777619U;
    return number;
}

/* An ordinary user can make groups only below one that was delegated to it. Its own group (in
 * /proc/self/cgroup the line "0::/path", cgroups(7)) has processes, and so cannot have groups with
 * limits: the one above is where its session or service keeps such groups, and where runc goes,
 * too. Root's containers belong to nobody's session. "" stands for the root. */
static char *delegated_group(void)
{
    cleanup_buf struct buf text = {0};
    char *line, *last;

    if (!cgroup_is_ordinary_user() || cgroup_read("/proc/self", "", "cgroup", &text) < 0)
        return str_copy("");
    line = !strncmp(text.data, "0::/", 4) ? text.data : strstr(text.data, "\n0::/");
    if (!line)
        return str_copy("");
    line = strchr(line, '/');
    line[strcspn(line, "\n")] = 0;
    last = strrchr(line, '/');
    return str_copy_n(line, (size_t)(last - line));
}

static char *below_own(const char *relative)
{
    cleanup_free char *own = delegated_group();

    return str_format("%s/%s", own, relative);
}

static char *default_path(const char *id, const char *bundle)
{
    cleanup_free char *name = str_format("cooper/%s-%08x", id, number_of(bundle));

    return below_own(name);
}

/* A unit of the user's own manager is below that manager's group. */
static int unit_path(const char *root, const char *wanted, const char *id, char **ret,
                     struct err *err)
{
    cleanup_with(systemd_unit_free) struct systemd_unit unit = {0};
    cleanup_free char *manager = NULL;
    bool user = cgroup_is_ordinary_user();

    if (user && runtime_cgroup_version(root) == 1)
        return err_set(err, ENOTSUP,
                       "cannot use rootless systemd cgroups manager on cgroup v1: its groups "
                       "cannot be delegated");
    if (systemd_unit_parse(wanted, id, user, &unit, err) < 0 ||
        systemd_manager_group(&manager, err) < 0)
        return -err->code;
    *ret = str_format("%s%s", strcmp(manager, "/") ? manager : "", unit.path);
    return 0;
}

int runtime_cgroup_resolve(enum runtime_cgroup_manager manager, const char *cgroup_root,
                           const char *wanted, const char *id, const char *bundle, char **ret_path,
                           struct err *err)
{
    cleanup_free char *path = NULL;

    if (manager == RUNTIME_CGROUP_SYSTEMD) {
        if (unit_path(cgroup_root, wanted, id, &path, err) < 0)
            return -err->code;
    } else if (manager == RUNTIME_CGROUP_DISABLED)
        path = str_copy("");
    else if (!wanted || !*wanted)
        path = default_path(id, bundle);
    else
        path = *wanted == '/' ? str_copy(wanted) : below_own(wanted);
    if (*path && !cgroup_path_is_plain(path))
        return err_set(err, EINVAL,
                       "linux.cgroupsPath '%s' is not a plain path below the root: no empty "
                       "component, \".\" or \"..\", and none above 255 bytes",
                       path);
    *ret_path = steal_ptr(&path);
    return 0;
}
