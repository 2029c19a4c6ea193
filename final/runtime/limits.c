#include "runtime/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/file.h"

int limits_set_oom_score(const struct spec_process *process, struct err *err)
{
    char text[16];
    int r;

    if (!process->has_oom_score_adj)
        return 0;
    snprintf(text, sizeof text, "%d", process->oom_score_adj);
    r = file_poke(AT_FDCWD, "/proc/self/oom_score_adj", text, err);
    if (r != -EACCES)
        return r;
    return err_set(err, EACCES,
                   "cannot lower process.oomScoreAdj to %d: Permission denied: going below what we "
                   "were started with needs CAP_SYS_RESOURCE",
                   process->oom_score_adj);
}

static int set_limit(const struct spec_rlimit *limit, const struct rlimit *value, struct err *err)
{
    if (!setrlimit((__rlimit_resource_t)limit->resource, value))
        return 0;
    if (errno == EPERM)
        return err_set(err, EPERM,
                       "cannot raise the hard limit of %s to %llu: Operation not permitted: that "
                       "needs CAP_SYS_RESOURCE; ask for no more than `ulimit -H` shows",
                       limit->name, (unsigned long long)value->rlim_max);
    return err_errno(err, "cannot set %s to %llu:%llu", limit->name,
                     (unsigned long long)value->rlim_cur, (unsigned long long)value->rlim_max);
}

int limits_raise(const struct spec_process *process, struct err *err)
{
    for (size_t i = 0; i < process->rlimit_count; i++) {
        const struct spec_rlimit *limit = &process->rlimits[i];
        struct rlimit now;

        if (getrlimit((__rlimit_resource_t)limit->resource, &now) < 0)
            return err_errno(err, "cannot read the limit %s", limit->name);
        if (limit->value.rlim_max <= now.rlim_max)
            continue;
        now.rlim_max = limit->value.rlim_max;
        if (set_limit(limit, &now, err) < 0)
            return -err->code;
    }
    return 0;
}

int limits_set(const struct spec_process *process, struct err *err)
{
    for (size_t i = 0; i < process->rlimit_count; i++)
        if (set_limit(&process->rlimits[i], &process->rlimits[i].value, err) < 0)
            return -err->code;
    return 0;
}
