/* The judge, judged: every step of ours passes its own grade and all before it, with root and
 * without; no step passes the next one's; and a program that only says the right things passes
 * nothing. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "steps/steps.h"
#include "support/run.h"

static void copy(const char *from, const char *directory, const char *name)
{
    cleanup_free char *to = str_format("%s/%s", directory, name);
    struct run_result r = {0};

    RUN_OK(&r, NULL, "cp", from, to);
    run_free(&r);
}

/* A place where user 65534 can run the judge, wherever the build directory is. */
static char *reachable_place(const char *keg)
{
    char *directory = temp_dir();

    ck_assert(!chmod(getenv("TMPDIR"), 0711) && !chmod(directory, 01777));
    copy(BUILD_DIR "/tests/grade", directory, "grade");
    copy(BUILD_DIR "/tests/grade-probe", directory, "grade-probe");
    copy(keg, directory, "keg");
    return directory;
}

static void grade_as_root(struct run_result *r, int step, const char *program)
{
    cleanup_free char *number = str_format("%02d", step);

    RUN(r, &(struct run_options){.timeout_s = 600}, BUILD_DIR "/tests/grade", number, program);
}

/* Check takes messages of a few thousand bytes only. */
static const char *first_failure(const struct run_result *r)
{
    const char *at = strstr(r->out.data, "  not ok");

    return at ? at : r->out.data;
}

static int highest_step(void)
{
    return (int)steps_all()->len;
}

START_TEST(a_step_passes_its_grade_and_all_before)
{
    struct run_result r = {0};

    grade_as_root(&r, _i, steps_keg(_i));
    ck_assert_msg(r.code == 0 && !strstr(r.out.data, "not ok ") && strstr(r.out.data, " ok, "),
                  "step %d: %d\n%.3000s%.2000s", _i, r.code, first_failure(&r), r.err.data);
    run_free(&r);
}
END_TEST

START_TEST(a_step_passes_without_root)
{
    cleanup_free char *number = str_format("%d", _i), *judge = NULL, *keg = NULL;
    struct run_result r = {0};
    struct run_options o = {.timeout_s = 600};
    char *directory;

    directory = reachable_place(steps_keg(_i));
    judge = str_format("%s/grade", directory);
    keg = str_format("%s/keg", directory);
    o.environment = (const char *const[]){"HOME", NULL};
    RUN(&r, &o, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "TMPDIR=/tmp",
        judge, number, keg);
    ck_assert_msg(r.code == 0, "step %d: %d\n%.3000s%.2000s", _i, r.code, first_failure(&r),
                  r.err.data);
    ck_assert_msg(strstr(r.out.data, "needs root, left out") != NULL, "%.3000s", r.out.data);
    run_free(&r);
    temp_dir_remove(directory);
}
END_TEST

START_TEST(a_step_fails_the_next_grade)
{
    struct run_result r = {0};

    grade_as_root(&r, _i + 1, steps_keg(_i));
    ck_assert_msg(r.code == 1, "step %d passes as step %d\n%.3000s", _i, _i + 1, r.out.data);
    run_free(&r);
}
END_TEST

START_TEST(step_1_says_that_it_needs_root)
{
    struct run_result r = {0};
    char *directory = reachable_place(steps_keg(1));
    cleanup_free char *judge = str_format("%s/grade", directory);

    RUN(&r, NULL, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", judge, "01",
        "/bin/true");
    ck_assert_int_eq(r.code, 2);
    ck_assert_str_eq(r.err.data,
                     "grade: step 1 needs root (chroot): sudo make grade STEP=01 BIN=/bin/true\n");
    run_free(&r);
    temp_dir_remove(directory);
}
END_TEST

/* --- cheats ----------------------------------------------------------------------------------- */

