/* Files and paths beneath a root: what appears whole, what is refused, and that nothing leads out.
 */
#include "support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/file.h"
#include "layer_tar.h" /* for a place with something outside */

START_TEST(stores_whole_files)
{
    struct err err = {0};
    struct buf text = {0};
    struct stat st;

    ck_assert_int_eq(file_store(staging, "f", "one", 3, 0600, true, &err), 0);
    ck_assert_int_eq(file_store(staging, "f", "three", 5, 0640, false, &err), 0);
    ck_assert_int_eq(file_load(staging, "f", 5, &text, &err), 0);
    ck_assert_str_eq(text.data, "three");
    buf_free(&text);
    ck_assert_int_eq(fstatat(staging, "f", &st, 0), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    ck_assert_int_eq(file_load(staging, "f", 4, &text, &err), -EFBIG);
    ck_assert_int_eq(file_load(staging, "none", 4, &text, &err), -ENOENT);
    ck_assert_int_eq(file_store(staging, "no/f", "x", 1, 0600, false, &err), -ENOENT);
}
END_TEST

START_TEST(a_fifo_does_not_hang)
{
    struct err err = {0};
    struct buf text = {0};

    ck_assert_int_eq(mkfifoat(staging, "fifo", 0600), 0);
    ck_assert_int_eq(file_load(staging, "fifo", 100, &text, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "not a regular file"));
}
END_TEST

START_TEST(removes_trees_but_not_what_links_point_to)
{
    struct err err = {0};

    ck_assert_int_eq(file_make_dirs(staging, "a/b/c", 0700, &err), 0);
    ck_assert_int_eq(symlinkat("../../outside", staging, "a/link"), 0);
    ck_assert_int_eq(file_store(staging, "a/b/f", "x", 1, 0600, false, &err), 0);
    ck_assert_int_eq(file_remove_tree(staging, "a", &err), 0);
    ck_assert(!exists("a"));
    ck_assert_int_eq(file_remove_tree(staging, "a", &err), 0);
    check_outside();
}
END_TEST

/* Deeper than there may be descriptors: a container's legacy must not make `rm` fail. */
START_TEST(removes_trees_deeper_than_descriptors)
{
    struct rlimit few = {160, 160};
    struct err err = {0};
    int at = openat(staging, ".", O_RDONLY | O_DIRECTORY);

    ck_assert(!mkdirat(at, "deep", 0700));
    for (int i = 0; i < 1000; i++) {
        int next = openat(at, i ? "d" : "deep", O_RDONLY | O_DIRECTORY);

        ck_assert_int_ge(next, 0);
        ck_assert(!mkdirat(next, "d", 0700) && !mkdirat(next, "e", 0700));
        close(at);
        at = next;
    }
    close(at);
    ck_assert(!setrlimit(RLIMIT_NOFILE, &few));
    ck_assert_msg(!file_remove_tree(staging, "deep", &err), "%s", err.message);
    ck_assert(!exists("deep"));
}
END_TEST

START_TEST(directories_have_the_mode_that_is_meant)
{
    mode_t before = umask(077);
    struct err err = {0};
    struct stat st;

    ck_assert(!file_make_dirs(staging, "open/inner", 0755, &err));
    umask(before);
    ck_assert(!fstatat(staging, "open", &st, 0));
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    ck_assert(!fstatat(staging, "open/inner", &st, 0));
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
}
END_TEST

START_TEST(counts_hard_links_once)
{
    struct err err = {0};
    unsigned long long bytes = 0;

    ck_assert_int_eq(file_make_dirs(staging, "t/d", 0700, &err), 0);
    ck_assert_int_eq(file_store(staging, "t/f", "12345", 5, 0600, false, &err), 0);
    ck_assert_int_eq(file_store(staging, "t/d/g", "123", 3, 0600, false, &err), 0);
    ck_assert_int_eq(linkat(staging, "t/f", staging, "t/d/h", 0), 0);
    ck_assert_int_eq(file_tree_size(staging, "t", &bytes, &err), 0);
    ck_assert_uint_eq(bytes, 8);
}
END_TEST

START_TEST(paths_stay_beneath_the_root)
{
    static const char *const ways_out[] = {"../outside/kept", "link/kept", "abs/kept",
                                           "/../outside/kept"};
    char absolute[128];

    snprintf(absolute, sizeof absolute, "%s/outside", place);
    ck_assert_int_eq(symlinkat("../outside", staging, "link"), 0);
    ck_assert_int_eq(symlinkat(absolute, staging, "abs"), 0);
    for (size_t i = 0; i < sizeof ways_out / sizeof *ways_out; i++)
        ck_assert_msg(beneath_open(staging, ways_out[i], O_PATH, 0, 0) == -ENOENT, "%s",
                      ways_out[i]);
}
END_TEST

START_TEST(directories_are_made_beneath_the_root)
{
    struct err err = {0};
    char name[256];
    int fd = beneath_make_dirs(staging, "/../x//y/", 0700, &err);

    ck_assert_msg(fd >= 0, "%s", err.message);
    close(fd);
    ck_assert(exists("x/y"));
    fd = beneath_parent(staging, "x/new/file/", 1, name, &err);
    ck_assert_int_ge(fd, 0);
    ck_assert_str_eq(name, "file");
    close(fd);
    ck_assert(exists("x/new") && !exists("x/new/file"));
    ck_assert_int_eq(beneath_parent(staging, "x/..", 0, name, &err), -EINVAL);
    ck_assert_int_eq(beneath_parent(staging, "/", 0, name, &err), -EINVAL);
    check_outside();
}
END_TEST

/* Where a symlink leads to nothing, that is made: inside, however it is written. */
START_TEST(what_a_dangling_link_means_is_made)
{
    static const struct {
        const char *target, *path, *made;
    } cases[] = {
        {"run", "l0/x", "run/x"},
        {"/abs", "l1/x", "abs/x"},
        {"../../../up/and/down", "l2/x", "up/and/down/x"},
        {"l1/further", "l3", "abs/further"},
        {"l3", "l4/x/y", "abs/further/x/y"},
    };
    struct err err = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[] = "l0";
        int fd;

        name[1] = (char)('0' + i);
        ck_assert(!symlinkat(cases[i].target, staging, name));
        fd = beneath_make_dirs(staging, cases[i].path, 0700, &err);
        ck_assert_msg(fd >= 0, "%s: %s", cases[i].path, err.message);
        close(fd);
        ck_assert_msg(exists(cases[i].made), "%s", cases[i].made);
    }
    check_outside();
}
END_TEST

