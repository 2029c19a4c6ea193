/* point.h - a place in a command's run, named so that the same place is found again in the next
 * run.
 *
 * "The 217th system call" would be another one each time: processes run beside each other, threads
 * too. A point is instead the program, the stage it says it is in (prctl(PR_SET_NAME)), the call,
 * the arguments with everything random or numbered made alike, and the how-manyeth of its kind it
 * is:
 *
 *     cooper-shim init:mounts move_mount(ROOT,/proc) #1
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "crash/calls.h"

/* A thread that is stopped before a call. */
struct stopped {
    pid_t tid;
    const char *program, *stage;
    bool loading; /* nothing but the dynamic loader has been at work in the program yet */
    const struct call *call;
    uint64_t args[6];
};

struct point {
    char *key;
    unsigned occurrence; /* of the key, from 1 */
    bool changes;        /* worth being killed at */
    unsigned errors;     /* worth failing with; narrower than the call's own */
};
struct point_list {
    struct point *items;
    size_t len;
};
void point_list_free(struct point_list *list);
/* Adds it as the next occurrence of its key. Takes the key. */
void point_list_add(struct point_list *list, struct point *point);
/* Puts into `list` what only `more` has: no two runs are quite the same. */
void point_list_join(struct point_list *list, const struct point_list *more);

/* What the thread is about to do; false when this use of the call is of no interest. The caller
 * frees ret->key. */
bool point_describe(const struct stopped *at, struct point *ret);

/* A path or name with what differs from run to run made alike: 12 and more hex digits are "ID",
 * other numbers "N". Caller frees. */
char *point_alike(const char *text);
