/* A tree becomes a tar: nothing is lost on the way, and the same files are the same bytes. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "layer_tar.h"
#include "support/run.h"

#define ADD(member, ...) tar_add(&tar, &(struct tar_member){.name = member, __VA_ARGS__})

static struct buf tar, packed;

static int keep(void *context, const void *data, size_t len, struct err *err)
{
    (void)err;
    buf_add(context, data, len);
    return 0;
}

static void pack(int tree, struct buf *ret)
{
    struct err err = {0};

    ck_assert_msg(!layer_pack(tree, keep, ret, &err), "%s", err.message);
}

/* A new directory beside staging/. */
static int make_place(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", place, name);

    ck_assert_int_eq(mkdir(path, 0755), 0);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void write_file(int dir, const char *path, const char *text)
{
    struct err err = {0};

    ck_assert_msg(!file_create(dir, path, text, strlen(text), 0644, &err), "%s", err.message);
}

/* Packs staging/, unpacks that elsewhere, packs that: the bytes must be the same. */
static void check_stable(const char *name)
{
    cleanup_buf struct buf first = {0}, second = {0};
    cleanup_close int other = make_place(name);
    struct err err = {0};

    pack(staging, &first);
    ck_assert_msg(!unpack_into(other, first.data, first.len, 0, NULL, &err), "%s", err.message);
    pack(other, &second);
    ck_assert_uint_eq(first.len, second.len);
    ck_assert_msg(!memcmp(first.data, second.data, first.len), "other bytes");
}

START_TEST(every_kind_of_file_comes_back)
{
    ADD("./", .type = '5', .mode = 0750, .mtime = 77);
    ADD("dir/", .type = '5', .mode = 01710, .uid = 5, .gid = 6, .mtime = 1000000000);
    ADD("dir/file", .data = "hello\n", .mode = 04750, .uid = 7, .gid = 8, .mtime = 1100000000);
    ADD("dir/link", .type = '2', .link = "../nowhere", .uid = 11, .gid = 12, .mtime = 1200000000);
    ADD("dir/hard", .type = '1', .link = "dir/file");
    ADD("dir/fifo", .type = '6', .mode = 0600);
    ADD("dir/tty", .type = '3', .mode = 0666, .major = 5, .minor = 1);
    ADD("dir/disk", .type = '4', .mode = 0660, .major = 7, .minor = 300);
    ADD("dir/.wh.gone");
    ADD("opaque/.wh..wh..opq");
    ADD("opaque/new", .data = "");
    must_unpack(&tar);
    check_stable("again");
}
END_TEST

/* The layers people have must keep their digests whatever changes in this program. */
START_TEST(the_bytes_are_for_ever)
{
    char digest[DIGEST_LEN + 1];
    struct err err = {0};
    uint64_t size;

    ADD("./", .type = '5', .mode = 0755, .mtime = 1);
    ADD("b/", .type = '5', .mode = 0700, .uid = 1, .gid = 2, .mtime = 2);
    tar_pax(&tar, "SCHILY.xattr.user.z", "last", 4);
    tar_pax(&tar, "SCHILY.xattr.user.a", "first\n\0=", 8);
    ADD("b/file", .data = "content", .mode = 0640, .mtime = 1700000000);
    ADD("b/.wh.x");
    ADD("a", .type = '2', .link = "b/file", .mtime = 3);
    ADD("c", .type = '1', .link = "b/file");
    must_unpack(&tar);
    ck_assert_msg(!layer_digest(staging, digest, &size, &err), "%s", err.message);
    ck_assert_uint_eq(size, 13); /* "content", and where the symlink leads */
    ck_assert_str_eq(digest,
                     "sha256:44aeb0b67b13e547086c389910daac0dbf1fc0d36f9ef60899f57abea2a77830");
}
END_TEST

START_TEST(what_ustar_has_no_room_for_is_kept)
{
    char name[256], link[1001], path[800];
    struct stat st;

    memset(name, 'n', 255);
    name[255] = 0;
    memset(link, 'l', 1000);
    link[1000] = 0;
    snprintf(path, sizeof path, "%s/\xff\xfe%.200s/%s", name, name, name);
    tar_pax(&tar, "path", path, strlen(path));
    tar_pax(&tar, "uid", "4000000000", 10);
    tar_pax(&tar, "gid", "3000000", 7);
    tar_pax(&tar, "mtime", "-5", 2);
    ADD("x", .data = "deep");
    tar_pax(&tar, "linkpath", link, strlen(link));
    ADD("link", .type = '2', .link = "x");
    tar_pax(&tar, "linkpath", path, strlen(path));
    ADD("hard", .type = '1', .link = "x");
    tar_pax(&tar, "mtime", "99999999999", 11);
    ADD("late", .data = "");
    must_unpack(&tar);
    check_stable("again");
    st = entry("hard");
    ck_assert_uint_eq(st.st_uid, 4000000000);
    ck_assert_int_eq(st.st_mtime, -5);
    ck_assert_uint_eq(st.st_nlink, 2);
}
END_TEST

START_TEST(attributes_are_kept)
{
    static const unsigned char capability[20] = {1, 0, 0, 2, 0, 0x20};
    unsigned char value[20];

    tar_pax(&tar, "SCHILY.xattr.security.capability", capability, sizeof capability);
    tar_pax(&tar, "SCHILY.xattr.user.note", "a\nb=\0c", 6);
    ADD("file", .data = "x", .uid = 3);
    must_unpack(&tar);
    check_stable("again");
    ck_assert_int_eq(fgetxattr(openat(staging, "../again/file", O_RDONLY), "security.capability",
                               value, sizeof value),
                     sizeof value);
    ck_assert_mem_eq(value, capability, sizeof value);
}
END_TEST

/* GNU tar knows nothing of us. */
START_TEST(another_tar_reads_it)
{
    cleanup_free char *file = str_format("%s/packed.tar", place);
    cleanup_free char *in = str_format("%s/staging", place);
    cleanup_with(run_free) struct run_result r = {0};
    char name[201];
    struct err err = {0};

    memset(name, 'n', 200);
    name[200] = 0;
    tar_pax(&tar, "path", name, 200);
    tar_pax(&tar, "SCHILY.xattr.user.note", "note", 4);
    ADD("x", .data = "long", .uid = 9, .mtime = 1234567890);
    ADD("d/empty", .data = "", .mode = 0600);
    ADD("d/link", .type = '2', .link = "empty");
    ADD("d/hard", .type = '1', .link = "d/empty");
    must_unpack(&tar);
    pack(staging, &packed);
    ck_assert_int_eq(file_store(AT_FDCWD, file, packed.data, packed.len, 0600, false, &err), 0);
    buf_free(&packed);
    RUN_OK(&r, NULL, "tar", "--xattrs", "--compare", "-f", file, "-C", in);
    ck_assert_str_eq(r.out.data, "");
    RUN_OK(&r, NULL, "tar", "-tf", file);
    ck_assert_msg(str_starts(r.out.data, "./\nd/\nd/empty\nd/hard\nd/link\nnnnn"), "%s",
                  r.out.data);
}
END_TEST

static off_t blocks_of(int dir, const char *name)
{
    struct stat st;

    ck_assert_int_eq(fstatat(dir, name, &st, 0), 0);
    return st.st_blocks * 512;
}

/* A tar has no holes; the trees on both sides of it do. */
START_TEST(sparse_files_stay_sparse)
{
    const struct layer_below nothing = {0};
    cleanup_close int upper = make_place("upper"), again = make_place("again");
    cleanup_close int fd = openat(upper, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    ck_assert_int_eq(ftruncate(fd, 32 << 20), 0);
    ck_assert_int_eq(pwrite(fd, "middle", 6, (16 << 20) + 100), 6);
    ck_assert_int_eq(layer_copy(upper, &nothing, staging, &err), 0);
    ck_assert_int_lt(blocks_of(staging, "sparse"), 1 << 20);
    pack(staging, &packed);
    ck_assert_uint_gt(packed.len, 32 << 20);
    ck_assert_msg(!unpack_into(again, packed.data, packed.len, 0, NULL, &err), "%s", err.message);
    buf_free(&packed);
    ck_assert_int_lt(blocks_of(again, "sparse"), 1 << 20);
    ck_assert_int_eq(file_load(again, "sparse", 33 << 20, &text, &err), 0);
    ck_assert_uint_eq(text.len, 32 << 20);
    ck_assert_str_eq(text.data + (16 << 20) + 100, "middle");
    ck_assert_int_eq(text.data[(16 << 20) + 99], 0);
}
END_TEST

static void make_socket(int dir, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, name);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
}

START_TEST(a_copy_is_the_same_layer)
{
    const struct layer_below nothing = {0};
    const struct timespec times[2] = {{5, 123}, {1000, 999999999}};
    cleanup_close int upper = make_place("upper"), inner = -1;
    struct err err = {0};
    struct stat st;

    write_file(upper, "file", "text");
    ck_assert_int_eq(linkat(upper, "file", upper, "other", 0), 0);
    ck_assert_int_eq(mknodat(upper, "gone", S_IFCHR, makedev(0, 0)), 0);
    ck_assert_int_eq(mkdirat(upper, "dir", 0710), 0);
    inner = openat(upper, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(fsetxattr(inner, "trusted.overlay.opaque", "y", 1, 0), 0);
    ck_assert_int_eq(fsetxattr(inner, "trusted.overlay.origin", "o", 1, 0), 0);
    make_socket(inner, "socket");
    ck_assert_int_eq(utimensat(upper, "file", times, 0), 0);
    ck_assert_int_eq(futimens(inner, times), 0);
    ck_assert_msg(!layer_copy(upper, &nothing, staging, &err), "%s", err.message);

    ck_assert_str_eq(content("other"), "text");
    st = entry("other");
    ck_assert_uint_eq(st.st_nlink, 2);
    ck_assert_int_eq(st.st_mtim.tv_sec, 1000);
    ck_assert_int_eq(st.st_mtim.tv_nsec, 0); /* as it will be elsewhere */
    st = entry("dir");
    ck_assert_int_eq(st.st_mtim.tv_sec, 1000);
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 0710);
    ck_assert(is_whiteout("gone"));
    ck_assert(is_opaque("dir"));
    ck_assert(!exists("dir/socket"));
    check_stable("again");
}
END_TEST

/* --- changes ---------------------------------------------------------------------------------- */

static int note(void *context, const struct layer_change *change, struct err *err)
{
    (void)err;
    buf_printf(context, "%c /%s\n", (char)change->kind, change->path);
    return 0;
}

/* `tar` unpacked is the layer below; then `change` has its way with the upper directory. */
static void check_changes(const struct strv *mount_points, void (*change)(int upper),
                          const char *expected)
{
    cleanup_close int upper = make_place("upper");
    struct layer_below below = {&staging, 1, mount_points};
    cleanup_buf struct buf told = {0};
    struct err err = {0};

    must_unpack(&tar);
    change(upper);
    ck_assert_msg(!layer_changes(upper, &below, note, &told, &err), "%s", err.message);
    ck_assert_str_eq(told.data ? told.data : "", expected);
}

static void set_opaque(int upper, const char *name)
{
    cleanup_close int fd = openat(upper, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    ck_assert_int_eq(fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0), 0);
}

static void change_everything(int upper)
{
    mkdirat(upper, "a", 0755);
    write_file(upper, "a/changed", "2");
    write_file(upper, "a/new", "2");
    mknodat(upper, "a/gone", S_IFCHR, makedev(0, 0));
    mknodat(upper, "a/never-was", S_IFCHR, makedev(0, 0));
    mkdirat(upper, "fresh", 0755);
    mkdirat(upper, "fresh/sub", 0755);
    write_file(upper, "fresh/sub/file", "2");
    mkdirat(upper, "whole", 0755);
    set_opaque(upper, "whole");
    write_file(upper, "whole/kept", "2");
}

START_TEST(changes_are_told)
{
    ADD("a/changed", .data = "1");
    ADD("a/gone", .data = "1");
    ADD("a/same", .data = "1");
    ADD("whole/kept", .data = "1");
    ADD("whole/lost", .data = "1");
    check_changes(NULL, change_everything,
                  "C /a\nC /a/changed\nD /a/gone\nA /a/new\nA /fresh\nA /fresh/sub\n"
                  "A /fresh/sub/file\nC /whole\nD /whole/lost\nC /whole/kept\n");
}
END_TEST

static void make_mount_points(int upper)
{
    mkdirat(upper, "proc", 0755);
    mkdirat(upper, "sys", 0755);
    write_file(upper, "sys/mine", "");
    mkdirat(upper, "etc", 0755);
    write_file(upper, "etc/hosts", "");
    write_file(upper, "etc/hostname", "");
    mkdirat(upper, "run", 0755);
    write_file(upper, "run/made", "");
    mkdirat(upper, "new", 0755);
    write_file(upper, "new/point", "");
}

/* The engine's own doing is none of the user's; where somebody did more, it is. */
START_TEST(mount_points_are_no_changes)
{
    cleanup_strv struct strv points = {0};
    static const char *const paths[] = {"proc",     "sys",       "etc/hosts", "etc/hostname",
                                        "run/made", "new/point", "run/more"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        strv_add(&points, paths[i]);
    ADD("etc/", .type = '5', .mode = 0755);
    ADD("run/", .type = '5', .mode = 0700); /* somebody gave it another mode since */
    check_changes(&points, make_mount_points, "C /run\nA /sys\nA /sys/mine\n");
}
END_TEST

START_TEST(mount_points_are_not_copied)
{
    cleanup_close int upper = make_place("upper"), below_fd = make_place("below");
    cleanup_strv struct strv points = {0};
    struct layer_below below = {&below_fd, 1, &points};
    struct err err = {0};

    strv_add(&points, "etc/hosts");
    strv_add(&points, "proc");
    mkdirat(upper, "etc", 0755);
    write_file(upper, "etc/hosts", "");
    mkdirat(upper, "proc", 0755);
    write_file(upper, "file", "");
    ck_assert_msg(!layer_copy(upper, &below, staging, &err), "%s", err.message);
    ck_assert(exists("file") && !exists("proc") && !exists("etc"));
}
END_TEST

START_TEST(too_deep_a_tree_is_an_error_that_says_so)
{
    cleanup_close int at = dup(staging);
    struct err err = {0};
    char digest[DIGEST_LEN + 1];
    uint64_t size;

    for (int i = 0; i < 300; i++) {
        int next;

        ck_assert_int_eq(mkdirat(at, "d", 0755), 0);
        next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    ck_assert_int_eq(layer_digest(staging, digest, &size, &err), -ELOOP);
    ck_assert_msg(strstr(err.message, "nested deeper") != NULL, "%s", err.message);
}
END_TEST

SUITE(layer_pack)
{
    const TTest *const tests[] = {
        every_kind_of_file_comes_back,
        the_bytes_are_for_ever,
        what_ustar_has_no_room_for_is_kept,
        attributes_are_kept,
        another_tar_reads_it,
        sparse_files_stay_sparse,
        a_copy_is_the_same_layer,
        changes_are_told,
        mount_points_are_no_changes,
        mount_points_are_not_copied,
        too_deep_a_tree_is_an_error_that_says_so,
    };

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        TCase *t = tcase_create(tests[i]->name);

        tcase_set_tags(t, "needs-root");
        tcase_add_unchecked_fixture(t, place_make, place_remove);
        tcase_add_test(t, tests[i]);
        suite_add_tcase(suite, t);
    }
}
