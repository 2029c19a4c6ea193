/* attempt.h - one run of a scenario with one injury, and the verdict.
 *
 *   before     commands that lead to where the scenario begins
 *   the injury strikes in the command, or in a process that outlives it
 *   outcome    a failure has a code and a message; a success is real; nobody hangs
 *   the next   command works at once, tells the truth, and what it should collect is gone
 *   again      the same command works, without anything having been removed by hand
 *   undo       and everything is as it was before: processes, mounts, control groups, files,
 *              records, links
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "crash/tracer.h"

struct scenario;

struct verdict {
    bool failed, unreached;
    char reason[2048]; /* of the failure */
};

/* A place furnished for a scenario, used for one attempt after the other. */
struct attempts {
    const struct scenario *scenario;
    struct tracer *tracer;
    struct strv baseline;      /* place_snapshot() before the first */
    struct strv done;          /* the same, ids made alike, after a repetition */
    struct buf database[3];    /* with its log and index, as they were then: see restore() */
    struct point_list *record; /* where the next one writes its points down, or NULL */
};
/* Furnishes the place (place_enter() has been called). */
int attempts_begin(struct attempts *a, const struct scenario *scenario, struct err *err);
void attempts_end(struct attempts *a);

/* A run without injury; its points are added to `ret`. Fails if anything is wrong even so. */
int attempt_record(struct attempts *a, struct point_list *ret, struct err *err);
/* After a failure the place is furnished anew: attempts do not depend on each other. */
int attempt_injured(struct attempts *a, struct injection *injection, struct verdict *ret,
                    struct err *err);
