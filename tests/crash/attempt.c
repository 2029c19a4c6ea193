#include "crash/attempt.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "crash/command.h"
#include "crash/groups.h"
#include "crash/judge.h"
#include "crash/place.h"
#include "crash/scenario.h"

/* --- the steps -------------------------------------------------------------------------------- */

static bool before(struct attempts *a, struct verdict *v)
{
    for (size_t i = 0; i < BEFORE_MAX && a->scenario->before[i][0]; i++) {
        cleanup_outcome struct outcome o = {0};

        command_run(a, a->scenario->before[i], true, &o);
        if (!command_succeeded(&o))
            return judge_wrong(v, "cannot get ready: %s", command_said(&o));
    }
    return tracer_settle(a->tracer, SETTLE_LIMIT) >= 0 || judge_wrong(v, "never ready");
}

/* The last command takes along what else there is. */
static void add_others(struct attempts *a, struct strv *ret)
{
    const struct subject *s = a->scenario->subject;
    cleanup_outcome struct outcome o = {0};
    cleanup_strv struct strv lines = {0};

    if (!s->others[0])
        return;
    command_run(a, s->others, false, &o);
    strv_split(&lines, o.out.data, '\n');
    for (size_t i = 0; i < lines.len; i++)
        if (*lines.items[i])
            strv_add(ret, lines.items[i]);
}

static bool undo(struct attempts *a, struct verdict *v)
{
    const struct subject *s = a->scenario->subject;

    for (size_t i = 0; i < BEFORE_MAX && s->undo[i][0]; i++) {
        cleanup_outcome struct outcome o = {0};
        cleanup_strv struct strv words = {0};

        for (size_t k = 0; s->undo[i][k]; k++)
            strv_add(&words, s->undo[i][k]);
        if (i + 1 == BEFORE_MAX || !s->undo[i + 1][0])
            add_others(a, &words);
        command_run(a, (const char *const *)words.items, true, &o);
        if (judge_hung(a, &o, "the undoing", v))
            return false;
    }
    return true;
}

/* What the command needs is not there any more, because it was killed with the rest. */
static bool lost(const struct scenario *s, enum state state)
{
    unsigned lives = RUNNING | PAUSED;

    return s->from & lives && s->to & lives && !(state & lives);
}

/* Whether the first attempt did its work, so that a repetition may say that there is nothing to do:
 * a container that was made to run has run, even if it was killed with the rest. What failed may
 * leave something, as docker does, and said so. */
static bool had_done_it(const struct scenario *s, const struct injection *injection,
                        enum state state)
{
    if (injection->kind == FAIL)
        return state & (s->to | s->between);
    if (s->from == ABSENT && s->to & (RUNNING | STOPPED))
        return injection->payload && state & (RUNNING | STOPPED);
    return state == s->to;
}

static bool judge_repetition(struct attempts *a, const struct outcome *o, struct verdict *v)
{
    const struct scenario *s = a->scenario;
    enum state state;

    if (!command_succeeded(o))
        return judge_wrong(v, "the repetition: %s", command_said(o));
    if (s->output && !str_equal(o->out.data, s->output))
        return judge_wrong(v, "the repetition's output: %s", command_said(o));
    if (tracer_settle(a->tracer, SETTLE_LIMIT) < 0 || !judge_ask(a, &state, v))
        return judge_wrong(v, "the repetition does not come to rest");
    if (state != s->to)
        return judge_wrong(v, "after the repetition it is %s", judge_name_of(state));
    return judge_done(a, v);
}

static bool repeat(struct attempts *a, const struct injection *injection, enum state state,
                   struct verdict *v)
{
    const struct scenario *s = a->scenario;
    cleanup_outcome struct outcome o = {0};

    if (lost(s, state) && !(undo(a, v) && before(a, v)))
        return false;
    command_run(a, s->command, true, &o);
    if (judge_hung(a, &o, "the repetition", v))
        return false;
    if (s->again && strstr(o.err.data, s->again)) {
        if (had_done_it(s, injection, state))
            return true;
        if (!s->subject->undone_by_hand)
            return judge_wrong(v, "the repetition (it was %s): %s", judge_name_of(state),
                               command_said(&o));
        if (!undo(a, v) || !before(a, v))
            return false;
        command_run(a, s->command, true, &o);
    }
    return judge_repetition(a, &o, v);
}

/* The command, and what goes on after it, until nothing more happens. */
static bool strike(struct attempts *a, struct injection *injection, struct outcome *ret,
                   struct verdict *v)
{
    bool fine;

    tracer_inject(a->tracer, injection);
    tracer_record(a->tracer, a->record);
    command_run(a, a->scenario->command, true, ret);
    fine = judge_outcome(a, injection, ret, v);
    if (fine && tracer_settle(a->tracer, SETTLE_LIMIT) < 0) {
        cleanup_free char *who = tracer_describe(a->tracer);

        fine = judge_wrong(v, "processes do not come to rest:\n%s", who);
    }
    tracer_inject(a->tracer, NULL);
    tracer_record(a->tracer, NULL);
    return fine;
}

