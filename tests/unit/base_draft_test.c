/* A file that appears whole or not at all. */
#include "base/draft.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/run.h"
#include "support/suite.h"

static char *directory;
static struct err err;

static void make(void)
{
    directory = temp_dir();
    err = (struct err){0};
}

static void drop(void)
{
    temp_dir_remove(directory);
}

static char *path_of(const char *name)
{
    return str_format("%s/%s", directory, name);
}

static int entries(void)
{
    cleanup_closedir DIR *dir = opendir(directory);
    int n = 0;

    while (file_next_entry(dir))
        n++;
    return n;
}

static void write_draft(const char *path, const char *text, struct draft *ret)
{
    ck_assert_msg(!draft_begin(path, ret, &err), "%s", err.message);
    ck_assert(!file_write(ret->fd, text, strlen(text)));
}

static void expect_content(const char *path, const char *text)
{
    cleanup_buf struct buf content = {0};

    ck_assert_msg(!file_load(AT_FDCWD, path, 100, &content, &err), "%s", err.message);
    ck_assert_str_eq(content.data, text);
}

START_TEST(it_has_a_name_when_it_is_kept)
{
    cleanup_free char *path = path_of("new");
    struct draft draft;
    struct stat st;

    write_draft(path, "text", &draft);
    ck_assert_int_eq(entries(), 0);
    ck_assert_msg(!draft_keep(&draft, &err), "%s", err.message);
    expect_content(path, "text");
    ck_assert(!stat(path, &st) && (st.st_mode & 0777) == 0600);
    ck_assert_int_eq(entries(), 1);
}
END_TEST

START_TEST(it_takes_the_place_of_the_old_one)
{
    cleanup_free char *path = path_of("old");
    struct draft draft;

    ck_assert(!file_create(AT_FDCWD, path, "old", 3, 0644, &err));
    write_draft(path, "new", &draft);
    expect_content(path, "old");
    ck_assert_msg(!draft_keep(&draft, &err), "%s", err.message);
    expect_content(path, "new");
    ck_assert_int_eq(entries(), 1);
}
END_TEST

START_TEST(dropped_it_was_never_there)
{
    cleanup_free char *path = path_of("old");
    struct draft draft;

    ck_assert(!file_create(AT_FDCWD, path, "old", 3, 0644, &err));
    write_draft(path, "new", &draft);
    draft_drop(&draft);
    expect_content(path, "old");
    ck_assert_int_eq(entries(), 1);
}
END_TEST

START_TEST(it_needs_a_directory)
{
    cleanup_free char *path = path_of("none/file"), *over = path_of("directory");
    struct draft draft;

    ck_assert_int_eq(draft_begin(path, &draft, &err), -ENOENT);
    ck_assert(strstr(err.message, "/none/file': No such file or directory") != NULL);
    ck_assert(!mkdir(over, 0755));
    write_draft(over, "text", &draft);
    ck_assert_int_lt(draft_keep(&draft, &err), 0);
    ck_assert_int_eq(entries(), 1);
}
END_TEST

/* In the working directory, and wherever that is by then. */
START_TEST(a_name_without_a_directory)
{
    cleanup_free char *path = path_of("here");
    struct draft draft;

    ck_assert(!chdir(directory));
    write_draft("here", "text", &draft);
    ck_assert(!chdir("/"));
    ck_assert_msg(!draft_keep(&draft, &err), "%s", err.message);
    expect_content(path, "text");
}
END_TEST

SUITE(base_draft)
{
    TCase *t = tcase_create("draft");

    tcase_add_checked_fixture(t, make, drop);
    tcase_add_test(t, it_has_a_name_when_it_is_kept);
    tcase_add_test(t, it_takes_the_place_of_the_old_one);
    tcase_add_test(t, dropped_it_was_never_there);
    tcase_add_test(t, it_needs_a_directory);
    tcase_add_test(t, a_name_without_a_directory);
    suite_add_tcase(suite, t);
}
