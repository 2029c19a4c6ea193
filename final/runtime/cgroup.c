/* Opening a group, looking into it, and the public functions: each opens the group by its place and
 * does one thing. */
#include "runtime/cgroup_systemd.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

static bool is_mounted(const char *path, long magic)
{
    struct statfs fs;

    return !statfs(path, &fs) && fs.f_type == magic;
}

int runtime_cgroup_version(const char *cgroup_root)
{
    const char *root = cgroup_root ? cgroup_root : CGROUP_ROOT;
    cleanup_free char *memory = str_format("%s/memory", root), *pids = str_format("%s/pids", root);

    if (is_mounted(root, CGROUP2_SUPER_MAGIC))
        return 2;
    return is_mounted(memory, CGROUP_SUPER_MAGIC) || is_mounted(pids, CGROUP_SUPER_MAGIC);
}

/* The root group of version 2 has no limits, so its files do not say: any other group's do. */
static bool a_group_limits_swap(const char *root)
{
    cleanup_closedir DIR *groups = opendir(root);
    struct dirent *entry;

    while (groups && (entry = readdir(groups))) {
        cleanup_free char *group = str_format("/%s", entry->d_name);

        if (entry->d_type == DT_DIR && *entry->d_name != '.' &&
            cgroup_has(root, group, "memory.max"))
            return cgroup_has(root, group, "memory.swap.max");
    }
    return true;
}

bool runtime_cgroup_limits_swap(const char *cgroup_root)
{
    const char *root = cgroup_root ? cgroup_root : CGROUP_ROOT;

    if (runtime_cgroup_version(root) == 1)
        return cgroup_has(root, "/memory", "memory.memsw.limit_in_bytes");
    return a_group_limits_swap(root);
}

static char *unified_root(const char *root, int version)
{
    cleanup_free char *beside = str_format("%s/unified", root);

    if (version == 2)
        return str_copy(root);
    return is_mounted(beside, CGROUP2_SUPER_MAGIC) ? steal_ptr(&beside) : NULL;
}

int cgroup_open(const struct runtime_cgroup_place *place, struct cgroup *ret, struct err *err)
{
    const char *root = place->root ? place->root : CGROUP_ROOT;
    int version = 0;

    *ret = (struct cgroup){.dir = -1, .manager = place->manager};
    if (*place->path && !cgroup_path_is_plain(place->path))
        return err_set(err, EINVAL,
                       "linux.cgroupsPath '%s' is not a plain absolute path below the root",
                       place->path);
    if (*place->path && !(version = runtime_cgroup_version(place->root)))
        return err_set(err, ENOENT,
                       "no control groups at '%s': mount them (mount -t cgroup2 cgroup2 %s)", root,
                       CGROUP_ROOT);
    ret->version = version;
    ret->root = str_copy(root);
    ret->path = str_copy(place->path);
    ret->unified = unified_root(root, version ? version : runtime_cgroup_version(place->root));
    return 0;
}

void cgroup_close(struct cgroup *cg)
{
    free(cg->path);
    free(cg->subgroup);
    free(cg->unified);
    if (cg->root) /* a zeroed struct owns nothing, not even descriptor 0 */
        close_fd(&cg->dir);
    free(cg->root);
    *cg = (struct cgroup){.dir = -1};
}

/* --- what is in it ---------------------------------------------------------------------------- */

bool cgroup_oom_killed(const struct cgroup *cg)
{
    cleanup_free char *memory = cgroup_v1_base(cg, "memory");

    if (cg->version == 2)
        return cgroup_read_key(cg->root, cg->path, "memory.events", "oom_kill") > 0;
    return cg->version == 1 &&
           cgroup_read_key(memory, cg->path, "memory.oom_control", "oom_kill") > 0;
}

int cgroup_pids(const struct cgroup *cg, bool below, struct runtime_pids *ret, struct err *err)
{
    cleanup_free char *base = cg->version == 2 ? str_copy(cg->root) : cgroup_v1_processes(cg);
    struct runtime_pids found = {0};
    int r = cgroup_tree_pids(base, cg->path, below, &found);

    if (r < 0) {
        runtime_pids_free(&found);
        return err_set(err, -r, "cannot read the control group '%s': %s", cg->path, strerror(-r));
    }
    cgroup_sort_pids(&found);
    *ret = found;
    return 0;
}

