/* cgroups, version 2: one tree. A group may use a controller only if each group above hands it
 * down (cgroup.subtree_control), and a group with processes hands nothing down, except the root.
 * The container is born into its group (CLONE_INTO_CGROUP, Linux 5.7), so it never runs outside of
 * its limits, and no process has to be moved. cgroup.kill (5.14) ends all of it at once. */
#include "runtime/cgroup_plan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

/* What containers are limited or measured by; others only when linux.resources names them: each
 * costs a little with every group and every process. */
static const char *const usual[] = {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"};
#define USUAL (sizeof usual / sizeof *usual)

void cgroup_v2_controller_of(const char *file, char ret[24])
{
    snprintf(ret, 24, "%.*s", (int)strcspn(file, "."), file);
}

static void wanted_controllers(const json_t *resources, struct strv *ret)
{
    const char *file;
    json_t *value;

    for (size_t i = 0; i < USUAL; i++)
        strv_add(ret, usual[i]);
    if (json_object_size(json_at(resources, "rdma")))
        strv_add(ret, "rdma");
    json_object_foreach(json_at(resources, "unified"), file, value)
    {
        char controller[24];

        cgroup_v2_controller_of(file, controller);
        if (strcmp(controller, "cgroup") && !strv_contains(ret, controller))
            strv_add(ret, controller);
    }
}

static void read_words(const char *root, const char *group, const char *file, struct strv *ret)
{
    cleanup_buf struct buf text = {0};

    if (cgroup_read(root, group, file, &text) < 0)
        return;
    text.data[strcspn(text.data, "\n")] = 0;
    strv_split(ret, text.data, ' ');
}

/* "+cpu +memory " of what is wanted and not yet handed down; empty in the usual case. */
static void not_handed_down(const char *root, const char *group, const struct strv *wanted,
                            struct buf *ret)
{
    cleanup_strv struct strv have = {0}, down = {0};

    read_words(root, group, "cgroup.subtree_control", &down);
    for (size_t i = 0; i < wanted->len; i++) {
        if (strv_contains(&down, wanted->items[i]))
            continue;
        if (!have.len)
            read_words(root, group, "cgroup.controllers", &have);
        if (strv_contains(&have, wanted->items[i]))
            buf_printf(ret, "+%s ", wanted->items[i]);
    }
}

/* A refusal is passed over: a group above that has processes of its own (we are in a container
 * ourselves, say) cannot hand controllers down, and an ordinary user may not ask. A limit that
 * needs one finds its file missing, and says why. */
static void hand_down(const char *root, const char *group, const struct strv *wanted)
{
    cleanup_buf struct buf missing = {0};
    struct err refused = {0};
    char *rest, *word;

    not_handed_down(root, group, wanted, &missing);
    if (!missing.len ||
        cgroup_write(root, group, "cgroup.subtree_control", missing.data, &refused) >= 0)
        return;
    if (refused.code == EBUSY || refused.code == EACCES || refused.code == EROFS)
        return;
    /* The write is all or nothing; maybe it is only one of them. */
    for (word = strtok_r(missing.data, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        cgroup_write(root, group, "cgroup.subtree_control", word, &refused);
}

/* Hands down at the root, makes the first directory, hands down there, and so on down to the
 * group's parent. Returns 1 when the group was there. */
static int make_path(const struct cgroup *cg, const struct strv *wanted, struct err *err)
{
    cleanup_free char *group = str_copy(cg->path);
    int r = 0;

    for (char *slash = group; slash; slash = strchr(slash + 1, '/')) {
        char *next = strchr(slash + 1, '/');

        *slash = 0;
        hand_down(cg->root, group, wanted);
        *slash = '/';
        if (next)
            *next = 0;
        r = cgroup_make_dirs(cg->root, group, err);
        if (r < 0)
            return r;
        if (next)
            *next = '/';
    }
    return r;
}

/* Mostly the parent has been there since the last container, and hands down all we want: as
 * cgroup_make_dir(). */
static int make_quickly(const struct cgroup *cg, const struct strv *wanted)
{
    cleanup_free char *full = str_format("%s%s", cg->root, cg->path), *above = str_copy(cg->path);
    cleanup_buf struct buf missing = {0};
    cleanup_strv struct strv down = {0};

    *strrchr(above, '/') = 0;
    read_words(cg->root, above, "cgroup.subtree_control", &down);
    for (size_t i = 0; i < wanted->len; i++)
        if (!strv_contains(&down, wanted->items[i]))
            return -ENOENT;
    return cgroup_make_dir(full);
}

/* --- threaded groups -----------------------------------------------------------------------------
 * Below a group whose processes are spread by threads, a new group is "domain invalid": nobody can
 * be in it until it is made "threaded", too, and then only the controllers that can tell threads
 * apart work in it (cgroup-v2.rst, "Threads"). */

static const char *const domain_limits[] = {"memory", "blockIO", "hugepageLimits", "rdma"};

static int make_threaded(const struct cgroup *cg, const json_t *resources, struct err *err)
{
    for (size_t i = 0; i < sizeof domain_limits / sizeof *domain_limits; i++)
        if (json_object_size(json_at(resources, domain_limits[i])) ||
            json_array_size(json_at(resources, domain_limits[i])))
            return err_set(err, EOPNOTSUPP,
                           "linux.resources.%s: the group '%s' is below a threaded one, where only "
                           "cpu, cpuset and pids can be limited: choose another linux.cgroupsPath",
                           domain_limits[i], cg->path);
    return cgroup_write(cg->unified, cg->path, "cgroup.type", "threaded", err) < 0
               ? err_wrap(err, "the control group '%s' is below a threaded one", cg->path)
               : 0;
}

int cgroup_v2_check_type(const struct cgroup *cg, const json_t *resources, struct err *err)
{
    cleanup_buf struct buf type = {0};

    if (cgroup_read(cg->unified, cg->path, "cgroup.type", &type) < 0 ||
        strcmp(type.data, "domain invalid\n"))
        return 0;
    return make_threaded(cg, resources, err);
}

int cgroup_v2_create(struct cgroup *cg, const json_t *resources, struct err *err)
{
    cleanup_strv struct strv wanted = {0};
    int r;

    wanted_controllers(resources, &wanted);
    r = make_quickly(cg, &wanted);
    /* ENOENT: another engine removed the empty parent meanwhile. */
    for (int tries = 0; r < 0 && tries < 100; tries++) {
        r = make_path(cg, &wanted, err);
        if (r != -ENOENT && r != -ENODEV)
            break;
    }
    if (r < 0)
        return r;
    err_clear(err);
    return cgroup_v2_check_type(cg, resources, err) < 0 ? -err->code : r;
}

int cgroup_v2_limit(const struct cgroup *cg, const json_t *resources, bool update, struct err *err)
{
    cleanup_with(cgroup_plan_free) struct cgroup_plan plan = {0};

    if (cgroup_v2_plan(cg, resources, update, &plan, err) < 0 ||
        cgroup_plan_write(cg, &plan, err) < 0)
        return -err->code;
    return device_rules_write_v2(cg, resources, update, err);
}
