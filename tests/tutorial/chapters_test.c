/* Every chapter of the tutorial against the tree it stands in: one test a chapter and kind. */
#include "tutorial/chapters.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "support/suite.h"
#include "tutorial/chapter.h"
#include "tutorial/skeleton.h"

const struct strv *chapters_list(void)
{
    static struct strv list;
    glob_t found = {0};

    if (!list.len && !glob(SOURCE_DIR "/tutorial/[0-9]*.md", 0, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc; i++)
            strv_add(&list, found.gl_pathv[i]);
    globfree(&found);
    return &list;
}

static void check_chapter(int i, unsigned parts)
{
    struct chapter c = {.sources = SOURCE_DIR, .parts = parts};
    const char *path = chapters_list()->items[i];
    bool read = chapter_check(&c, path);

    fputs(c.report.data, stderr);
    ck_assert_msg(read && !c.wrong,
                  "%s: %zu places are not as they ought to be (above; make tutorial-update mends "
                  "them, if the chapter is wrong and not the code)",
                  path, c.wrong);
    buf_free(&c.report);
}

START_TEST(code_is_what_the_sources_say)
{
    check_chapter(_i, CHAPTER_CODE);
}
END_TEST

START_TEST(commands_print_what_the_chapter_says)
{
    check_chapter(_i, CHAPTER_CONSOLE);
}
END_TEST

START_TEST(parts_and_links_are_there)
{
    struct buf report = {0};
    bool fine = skeleton_check(chapters_list()->items[_i], &report);

    ck_assert_msg(fine, "%s", report.data ? report.data : "");
    buf_free(&report);
}
END_TEST

static const char *no_root(void)
{
    return geteuid() ? "this needs root" : NULL;
}
TAG("chapter-root", no_root)

SUITE(chapters)
{
    int n = (int)chapters_list()->len;
    TCase *text = tcase_create("text"), *code = tcase_create("code"),
          *console = tcase_create("console");

    tcase_add_loop_test(text, parts_and_links_are_there, 0, n);
    tcase_add_loop_test(code, code_is_what_the_sources_say, 0, n);
    tcase_set_timeout(code, 60);
    tcase_add_loop_test(console, commands_print_what_the_chapter_says, 0, n);
    tcase_set_timeout(console, 900);
    tcase_set_tags(console, "chapter-root");
    suite_add_tcase(suite, text);
    suite_add_tcase(suite, code);
    suite_add_tcase(suite, console);
}