START_TEST(files_are_made_beneath_the_root)
{
    struct err err = {0};
    struct stat st;
    int fd;

    ck_assert(!symlinkat("../../d/target", staging, "link"));
    fd = beneath_make_file(staging, "/link", 0640, &err);
    ck_assert_msg(fd >= 0, "%s", err.message);
    ck_assert(!fstat(fd, &st));
    ck_assert_uint_eq(st.st_mode & S_IFMT, S_IFREG);
    close(fd);
    ck_assert(exists("d/target"));
    ck_assert_int_eq(beneath_make_file(staging, "d/target/x", 0640, &err), -ENOTDIR);
    fd = beneath_make_file(staging, "d", 0640, &err); /* what is there is taken as it is */
    ck_assert_int_ge(fd, 0);
    close(fd);
    check_outside();
}
END_TEST

/* Each leads a little further: this must end, and not with the stack. */
START_TEST(links_without_an_end_are_refused)
{
    char target[4096] = "";
    struct err err = {0};

    ck_assert(!symlinkat("loop", staging, "loop"));
    ck_assert_int_eq(beneath_make_dirs(staging, "loop/x", 0700, &err), -ELOOP);
    ck_assert(!symlinkat("grow/x", staging, "grow"));
    ck_assert_int_eq(beneath_make_dirs(staging, "grow/x", 0700, &err), -ELOOP);
    for (int i = 0; i < 60; i++) {
        char name[16], next[32];

        snprintf(name, sizeof name, "c%d", i);
        snprintf(next, sizeof next, "c%d", i + 1);
        memset(target, 0, sizeof target);
        for (size_t k = 0; k < 2000; k += 2)
            memcpy(target + k, "a/", 2);
        memcpy(target, next, strlen(next));
        target[strlen(next)] = '/';
        ck_assert(!symlinkat(target, staging, name));
    }
    ck_assert_int_lt(beneath_make_dirs(staging, "c0/x", 0700, &err), 0);
    check_outside();
}
END_TEST

SUITE(base_file)
{
    const TTest *const tests[] = {
        stores_whole_files,
        a_fifo_does_not_hang,
        counts_hard_links_once,
        removes_trees_but_not_what_links_point_to,
        removes_trees_deeper_than_descriptors,
        directories_have_the_mode_that_is_meant,
        paths_stay_beneath_the_root,
        directories_are_made_beneath_the_root,
        what_a_dangling_link_means_is_made,
        files_are_made_beneath_the_root,
        links_without_an_end_are_refused,
    };

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        TCase *t = tcase_create(tests[i]->name);

        tcase_set_tags(t, "needs-root"); /* outside/ belongs to root */
        tcase_set_timeout(t, 30);        /* thousands of directories, on a disk that others use */
        tcase_add_unchecked_fixture(t, place_make, place_remove);
        tcase_add_test(t, tests[i]);
        suite_add_tcase(suite, t);
    }
}
