/* Every chapter of the tutorial against the tree it stands in: one test a chapter and kind. */
#include "tutorial/chapters.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
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

static bool has_heading(const char *chapter, const char *name)
{
    cleanup_free char *two = str_format("\n## %s\n", name), *three = str_format("\n### %s\n", name);

    return strstr(chapter, two) || strstr(chapter, three);
}

/* The judge sends its reader to a heading of the chapter: `CHAPTER "Where a path begins"`. What
 * stands behind it in parentheses is more advice. */
static void check_pointers(const char *judge, const char *chapter)
{
    static const char mark[] = "CHAPTER \"";

    for (const char *at = strstr(judge, mark); at; at = strstr(at, mark)) {
        char name[100] = "";

        at += strlen(mark);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "\""), at);
        name[strcspn(name, "(")] = 0;
        if (*name && name[strlen(name) - 1] == ' ')
            name[strlen(name) - 1] = 0;
        if (strncmp(name, "tutorial/", 9) == 0) /* its definition */
            continue;
        ck_assert_msg(has_heading(chapter, name), "no heading '%s' in the chapter", name);
    }
}

START_TEST(the_judge_points_to_headings)
{
    const char *path = chapters_list()->items[_i], *name = strrchr(path, '/') + 1;
    cleanup_free char *judge = str_format(SOURCE_DIR "/tests/grade/step%d.c", atoi(name));
    cleanup_buf struct buf checks = {0}, text = {0};
    struct err err = {0};

    if (atoi(name) == 0)
        return;
    ck_assert_msg(!file_load(AT_FDCWD, judge, 1 << 20, &checks, &err), "%s", err.message);
    ck_assert_msg(!file_load(AT_FDCWD, path, 1 << 20, &text, &err), "%s", err.message);
    check_pointers(checks.data, text.data);
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
    tcase_add_loop_test(text, the_judge_points_to_headings, 0, n);
    tcase_add_loop_test(code, code_is_what_the_sources_say, 0, n);
    tcase_set_timeout(code, 60);
    tcase_add_loop_test(console, commands_print_what_the_chapter_says, 0, n);
    tcase_set_timeout(console, 900);
    tcase_set_tags(console, "chapter-root");
    suite_add_tcase(suite, text);
    suite_add_tcase(suite, code);
    suite_add_tcase(suite, console);
}
