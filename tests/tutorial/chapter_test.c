/* A chapter that has gone stale is found out, and mended by an update. The tree is a small one,
 * made here. */
#include "tutorial/chapter.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/run.h"
#include "support/suite.h"
#include "tutorial/skeleton.h"

static char *tree;

static void put(const char *name, const char *text)
{
    cleanup_free char *path = str_format("%s/%s", tree, name);
    struct err err = {0};

    ck_assert_msg(!file_store(AT_FDCWD, path, text, strlen(text), 0644, false, &err), "%s",
                  err.message);
}

static char *get(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", tree, name);
    struct buf b = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(AT_FDCWD, path, 1 << 20, &b, &err), "%s", err.message);
    return buf_steal(&b);
}

static void make_tree(void)
{
    tree = temp_dir();
    put("a.c", "/* Ends. */\nint end(void)\n{\n    return 0;\n}\n\nint other;\n");
    put("b.c", "/* Ends. */\nint end(void)\n{\n    return 1;\n}\n\nint other;\n");
}

static void remove_tree(void)
{
    temp_dir_remove(tree);
}

/* Checks a chapter with this text (NULL: as it is): so many places ought to be wrong. */
static void expect_wrong(size_t count, const char *text, unsigned parts, bool update)
{
    cleanup_free char *path = str_format("%s/chapter.md", tree);
    struct chapter c = {.sources = tree, .parts = parts, .update = update};

    if (text)
        put("chapter.md", text);
    ck_assert_msg(chapter_check(&c, path), "%s", c.report.data);
    ck_assert_msg(c.wrong == count, "%zu places are wrong, not %zu:\n%s", c.wrong, count,
                  c.report.data);
    buf_free(&c.report);
}

static const char good_code[] =
    "```c a.c#end\n/* Ends. */\nint end(void)\n{\n    return 0;\n}\n```\n"
    "```diff a.c b.c\n--- a.c\n+++ b.c\n@@ -1,7 +1,7 @@\n /* Ends. */\n"
    " int end(void)\n {\n-    return 0;\n+    return 1;\n }\n\n int other;\n```\n"
    "```c free\nint x;\n```\n```text\nanything\n```\n";

START_TEST(a_changed_source_is_found_and_followed)
{
    cleanup_free char *mended = NULL;

    expect_wrong(0, good_code, CHAPTER_CODE, false);
    put("a.c", "/* Ends. */\nint end(void)\n{\n    return 2;\n}\n\nint other;\n");
    expect_wrong(2, good_code, CHAPTER_CODE, false);
    expect_wrong(2, NULL, CHAPTER_CODE, true);
    expect_wrong(0, NULL, CHAPTER_CODE, false);
    mended = get("chapter.md");
    ck_assert_ptr_nonnull(strstr(mended, "int end(void)\n{\n    return 2;\n}\n```\n"));
    ck_assert_ptr_nonnull(strstr(mended, "-    return 2;\n+    return 1;\n"));
    ck_assert_ptr_nonnull(strstr(mended, "```c free\nint x;\n```\n"));
}
END_TEST

static const char *const bad_code[] = {
    "```c\nint x;\n```\n",     /* from nowhere */
    "```\nint x;\n```\n",      /* not even a language */
    "```c c.c\nint x;\n```\n", /* no such file */
    "```c a.c#start\nint x;\n```\n" /* no such definition */,
    "```diff a.c\n-x\n```\n", /* from one file */
    "```c a.c#other\n```\n",  /* empty */
};

START_TEST(code_from_nowhere_is_refused)
{
    expect_wrong(1, bad_code[_i], CHAPTER_CODE, false);
}
END_TEST

START_TEST(commands_are_run_and_compared)
{
    static const char text[] =
        "```console\n# id -u\n0\n# x=5; echo $$\n1234\n$ id -u\n65534\n```\n"
        "```console\n# echo $x; touch made\n5\n$ ls made; cat /dev/stdin\nmade\n```\n"
        "```console exact\n# echo 100\n100\n# echo 100\n101\n```\n"
        "```console\n# echo 100\n101\n# seq 3\n1\n...\n# seq 3\n1\n...\n4\n```\n";
    cleanup_free char *mended = NULL;

    expect_wrong(2, text, CHAPTER_CONSOLE, false);
    expect_wrong(2, NULL, CHAPTER_CONSOLE, true);
    expect_wrong(0, NULL, CHAPTER_CONSOLE, false);
    mended = get("chapter.md");
    ck_assert_ptr_nonnull(strstr(mended, "# echo $$\n1234\n") ? mended
                                                              : strstr(mended, "\n1234\n"));
    ck_assert_ptr_nonnull(strstr(mended, "# echo 100\n100\n# echo 100\n100\n```"));
    ck_assert_ptr_nonnull(strstr(mended, "# seq 3\n1\n...\n# seq 3\n1\n2\n3\n```"));
}
END_TEST

