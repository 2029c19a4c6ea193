/* command.h - commands of a scenario: run, and what they did. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct attempts;

/* Milliseconds as they are meant for an idle machine, stretched as Check's time limits are. */
int command_limit(int ms);
#define COMMAND_LIMIT command_limit(10000) /* for a command to end */
#define NEXT_LIMIT    command_limit(1000)  /* "works in under a second" */
#define SETTLE_LIMIT  command_limit(10000) /* for what it started to come to rest */

struct outcome {
    int status; /* as from waitpid(2); -1: it hung */
    long ms;    /* from start to end */
    struct buf out, err;
};
void outcome_free(struct outcome *o);
#define cleanup_outcome __attribute__((cleanup(outcome_free)))

/* Runs a command, its subject's prefix before it, to its end or COMMAND_LIMIT, while all other
 * processes are served. */
void command_run(struct attempts *a, const char *const *words, bool traced, struct outcome *ret);
bool command_succeeded(const struct outcome *o);
/* For a message: the code (negative: the signal) and what it said. Valid until the next call. */
const char *command_said(const struct outcome *o);
