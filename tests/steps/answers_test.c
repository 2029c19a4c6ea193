/* The answers to the exercises: each tutorial/answers/NN-.../M-....patch is applied to a copy of
 * the step NN and built; the judge must accept it for exercise M, and must not accept the step
 * without it. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/run.h"
#include "support/suite.h"

static glob_t patches;

static void find_patches(void)
{
    if (glob(SOURCE_DIR "/tutorial/answers/[0-9]*/[0-9]*.patch", 0, NULL, &patches) == GLOB_NOSPACE)
        abort();
}

/* A copy of the step in `directory`/keg, patched if there is a patch, built. Returns the program.
 */
static char *build_copy(const char *directory, const char *number, const char *patch)
{
    cleanup_free char *copy = str_format("cp -r \"$1\"/steps/%.2s-* \"$2\"/keg", number);
    cleanup_free char *tree = str_format("%s/keg", directory);
    struct run_options in_tree = {.directory = tree, .timeout_s = 120};
    struct run_result r = {0};

    RUN_OK(&r, NULL, "sh", "-c", copy, "sh", SOURCE_DIR, directory);
    if (patch)
        RUN_OK(&r, &in_tree, "patch", "-p1", "--fuzz=0", "-i", patch);
    RUN_OK(&r, &in_tree, "make", "-s", "clean", "keg", "BUILD=.");
    run_free(&r);
    return str_format("%s/keg", tree);
}

static int judge(const char *program, const char *number, const char *exercise,
                 struct run_result *r)
{
    struct run_options patient = {.timeout_s = 600};

    RUN(r, &patient, BUILD_DIR "/tests/grade", number, program, exercise);
    return r->code;
}

START_TEST(an_answer_is_right)
{
    const char *patch = patches.gl_pathv[_i];
    cleanup_free char *chapter = str_copy(strstr(patch, "/answers/") + strlen("/answers/"));
    cleanup_free char *number = str_format("%.2s", chapter);
    cleanup_free char *exercise = str_format("%d", atoi(strchr(chapter, '/') + 1));
    char *directory = temp_dir(), *other = temp_dir();
    cleanup_free char *mine = build_copy(directory, number, patch);
    cleanup_free char *step = build_copy(other, number, NULL);
    struct run_result r = {0};

    ck_assert_msg(judge(mine, number, exercise, &r) == 0, "%s: the judge says:\n%s", patch,
                  r.out.data);
    ck_assert_msg(judge(step, number, exercise, &r) == 1, "%s: the step passes without it:\n%s",
                  patch, r.out.data);
    run_free(&r);
    temp_dir_remove(directory);
    temp_dir_remove(other);
}
END_TEST

SUITE(answers)
{
    TCase *t = tcase_create("patches");

    find_patches();
    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, an_answer_is_right, 0, (int)patches.gl_pathc);
    suite_add_tcase(suite, t);
}
