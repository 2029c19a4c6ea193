/* A container's group at its start: made, given its limits, joined.
 *
 *     before its first process    the directory of version 2, which the process is born into
 *     beside it                   version 1's trees, the limits
 *     by the process itself       version 1's trees joined
 *
 * With systemd the scope is made around the process, so nothing can be done before. */
#include "runtime/cgroup_systemd.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

static int open_dir(struct cgroup *cg, const char *path, struct err *err)
{
    cleanup_free char *full = str_format("%s%s", cg->unified, path);

    cg->dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cg->dir < 0 && cg->version == 2)
        return err_errno(err, "cannot open the control group '%s'", full);
    return 0; /* on a hybrid host the tree beside version 1's is a help, not a need */
}

int cgroup_open_birthplace(struct cgroup *cg, struct err *err)
{
    return cg->version && cg->unified ? open_dir(cg, cg->path, err) : 0;
}

/* A container that runs a service manager has handed controllers down to groups of its own: then no
 * process may be in the group itself any more, and a newcomer goes where init is. The answer is the
 * kernel's, but init chooses among the groups below the container's. */
static char *path_for_newcomer(const struct cgroup *cg, pid_t init)
{
    cleanup_free char *proc = str_format("/proc/%d", init), *above = str_format("%s/", cg->path);
    cleanup_buf struct buf down = {0}, groups = {0};
    char *line;

    if (cgroup_read(cg->unified, cg->path, "cgroup.subtree_control", &down) < 0 || down.len <= 1 ||
        cgroup_read(proc, "", "cgroup", &groups) < 0)
        return str_copy(cg->path);
    line = !strncmp(groups.data, "0::/", 4) ? groups.data : strstr(groups.data, "\n0::/");
    if (!line)
        return str_copy(cg->path);
    line = strchr(line, '/');
    line[strcspn(line, "\n")] = 0;
    return str_copy(str_starts(line, above) && cgroup_path_is_plain(line) ? line : cg->path);
}

/* The group `subgroup` below the container's, as its owner named it. */
static int open_subgroup(struct cgroup *cg, const char *subgroup, struct err *err)
{
    cleanup_free char *below = str_format("/%s", subgroup), *full = NULL;

    if (!cg->version || !cgroup_path_is_plain(below))
        return err_set(err, EINVAL, "'%s' is not a group below the container's", subgroup);
    cg->subgroup = steal_ptr(&below);
    if (cg->version != 2)
        return 0; /* joined by the process itself, where it is there */
    full = str_format("%s%s%s", cg->root, cg->path, cg->subgroup);
    cg->dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return cg->dir < 0 ? err_errno(err, "cannot open the control group '%s'", full) : 0;
}

/* An ordinary user may move a process only if everything above both groups is his, which a login
 * session and a scope of his service manager have not in common. The manager can have it done. */
static bool is_attached_by_systemd(const struct cgroup *cg)
{
    return cg->version && cg->manager == RUNTIME_CGROUP_SYSTEMD && cgroup_is_ordinary_user();
}

int cgroup_open_beside(struct cgroup *cg, pid_t init, const char *subgroup, struct err *err)
{
    cleanup_free char *path = NULL;

    if (subgroup && open_subgroup(cg, subgroup, err) < 0)
        return -err->code;
    if (!cg->version || !cg->unified)
        return 0;
    path = path_for_newcomer(cg, init);
    if (is_attached_by_systemd(cg)) {
        close_fd(&cg->dir);
        if (!cg->subgroup && path[strlen(cg->path)])
            cg->subgroup = str_copy(path + strlen(cg->path));
        return 0;
    }
    return cg->dir >= 0 ? 0 : open_dir(cg, path, err);
}

int cgroup_attach(const struct cgroup *cg, pid_t pid, struct err *err)
{
    return is_attached_by_systemd(cg) ? systemd_attach(cg, pid, err) : 0;
}

/* From here on the container has none; what is at the path is not ours to touch. */
static void forget(struct cgroup *cg)
{
    cg->version = 0;
    *cg->path = 0;
}

/* An ordinary user may not make groups, unless some were delegated to it. Who asked for no limits
 * does not need one. */
static int go_without(struct cgroup *cg, const json_t *resources, struct err *err)
{
    const char *limit;

    if ((err->code != EACCES && err->code != EPERM && err->code != EROFS) ||
        !cgroup_is_ordinary_user())
        return -err->code;
    limit = cgroup_first_limit(cg, resources);
    if (limit)
        return err_wrap(err,
                        "linux.resources.%s needs a control group that this user may write to "
                        "(--cgroup-manager systemd, or Delegate=yes in the unit)",
                        limit);
    forget(cg);
    err_clear(err);
    return 0;
}

