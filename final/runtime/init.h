/* init.h - the child's side of runtime_create(). */
#pragma once

#include "runtime/cgroup.h"
#include "runtime/process.h"
#include "runtime/runtime.h"
#include "runtime/state.h"

struct init_arguments {
    const struct runtime_request *request;
    const struct spec *spec;
    const struct cgroup *cgroup;
    const struct syscall_filter *filter;
    int socket; /* sync.h, towards the parent */
};
/* What hooks read on their standard input: `pid` as they see it. The caller owns it. */
json_t *runtime_state_document(const struct runtime_request *request, enum state_status status,
                               pid_t pid);
/* Runs in the new process; never returns. */
_Noreturn void init_run(const struct init_arguments *arguments);