/* --- the database, the same before each attempt: how full its log is decides which calls there are
 * ---
 */

static const char *const database_files[] = {"", "-wal", "-shm"};

static void save_database(struct attempts *a)
{
    for (size_t i = 0; i < 3 && a->scenario->subject->database; i++) {
        cleanup_free char *path =
            str_format("%s%s", a->scenario->subject->database, database_files[i]);
        struct err ignored;

        buf_free(&a->database[i]);
        if (file_load(AT_FDCWD, path, 64 << 20, &a->database[i], &ignored) < 0)
            a->database[i].len = 0;
    }
}

/* No process is left that could have it open. */
static void restore_database(struct attempts *a)
{
    for (size_t i = 0; i < 3; i++) {
        cleanup_free char *path =
            str_format("%s%s", a->scenario->subject->database, database_files[i]);
        struct err err;

        if (a->database[i].data &&
            file_store(AT_FDCWD, path, a->database[i].data, a->database[i].len, 0644, false, &err))
            fprintf(stderr, "%s\n", err.message);
    }
}

static void attempt(struct attempts *a, struct injection *injection, struct verdict *ret)
{
    cleanup_outcome struct outcome o = {0};
    enum state state;

    restore_database(a);
    if (!before(a, ret) || !strike(a, injection, &o, ret) ||
        !judge_state(a, injection, &o, &state, ret) || !judge_database(a, ret) ||
        !repeat(a, injection, state, ret) || !undo(a, ret))
        return;
    judge_left(a, ret);
}

/* --- the place -------------------------------------------------------------------------------- */

/* What a failed attempt left mounted or in a control group goes, too. */
static void clear_place(struct attempts *a)
{
    struct err ignored;

    groups_thaw();
    tracer_kill(a->tracer);
    groups_clear();
    while (!umount2(PLACE_HOME, MNT_DETACH))
        ;
    file_remove_tree(AT_FDCWD, PLACE_HOME, &ignored);
}

static int furnish(struct attempts *a, struct err *err)
{
    /* A mount of its own, so that whatever is mounted below it goes with it. */
    if (file_make_dirs(AT_FDCWD, PLACE_HOME, 0700, err) < 0)
        return -err->code;
    if (mount("sweep", PLACE_HOME, "tmpfs", 0, "mode=0700") < 0)
        return err_errno(err, "cannot mount '%s'", PLACE_HOME);
    if (a->scenario->subject->furnish(err) < 0)
        return err_wrap(err, "cannot furnish the place");
    return 0;
}

/* The baseline is what a second uninjured attempt leaves: the first commands ever make directories
 * that stay. */
static int take_baseline(struct attempts *a, struct err *err)
{
    struct injection none = {.kind = INJECT_NOTHING};

    strv_free(&a->baseline);
    strv_free(&a->done);
    for (size_t i = 0; i < 3; i++)
        buf_free(&a->database[i]);
    for (int i = 0; i < 2; i++) {
        struct verdict v = {0};

        strv_free(&a->done);
        attempt(a, &none, &v);
        if (v.failed && !str_starts(v.reason, "left after"))
            return err_set(err, EIO, "%s: without any injury: %s", a->scenario->name, v.reason);
    }
    judge_await_links();
    place_snapshot(a->scenario->subject->database, &a->baseline);
    save_database(a);
    return 0;
}

int attempts_begin(struct attempts *a, const struct scenario *scenario, struct err *err)
{
    *a = (struct attempts){.scenario = scenario, .tracer = tracer_new(scenario->subject->programs)};
    return furnish(a, err) < 0 ? -err->code : take_baseline(a, err);
}

void attempts_end(struct attempts *a)
{
    clear_place(a);
    tracer_free(a->tracer);
    strv_free(&a->baseline);
    strv_free(&a->done);
    for (size_t i = 0; i < 3; i++)
        buf_free(&a->database[i]);
}

int attempt_record(struct attempts *a, struct point_list *ret, struct err *err)
{
    struct injection none = {.kind = INJECT_NOTHING};
    struct point_list points = {0};
    struct verdict v = {0};

    a->record = &points;
    attempt(a, &none, &v);
    a->record = NULL;
    point_list_join(ret, &points);
    point_list_free(&points);
    return v.failed ? err_set(err, EIO, "%s: without any injury: %s", a->scenario->name, v.reason)
                    : 0;
}

int attempt_injured(struct attempts *a, struct injection *injection, struct verdict *ret,
                    struct err *err)
{
    *ret = (struct verdict){0};
    attempt(a, injection, ret);
    ret->unreached = !injection->reached;
    if (!ret->failed)
        return 0;
    clear_place(a);
    return furnish(a, err) < 0 ? -err->code : take_baseline(a, err);
}
