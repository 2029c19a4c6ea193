/* Layers: what is in the tar is in the tree, with all its metadata, and whiteouts in overlayfs's
 * form. */
#include "support/suite.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "layer_tar.h"

#define ADD(member, ...) tar_add(&tar, &(struct tar_member){.name = member, __VA_ARGS__})

static struct buf tar;

START_TEST(files_keep_their_metadata)
{
    struct stat st;

    ADD("dir/", .type = '5', .mode = 0710, .uid = 5, .gid = 6, .mtime = 1000000000);
    ADD("dir/file", .data = "hello\n", .mode = 0640, .uid = 7, .gid = 8, .mtime = 1100000000);
    ADD("dir/suid", .data = "x", .mode = 06755, .uid = 9, .gid = 10);
    ADD("dir/link", .type = '2', .link = "../nowhere", .uid = 11, .gid = 12, .mtime = 1200000000);
    ADD("dir/hard", .type = '1', .link = "dir/file");
    ADD("dir/fifo", .type = '6', .mode = 0600);
    ADD("dir/tty", .type = '3', .mode = 0666, .major = 5, .minor = 1);
    ADD("dir/disk", .type = '4', .mode = 0660, .major = 7, .minor = 300);
    must_unpack(&tar);

    st = entry("dir");
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 0710);
    ck_assert_uint_eq(st.st_uid, 5);
    ck_assert_int_eq(st.st_mtime, 1000000000); /* though files were made in it since */
    st = entry("dir/file");
    ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
    ck_assert_uint_eq(st.st_uid, 7);
    ck_assert_uint_eq(st.st_gid, 8);
    ck_assert_int_eq(st.st_mtime, 1100000000);
    ck_assert_uint_eq(st.st_nlink, 2);
    ck_assert_uint_eq(entry("dir/hard").st_ino, st.st_ino);
    ck_assert_str_eq(content("dir/file"), "hello\n");
    st = entry("dir/suid");
    ck_assert_uint_eq(st.st_mode, S_IFREG | 06755);
    st = entry("dir/link");
    ck_assert_uint_eq(st.st_uid, 11);
    ck_assert_int_eq(st.st_mtime, 1200000000);
    ck_assert(S_ISFIFO(entry("dir/fifo").st_mode));
    st = entry("dir/tty");
    ck_assert_uint_eq(st.st_mode, S_IFCHR | 0666);
    ck_assert_uint_eq(st.st_rdev, makedev(5, 1));
    ck_assert_uint_eq(entry("dir/disk").st_rdev, makedev(7, 300));
}
END_TEST

START_TEST(pax_records_are_read)
{
    static const char capability[20] = {1, 0, 0, 2, 0, 0x20}; /* VFS_CAP_REVISION_2, cap_net_raw */
    char value[32], longname[300];
    cleanup_close int fd = -1;

    memset(longname, 'n', 200);
    strcpy(longname + 200, "/file");
    tar_pax(&tar, "SCHILY.xattr.security.capability", capability, sizeof capability);
    tar_pax(&tar, "SCHILY.xattr.user.comment", "hi", 2);
    tar_pax(&tar, "mtime", "1300000000.123456789", 20);
    ADD("ping", .data = "x", .mode = 0755);
    tar_pax(&tar, "path", longname, strlen(longname));
    ADD("short", .data = "y");
    tar_pax(&tar, "path", "\xc3\xa4\xcc\x88", 4);
    ADD("utf8", .data = "z");
    tar_pax(&tar, "path", "latin-\xe4", 7);
    ADD("latin", .data = "l");
    tar_pax(&tar, "uid", "3000000", 7);
    ADD("far");
    must_unpack(&tar);

    fd = openat(staging, "ping", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fgetxattr(fd, "security.capability", value, sizeof value), 20);
    ck_assert_mem_eq(value, capability, 20);
    ck_assert_int_eq(entry("ping").st_mtim.tv_nsec, 123456789);
    longname[200] = 0;
    ck_assert(exists(longname));
    ck_assert(exists("\xc3\xa4\xcc\x88")); /* not normalised */
    ck_assert(exists("latin-\xe4"));
    ck_assert_uint_eq(entry("far").st_uid, 3000000);
}
END_TEST

START_TEST(overlays_own_attributes_are_left_out)
{
    static const char *const names[] = {"trusted.overlay.redirect", "trusted.overlay.opaque",
                                        "trusted.x", "user.overlay.opaque", "security.selinux"};
    char list[1024];
    cleanup_close int fd = -1;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cleanup_free char *key = str_format("SCHILY.xattr.%s", names[i]);

        tar_pax(&tar, key, "y", 1);
    }
    ADD("dir", .type = '5');
    must_unpack(&tar);
    fd = openat(staging, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flistxattr(fd, list, sizeof list), 0);
}
END_TEST

START_TEST(whiteouts)
{
    ADD("a/.wh.gone");
    ADD("a/.wh..wh..opq");
    ADD("a/.wh..wh.plnk", .type = '5');
    ADD("a/.wh..wh.plnk/1.2");
    ADD(".wh..wh.aufs/.wh.x");
    must_unpack(&tar);
    ck_assert(is_whiteout("a/gone"));
    ck_assert(!exists("a/.wh.gone"));
    ck_assert(is_opaque("a"));
    ck_assert(!exists("a/.wh..wh.plnk"));
    ck_assert(!exists(".wh..wh.aufs"));
    ck_assert(!exists("a/.wh..wh..opq"));
}
END_TEST

