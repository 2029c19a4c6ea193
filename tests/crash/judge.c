#include "crash/judge.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "crash/place.h"

/* The first thing that is wrong is the one that tells most. */
bool judge_wrong(struct verdict *v, const char *format, ...)
{
    va_list args;

    if (v->failed)
        return false;
    v->failed = true;
    va_start(args, format);
    vsnprintf(v->reason, sizeof v->reason, format, args);
    va_end(args);
    return false;
}

bool judge_hung(struct attempts *a, const struct outcome *o, const char *what, struct verdict *v)
{
    cleanup_free char *where = NULL;

    if (o->status != -1)
        return false;
    where = tracer_describe(a->tracer);
    judge_wrong(v, "%s hangs:\n%s", what, where);
    return true;
}

bool judge_outcome(struct attempts *a, const struct injection *injection, const struct outcome *o,
                   struct verdict *v)
{
    const struct scenario *s = a->scenario;

    if (judge_hung(a, o, "the command", v))
        return false;
    if (injection->hit_command && injection->reached)
        return true;
    if (WIFSIGNALED(o->status))
        return judge_wrong(v, "the command died of signal %d: %s", WTERMSIG(o->status),
                           command_said(o));
    if (injection->payload && injection->kind != FAIL && WEXITSTATUS(o->status) == 128 + SIGKILL)
        return true; /* the user's program was killed, and that is how it ended */
    if (!command_succeeded(o))
        return o->err.len > 1 || judge_wrong(v, "a silent failure: %s", command_said(o));
    if (s->output && !str_equal(o->out.data, s->output))
        return judge_wrong(v, "a success that is none: %s", command_said(o));
    return true;
}

const char *judge_name_of(enum state state)
{
    return state == ABSENT    ? "absent"
           : state == CREATED ? "created"
           : state == RUNNING ? "running"
           : state == PAUSED  ? "paused"
                              : "stopped";
}

bool judge_ask(struct attempts *a, enum state *ret, struct verdict *v)
{
    cleanup_outcome struct outcome o = {0};

    command_run(a, a->scenario->subject->question, false, &o);
    if (judge_hung(a, &o, "the next command", v))
        return false;
    if (o.ms > NEXT_LIMIT)
        return judge_wrong(v, "the next command took %ld ms", o.ms);
    if (!a->scenario->subject->answer(&o, ret))
        return judge_wrong(v, "the next command: %s", command_said(&o));
    return true;
}

/* After a kill of a process that holds the container the container may be dead, too. */
static unsigned allowed_states(const struct scenario *s, const struct injection *injection,
                               const struct outcome *o)
{
    unsigned states = s->from | s->to;

    if (injection->kind == FAIL)
        return command_succeeded(o) ? s->to : states | s->between;
    if (s->subject->undone_by_hand)
        return ABSENT | CREATED | RUNNING | STOPPED;
    return states & (RUNNING | PAUSED) ? states | STOPPED : states;
}

bool judge_state(struct attempts *a, const struct injection *injection, const struct outcome *o,
                 enum state *ret, struct verdict *v)
{
    bool lives;
    int left;

    if (!judge_ask(a, ret, v))
        return false;
    if (!(*ret & allowed_states(a->scenario, injection, o)))
        return judge_wrong(v, "the subject is %s after %s", judge_name_of(*ret), command_said(o));
    lives = *ret & (RUNNING | PAUSED) || (*ret == CREATED && a->scenario->subject->created_lives);
    left = tracer_settle(a->tracer, SETTLE_LIMIT);
    if (left && !lives) {
        cleanup_free char *who = tracer_describe(a->tracer);

        return judge_wrong(v, "it is %s, but %d processes are left:\n%s", judge_name_of(*ret), left,
                           who);
    }
    if (!left && lives)
        return judge_wrong(v, "it is said to be %s, but there is no process", judge_name_of(*ret));
    return true;
}

bool judge_database(struct attempts *a, struct verdict *v)
{
    const char *path = a->scenario->subject->database;
    cleanup_free char *found = path ? place_check_database(path) : NULL;

    return found ? judge_wrong(v, "the database: %s", found) : true;
}

/* --- what there is --------------------------------------------------------------------------- */

#define DIFFERENCES 6    /* shown */
#define CABLE       "cv" /* how the interface of a container begins */

typedef void snapshot(struct attempts *a, struct strv *ret);

static void everything(struct attempts *a, struct strv *ret)
{
    place_snapshot(a->scenario->subject->database, ret);
}

/* What may differ between two runs that both went well: a container's own files, and the group of
 * version 2 beside those of version 1, which is made where it can be. */
static bool is_incidental(const char *line)
{
    return strstr(line, "/containers/") || strstr(line, "/state/cask/") ||
           strstr(line, "/cgroup/unified/");
}

/* Names of what is there, with ids made alike; how many of a kind does not matter. */
static void kinds_of_everything(struct attempts *a, struct strv *ret)
{
    cleanup_strv struct strv all = {0}, alike = {0};

    everything(a, &all);
    for (size_t i = 0; i < all.len; i++)
        strv_take(&alike, point_alike(all.items[i]));
    place_sort(&alike);
    for (size_t i = 0; i < alike.len; i++)
        if ((!i || strcmp(alike.items[i], alike.items[i - 1])) && !is_incidental(alike.items[i]))
            strv_add(ret, alike.items[i]);
}

/* A network interface goes a moment after the last process of its namespace, when the kernel comes
 * to it: only that is waited for. */
static void compare(struct attempts *a, const struct strv *before, snapshot *take, struct buf *ret)
{
    long deadline = tracer_now() + SETTLE_LIMIT;

    for (;;) {
        cleanup_strv struct strv now = {0};

        take(a, &now);
        buf_free(ret);
        place_compare(before, &now, DIFFERENCES, ret);
        if (!ret->len || !strstr(ret->data, "+ link " CABLE) || tracer_now() > deadline)
            return;
        poll(NULL, 0, 2);
    }
}

void judge_await_links(void)
{
    long deadline = tracer_now() + SETTLE_LIMIT;

    while (place_has_link(CABLE) && tracer_now() < deadline)
        poll(NULL, 0, 2);
}

bool judge_left(struct attempts *a, struct verdict *v)
{
    cleanup_buf struct buf difference = {0};

    if (!tracer_wait_gone(a->tracer, SETTLE_LIMIT)) {
        cleanup_free char *who = tracer_describe(a->tracer);

        return judge_wrong(v, "a process is left:\n%s", who);
    }
    if (a->baseline.len) /* else there is nothing yet to compare with */
        compare(a, &a->baseline, everything, &difference);
    return difference.len ? judge_wrong(v, "left after the undoing: %s", difference.data) : true;
}

bool judge_done(struct attempts *a, struct verdict *v)
{
    cleanup_buf struct buf difference = {0};

    if (!(a->scenario->to & (RUNNING | PAUSED)))
        judge_await_links();
    if (!a->done.len)
        kinds_of_everything(a, &a->done);
    else
        compare(a, &a->done, kinds_of_everything, &difference);
    return difference.len ? judge_wrong(v, "after the repetition: %s", difference.data) : true;
}
