/* import: a tar becomes an image of one layer. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "support/puller.h"
#include "support/run.h"
#include "support/suite.h"

static char *tree;

static void make(void)
{
    struct run_result r = {0};

    puller_make();
    tree = temp_dir();
    RUN_OK(&r, &(struct run_options){.directory = tree}, "sh", "-c",
           "mkdir etc && echo hello >etc/hello && ln etc/hello etc/link");
    run_free(&r);
}

static void drop(void)
{
    puller_drop();
    temp_dir_remove(tree);
}

/* A tar of the tree, open for reading. */
static int tar(const char *flags)
{
    cleanup_free char *path = str_format("%s.tar", tree);
    struct run_result r = {0};
    int fd;

    RUN_OK(&r, NULL, "tar", "-C", tree, flags, path, ".");
    run_free(&r);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    unlink(path);
    return fd;
}

static int import(int fd, const char *reference, char id[DIGEST_LEN + 1], struct err *err)
{
    const struct import_request request = {.source = "-", .fd = fd, .reference = reference};

    return engine_import(puller_engine(), &request, id, err);
}

START_TEST(any_compression_gives_the_same_layer)
{
    static const char *const flags[] = {"-cf", "-czf", "-cjf", "-cJf"};
    cleanup_close int fd = tar(flags[_i]);
    cleanup_free char *text = NULL;
    cleanup_json json_t *config = NULL;
    char id[DIGEST_LEN + 1];
    struct err err = {0};

    ck_assert_msg(!import(fd, "me/box:1", id, &err), "%s", err.message);
    ck_assert(digest_valid(id));
    text = puller_file("docker.io/me/box:1", "etc/hello");
    ck_assert_str_eq(text, "hello\n");
    config = store_image_config(puller_engine()->store, id, &err);
    ck_assert_str_eq(json_str(json_array_get(json_object_get(config, "history"), 0), "comment", ""),
                     "Imported from -");
    ck_assert_str_eq(json_str(config, "os", ""), "linux");
    ck_assert_uint_eq(puller_count("staging"), 0);
    ck_assert_uint_eq(puller_count("layers"), 1);
}
END_TEST

START_TEST(without_a_reference_it_is_known_by_its_id)
{
    cleanup_close int fd = tar("-cf");
    struct image image;
    char id[DIGEST_LEN + 1];
    struct err err = {0};

    ck_assert_msg(!import(fd, NULL, id, &err), "%s", err.message);
    ck_assert_int_eq(store_image_by_prefix(puller_engine()->store, id, &image, &err), 0);
    ck_assert_uint_eq(image.references.len, 0);
    image_free(&image);
}
END_TEST

START_TEST(what_is_no_tar_leaves_nothing)
{
    static const char *const commands[] = {"echo this is no tar at all",
                                           "head -c 5000 /dev/zero | tr '\\0' x",
                                           "printf '\\037\\213\\010garbage'"};
    int fds[2];
    char id[DIGEST_LEN + 1];
    struct run_result r = {0};
    struct err err = {0};

    RUN_OK(&r, NULL, "sh", "-c", commands[_i]);
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(write(fds[1], r.out.data, r.out.len), (ssize_t)r.out.len);
    close(fds[1]);
    ck_assert_int_lt(import(fds[0], "me/box:1", id, &err), 0);
    close(fds[0]);
    run_free(&r);
    puller_assert_nothing(0);
}
END_TEST

START_TEST(a_bad_reference_is_refused_before_the_work)
{
    char id[DIGEST_LEN + 1];
    struct err err = {0};

    ck_assert_int_lt(import(-1, "UPPER:1", id, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "lowercase"));
    puller_assert_nothing(0);
}
END_TEST

SUITE(registry_import)
{
    TCase *t = tcase_create("import");

    tcase_set_tags(t, "needs-root-to-unpack");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, make, drop);
    tcase_add_loop_test(t, any_compression_gives_the_same_layer, 0, 4);
    tcase_add_test(t, without_a_reference_it_is_known_by_its_id);
    tcase_add_loop_test(t, what_is_no_tar_leaves_nothing, 0, 3);
    tcase_add_test(t, a_bad_reference_is_refused_before_the_work);
    suite_add_tcase(suite, t);
}
