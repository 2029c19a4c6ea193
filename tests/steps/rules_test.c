/* What makes the steps readable one after the other: a file stays as it came, each step is small,
 * its functions fit a screen, and it needs nothing outside its own directory. */
#include "support/suite.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "steps/steps.h"
#include "support/run.h"
#include "support/sources.h"

enum {
    MAX_README_LINES = 12,
    MAX_MAIN_LINES = 59,
    MAX_FUNCTION_LINES = 40,
    MAX_MEDIAN_LINES = 18,
};

static struct buf violations; /* one a line */

static void forget_violations(void)
{
    buf_free(&violations);
}

static void expect_none(const char *law)
{
    ck_assert_msg(steps_all()->len > 0, "no steps below %s/steps", SOURCE_DIR);
    ck_assert_msg(violations.len == 0, "%s\n%s", law, violations.data ? violations.data : "");
}

static char *step_path(const char *step, const char *file)
{
    return str_format("%s/steps/%s/%s", SOURCE_DIR, step, file);
}

/* The sources of a step by name: not what building in place left beside them. */
static void step_files(const char *step, struct strv *ret)
{
    cleanup_free char *pattern = step_path(step, "*");
    glob_t found = {0};

    glob(pattern, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *name = strrchr(found.gl_pathv[i], '/') + 1;

        if (!str_ends(name, ".o") && !str_ends(name, ".d") && !str_equal(name, "keg"))
            strv_add(ret, name);
    }
    globfree(&found);
}

static bool load(const char *step, const char *file, struct buf *ret)
{
    cleanup_free char *path = step_path(step, file);
    struct err err = {0};

    return !file_load(AT_FDCWD, path, 1 << 20, ret, &err);
}

static bool is_own(const char *file)
{
    return str_equal(file, "main.c") || str_equal(file, "README.md");
}

/* Calls `look` for each step and the one before it (NULL for the first). */
typedef void step_rule(const char *before, const char *step);
static void for_steps(step_rule *look)
{
    for (size_t i = 0; i < steps_all()->len; i++)
        look(i ? steps_all()->items[i - 1] : NULL, steps_all()->items[i]);
}

/* --- files accumulate ------------------------------------------------------------------------- */

static void same_files(const char *before, const char *step)
{
    cleanup_strv struct strv files = {0};

    if (before)
        step_files(before, &files);
    for (size_t i = 0; i < files.len; i++) {
        cleanup_buf struct buf was = {0}, is = {0};

        if (is_own(files.items[i]) || !load(before, files.items[i], &was))
            continue;
        if (!load(step, files.items[i], &is))
            buf_printf(&violations, "  steps/%s has no %s\n", step, files.items[i]);
        else if (was.len != is.len || memcmp(was.data, is.data, was.len))
            buf_printf(&violations, "  steps/%s/%s differs from steps/%s's\n", step, files.items[i],
                       before);
    }
}

START_TEST(a_file_stays_as_it_came)
{
    for_steps(same_files);
    expect_none("every file but main.c and README.md is the same in all later steps:");
}
END_TEST

/* --- sizes ------------------------------------------------------------------------------------ */

static void has_readme(const char *before, const char *step)
{
    cleanup_free char *path = step_path(step, "README.md");
    int lines;

    (void)before;
    if (access(path, R_OK) < 0) {
        buf_printf(&violations, "  steps/%s has none\n", step);
        return;
    }
    lines = source_for_lines(path, NULL);
    if (lines > MAX_README_LINES)
        buf_printf(&violations, "  steps/%s/README.md: %d lines\n", step, lines);
}

START_TEST(every_step_has_a_short_readme)
{
    for_steps(has_readme);
    expect_none("a README.md of at most 12 lines:");
}
END_TEST

static void main_is_short(const char *before, const char *step)
{
    cleanup_free char *path = step_path(step, "main.c");
    int lines = source_for_lines(path, NULL);

    (void)before;
    if (lines > MAX_MAIN_LINES)
        buf_printf(&violations, "  steps/%s/main.c: %d lines\n", step, lines);
}

START_TEST(main_is_a_page)
{
    for_steps(main_is_short);
    expect_none("main.c has fewer than 60 lines:");
}
END_TEST

static int lengths[4096], functions, opened;

static void measure_line(const char *path, int line, const char *text)
{
    int length = source_function_end(&opened, line, text);

    if (length < 0)
        return;
    ck_assert_int_lt(functions, (int)(sizeof lengths / sizeof *lengths));
    lengths[functions++] = length;
    if (length > MAX_FUNCTION_LINES)
        buf_printf(&violations, "  %s:%d: %d lines\n", path + strlen(SOURCE_DIR) + 1, line, length);
}

