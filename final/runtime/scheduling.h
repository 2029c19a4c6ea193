/* scheduling.h - when and where the process runs: process.scheduler, process.ioPriority,
 * process.execCPUAffinity; linux.memoryPolicy. OCI config.md, "Linux Process"; sched(7),
 * sched_setattr(2), ioprio_set(2), sched_setaffinity(2), set_mempolicy(2). */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "runtime/bit_list.h"

struct scheduling {
    const json_t *scheduler; /* checked; NULL: as the caller's */
    int io_priority;         /* as ioprio_set(2) takes it; 0: as the caller's */
    /* Lists of processors, or NULL: of a process that is to enter a container, before it is in the
     * container's group and from its program on. */
    const char *initial_cpus, *final_cpus;
    const json_t *memory_policy; /* checked, or NULL */
};

/* Of a `process` object; everything is borrowed from it. */
int scheduling_parse(const json_t *process, struct scheduling *ret, struct err *err);
/* linux.memoryPolicy */
int scheduling_parse_memory(const json_t *policy, struct scheduling *ret, struct err *err);

/* Scheduler and input/output priority, of a process of ours (0: the calling one). Real-time
 * policies, a lower nice value and the class IOPRIO_CLASS_RT need CAP_SYS_NICE outside of all user
 * namespaces; so for a process inside one its parent calls this. */
int scheduling_apply(const struct scheduling *s, pid_t pid, struct err *err);
/* Where the calling process gets its memory: to be called in the container's group, whose nodes
 * these are. */
int scheduling_apply_memory(const struct scheduling *s, struct err *err);
/* Binds the calling process to a list of processors (NULL or "": leaves it); `ret_before` is what
 * it could use before. */
int scheduling_bind(const char *cpus, struct bit_list *ret_before, struct err *err);
int scheduling_unbind(const struct bit_list *before, struct err *err);
/* In the new process: the final list, or without one what its group allows. */
int scheduling_bind_finally(const struct scheduling *s, struct err *err);
/* What linux.memoryPolicy may say, for the features document. */
void scheduling_memory_words(struct strv *ret_modes, struct strv *ret_flags);