static const struct cheat {
    const char *name, *script;
    int step;
} cheats[] = {
    {"prints what a passing run prints and ends well",
     "#!/bin/sh\n"
     "echo 'uid=0(root) gid=0(root)'; echo 'PID 1'; echo 'CapEff: 00000000a80425fb'\n"
     "echo '  ok      all'; echo '45 ok, 0 not ok'\nexit 0\n",
     1},
    {"answers the judge in the probe's place",
     "#!/bin/sh\n"
     "printf 'here\\0' >&0\nwhile head -c 4096 >/dev/null; do printf 'done\\0' >&0; done\n",
     1},
    {"runs the command without any walls",
     "#!/bin/sh\n"
     "while [ \"${1#--}\" != \"$1\" ]; do shift 2; done\n"
     "root=$1 command=$2; shift 2\nexec \"$root$command\" \"$@\"\n",
     1},
    {"changes the root and keeps root's power",
     "#!/bin/sh\n"
     "while [ \"${1#--}\" != \"$1\" ]; do shift 2; done\nexec chroot \"$@\"\n",
     1},
    {"makes the namespaces and forgets PID 1's duties",
     "#!/bin/sh\n"
     "while [ \"${1#--}\" != \"$1\" ]; do shift 2; done\n"
     "exec unshare -mpuif --mount-proc=\"$1/proc\" chroot \"$@\"\n",
     2},
};
enum { CHEATS = sizeof cheats / sizeof *cheats };

START_TEST(a_cheat_fails)
{
    char *directory = temp_dir();
    cleanup_free char *path = str_format("%s/cheat", directory);
    struct run_result r = {0};
    struct err err = {0};

    ck_assert_msg(!file_store(AT_FDCWD, path, cheats[_i].script, strlen(cheats[_i].script), 0755,
                              false, &err),
                  "%s", err.message);
    /* Much of what a cheat leaves undone shows only when nothing comes for a while. */
    setenv("GRADE_PATIENCE_MS", "700", 1);
    grade_as_root(&r, cheats[_i].step, path);
    ck_assert_msg(r.code == 1, "'%s' gave %d\n%.3000s%.2000s", cheats[_i].name, r.code,
                  first_failure(&r), r.err.data);
    /* Each failure explains itself. */
    ck_assert_ptr_nonnull(strstr(r.out.data, "          expected: "));
    ck_assert_ptr_nonnull(strstr(r.out.data, "          seen:     "));
    ck_assert_ptr_nonnull(strstr(r.out.data, "          look at:  "));
    run_free(&r);
    temp_dir_remove(directory);
}
END_TEST

START_TEST(wrong_calls_are_explained)
{
    struct run_result r = {0};

    RUN(&r, NULL, BUILD_DIR "/tests/grade", "09", "/bin/true");
    ck_assert_int_eq(r.code, 2);
    ck_assert_int_eq(strncmp(r.err.data, "usage: make grade STEP=01..06 BIN=./your-keg", 44), 0);
    RUN(&r, NULL, BUILD_DIR "/tests/grade", "02", "/nowhere/keg");
    ck_assert_int_eq(r.code, 2);
    ck_assert_str_eq(r.err.data, "grade: cannot run '/nowhere/keg': No such file or directory\n");
    run_free(&r);
}
END_TEST

SUITE(judge)
{
    TCase *t = tcase_create("judge");
    bool in_vm = getenv("COOPER_VM") != NULL;
    int last = highest_step() + 1;

    tcase_set_timeout(t, 120);
    /* On an emulated machine one grade takes a minute: the last step is all steps, and what judges
     * the judge does not depend on the kernel. */
    tcase_add_loop_test(t, a_step_passes_its_grade_and_all_before, in_vm ? highest_step() : 1,
                        last);
    tcase_add_loop_test(t, a_step_passes_without_root, in_vm ? highest_step() : 2, last);
    if (!in_vm) {
        tcase_add_loop_test(t, a_step_fails_the_next_grade, 1, highest_step());
        tcase_add_test(t, step_1_says_that_it_needs_root);
        tcase_add_loop_test(t, a_cheat_fails, 0, CHEATS);
        tcase_add_test(t, wrong_calls_are_explained);
    }
    suite_add_tcase(suite, t);
}
