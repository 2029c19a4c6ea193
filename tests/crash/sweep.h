/* sweep.h - all points of a scenario times all that can happen there, over several processes.
 *
 * Each line of the output is one attempt, fields parted by tabs:
 *
 *     RESULT  SCENARIO  INJURY  OCCURRENCE  POINT  MS  [REASON]
 *
 * RESULT: ok, FAIL, or unreached (twice this run did not come by there). INJURY: kill-all,
 * kill-before, kill-after, or an errno's name. Lines that begin with "#" are for people.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/str.h"

struct scenario;

struct sweep_options {
    int jobs;           /* processes; 0: one a CPU */
    unsigned sample;    /* so many attempts a scenario, spread over all; 0: every one */
    unsigned seed;      /* of the sample */
    int budget_ms;      /* a process begins no new attempt after so long; 0: no bound */
    const char *point;  /* only points whose key has this */
    const char *injury; /* only this injury, or NULL */
    bool list;          /* only say what there is */
    bool quiet;         /* say nothing of what is well */
    FILE *out;
};

struct sweep_result {
    unsigned points, attempts, failed, unreached;
    long ms;
};

int sweep_scenario(const struct scenario *s, const struct sweep_options *options,
                   struct sweep_result *ret, struct err *err);
