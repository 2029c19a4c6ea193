/* A sweep sees what is wrong: over an engine of a few lines of shell that keeps one "container", a
 * file, and has one flaw at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "crash/place.h"
#include "crash/scenario.h"
#include "crash/sweep.h"
#include "support/suite.h"

#include <fcntl.h>

#define ENGINE PLACE_HOME "/engine"

static const char engine[] =
    "cd " PLACE_HOME " || exit 1\n"
    "fail() { echo \"engine: $1\" >&2; exit 1; }\n"
    "case $2 in\n"
    "ask) [ ! -e state ] || echo stopped; exit ;;\n"
    "undo) rm -f state; exit ;;\n"
    "esac\n"
    "case $1 in\n"
    "sound) echo stopped >state || fail 'cannot keep the state' ;;\n"
    "silent) exec 2>/dev/null; echo stopped >state || exit 1 ;;\n"
    "lying) echo stopped >state ;;\n"
    "mute) echo stopped >state || fail 'cannot keep the state'; exit 0 ;;\n"
    "littering) echo >\"litter-$$\"; echo stopped >state; rm \"litter-$$\" ;;\n"
    "locking) set -C; echo >lock || fail 'somebody is at work'; set +C\n"
    "    echo stopped >state || fail 'cannot keep the state'; rm lock ;;\n"
    "leaving) echo stopped >state; sleep 1000 & ;;\n"
    "esac\n"
    "echo done\n";

static int furnish(struct err *err)
{
    return file_store(AT_FDCWD, ENGINE, engine, strlen(engine), 0755, false, err);
}

static bool answer(const struct outcome *o, enum state *ret)
{
    *ret = o->out.len ? STOPPED : ABSENT;
    return !o->status;
}

/* Sweeps the engine with this flaw; all it prints is in `ret`. */
static int sweep(const char *flaw, struct sweep_result *ret, char **ret_printed, struct err *err)
{
    const char *const programs[] = {"sh", NULL}, *prefix[] = {"/bin/sh", ENGINE, flaw, NULL};
    struct subject subject = {.programs = programs,
                              .prefix = prefix,
                              .furnish = furnish,
                              .question = {"ask"},
                              .answer = answer,
                              .undo = {{"undo"}}};
    struct scenario scenario = {.name = flaw,
                                .subject = &subject,
                                .command = {"run"},
                                .output = "done\n",
                                .from = ABSENT,
                                .to = STOPPED};
    /* Only at what the engine itself does: the shell has flaws, too. */
    struct sweep_options options = {.jobs = 1, .out = tmpfile(), .point = "state"};
    struct buf printed = {0};
    int r;

    ck_assert(options.out != NULL);
    r = sweep_scenario(&scenario, &options, ret, err);
    ck_assert(!lseek(fileno(options.out), 0, SEEK_SET));
    ck_assert(!file_load_fd(fileno(options.out), 1 << 20, &printed, err));
    fclose(options.out);
    *ret_printed = buf_steal(&printed);
    return r;
}

START_TEST(what_is_sound_passes)
{
    cleanup_free char *printed = NULL;
    struct sweep_result result;
    struct err err = {0};

    ck_assert_msg(!sweep("sound", &result, &printed, &err), "%s", err.message);
    ck_assert_msg(result.attempts > 8 && !result.failed && !result.unreached, "%s", printed);
    ck_assert(strstr(printed, "ok\tsound\tkill-all\t1\tsh sh write(") != NULL);
    ck_assert(strstr(printed, "ok\tsound\tENOSPC\t1\tsh sh openat(") != NULL);
}
END_TEST

static const struct flaw {
    const char *name, *seen;
} flaws[] = {
    {"silent", "a silent failure: "},
    {"lying", "the subject is absent after 0 'done|'"},
    {"littering", "after the repetition: + file " PLACE_HOME "/litter-N"},
    {"locking", "the repetition: 1 '' '"},
};

START_TEST(a_flaw_is_seen)
{
    const struct flaw *flaw = &flaws[_i];
    cleanup_free char *printed = NULL;
    struct sweep_result result;
    struct err err = {0};

    ck_assert_msg(!sweep(flaw->name, &result, &printed, &err), "%s", err.message);
    ck_assert_uint_gt(result.failed, 0);
    ck_assert_msg(strstr(printed, flaw->seen) != NULL, "nothing says '%s':\n%s", flaw->seen,
                  printed);
}
END_TEST

/* What is wrong without any injury is not swept at all. */
START_TEST(it_must_work_first)
{
    static const struct flaw broken[] = {
        {"mute", "a success that is none"},
        {"leaving", "it is stopped, but 1 processes are left"},
    };
    cleanup_free char *printed = NULL;
    struct sweep_result result;
    struct err err = {0};

    ck_assert_int_lt(sweep(broken[_i].name, &result, &printed, &err), 0);
    ck_assert_uint_eq(result.attempts, 0);
    ck_assert_msg(strstr(err.message, broken[_i].seen) != NULL, "%s", err.message);
}
END_TEST

SUITE(oracle)
{
    TCase *t = tcase_create("oracle");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_is_sound_passes);
    tcase_add_loop_test(t, a_flaw_is_seen, 0, sizeof flaws / sizeof *flaws);
    tcase_add_loop_test(t, it_must_work_first, 0, 2);
    suite_add_tcase(suite, t);
}