START_TEST(nothing_is_left_of_a_chapter)
{
    static const char text[] =
        "```console\n# sleep 1000 & mkdir /var/lib/keg/x /home/reader/y && "
        "touch /tmp/left-by-chapter\n"
        "# ip link add left0 type bridge && mount -t tmpfs none /mnt && curl "
        "-s http://203.0.113.1/\n"
        "hello from the outside\n```\n";

    expect_wrong(0, text, CHAPTER_CONSOLE, false);
    ck_assert_int_lt(access("/tmp/left-by-chapter", F_OK), 0);
    ck_assert_int_lt(access("/var/lib/keg/x", F_OK), 0);
    ck_assert_int_lt(access("/sys/class/net/left0", F_OK), 0);
}
END_TEST

START_TEST(a_shell_that_ends_is_said)
{
    expect_wrong(1, "```console\n# exit 3\n# echo 1\n1\n```\n", CHAPTER_CONSOLE, false);
    expect_wrong(1, "```console\nno prompt\n```\n", CHAPTER_CONSOLE, false);
}
END_TEST

#define HEADINGS                                                                                   \
    "## What you have\n## The problem\n## The code\n## Run it\n## Look at it\n## Break it\n"       \
    "## What docker, runc and crun do\n## Exercises\n## What changed\n"

static const struct {
    const char *name, *text;
    bool fine;
} skeletons[] = {
    {"01-x.md", "# T\n\n> It runs\n> well.\n\n[a](a.c) [b](b.c#x) [w](https://w)\n" HEADINGS, true},
    {"01-x.md", "# T\n\n> It runs.\n\n[a](c.c)\n" HEADINGS, false},
    {"01-x.md", "# T\n\n> It runs.\n\n![a](no.svg)\n" HEADINGS, false},
    {"01-x.md", "# T\n\n> It runs. It ends.\n\n" HEADINGS, false},
    {"01-x.md", "# T\n\nText.\n\n> It runs.\n\n" HEADINGS, false},
    {"01-x.md", "# T\n\n" HEADINGS, false},
    {"01-x.md", "# T\n\n> It runs.\n\n## The problem\n" HEADINGS, false},
    {"01-x.md", "# T\n\n> It runs.\n\n" HEADINGS "## More\n", false},
    {"01-x.md", "# T\n\n> It runs.\n\n## What you have\n", false},
    {"01-x.md", "# T\n\n> It runs.\n\n```text\n## no heading\n```\n" HEADINGS, true},
    {"01-x.md", "# T\n\n> It runs.\n\n```text\n" HEADINGS, false},
    {"00-x.md", "# T\n\n> It runs.\n\n## Own\n", true},
    {"00-x.md", "# T\n\n## Own\n", false},
};

START_TEST(a_chapter_has_its_parts)
{
    cleanup_free char *path = str_format("%s/%s", tree, skeletons[_i].name);
    struct buf report = {0};

    put(skeletons[_i].name, skeletons[_i].text);
    ck_assert_msg(skeleton_check(path, &report) == skeletons[_i].fine, "%s\n%s", skeletons[_i].text,
                  report.data ? report.data : "nothing is said to be wrong");
    buf_free(&report);
}
END_TEST

SUITE(chapter)
{
    TCase *text = tcase_create("text"), *console = tcase_create("console");

    tcase_add_checked_fixture(text, make_tree, remove_tree);
    tcase_add_test(text, a_changed_source_is_found_and_followed);
    tcase_add_loop_test(text, code_from_nowhere_is_refused, 0,
                        (int)(sizeof bad_code / sizeof *bad_code));
    tcase_add_loop_test(text, a_chapter_has_its_parts, 0,
                        (int)(sizeof skeletons / sizeof *skeletons));
    tcase_add_checked_fixture(console, make_tree, remove_tree);
    tcase_set_tags(console, "chapter-root");
    tcase_set_timeout(console, 60);
    tcase_add_test(console, commands_are_run_and_compared);
    tcase_add_test(console, nothing_is_left_of_a_chapter);
    tcase_add_test(console, a_shell_that_ends_is_said);
    suite_add_tcase(suite, text);
    suite_add_tcase(suite, console);
}
