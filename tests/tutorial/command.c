/* build/tests/tutorial --check|--update [--only code|console] [CHAPTER...]
 *
 * For those who write chapters: says what differs, and with --update writes it into the chapters:
 * the code from the sources, the output from a real run. Output that is the same but for what is
 * masked stays as it stands. CHAPTER is a file, or the number its name begins with; none: all of
 * them. */
#include <stdio.h>
#include <string.h>

#include "support/suite.h"
#include "tutorial/chapter.h"
#include "tutorial/chapters.h"

static int usage(void)
{
    fputs("usage: tutorial --check|--update [--only code|console] [CHAPTER...]\n"
          "       tutorial [SUITE...]\n",
          stderr);
    return 2;
}

static bool is_wanted(const char *path, char **wanted, int count)
{
    const char *name = strrchr(path, '/') + 1;

    for (int i = 0; i < count; i++) {
        const char *slash = strrchr(wanted[i], '/');

        if (str_starts(name, slash ? slash + 1 : wanted[i]))
            return true;
    }
    return !count;
}

static int run_chapters(struct chapter *c, char **wanted, int count)
{
    const struct strv *all = chapters_list();
    size_t seen = 0, wrong = 0;

    for (size_t i = 0; i < all->len; i++) {
        if (!is_wanted(all->items[i], wanted, count))
            continue;
        seen++;
        if (!chapter_check(c, all->items[i]))
            c->wrong++;
        fputs(c->report.data, stdout);
        printf("%s: %zu %s\n", all->items[i], c->wrong, c->update ? "rewritten" : "wrong");
        fflush(stdout);
        wrong += c->wrong;
        c->wrong = 0;
        buf_free(&c->report);
    }
    if (!seen)
        fputs("tutorial: no such chapter\n", stderr);
    return !seen ? 2 : wrong && !c->update ? 1 : 0;
}

static struct {
    struct chapter chapter;
    char **wanted;
    int count, status;
} work;

START_TEST(work_through_chapters)
{
    work.status = run_chapters(&work.chapter, work.wanted, work.count);
}
END_TEST

/* What runs commands asserts that it can, and only a test may fail an assertion. */
static int work_in_a_test(void)
{
    Suite *suite = suite_create("chapters");
    TCase *t = tcase_create("work");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(t, work_through_chapters);
    suite_add_tcase(suite, t);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    if (failed)
        srunner_print(runner, CK_NORMAL);
    srunner_free(runner);
    return failed ? 1 : work.status;
}

int suite_command(int argc, char **argv)
{
    int i = 2;

    work.chapter = (struct chapter){.sources = SOURCE_DIR, .parts = CHAPTER_CODE | CHAPTER_CONSOLE};
    work.chapter.update = str_equal(argv[1], "--update");
    if (!work.chapter.update && !str_equal(argv[1], "--check"))
        return usage();
    if (i + 1 < argc && str_equal(argv[i], "--only")) {
        work.chapter.parts = str_equal(argv[i + 1], "code")      ? CHAPTER_CODE
                             : str_equal(argv[i + 1], "console") ? CHAPTER_CONSOLE
                                                                 : 0;
        i += 2;
    }
    if (!work.chapter.parts || (i < argc && *argv[i] == '-'))
        return usage();
    work.wanted = argv + i;
    work.count = argc - i;
    return work_in_a_test();
}