/* A file that came earlier was measured there. */
static void measure_step(const char *before, const char *step)
{
    cleanup_strv struct strv files = {0}, old = {0};

    step_files(step, &files);
    if (before)
        step_files(before, &old);
    for (size_t i = 0; i < files.len; i++) {
        cleanup_free char *path = step_path(step, files.items[i]);
        bool seen = strv_contains(&old, files.items[i]) && !is_own(files.items[i]);

        if (str_ends(path, ".c") && !seen)
            source_for_lines(path, measure_line);
    }
}

START_TEST(a_function_fits_a_screen)
{
    int median;

    for_steps(measure_step);
    expect_none("at most 40 lines a function:");
    median = source_median(lengths, functions);
    ck_assert_msg(median <= MAX_MEDIAN_LINES, "%d functions have a median of %d lines, over %d",
                  functions, median, MAX_MEDIAN_LINES);
}
END_TEST

/* How much there is to understand: lines of new .c files, without blank ones, comments, includes
 * and lone braces. Two steps are larger than the rest: an image is index, manifest, configuration,
 * layers and a user; a network is messages to the kernel, and what to say in them. */
static const int most_new_lines[] = {150, 150, 150, 150, 280, 205};

static bool in_comment;
static int code_lines;

static void count_line(const char *path, int line, const char *text)
{
    bool code = source_is_code(&in_comment, false, text);

    (void)path;
    (void)line;
    code_lines += code && text[strspn(text, " {};")] && !str_starts(text, "#include");
}

static void count_file(const char *path)
{
    in_comment = false;
    source_for_lines(path, count_line);
}

/* The lines that diff(1) marks as new, counted as if they were a file. */
static void count_added(const char *old_path, const char *new_path)
{
    cleanup_strv struct strv lines = {0};
    struct run_result r = {0};

    RUN(&r, NULL, "diff", "--new-line-format=%L",
        "--old-line-format=", "--unchanged-line-format=", old_path, new_path);
    ck_assert_msg(r.code == 0 || r.code == 1, "diff: %s", r.err.data);
    strv_split(&lines, r.out.data, '\n');
    in_comment = false;
    for (size_t i = 0; i < lines.len; i++)
        count_line(NULL, 0, lines.items[i]);
    run_free(&r);
}

static void is_small(const char *before, const char *step)
{
    cleanup_strv struct strv files = {0}, old = {0};

    step_files(step, &files);
    if (before)
        step_files(before, &old);
    code_lines = 0;
    for (size_t i = 0; i < files.len; i++) {
        cleanup_free char *path = step_path(step, files.items[i]);

        if (str_ends(path, ".c") && !strv_contains(&old, files.items[i]))
            count_file(path);
    }
    if (before) {
        cleanup_free char *was = step_path(before, "main.c"), *is = step_path(step, "main.c");

        count_added(was, is);
    }
    printf("   steps/%s: %d new lines of code\n", step, code_lines);
    if (code_lines > most_new_lines[atoi(step) - 1])
        buf_printf(&violations, "  steps/%s: %d\n", step, code_lines);
}

START_TEST(a_step_is_small)
{
    for_steps(is_small);
    expect_none("a step has more new lines of code than most_new_lines allows:");
}
END_TEST

/* --- alone ------------------------------------------------------------------------------------ */

static void builds_alone(const char *before, const char *step)
{
    cleanup_free char *from = step_path(step, "."), *directory = temp_dir();
    cleanup_free char *keg = str_format("%s/keg", directory);
    struct run_result r = {0};

    (void)before;
    RUN_OK(&r, NULL, "cp", "-r", from, directory);
    RUN(&r, NULL, "make", "-s", "-C", directory, "clean");
    RUN(&r, NULL, "make", "-s", "-C", directory, "CFLAGS=-O1");
    if (r.code || r.err.len || access(keg, X_OK) < 0)
        buf_printf(&violations, "  steps/%s: make gave %d\n%s", step, r.code, r.err.data);
    run_free(&r);
    temp_dir_remove(steal_ptr(&directory));
}

START_TEST(a_step_needs_only_its_directory)
{
    for_steps(builds_alone);
    expect_none("a copy of the directory alone builds without a word:");
}
END_TEST

SUITE(rules)
{
    TCase *t = tcase_create("rules");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, NULL, forget_violations);
    tcase_add_test(t, a_file_stays_as_it_came);
    tcase_add_test(t, every_step_has_a_short_readme);
    tcase_add_test(t, main_is_a_page);
    tcase_add_test(t, a_function_fits_a_screen);
    tcase_add_test(t, a_step_is_small);
    if (!getenv("COOPER_VM")) /* compilers are slow there and no different */
        tcase_add_test(t, a_step_needs_only_its_directory);
    suite_add_tcase(suite, t);
}
