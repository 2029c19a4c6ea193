/* The list of writes, and why one of them was refused.
 *
 * The kernel's answer to a limit it cannot set is one number. What it means depends on what is
 * there: a controller that this kernel does not have, one that a group above does not hand down,
 * and then because a process sits in that group. All of that can be read, and is, so that nobody
 * has to guess. */
#include "runtime/cgroup_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

void cgroup_plan_free(struct cgroup_plan *plan)
{
    for (size_t i = 0; i < plan->len; i++) {
        free(plan->items[i].file);
        free(plan->items[i].text);
    }
    free(plan->items);
    *plan = (struct cgroup_plan){0};
}

struct cgroup_setting *cgroup_plan_add(struct cgroup_plan *plan, const char *field,
                                       const char *controller, const char *file, char *text)
{
    struct cgroup_setting *setting;

    if (plan->len == plan->room) {
        plan->room = plan->room ? 2 * plan->room : 16;
        plan->items = mem_grow(plan->items, plan->room, sizeof *plan->items);
    }
    setting = &plan->items[plan->len++];
    *setting = (struct cgroup_setting){.field = field, .file = str_copy(file), .text = text};
    snprintf(setting->controller, sizeof setting->controller, "%s", controller);
    return setting;
}

void cgroup_plan_rdma(const json_t *resources, struct cgroup_plan *ret)
{
    const char *device;
    json_t *limits;

    json_object_foreach(json_at(resources, "rdma"), device, limits)
    {
        cleanup_buf struct buf text = {0};

        buf_add_str(&text, device);
        if (cgroup_wanted(limits, "hcaHandles"))
            buf_printf(&text, " hca_handle=%lld", json_int(limits, "hcaHandles", 0));
        if (cgroup_wanted(limits, "hcaObjects"))
            buf_printf(&text, " hca_object=%lld", json_int(limits, "hcaObjects", 0));
        cgroup_plan_add(ret, "rdma", "rdma", "rdma.max", buf_steal(&text));
    }
}

bool cgroup_never_swaps(void)
{
    return access("/proc/swaps", F_OK) < 0 && errno == ENOENT;
}

/* --- why not ---------------------------------------------------------------------------------- */

static const struct hint {
    const char *file;
    int code; /* 0: any */
    const char *text;
} hints[] = {
    {"memory.limit_in_bytes", EBUSY, "so much is in use already"},
    {"memory.limit_in_bytes", EINVAL,
     "it would be above memory and swap together: raise memory.swap"},
    {"memory.memsw.limit_in_bytes", EINVAL, "it would be below memory.limit, which it includes"},
    {"memory.memsw.limit_in_bytes", ENOENT, "swap is not accounted for: boot with swapaccount=1"},
    {"memory.swap.max", ENOENT, "swap is not accounted for: boot with swapaccount=1"},
    {"memory.use_hierarchy", EINVAL,
     "since Linux 5.11 memory is always accounted for as a hierarchy"},
    {"memory.kmem.limit_in_bytes", 0,
     "since Linux 5.16 the kernel does not limit its own memory apart"},
    {"cpu.cfs_", EINVAL, "out of range, or more than the group above allows"},
    {"cpu.max", EINVAL, "out of range (quota and period at least 1000, period at most 1000000)"},
    {"cpu.rt_", EINVAL, "the group above needs at least as much cpu.rt_runtime_us first"},
    {"cpu.rt_", ENOENT, "this kernel has no groups of real-time tasks (CONFIG_RT_GROUP_SCHED)"},
    {"cpuset.", EINVAL, "this machine, or the group above, does not have all of these"},
    {"cpuset.", EACCES, "this machine, or the group above, does not have all of these"},
    {"cpuset.", ERANGE, "this machine does not have all of these"},
    {"cpuset.", ENOSPC, "processes are in the group, and they would be left with none"},
    {"blkio.weight", ENOENT, "weights need the scheduler bfq or cfq, and this kernel has neither"},
    {"blkio.bfq.weight", ENOENT,
     "weights need the scheduler bfq or cfq, and this kernel has neither"},
    {"blkio.leaf_weight", ENOENT, "leaf weights need the scheduler cfq, which went with Linux 5.0"},
    {"io.weight", ENOENT,
     "weights need the scheduler bfq or the cost model, and this kernel has neither"},
    {"blkio.bfq.weight_device", EOPNOTSUPP, "the device is not under the scheduler bfq"},
    {"io.bfq.weight", EOPNOTSUPP, "the device is not under the scheduler bfq"},
    {"cpu.shares", EINVAL, "between 2 and 262144; an idle group has none"},
    {"cpu.weight", EINVAL, "an idle group has none"},
    {"blkio.throttle", ENODEV, "there is no such block device"},
    {"io.", ENODEV, "there is no such block device, or it is a partition"},
    {"hugetlb.", ENOENT, "this kernel has no huge pages of that size"},
    {"rdma.max", EINVAL, "there is no such RDMA device"},
    {"rdma.max", ENODEV, "there is no such RDMA device"},
    {"net_prio.ifpriomap", ENODEV, "there is no such network interface"},
};

static const char *hint_of(const struct cgroup_setting *setting, int code)
{
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (str_starts(setting->file, hints[i].file) && (!hints[i].code || hints[i].code == code))
            return hints[i].text;
    return NULL;
}

