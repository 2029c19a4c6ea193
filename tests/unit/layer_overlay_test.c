/* What depends on the layers below: implied directories, links to lower files, and what the
 * kernel's overlayfs makes of the whole. */
#include "support/suite.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "layer_tar.h"

#define ADD(member, ...) tar_add(&tar, &(struct tar_member){.name = member, __VA_ARGS__})
#define LAYERS_MAX       4

static struct buf tar;
static int layers[LAYERS_MAX]; /* base first */
static size_t layer_count;
static int merged;

static void make(void)
{
    place_make();
    layer_count = 0;
    merged = -1;
}

static void drop(void)
{
    place_remove();
}

/* Unpacks `tar` as the next layer up and completes it on top of the others. */
static int add_layer(struct err *err)
{
    cleanup_free char *path = str_format("%s/layer%zu", place, layer_count);
    int below[LAYERS_MAX], fd, r;
    struct layer_result result;

    ck_assert_int_eq(mkdir(path, 0700), 0);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < layer_count; i++)
        below[i] = layers[layer_count - 1 - i];
    tar_end(&tar);
    r = unpack_into(fd, tar.data, tar.len, 0, &result, err);
    ck_assert_msg(!r, "%s", err->message);
    buf_free(&tar);
    r = layer_complete(fd, result.fixups, below, layer_count, err);
    layer_fixups_free(result.fixups);
    layers[layer_count++] = fd;
    return r;
}

static void layer(void)
{
    struct err err = {0};

    ck_assert_msg(!add_layer(&err), "%s", err.message);
}

/* Mounts all layers as the kernel will, in a mount namespace of this test's own process. */
static void mount_layers(void)
{
    cleanup_free char *target = str_format("%s/merged", place);
    cleanup_buf struct buf options = {0};

    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mkdir(target, 0700), 0);
    buf_add_str(&options, "lowerdir=");
    for (size_t i = layer_count; i-- > 0;)
        buf_printf(&options, "%s/layer%zu%s", place, i, i ? ":" : "");
    ck_assert_msg(mount("overlay", target, "overlay", MS_RDONLY, options.data) == 0, "%s: %s",
                  options.data, strerror(errno));
    merged = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool shows(const char *path)
{
    return faccessat(merged, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct stat look(const char *path)
{
    struct stat st;

    ck_assert_msg(!fstatat(merged, path, &st, AT_SYMLINK_NOFOLLOW), "'%s' does not show", path);
    return st;
}

static bool reads(const char *path, const char *text)
{
    cleanup_buf struct buf b = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(merged, path, 1000, &b, &err), "%s", err.message);
    return !strcmp(b.data, text);
}

START_TEST(whiteouts_and_opaque_directories_hide)
{
    ADD("a/gone", .data = "1");
    ADD("a/kept", .data = "1");
    ADD("b/gone", .data = "1");
    ADD("c/gone/deep", .data = "1");
    ADD("changed", .data = "1");
    ADD("d/old", .data = "1");
    layer();
    ADD("a/.wh.gone");
    ADD("b/.wh..wh..opq");
    ADD("b/new", .data = "2");
    ADD(".wh.c");
    ADD("changed", .data = "2");
    ADD(".wh.d");
    ADD("d/new", .data = "2");
    layer();
    mount_layers();
    ck_assert(!shows("a/gone"));
    ck_assert(reads("a/kept", "1"));
    ck_assert(!shows("b/gone"));
    ck_assert(reads("b/new", "2"));
    ck_assert(!shows("c"));
    ck_assert(reads("changed", "2"));
    ck_assert(!shows("d/old"));
    ck_assert(reads("d/new", "2"));
}
END_TEST

START_TEST(implied_directories_keep_the_lower_ones_metadata)
{
    struct stat st;
    char value[8] = "";
    cleanup_close int fd = -1;

    ADD("./", .type = '5', .mode = 0751, .uid = 77);
    tar_pax(&tar, "SCHILY.xattr.user.note", "n", 1);
    ADD("etc/", .type = '5', .mode = 01770, .uid = 5, .gid = 6, .mtime = 1000);
    ADD("etc/app/", .type = '5', .mode = 0700, .uid = 7, .mtime = 2000);
    ADD("etc/file");
    ADD("hidden/", .type = '5', .mode = 0700, .uid = 8);
    layer();
    ADD(".wh.hidden");
    layer();
    ADD("etc/app/conf", .data = "x");
    ADD("etc/file/now/a/dir");
    ADD("hidden/new", .data = "x");
    layer();
    mount_layers();
    st = look(".");
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 0751);
    ck_assert_uint_eq(st.st_uid, 77);
    st = look("etc");
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 01770);
    ck_assert_uint_eq(st.st_uid, 5);
    ck_assert_uint_eq(st.st_gid, 6);
    ck_assert_int_eq(st.st_mtime, 1000);
    fd = openat(merged, "etc", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fgetxattr(fd, "user.note", value, sizeof value), 1);
    st = look("etc/app");
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 0700);
    ck_assert_uint_eq(st.st_uid, 7);
    ck_assert_int_eq(st.st_mtime, 2000);
    st = look("etc/file"); /* a file below, a directory now: nothing to copy */
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 0755);
    st = look("hidden"); /* whited out in between */
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 0755);
    ck_assert_uint_eq(st.st_uid, 0);
}
END_TEST

