/* tracer.h - all processes of a command under ptrace(2), stopped where a system call is about to
 * change something; and, at one such point, a kill or a failing call.
 *
 * Theory of operation
 *
 *   the command   is a fork of ours that waits until it is seized (PTRACE_SEIZE), installs a
 * seccomp filter which says RET_TRACE for the calls of the table (calls.h) and ALLOW for all
 *                 others, and executes. Filter and tracing pass on to every child, into new
 *                 namespaces, other users and other programs: nothing escapes, and whatever calls
 *                 are not in the table run at full speed, unlike with PTRACE_SYSCALL.
 *   a stop        comes before the call is made. The tracer names the point (point.h), and lets it
 *                 go on, or kills, or makes the call "number -1" with a result of its own.
 *   after a call  is reached with PTRACE_SYSCALL from the stop before it.
 *   the end       PTRACE_O_EXITKILL: when the tracer dies, all of them do. We are the subreaper, so
 *                 "no child left" from waitpid(2) means that no process is left anywhere.
 *
 * strace(1) has inject=...:when=N, but counts each process by itself and ends with it.
 *
 * One tracer a process: ptrace(2) belongs to the thread that seized.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"
#include "crash/point.h"

enum injection_kind {
    INJECT_NOTHING,
    KILL_ALL,    /* kill -9 of every process, before the call is made */
    KILL_BEFORE, /* of the one process that is about to make the call */
    KILL_AFTER,  /* of the one process that has made it */
    FAIL,        /* the call is not made, it gives `error` */
};

struct injection {
    enum injection_kind kind;
    int error;
    const struct point *at;
    /* what came of it */
    unsigned seen; /* occurrences so far */
    bool reached;
    bool hit_command; /* the victim was the command itself */
    bool payload;     /* a program that does not count was executed: the user's own has run */
};

struct tracer;
/* `programs`: basenames of argv[0] whose calls count, NULL-terminated; borrowed. */
struct tracer *tracer_new(const char *const *programs);
void tracer_free(struct tracer *t);

/* What to do in the commands started from now on; NULL: only watch. Borrowed. */
void tracer_inject(struct tracer *t, struct injection *injection);
/* Writes down the points met from now on; NULL: no longer. Borrowed. */
void tracer_record(struct tracer *t, struct point_list *list);

/* Starts argv with stdin from /dev/null and output into the two descriptors. Not traced: for quick
 * questions that start nothing. */
pid_t tracer_start(struct tracer *t, const char *const argv[], bool traced, int out, int err);
/* Serves all processes until `pid` ends. Its wait status; -1 after the limit. */
int tracer_wait(struct tracer *t, pid_t pid, int limit_ms);
/* Serves until every process is gone or asleep with nobody about to wake it; how many are left. -1
 * when they are still busy after the limit. */
int tracer_settle(struct tracer *t, int limit_ms);
/* Serves until no process at all is left; false after the limit. */
bool tracer_wait_gone(struct tracer *t, int limit_ms);
/* Ends every process. */
void tracer_kill(struct tracer *t);

/* Each living process with the call it sits in, and its kernel stack: for a hang. Caller frees. */
char *tracer_describe(struct tracer *t);
/* A monotonic clock in milliseconds. */
long tracer_now(void);