/* Is the word in a blank-separated list such as cgroup.controllers? */
static bool lists(const char *root, const char *group, const char *file, const char *word)
{
    cleanup_buf struct buf text = {0};
    cleanup_strv struct strv words = {0};

    if (cgroup_read(root, group, file, &text) < 0)
        return false;
    text.data[strcspn(text.data, "\n")] = 0;
    strv_split(&words, text.data, ' ');
    return strv_contains(&words, word);
}

/* "the process 12 (bash) is in it", or NULL. */
static char *first_process(const char *root, const char *group)
{
    cleanup_with(runtime_pids_free) struct runtime_pids pids = {0};
    cleanup_buf struct buf name = {0};
    cleanup_free char *proc = NULL;

    if (cgroup_tree_pids(root, group, false, &pids) < 0 || !pids.len)
        return NULL;
    proc = str_format("/proc/%d", pids.items[0]);
    if (cgroup_read(proc, "", "comm", &name) < 0)
        return str_format("process %d", pids.items[0]);
    name.data[strcspn(name.data, "\n")] = 0;
    return str_format("process %d (%s)", pids.items[0], name.data);
}

/* Why `group`, which has the controller, does not hand it down. */
static int explain_group(const struct cgroup *cg, const char *group, const char *controller,
                         struct err *err)
{
    cleanup_free char *process = *group ? first_process(cg->root, group) : NULL;

    if (process)
        return err_set(
            err, EBUSY,
            "the controller '%s' cannot be handed down by the group '%s', because %s is "
            "in it, and a group has either processes or groups with controllers: move "
            "it into a group below, or choose a linux.cgroupsPath that is not below '%s'",
            controller, group, process, group);
    return err_set(err, EACCES,
                   "the group '%s' does not hand down the controller '%s': as its owner, write "
                   "'+%s' to %s%s/cgroup.subtree_control",
                   *group ? group : "/", controller, controller, cg->root, group);
}

int cgroup_v2_explain(const struct cgroup *cg, const char *controller, struct err *err)
{
    cleanup_free char *group = str_copy(cg->path);

    if (!lists(cg->root, "", "cgroup.controllers", controller))
        return err_set(err, ENOENT, "there is no controller '%s' at '%s'", controller, cg->root);
    if (!lists(cg->root, "", "cgroup.subtree_control", controller))
        return explain_group(cg, "", controller, err);
    for (char *slash = strchr(group + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (!lists(cg->root, group, "cgroup.subtree_control", controller))
            return explain_group(cg, group, controller, err);
        *slash = '/';
    }
    return 0;
}

static bool is_about_a_controller(const struct cgroup *cg, const struct cgroup_setting *setting)
{
    return cg->version == 2 && strcmp(setting->controller, "cgroup") != 0;
}

static int explain(const struct cgroup *cg, const char *base, const struct cgroup_setting *setting,
                   struct err *err)
{
    const char *hint = hint_of(setting, err->code);
    int code = err->code;

    if (code == ENOENT && access(base, F_OK) < 0)
        err_set(err, ENOENT, "no controller '%s' is mounted at '%s'", setting->controller, base);
    else if (code == ENOENT && is_about_a_controller(cg, setting) &&
             cgroup_v2_explain(cg, setting->controller, err) < 0)
        code = err->code;
    else if (hint) {
        struct err bare = *err;

        err_set(err, code, "%.1500s: %s", bare.message, hint);
    }
    return err_wrap(err, "linux.resources.%s", setting->field);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Files about devices take one a write(2). */
static int write_lines(const char *base, const struct cgroup *cg,
                       const struct cgroup_setting *setting, struct err *err)
{
    cleanup_free char *copy = str_copy(setting->text);
    char *rest = copy, *line;

    while ((line = strsep(&rest, "\n")))
        if ((*line || line == copy) && cgroup_write(base, cg->path, setting->file, line, err) < 0)
            return -err->code;
    return 0;
}

/* Some values the kernel takes without a word and does not keep. */
static int read_back(const char *base, const struct cgroup *cg,
                     const struct cgroup_setting *setting, struct err *err)
{
    unsigned long long wanted = strtoull(setting->text, NULL, 10), kept;
    cleanup_buf struct buf text = {0};

    if (cgroup_read(base, cg->path, setting->file, &text) < 0)
        return 0;
    kept = strtoull(text.data, NULL, 10);
    if (kept == wanted || (setting->unit && kept / setting->unit == wanted / setting->unit))
        return 0;
    return err_set(err, EINVAL, "the kernel made %llu of '%s' in '%s%s/%s'", kept, setting->text,
                   base, cg->path, setting->file);
}

int cgroup_plan_write(const struct cgroup *cg, const struct cgroup_plan *plan, struct err *err)
{
    for (size_t i = 0; i < plan->len; i++) {
        const struct cgroup_setting *setting = &plan->items[i];
        cleanup_free char *base =
            cg->version == 2 ? str_copy(cg->root) : cgroup_v1_base(cg, setting->controller);

        if (write_lines(base, cg, setting, err) < 0) {
            if (setting->optional && err->code == ENOENT) {
                err_clear(err);
                continue;
            }
            return explain(cg, base, setting, err);
        }
        if (setting->read_back && read_back(base, cg, setting, err) < 0)
            return explain(cg, base, setting, err);
    }
    return 0;
}