START_TEST(links_to_lower_files_are_copied_up)
{
    static const char capability[20] = {1, 0, 0, 2, 0, 0x20};
    char value[32];
    cleanup_close int fd = -1;
    struct stat st;

    tar_pax(&tar, "SCHILY.xattr.security.capability", capability, sizeof capability);
    ADD("bin/ping", .data = "ping", .mode = 04755, .uid = 9, .mtime = 3000);
    ADD("bin/sym", .type = '2', .link = "ping");
    ADD("bin/", .type = '5', .mode = 0711, .mtime = 4000);
    layer();
    ADD("sbin/", .type = '5', .mtime = 5000);
    ADD("sbin/ping", .type = '1', .link = "bin/ping");
    ADD("sbin/again", .type = '1', .link = "sbin/ping");
    ADD("sbin/sym", .type = '1', .link = "/bin/sym");
    ADD("sbin/later", .type = '1', .link = "bin/ping");
    ADD("sbin/later", .data = "won");
    layer();
    mount_layers();
    st = look("bin/ping");
    ck_assert_uint_eq(st.st_nlink, 3);
    ck_assert_uint_eq(st.st_ino, look("sbin/ping").st_ino);
    ck_assert_uint_eq(st.st_ino, look("sbin/again").st_ino);
    ck_assert_uint_eq(st.st_mode, S_IFREG | 04755);
    ck_assert_uint_eq(st.st_uid, 9);
    ck_assert_int_eq(st.st_mtime, 3000);
    ck_assert(reads("sbin/ping", "ping"));
    fd = openat(merged, "sbin/ping", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fgetxattr(fd, "security.capability", value, sizeof value), 20);
    ck_assert(S_ISLNK(look("sbin/sym").st_mode));
    ck_assert(reads("sbin/later", "won"));
    ck_assert_uint_eq(look("bin").st_mode, S_IFDIR | 0711);
    ck_assert_int_eq(look("bin").st_mtime, 4000);
    ck_assert_int_eq(look("sbin").st_mtime, 5000);
}
END_TEST

START_TEST(links_to_nothing_are_errors)
{
    static const char *const targets[] = {"nowhere", "gone", "dir", "dir/../../x"};

    ADD("gone", .data = "x");
    ADD("dir/", .type = '5');
    layer();
    ADD(".wh.gone");
    layer();
    for (size_t i = 0; i < 3; i++) {
        struct err err = {0};

        ADD("link", .type = '1', .link = targets[i]);
        ck_assert_int_lt(add_layer(&err), 0);
        ck_assert_ptr_nonnull(strstr(err.message, "hard link 'link': target '"));
        layer_count--;
        {
            cleanup_free char *path = str_format("%s/layer%zu", place, layer_count);

            close(layers[layer_count]);
            ck_assert_int_eq(file_remove_tree(AT_FDCWD, path, &err), 0);
        }
    }
}
END_TEST

/* A hostile lower layer: its symlinks must not lead the copying out. */
START_TEST(lower_symlinks_are_not_followed)
{
    cleanup_free char *out = str_format("%s/outside", place);
    struct err err = {0};
    struct stat st;

    ADD("s", .type = '2', .link = out);
    layer();
    ADD("s/implied");
    ADD("l", .type = '1', .link = "s/kept");
    ck_assert_int_lt(add_layer(&err), 0);
    check_outside();
    ck_assert_int_eq(fstatat(layers[1], "s", &st, AT_SYMLINK_NOFOLLOW), 0);
    ck_assert(S_ISDIR(st.st_mode));
}
END_TEST

SUITE(layer_overlay)
{
    const TTest *const tests[] = {
        whiteouts_and_opaque_directories_hide, implied_directories_keep_the_lower_ones_metadata,
        links_to_lower_files_are_copied_up,    links_to_nothing_are_errors,
        lower_symlinks_are_not_followed,
    };

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        TCase *t = tcase_create(tests[i]->name);

        tcase_set_tags(t, "needs-root");
        tcase_add_unchecked_fixture(t, make, drop);
        tcase_add_test(t, tests[i]);
        suite_add_tcase(suite, t);
    }
}