static int refuse_limits(const struct cgroup *cg, const json_t *resources, struct err *err)
{
    const char *limit = cgroup_first_limit(cg, resources);

    return limit ? err_set(err, EINVAL,
                           "linux.resources.%s: the container has no control group "
                           "(--cgroup-manager disabled)",
                           limit)
                 : 0;
}

/* A group that was there is fine, unless somebody lives in it (runc's words). */
int cgroup_check_vacant(struct cgroup *cg, const char *base, struct err *err)
{
    cleanup_with(runtime_pids_free) struct runtime_pids pids = {0};
    struct err ignored = {0};

    cgroup_tree_pids(base, cg->path, true, &pids);
    cgroup_sort_pids(&pids);
    if (pids.len) {
        err_set(err, EBUSY, "container's cgroup is not empty: %zu process(es) found in '%s'",
                pids.len, cg->path);
        forget(cg);
        return -err->code;
    }
    if (cgroup_frozen(cg, &ignored) > 0)
        return cgroup_freeze(cg, false, err);
    return 0;
}

/* The tree of version 2 beside version 1's: what cannot be made there is done without. */
static int make_beside(struct cgroup *cg)
{
    struct err ignored = {0};
    int r = cgroup_make_dirs(cg->unified, cg->path, &ignored);

    if (r >= 0 && cgroup_v2_check_type(cg, NULL, &ignored) >= 0)
        return r;
    cgroup_remove_dirs(cg->unified, cg->path, &ignored);
    free(cg->unified);
    cg->unified = NULL;
    return 0;
}

int cgroup_create_birthplace(struct cgroup *cg, const json_t *resources, struct err *err)
{
    int r = 0;

    if (cgroup_check_resources(resources, err) < 0)
        return -err->code;
    if (!cg->version)
        return refuse_limits(cg, resources, err);
    if (cg->manager == RUNTIME_CGROUP_SYSTEMD)
        return 0; /* a scope is made around a process that is there */
    if (cg->version == 2)
        r = cgroup_v2_create(cg, resources, err);
    else if (cg->unified) /* a help, not a need */
        r = make_beside(cg);
    if (r < 0)
        return go_without(cg, resources, err);
    if (r && cgroup_check_vacant(cg, cg->unified, err) < 0)
        return -err->code;
    return cgroup_open_birthplace(cg, err);
}

/* The unit, and then what systemd does not do: controllers it does not know, trees of version 1. */
static int create_unit(struct cgroup *cg, const json_t *config, pid_t init, struct err *err)
{
    const json_t *resources = json_at(config, "linux.resources");

    if (systemd_start(cg, config, init, err) < 0) {
        if (err->code == EEXIST || err->code == ENOPKG)
            forget(cg); /* somebody else's, or not made at all */
        return -err->code;
    }
    if ((cg->version == 2 ? cgroup_v2_create(cg, resources, err)
                          : cgroup_v1_create(cg, resources, err)) < 0)
        return -err->code;
    return cgroup_open_birthplace(cg, err);
}

int cgroup_create(struct cgroup *cg, const json_t *config, pid_t init, struct err *err)
{
    const json_t *resources = json_at(config, "linux.resources");

    if (cg->version && cg->manager == RUNTIME_CGROUP_SYSTEMD &&
        create_unit(cg, config, init, err) < 0)
        return -err->code;
    if (cg->version != 1 || cg->manager == RUNTIME_CGROUP_SYSTEMD)
        return cgroup_give(cg, config, init, err);
    return cgroup_v1_create(cg, resources, err) < 0 ? go_without(cg, resources, err) : 0;
}

int cgroup_limit(const struct cgroup *cg, const json_t *resources, bool update, struct err *err)
{
    if (!cg->version)
        return 0;
    if (update && cg->manager == RUNTIME_CGROUP_SYSTEMD && systemd_update(cg, resources, err) < 0)
        return -err->code;
    return cg->version == 2 ? cgroup_v2_limit(cg, resources, update, err)
                            : cgroup_v1_limit(cg, resources, update, err);
}

int cgroup_join(const struct cgroup *cg, struct err *err)
{
    return cg->version == 1 ? cgroup_v1_join(cg, err) : 0;
}
