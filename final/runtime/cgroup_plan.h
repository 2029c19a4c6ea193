/* cgroup_plan.h - limits on their way from linux.resources to the kernel's files.
 *
 *     check      every member is of the right type and in its range         cgroup_resources.c
 *     translate  into a list of writes, in the order the kernel accepts     cgroup_plan_v1.c, _v2.c
 *     write      one after the other; a refusal is explained                cgroup_plan.c
 *
 * So nothing is written of a request that is wrong in itself, and tests can read the list. */
#pragma once

#include "runtime/cgroup_parts.h"

/* One write(2). */
struct cgroup_setting {
    const char *field;   /* the member of linux.resources, "memory.limit" */
    char controller[24]; /* "memory" */
    char *file, *text;   /* owned */
    bool optional;       /* a file that is not there means the wish is fulfilled already */
    bool read_back;      /* the kernel may keep another number, and that is a failure */
    unsigned long unit;  /* then: what it rounds to */
};

struct cgroup_plan {
    struct cgroup_setting *items;
    size_t len, room;
};

void cgroup_plan_free(struct cgroup_plan *plan);
/* Takes `text`. Returns the new setting, valid until the next is added. */
struct cgroup_setting *cgroup_plan_add(struct cgroup_plan *plan, const char *field,
                                       const char *controller, const char *file, char *text);

/* Types and ranges; what depends on the version or the kernel is for the translation. */
int cgroup_check_resources(const json_t *resources, struct err *err);
/* Is the member there, and not null? A number that is 0 means "leave it alone" where peers read it
 * so (Go cannot tell 0 from absent): the translation knows where. */
bool cgroup_wanted(const json_t *resources, const char *member);

/* rdma.max is the same in both versions. */
void cgroup_plan_rdma(const json_t *resources, struct cgroup_plan *ret);
/* A kernel without any swap keeps to every limit of it, and has no file to say so. */
bool cgroup_never_swaps(void);

/* `update`: the group exists, with values of its own that the new ones must fit in between. */
int cgroup_v1_plan(const struct cgroup *cg, const json_t *resources, bool update,
                   struct cgroup_plan *ret, struct err *err);
int cgroup_v2_plan(const struct cgroup *cg, const json_t *resources, bool update,
                   struct cgroup_plan *ret, struct err *err);

/* The first member of linux.resources that would limit anything, devices apart; NULL if none does.
 */
const char *cgroup_first_limit(const struct cgroup *cg, const json_t *resources);
/* Why a controller does not reach the group, or 0 if it does. */
int cgroup_v2_explain(const struct cgroup *cg, const char *controller, struct err *err);
/* Writes all of it. The message of a failure names field, value, file and cause. */
int cgroup_plan_write(const struct cgroup *cg, const struct cgroup_plan *plan, struct err *err);