START_TEST(whiteout_and_file_of_one_name)
{
    ADD(".wh.before");
    ADD("before", .data = "b");
    ADD("after", .data = "a");
    ADD(".wh.after");
    ADD(".wh.dir-before");
    ADD("dir-before/", .type = '5');
    ADD("dir-after/", .type = '5');
    ADD(".wh.dir-after");
    ADD(".wh.implied");
    ADD("implied/file");
    must_unpack(&tar);
    ck_assert_str_eq(content("before"), "b");
    ck_assert_str_eq(content("after"), "a");
    ck_assert(is_opaque("dir-before"));
    ck_assert(is_opaque("dir-after"));
    ck_assert(is_opaque("implied"));
    ck_assert(exists("implied/file"));
}
END_TEST

START_TEST(the_last_of_a_name_wins)
{
    ADD("f", .data = "one");
    ADD("f", .data = "two");
    ADD("d/", .type = '5', .mode = 0700);
    ADD("d/inside", .data = "kept");
    ADD("d/", .type = '5', .mode = 0711, .mtime = 5);
    ADD("x/", .type = '5');
    ADD("x/y/z");
    ADD("x", .data = "file over directory");
    ADD("s", .type = '2', .link = "d");
    ADD("s/", .type = '5');
    ADD("s/new");
    ADD("file-then-dir", .data = "1");
    ADD("file-then-dir/", .type = '5');
    ADD("file-then-link", .data = "1");
    ADD("file-then-link", .type = '1', .link = "f");
    ADD("f", .type = '1', .link = "f");
    must_unpack(&tar);
    ck_assert_str_eq(content("f"), "two");
    ck_assert_uint_eq(entry("d").st_mode, S_IFDIR | 0711);
    ck_assert_int_eq(entry("d").st_mtime, 5);
    ck_assert_str_eq(content("d/inside"), "kept");
    ck_assert_str_eq(content("x"), "file over directory");
    ck_assert(S_ISDIR(entry("s").st_mode));
    ck_assert(exists("s/new"));
    ck_assert(!exists("d/new"));
    ck_assert(S_ISDIR(entry("file-then-dir").st_mode));
    ck_assert_uint_eq(entry("file-then-link").st_ino, entry("f").st_ino);
}
END_TEST

/* As docker does: a directory's symlinks are followed, as the container would, inside the root. */
START_TEST(symlinked_directories_lead_inside)
{
    ADD("usr/lib/", .type = '5');
    ADD("lib", .type = '2', .link = "usr/lib");
    ADD("lib/a", .data = "a");
    ADD("abs", .type = '2', .link = "/usr/lib");
    ADD("abs/b", .data = "b");
    ADD("dangling", .type = '2', .link = "opt/later");
    ADD("dangling/deep/c", .data = "c");
    must_unpack(&tar);
    ck_assert_str_eq(content("usr/lib/a"), "a");
    ck_assert_str_eq(content("usr/lib/b"), "b");
    ck_assert_str_eq(content("opt/later/deep/c"), "c");
}
END_TEST

START_TEST(names_are_cleaned)
{
    ADD("./a//b/./c", .data = "c");
    ADD("/abs", .data = "abs");
    ADD("a/b/../d", .data = "d");
    ADD("./", .type = '5', .mode = 0711, .uid = 3);
    must_unpack(&tar);
    ck_assert_str_eq(content("a/b/c"), "c");
    ck_assert_str_eq(content("abs"), "abs");
    ck_assert_str_eq(content("a/d"), "d");
    ck_assert_uint_eq(entry(".").st_mode, S_IFDIR | 0711);
    ck_assert_uint_eq(entry(".").st_uid, 3);
}
END_TEST

START_TEST(an_unnamed_root_is_opened_up)
{
    ADD("a");
    must_unpack(&tar);
    ck_assert_uint_eq(entry(".").st_mode, S_IFDIR | 0755);
}
END_TEST

START_TEST(sparse_files_stay_sparse)
{
    struct stat st;

    /* GNU format 0.1 as pax records: 3 bytes at 1 MiB, 4 MiB long, a hole at both ends. */
    tar_pax(&tar, "GNU.sparse.size", "4194304", 7);
    tar_pax(&tar, "GNU.sparse.numblocks", "1", 1);
    tar_pax(&tar, "GNU.sparse.map", "1048576,3", 9);
    ADD("sparse", .data = "abc");
    ADD("next", .data = "next");
    must_unpack(&tar);
    st = entry("sparse");
    ck_assert_int_eq(st.st_size, 4194304);
    ck_assert_int_lt(st.st_blocks, 64);
    {
        cleanup_close int fd = openat(staging, "sparse", O_RDONLY | O_CLOEXEC);
        char text[4] = "";

        ck_assert_int_eq(pread(fd, text, 3, 1048576), 3);
        ck_assert_str_eq(text, "abc");
    }
    ck_assert_str_eq(content("next"), "next");
}
END_TEST

START_TEST(empty_tars_are_layers)
{
    must_unpack(&tar); /* two empty blocks */
    ck_assert_uint_eq(entry(".").st_mode, S_IFDIR | 0755);
}
END_TEST

SUITE(layer)
{
    TCase *t;
    const TTest *const tests[] = {
        files_keep_their_metadata,
        pax_records_are_read,
        overlays_own_attributes_are_left_out,
        whiteouts,
        whiteout_and_file_of_one_name,
        the_last_of_a_name_wins,
        symlinked_directories_lead_inside,
        names_are_cleaned,
        an_unnamed_root_is_opened_up,
        sparse_files_stay_sparse,
        empty_tars_are_layers,
    };

    /* A case each: unchecked fixtures run once a case, and every test wants a place of its own. */
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        t = tcase_create(tests[i]->name);
        tcase_set_tags(t, "needs-root");
        tcase_add_unchecked_fixture(t, place_make, place_remove);
        tcase_add_test(t, tests[i]);
        suite_add_tcase(suite, t);
    }
}
