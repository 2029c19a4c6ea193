/* ADD of tars and addresses; heredocs; extended attributes. */
#include "support/suite.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "build/copy.h"
#include "build_files.h"
#include "build_scene.h"
#include "support/fake_registry.h"

/* --- tars ------------------------------------------------------------------------------------- */

static void add_member(struct archive *a, const char *path, unsigned type, unsigned mode,
                       const char *content)
{
    struct archive_entry *e = archive_entry_new();

    archive_entry_set_pathname(e, path);
    archive_entry_set_filetype(e, type);
    archive_entry_set_perm(e, (mode_t)mode);
    archive_entry_set_uid(e, 5);
    archive_entry_set_gid(e, 6);
    archive_entry_set_mtime(e, WHEN, 0);
    if (type == AE_IFLNK)
        archive_entry_set_symlink(e, content);
    else if (type == AE_IFREG)
        archive_entry_set_size(e, (la_int64_t)strlen(content));
    ck_assert_int_eq(archive_write_header(a, e), ARCHIVE_OK);
    if (type == AE_IFREG)
        ck_assert_int_eq(archive_write_data(a, content, strlen(content)), strlen(content));
    archive_entry_free(e);
}

/* In from/`name`; `links`: the directory is a hostile symlink instead. */
static void make_tar(const char *name, const char *filter, const char *hostile)
{
    cleanup_close int fd = openat(from, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    struct archive *a = archive_write_new();

    archive_write_set_format_pax_restricted(a);
    if (strcmp(filter, "none") != 0)
        ck_assert_int_eq(archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_open_fd(a, fd), ARCHIVE_OK);
    if (hostile) {
        add_member(a, "bin", AE_IFLNK, 0777, hostile);
        add_member(a, "bin/evil", AE_IFREG, 0644, "evil");
    } else {
        add_member(a, "bin", AE_IFDIR, 0711, "");
        add_member(a, "bin/run", AE_IFREG, 04755, "run");
        add_member(a, "bin/link", AE_IFLNK, 0777, "run");
    }
    ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

#define UNPACKED "d bin 711 @5:6; l bin/link run @5:6; f bin/run 4755 run @5:6"

static const char *const filters[] = {"none", "gzip", "bzip2", "xz", "zstd"};

START_TEST(a_tar_becomes_what_is_in_it)
{
    struct copy_request add = {
        .add = true, .destination = "/", .unpack = -1, .epoch = COPY_NO_EPOCH};

    make_tar("any.name", filters[_i], NULL);
    scene_must_copy(&add, "any.name", UNPACKED);
    ck_assert(scene_is_clean());
}
END_TEST

/* Docker goes by the content, and COPY goes by nothing. */
START_TEST(only_add_unpacks_and_only_tars)
{
    static const char gz[] = "\x1f\x8b\x08 but no more";
    struct copy_request copy = {.destination = "/c", .unpack = -1, .epoch = COPY_NO_EPOCH};
    struct copy_request add = {
        .add = true, .destination = "/a/", .unpack = -1, .epoch = COPY_NO_EPOCH};
    struct copy_request no = {.add = true, .destination = "/n", .epoch = COPY_NO_EPOCH};
    struct stat st;

    make_tar("t.tar", "none", NULL);
    files_make(from, "f fake.tar 644 text");
    ck_assert_int_eq(file_store(from, "fake.gz", gz, sizeof gz, 0644, false, &err), 0);
    ck_assert_int_eq(scene_copy(&copy, "t.tar", (char[DIGEST_LEN + 1]){0}), 0);
    ck_assert_int_eq(scene_copy(&add, "fake.tar", (char[DIGEST_LEN + 1]){0}), 0);
    ck_assert_int_eq(scene_copy(&add, "fake.gz", (char[DIGEST_LEN + 1]){0}), 0);
    ck_assert_int_eq(scene_copy(&no, "t.tar", (char[DIGEST_LEN + 1]){0}), 0);
    ck_assert(!fstatat(stage, "c", &st, 0) && S_ISREG(st.st_mode));
    ck_assert(!fstatat(stage, "a/fake.tar", &st, 0) && S_ISREG(st.st_mode));
    ck_assert(!fstatat(stage, "a/fake.gz", &st, 0) && S_ISREG(st.st_mode));
    ck_assert(!fstatat(stage, "n", &st, 0) && S_ISREG(st.st_mode));
}
END_TEST

START_TEST(an_owner_given_is_the_owner_of_what_is_unpacked)
{
    struct copy_request add = {.add = true,
                               .destination = "/opt/x",
                               .unpack = -1,
                               .chown = "7",
                               .chmod = "600",
                               .epoch = COPY_NO_EPOCH};

    make_tar("t", "gzip", NULL);
    scene_must_copy(
        &add, "t",
        "d opt 755 @7:7; d opt/x 755 @7:7; d opt/x/bin 711 @7:7; l opt/x/bin/link run @7:7; "
        "f opt/x/bin/run 4755 run @7:7");
}
END_TEST

/* As with docker, and unlike COPY: what the tar has takes the place of what is there. */
START_TEST(an_archive_replaces_what_is_there)
{
    struct copy_request add = {
        .add = true, .destination = "/", .unpack = -1, .epoch = COPY_NO_EPOCH};

    files_make(below, "d usr 755; l bin usr");
    make_tar("t", "gzip", NULL);
    scene_must_copy(&add, "t", UNPACKED);
}
END_TEST

START_TEST(a_hostile_archive_stays_inside)
{
    cleanup_free char *outside = str_format("%s/below", scene), *told = NULL;
    struct copy_request add = {
        .add = true, .destination = "/", .unpack = -1, .epoch = COPY_NO_EPOCH};
    char digest[DIGEST_LEN + 1];

    make_tar("t", "none", outside);
    scene_copy(&add, "t", digest); /* refused or not: */
    told = files_tell(below);
    ck_assert_str_eq(told, "");
    ck_assert(scene_is_clean());
}
END_TEST

START_TEST(a_broken_archive_is_an_error_and_leaves_nothing)
{
    struct copy_request add = {
        .add = true, .destination = "/", .unpack = -1, .epoch = COPY_NO_EPOCH};
    cleanup_close int fd = -1;

    make_tar("t", "none", NULL);
    fd = openat(from, "t", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(ftruncate(fd, 2 * 512 + 1), 0); /* in the middle of the second file */
    scene_must_refuse(&add, "t", "ADD failed: 't': ");
    ck_assert(scene_is_clean());
}
END_TEST

/* --- addresses -------------------------------------------------------------------------------- */

static struct fake_registry *server;

static void serve(void)
{
    scene_make();
    server = fake_start();
    fake_serve(server, "/files/hello%20you.txt", NULL, "hello", 5);
}

static void unserve(void)
{
    fake_stop(server);
    scene_remove();
}

START_TEST(an_address_becomes_a_file)
{
    cleanup_free char *url =
        str_format("http://%s/files/hello%%20you.txt?q=1", fake_address(server));
    cleanup_free char *served = str_copy("/files/hello%20you.txt?q=1");
    struct copy_request add = {
        .add = true, .destination = "/a/", .unpack = -1, .epoch = COPY_NO_EPOCH};

    fake_serve(server, served, NULL, "hello", 5);
    fake_break(server,
               &(struct fake_rule){.path = "/files/",
                                   .headers = "Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n"});
    add.from = NULL;
    scene_must_copy(&add, url, "d a 755; f a/hello you.txt 600 hello");
    ck_assert_int_eq(scene_time("a/hello you.txt"), WHEN);
    ck_assert(scene_is_clean());
}
END_TEST

#define HELLO "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define OTHER "sha256:3cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

/* With a checksum the cache can be asked without asking the network. */
START_TEST(a_checksum_is_checked_and_saves_a_request)
{
    cleanup_free char *url = str_format("http://%s/files/hello%%20you.txt", fake_address(server));
    struct copy_request add = {
        .add = true, .destination = "/f", .unpack = -1, .checksum = HELLO, .epoch = COPY_NO_EPOCH};
    char digest[DIGEST_LEN + 1];

    add.store = store;
    scene_plan(&add, url, digest);
    ck_assert_uint_eq(fake_count(server, "GET"), 0);
    add.from = NULL;
    scene_must_copy(&add, url, "f f 600 hello");
    add.checksum = OTHER;
    scene_must_refuse(&add, url, "digest mismatch " HELLO ": " OTHER);
    add.checksum = "sha256:2cf";
    scene_must_refuse(&add, url, "invalid checksum digest format");
    ck_assert(scene_is_clean());
}
END_TEST

/* Only when asked for: what comes from elsewhere stays packed. */
START_TEST(an_address_is_unpacked_on_demand)
{
    cleanup_free char *url = str_format("http://%s/files/t.tar.gz", fake_address(server));
    struct copy_request add = {
        .add = true, .destination = "/a/", .unpack = 1, .epoch = COPY_NO_EPOCH};
    cleanup_buf struct buf tar = {0};
    struct stat st;

    make_tar("t", "gzip", NULL);
    ck_assert_int_eq(file_load(from, "t", 1 << 20, &tar, &err), 0);
    fake_serve(server, "/files/t.tar.gz", NULL, tar.data, tar.len);
    scene_must_copy(&add, url,
                    "d a 755; d a/bin 711 @5:6; l a/bin/link run @5:6; f a/bin/run 4755 run @5:6");
    add.unpack = -1;
    ck_assert_int_eq(scene_copy(&add, url, (char[DIGEST_LEN + 1]){0}), 0);
    ck_assert(!fstatat(stage, "a/t.tar.gz", &st, 0) && S_ISREG(st.st_mode));
    ck_assert(scene_is_clean());
}
END_TEST

START_TEST(an_address_that_fails_says_so)
{
    cleanup_free char *url = str_format("http://%s/files/none", fake_address(server));
    cleanup_free char *bare = str_format("http://%s/", fake_address(server));
    struct copy_request add = {
        .add = true, .destination = "/a/", .unpack = -1, .epoch = COPY_NO_EPOCH};
    struct copy_request copy = {.destination = "/a/", .unpack = -1, .epoch = COPY_NO_EPOCH};

    scene_must_refuse(&add, url, "404");
    scene_must_refuse(&add, bare, "cannot determine filename from url");
    scene_must_refuse(&copy, url, "source can't be a URL for COPY");
    ck_assert(scene_is_clean());
}
END_TEST

START_TEST(a_text_is_a_file)
{
    const struct copy_text texts[] = {{"one", "1\n"}, {"two", "2\n"}};
    struct copy_request copy = {.destination = "/t/",
                                .unpack = -1,
                                .texts = texts,
                                .text_count = 2,
                                .chmod = "700",
                                .epoch = WHEN};

    scene_must_copy(&copy, NULL, "d t 755; f t/one 700 1\n; f t/two 700 2\n");
    ck_assert_int_eq(scene_time("t/one"), WHEN);
}
END_TEST

START_TEST(capabilities_come_along_and_other_attributes_of_a_context_do_not)
{
    static const unsigned char capability[] = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0,
                                               0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const struct tree image = {.root = from, .keep_owner = true, .what = "stage"};
    struct copy_request copy = {
        .destination = "/", .unpack = -1, .chown = "5", .epoch = COPY_NO_EPOCH};
    char value[64];
    cleanup_close int file = -1, out = -1;

    files_make(from, "d d 755; f d/x 755 X");
    file = openat(from, "d/x", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(fsetxattr(file, "security.capability", capability, sizeof capability, 0), 0);
    ck_assert_int_eq(fsetxattr(file, "user.note", "n", 1, 0), 0);
    scene_must_copy(&copy, "d", "f x 755 X @5:5");
    out = openat(stage, "x", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fgetxattr(out, "security.capability", value, sizeof value), sizeof capability);
    ck_assert_int_lt(fgetxattr(out, "user.note", value, sizeof value), 0);
    copy.from = &image;
    scene_must_copy(&copy, "d", "f x 755 X @5:5");
    close_fd(&out);
    out = openat(stage, "x", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fgetxattr(out, "user.note", value, sizeof value), 1);
}
END_TEST

SUITE(build_add)
{
    TCase *t = tcase_create("add"), *net = tcase_create("addresses");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, scene_make, scene_remove);
    tcase_add_loop_test(t, a_tar_becomes_what_is_in_it, 0, sizeof filters / sizeof *filters);
    tcase_add_test(t, only_add_unpacks_and_only_tars);
    tcase_add_test(t, an_owner_given_is_the_owner_of_what_is_unpacked);
    tcase_add_test(t, an_archive_replaces_what_is_there);
    tcase_add_test(t, a_hostile_archive_stays_inside);
    tcase_add_test(t, a_broken_archive_is_an_error_and_leaves_nothing);
    tcase_add_test(t, a_text_is_a_file);
    tcase_add_test(t, capabilities_come_along_and_other_attributes_of_a_context_do_not);
    suite_add_tcase(suite, t);

    tcase_set_tags(net, "needs-root");
    tcase_set_timeout(net, 30);
    tcase_add_checked_fixture(net, serve, unserve);
    tcase_add_test(net, an_address_becomes_a_file);
    tcase_add_test(net, a_checksum_is_checked_and_saves_a_request);
    tcase_add_test(net, an_address_is_unpacked_on_demand);
    tcase_add_test(net, an_address_that_fails_says_so);
    suite_add_tcase(suite, net);
}