int cgroup_count(const struct cgroup *cg, struct err *err)
{
    cleanup_with(runtime_pids_free) struct runtime_pids pids = {0};

    return cgroup_pids(cg, true, &pids, err) < 0 ? -err->code : (int)pids.len;
}

int cgroup_stats(const struct cgroup *cg, struct runtime_stats *ret, struct err *err)
{
    struct runtime_stats stats = {0};
    int r = cg->version == 2 ? cgroup_v2_stats(cg, &stats, err) : cgroup_v1_stats(cg, &stats, err);

    if (r < 0)
        runtime_stats_free(&stats);
    else
        *ret = stats;
    return r;
}

/* --- by place --------------------------------------------------------------------------------- */

int cgroup_open_own(const struct runtime_cgroup_place *place, struct cgroup *ret, struct err *err)
{
    if (cgroup_open(place, ret, err) < 0)
        return -err->code;
    if (!ret->version)
        return err_set(err, ENOTSUP,
                       "the container has no control group of its own: it was created with "
                       "--cgroup-manager disabled, or by a user to whom none is delegated");
    return 0;
}

int runtime_cgroup_destroy_at(const struct runtime_cgroup_place *place, struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg;
    int r = cgroup_open(place, &cg, err);

    if (r == -ENOENT) { /* no control groups, none left over */
        err_clear(err);
        return 0;
    }
    return r < 0 ? r : cgroup_destroy(&cg, err);
}

int runtime_cgroup_destroy(const char *cgroup_root, const char *path, struct err *err)
{
    struct runtime_cgroup_place place = {.root = cgroup_root, .path = path};

    return runtime_cgroup_destroy_at(&place, err);
}

int runtime_cgroup_count(const char *cgroup_root, const char *path, struct err *err)
{
    struct runtime_cgroup_place place = {.root = cgroup_root, .path = path};
    cleanup_with(cgroup_close) struct cgroup cg;

    return cgroup_open_own(&place, &cg, err) < 0 ? -err->code : cgroup_count(&cg, err);
}

int runtime_cgroup_freeze(const struct runtime_cgroup_place *place, bool frozen, struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg;
    struct err ignored = {0};

    if (cgroup_open_own(place, &cg, err) < 0)
        return -err->code;
    /* systemd wants to know, so that it does not wake the unit up; but it is not needed for it. */
    if (cg.manager == RUNTIME_CGROUP_SYSTEMD && !systemd_freeze(&cg, frozen, &ignored))
        return 0;
    return cgroup_freeze(&cg, frozen, err);
}

int runtime_cgroup_frozen(const struct runtime_cgroup_place *place, struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg;

    return cgroup_open_own(place, &cg, err) < 0 ? -err->code : cgroup_frozen(&cg, err);
}

int runtime_cgroup_pids(const struct runtime_cgroup_place *place, bool below,
                        struct runtime_pids *ret, struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg;

    return cgroup_open_own(place, &cg, err) < 0 ? -err->code : cgroup_pids(&cg, below, ret, err);
}

int runtime_cgroup_signal(const struct runtime_cgroup_place *place, int sig, struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg;

    return cgroup_open_own(place, &cg, err) < 0 ? -err->code : cgroup_signal(&cg, sig, err);
}

int runtime_cgroup_stats(const struct runtime_cgroup_place *place, struct runtime_stats *ret,
                         struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg;

    return cgroup_open_own(place, &cg, err) < 0 ? -err->code : cgroup_stats(&cg, ret, err);
}

int runtime_cgroup_update(const struct runtime_cgroup_place *place, const json_t *resources,
                          struct err *err)
{
    cleanup_with(cgroup_close) struct cgroup cg = {.dir = -1};

    if (cgroup_check_resources(resources, err) < 0 || cgroup_open_own(place, &cg, err) < 0 ||
        cgroup_open_birthplace(&cg, err) < 0)
        return -err->code;
    return cgroup_limit(&cg, resources, true, err);
}
