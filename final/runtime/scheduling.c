#include "runtime/scheduling.h"

#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

#define SCHED_ISO 4 /* the kernel keeps the number and has no such policy */
#ifndef MPOL_F_NUMA_BALANCING
#define MPOL_F_NUMA_BALANCING (1 << 13) /* Linux 5.12 */
#endif

struct word {
    const char *name;
    unsigned value;
};

/* The modes of set_mempolicy(2) are an enumeration, so the newer ones are numbers here: Linux 5.15
 * and 6.9. */
static const struct word policies[] = {
    {"SCHED_OTHER", SCHED_NORMAL},
    {"SCHED_FIFO", SCHED_FIFO},
    {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH},
    {"SCHED_ISO", SCHED_ISO},
    {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_DEADLINE", SCHED_DEADLINE},
    {NULL, 0},
};
static const struct word policy_flags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
    {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
    {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
    {NULL, 0},
};
static const struct word io_classes[] = {
    {"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
    {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
    {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
    {NULL, 0},
};
static const struct word memory_modes[] = {
    {"MPOL_DEFAULT", MPOL_DEFAULT},  {"MPOL_PREFERRED", MPOL_PREFERRED},
    {"MPOL_BIND", MPOL_BIND},        {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
    {"MPOL_LOCAL", MPOL_LOCAL},      {"MPOL_PREFERRED_MANY", 5},
    {"MPOL_WEIGHTED_INTERLEAVE", 6}, {NULL, 0},
};
static const struct word memory_flags[] = {
    {"MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING},
    {"MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES},
    {"MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES},
    {NULL, 0},
};

static int find_word(const struct word *words, const char *name, const char *what, unsigned *ret,
                     struct err *err)
{
    for (; words->name; words++)
        if (!strcmp(words->name, name)) {
            *ret = words->value;
            return 0;
        }
    return err_set(err, EINVAL, "%s: there is no '%s'", what, name);
}

static int find_flags(const struct word *words, const json_t *names, const char *what,
                      unsigned *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(names, i, item)
    {
        const char *name = json_string_value(item);
        unsigned flag = 0;

        if (find_word(words, name ? name : "", what, &flag, err) < 0)
            return -err->code;
        *ret |= flag;
    }
    return 0;
}

/* --- the scheduler ---------------------------------------------------------------------------- */

static int scheduler_of(const json_t *json, struct sched_attr *ret, struct err *err)
{
    const char *policy = json_str(json, "policy", "");
    unsigned flags = 0, number = 0;

    if (!*policy)
        return err_set(err, EINVAL, "process.scheduler has no policy");
    if (find_word(policies, policy, "process.scheduler.policy", &number, err) < 0 ||
        find_flags(policy_flags, json_at(json, "flags"), "process.scheduler.flags", &flags, err) <
            0)
        return -err->code;
    *ret = (struct sched_attr){
        .size = sizeof *ret,
        .sched_policy = number,
        .sched_flags = flags,
        .sched_nice = (int32_t)json_int(json, "nice", 0),
        .sched_priority = (uint32_t)json_int(json, "priority", 0),
        .sched_runtime = (uint64_t)json_int(json, "runtime", 0),
        .sched_deadline = (uint64_t)json_int(json, "deadline", 0),
        .sched_period = (uint64_t)json_int(json, "period", 0),
    };
    return 0;
}

/* The kernel passes over what does not belong to the policy. Somebody who wrote it meant it. */
static int check_scheduler(const json_t *json, struct err *err)
{
    long long nice = json_int(json, "nice", 0);
    struct sched_attr attr;
    bool real_time, deadline;

    if (scheduler_of(json, &attr, err) < 0)
        return -err->code;
    real_time = attr.sched_policy == SCHED_FIFO || attr.sched_policy == SCHED_RR;
    deadline = attr.sched_policy == SCHED_DEADLINE;
    if (attr.sched_policy == SCHED_ISO)
        return err_set(err, EINVAL,
                       "process.scheduler.policy: Linux has only the name SCHED_ISO, "
                       "no such scheduler");
    if (nice < -20 || nice > 19)
        return err_set(err, EINVAL, "process.scheduler.nice %lld is not from -20 to 19", nice);
    if (json_int(json, "priority", 0) && !real_time)
        return err_set(err, EINVAL,
                       "scheduler.priority can only be specified for SchedFIFO or "
                       "SchedRR policy");
    if ((attr.sched_runtime || attr.sched_deadline || attr.sched_period) && !deadline)
        return err_set(err, EINVAL,
                       "scheduler runtime/deadline/period can only be specified for "
                       "SchedDeadline policy");
    return 0;
}

static int cannot(const char *what, const char *value, int code, struct err *err)
{
    return err_set(err, code, "cannot set %s to '%s': %s%s", what, value, strerror(code),
                   code == EPERM ? ": that needs CAP_SYS_NICE, and real-time policies in a control "
                                   "group of version 1 its realtimeRuntime"
                                 : "");
}

static int apply_scheduler(const json_t *json, pid_t pid, struct err *err)
{
    struct sched_attr attr;

    if (scheduler_of(json, &attr, err) < 0)
        return -err->code;
    if (syscall(SYS_sched_setattr, pid, &attr, 0) < 0)
        return cannot("process.scheduler", json_str(json, "policy", ""), errno, err);
    return 0;
}

/* --- input and output ------------------------------------------------------------------------- */

static int parse_io_priority(const json_t *json, int *ret, struct err *err)
{
    long long priority = json_int(json, "priority", 0);
    unsigned class;

    if (find_word(io_classes, json_str(json, "class", ""), "process.ioPriority.class", &class,
                  err) < 0)
        return -err->code;
    if (priority < 0 || priority > 7)
        return err_set(err, EINVAL, "process.ioPriority.priority %lld is not from 0 to 7",
                       priority);
    *ret = (int)IOPRIO_PRIO_VALUE(class, (unsigned)priority);
    return 0;
}

int scheduling_apply(const struct scheduling *s, pid_t pid, struct err *err)
{
    if (s->io_priority && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, s->io_priority) < 0) {
        unsigned class = IOPRIO_PRIO_CLASS((unsigned)s->io_priority);

        return cannot("process.ioPriority", io_classes[class - IOPRIO_CLASS_RT].name, errno, err);
    }
    return s->scheduler ? apply_scheduler(s->scheduler, pid, err) : 0;
}

/* --- processors ------------------------------------------------------------------------------- */

static int check_list(const json_t *json, const char *name, const char **ret, struct err *err)
{
    struct bit_list ignored;

    *ret = json_str(json, name, NULL);
    if (*ret && bit_list_parse(*ret, &ignored, err) < 0)
        return err_wrap(err, "process.execCPUAffinity.%s", name);
    return 0;
}

int scheduling_bind(const char *cpus, struct bit_list *ret_before, struct err *err)
{
    struct bit_list wanted;

    *ret_before = (struct bit_list){0};
    if (!cpus || !*cpus)
        return 0;
    if (bit_list_parse(cpus, &wanted, err) < 0)
        return -err->code;
    if (syscall(SYS_sched_getaffinity, 0, sizeof ret_before->bits, ret_before->bits) < 0)
        return err_errno(err, "cannot tell on which processors we run");
    ret_before->any = true;
    if (syscall(SYS_sched_setaffinity, 0, sizeof wanted.bits, wanted.bits) < 0)
        return err_errno(err, "cannot run on the processors '%s'", cpus);
    return 0;
}

int scheduling_unbind(const struct bit_list *before, struct err *err)
{
    if (before->any && syscall(SYS_sched_setaffinity, 0, sizeof before->bits, before->bits) < 0)
        return err_errno(err, "cannot return to the processors we ran on");
    return 0;
}

int scheduling_bind_finally(const struct scheduling *s, struct err *err)
{
    struct bit_list all;

    if (s->final_cpus && *s->final_cpus)
        return scheduling_bind(s->final_cpus, &all, err);
    if (!s->initial_cpus || !*s->initial_cpus)
        return 0;
    memset(all.bits, 0xff, sizeof all.bits); /* the kernel takes those that the group has */
    all.any = true;
    return scheduling_unbind(&all, err);
}

/* --- memory ----------------------------------------------------------------------------------- */

static int memory_of(const json_t *json, unsigned *ret_mode, struct bit_list *ret_nodes,
                     struct err *err)
{
    unsigned flags = 0;

    if (find_word(memory_modes, json_str(json, "mode", ""), "linux.memoryPolicy.mode", ret_mode,
                  err) < 0 ||
        find_flags(memory_flags, json_at(json, "flags"), "linux.memoryPolicy.flags", &flags, err) <
            0)
        return -err->code;
    if (bit_list_parse(json_str(json, "nodes", ""), ret_nodes, err) < 0)
        return err_wrap(err, "linux.memoryPolicy.nodes");
    *ret_mode |= flags;
    return 0;
}

int scheduling_parse_memory(const json_t *policy, struct scheduling *ret, struct err *err)
{
    struct bit_list nodes;
    unsigned mode;

    if (!json_is_object(policy))
        return 0;
    ret->memory_policy = policy;
    return memory_of(policy, &mode, &nodes, err);
}

/* The kernel counts one bit less than it is told (set_mempolicy(2), "maxnode"), and takes masks of
 * more nodes than it can have as long as these bits are 0, up to a page of them. */
int scheduling_apply_memory(const struct scheduling *s, struct err *err)
{
    struct bit_list nodes;
    unsigned mode;

    if (!s->memory_policy)
        return 0;
    if (memory_of(s->memory_policy, &mode, &nodes, err) < 0)
        return -err->code;
    if (syscall(SYS_set_mempolicy, mode, nodes.any ? nodes.bits : NULL,
                nodes.any ? BIT_LIST_MAX + 1UL : 0UL) < 0)
        return err_errno(err, "cannot set linux.memoryPolicy to '%s' on the nodes '%s'",
                         json_str(s->memory_policy, "mode", ""),
                         json_str(s->memory_policy, "nodes", ""));
    return 0;
}

void scheduling_memory_words(struct strv *ret_modes, struct strv *ret_flags)
{
    for (const struct word *mode = memory_modes; mode->name; mode++)
        strv_add(ret_modes, mode->name);
    for (const struct word *flag = memory_flags; flag->name; flag++)
        strv_add(ret_flags, flag->name);
}

int scheduling_parse(const json_t *process, struct scheduling *ret, struct err *err)
{
    const json_t *scheduler = json_at(process, "scheduler");
    const json_t *io = json_at(process, "ioPriority"), *cpus = json_at(process, "execCPUAffinity");

    *ret = (struct scheduling){0};
    if (json_is_object(scheduler)) {
        ret->scheduler = scheduler;
        if (check_scheduler(scheduler, err) < 0)
            return -err->code;
    }
    if (json_is_object(io) && parse_io_priority(io, &ret->io_priority, err) < 0)
        return -err->code;
    if (check_list(cpus, "initial", &ret->initial_cpus, err) < 0 ||
        check_list(cpus, "final", &ret->final_cpus, err) < 0)
        return -err->code;
    return 0;
}
