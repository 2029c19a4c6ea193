/* Layers that try to get out, or in the way: an error that names the entry, or harmless; outside/
 * never changes. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "layer_tar.h"

#define ADD(member, ...) tar_add(&tar, &(struct tar_member){.name = member, __VA_ARGS__})

static struct buf tar;
static char out[128], out_file[160]; /* absolute paths of outside/ and outside/new */

static void paths(void)
{
    place_make();
    snprintf(out, sizeof out, "%s/outside", place);
    snprintf(out_file, sizeof out_file, "%s/new", out);
}

START_TEST(climbing_names)
{
    ADD("ok", .data = "1");
    ADD("../outside/new", .data = "x");
    must_fail(&tar, "entry '../outside/new': the name climbs out");
}
END_TEST

START_TEST(climbing_in_the_middle)
{
    ADD("a/../../outside/new", .data = "x");
    must_fail(&tar, "climbs out");
}
END_TEST

START_TEST(absolute_names_land_inside)
{
    ADD(out_file, .data = "x");
    must_unpack(&tar);
    ck_assert(exists(out_file + 1));
}
END_TEST

START_TEST(symlinks_to_outside_are_only_text)
{
    ADD("abs", .type = '2', .link = out);
    ADD("abs/new", .data = "x");
    ADD("rel", .type = '2', .link = "../outside");
    ADD("rel/new", .data = "x");
    ADD("rel/kept", .data = "changed");
    ADD("chain1", .type = '2', .link = "chain2");
    ADD("chain2", .type = '2', .link = "abs");
    ADD("chain1/chained", .data = "x");
    must_unpack(&tar);
    ck_assert(exists(out_file + 1)); /* beneath the root, where the container will see it */
    ck_assert(exists("outside/new"));
}
END_TEST

START_TEST(symlinks_as_last_component_are_replaced)
{
    cleanup_free char *kept = str_format("%s/kept", out);

    ADD("l", .type = '2', .link = kept);
    ADD("l", .data = "changed", .mode = 0777, .uid = 5);
    ADD("d", .type = '2', .link = out);
    ADD("d", .type = '5', .mode = 0777, .uid = 5);
    ADD("n", .type = '2', .link = kept);
    ADD("n", .type = '6', .mode = 0777);
    must_unpack(&tar);
    ck_assert_str_eq(content("l"), "changed");
    ck_assert(S_ISDIR(entry("d").st_mode));
}
END_TEST

START_TEST(hard_links_to_outside)
{
    cleanup_free char *kept = str_format("%s/kept", out);

    ADD("l", .type = '1', .link = "../outside/kept");
    must_fail(&tar, "leads out of the layer");
    ADD("s", .type = '2', .link = out);
    ADD("h", .type = '1',
        .link = "s/kept"); /* not found inside: left for the lower layers, which do not have it */
    ADD("h2", .type = '1', .link = kept);
    must_unpack(&tar);
    ck_assert(!exists("h"));
    ck_assert(!exists("h2"));
}
END_TEST

/* CVE-2021-32760: the mode of a hard link's header must not reach what a symlink points to. */
START_TEST(hard_links_to_symlinks_change_nothing)
{
    cleanup_free char *kept = str_format("%s/kept", out);

    ADD("s", .type = '2', .link = kept);
    ADD("h", .type = '1', .link = "s", .mode = 0777, .uid = 1234);
    must_unpack(&tar);
    ck_assert(S_ISLNK(entry("h").st_mode));
}
END_TEST

START_TEST(the_root_stays_a_directory)
{
    ADD("./", .type = '2', .link = "/");
    must_fail(&tar, "root is not a directory");
    ADD(".", .data = "x");
    must_fail(&tar, "root is not a directory");
    ADD("a/..", .type = '2', .link = "../outside");
    must_fail(&tar, "root is not a directory");
}
END_TEST

START_TEST(a_replaced_directory_is_looked_up_again)
{
    ADD("d/one", .data = "1");
    ADD("d", .type = '2',
        .link = out); /* the remembered directory's name means something else now */
    ADD("d/new", .data = "2");
    must_unpack(&tar);
    ck_assert(S_ISLNK(entry("d").st_mode));
    ck_assert(exists(out_file + 1));
}
END_TEST

/* "s" is the root itself while it is a symlink to it; "s/s" replaces it by a directory. */
START_TEST(a_replaced_symlink_is_looked_up_again)
{
    ADD("s", .type = '2', .link = ".");
    ADD("s/s", .type = '5');
    ADD("s/x");
    must_unpack(&tar);
    ck_assert(exists("s/x"));
    ck_assert(!exists("x"));
}
END_TEST

START_TEST(whiteouts_stay_inside)
{
    ADD("s", .type = '2', .link = out);
    ADD("s/.wh.kept");
    ADD("s/.wh..wh..opq");
    must_unpack(&tar);
    ADD(".wh...");
    must_fail(&tar, "names nothing");
    ADD(".wh.");
    must_fail(&tar, "names nothing");
    ADD(".wh..");
    must_fail(&tar, "names nothing");
}
END_TEST

/* It would be packed as something else than it is. */
START_TEST(no_directory_is_called_like_a_whiteout)
{
    ADD("a/.wh.b/c");
    must_fail(&tar, "cannot have a file called '.wh.b': the name says that 'b' is deleted");
    ADD("s", .type = '2', .link = ".wh.b");
    ADD("s/c");
    must_fail(&tar, "cannot have a file called '.wh.b'");
}
END_TEST

START_TEST(a_whiteout_device_in_the_tar)
{
    ADD("w", .type = '3', .major = 0, .minor = 0);
    must_fail(&tar, "0:0");
}
END_TEST

START_TEST(links_to_whiteouts_and_directories)
{
    ADD(".wh.w");
    ADD("h", .type = '1', .link = "w");
    must_fail(&tar, "deleted file");
    ADD("d/", .type = '5');
    ADD("h", .type = '1', .link = "d");
    must_fail(&tar, "directory");
}
END_TEST

START_TEST(a_file_in_the_way_of_a_directory)
{
    ADD("f", .data = "x");
    ADD("f/new", .data = "y");
    must_fail(&tar, "'f' is not a directory");
}
END_TEST

START_TEST(overlong_names)
{
    cleanup_free char *name = mem_alloc(6000);

    memset(name, 'n', 300);
    tar_pax(&tar, "path", name, 300);
    ADD("x");
    must_fail(&tar, "too long");
    for (int i = 0; i < 5000; i += 2)
        memcpy(name + i, "a/", 2);
    tar_pax(&tar, "path", name, 5000);
    ADD("x");
    must_fail(&tar, "too long");
}
END_TEST

START_TEST(huge_headers)
{
    size_t len = (1 << 20) + 100;
    cleanup_free char *value = mem_alloc(len);

    memset(value, 'v', len);
    tar_pax(&tar, "comment", value, len);
    ADD("x");
    must_fail(&tar, "cannot read the layer's tar");
}
END_TEST

/* Each name is short enough, but each goes on below a symlink to where the last one ended. */
START_TEST(trees_deeper_than_names)
{
    char from[16], to[256] = "0";

    for (int i = 0; i < 20; i++) {
        for (int n = 0; n < 100; n++)
            strcat(to, "/d");
        ADD(to, .type = '5');
        snprintf(from, sizeof from, "%d", i + 1);
        ADD(from, .type = '2', .link = to);
        strcpy(to, from);
    }
    must_fail(&tar, "nested too deep");
    strcpy(to, "d");
    for (int n = 1; n < 100; n++)
        strcat(to, "/d");
    {
        cleanup_free char *deep = str_format("%s/%s/%s", to, to, to);

        tar_pax(&tar, "path", deep, strlen(deep));
        ADD("x");
        must_fail(&tar, "nested too deep");
    }
}
END_TEST

START_TEST(nul_in_names)
{
    tar_pax(&tar, "path", "../outside/\0new", 15);
    ADD("x");
    must_fail(&tar, "");
}
END_TEST

START_TEST(control_characters_do_not_reach_the_terminal)
{
    struct err err = {0};

    ADD("../\033[2Jgone");
    ck_assert_int_lt(unpack_into(staging, tar.data, tar.len, 0, NULL, &err), 0);
    buf_free(&tar);
    ck_assert_ptr_null(strchr(err.message, '\033'));
}
END_TEST

static void set_size(const char bytes[12])
{
    memcpy(tar.data + 124, bytes, 12);
    tar_checksum(&tar, 0);
}

START_TEST(impossible_sizes)
{
    ADD("negative");
    set_size("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00");
    must_fail(&tar, "");
    ADD("huge");
    set_size("\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff");
    must_fail(&tar, "");
    tar_pax(&tar, "GNU.sparse.size", "9223372036854775807", 19);
    tar_pax(&tar, "GNU.sparse.map", "9223372036854775800,3", 21);
    ADD("far", .data = "abc");
    must_fail(&tar, "entry 'far'");
    tar_pax(&tar, "uid", "99999999999", 11);
    ADD("owner");
    must_fail(&tar, "out of range");
}
END_TEST

START_TEST(limits_bite)
{
    struct layer_limits limits = {.max_bytes = 1 << 20};
    char *data = mem_alloc((1 << 20) + 2);
    struct layer_unpack *u;
    struct err err = {0};
    int r;

    memset(data, 'd', (1 << 20) + 1);
    ADD("bomb", .data = data);
    free(data);
    tar_end(&tar);
    ck_assert_int_eq(layer_unpack_begin(staging, NULL, &limits, &u, &err), 0);
    r = layer_unpack_feed(u, tar.data, tar.len, &err);
    if (r < 0)
        layer_unpack_abort(u);
    else
        r = layer_unpack_finish(u, &(struct layer_result){0}, &err);
    buf_free(&tar);
    ck_assert_int_eq(r, -EFBIG);
    ck_assert_ptr_nonnull(
        strstr(err.message, "entry 'bomb': the layer unpacks to more than the 1048576"));
}
END_TEST

START_TEST(entries_are_limited)
{
    struct layer_limits limits = {.max_entries = 2};
    struct layer_unpack *u;
    struct err err = {0};

    ADD("a");
    ADD("b");
    ADD("c");
    tar_end(&tar);
    ck_assert_int_eq(layer_unpack_begin(staging, "none", &limits, &u, &err), 0);
    ck_assert_int_eq(layer_unpack_feed(u, tar.data, tar.len, &err), 0);
    ck_assert_int_eq(layer_unpack_finish(u, &(struct layer_result){0}, &err), -E2BIG);
    buf_free(&tar);
}
END_TEST

/* --- damage ----------------------------------------------------------------------------------- */

static void fill(void)
{
    ADD("dir/", .type = '5');
    ADD("dir/file", .data = "some content that takes less than a block");
    tar_pax(&tar, "mtime", "1.5", 3);
    tar_pax(&tar, "SCHILY.xattr.user.a", "b", 1);
    ADD("dir/pax", .data = "x");
    ADD("dir/link", .type = '2', .link = "file");
    ADD("dir/hard", .type = '1', .link = "dir/file");
    ADD("dir/.wh.gone");
    ADD("dir/tty", .type = '3', .major = 5, .minor = 0);
    tar_end(&tar);
}

static int empty_staging(void)
{
    struct err err = {0};
    char path[128];

    close(staging);
    snprintf(path, sizeof path, "%s/staging", place);
    if (file_remove_tree(AT_FDCWD, path, &err) < 0 || mkdir(path, 0700) < 0)
        return -1;
    staging = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return staging;
}

START_TEST(cut_anywhere)
{
    int forgiven = 0;

    fill();
    for (size_t len = 0; len < tar.len; len += len % 512 == 511 ? 1 : 511) {
        struct err err = {0};
        int r = unpack_into(staging, tar.data, len, 100, NULL, &err);

        /* A tar may end without its two empty blocks, and behind the data of a file without its
         * padding, but not within a header or data. */
        ck_assert_msg(r == -err.code, "%zu", len);
        if (len % 512 && len <= tar.len - 1024)
            forgiven += r == 0;
        check_outside();
        ck_assert_int_ge(empty_staging(), 0);
    }
    ck_assert_int_eq(forgiven, 2); /* the blocks of dir/file and of dir/pax */
    buf_free(&tar);
}
END_TEST

START_TEST(a_writer_that_did_not_close_its_tar)
{
    struct err err = {0};

    ADD("dir/", .type = '5');
    ADD("dir/file", .data = "thirty-one bytes, then nothing.");
    ck_assert_msg(!unpack_into(staging, tar.data, 1024 + 31, 100, NULL, &err), "%s", err.message);
    ck_assert_int_eq(faccessat(staging, "dir/file", F_OK, 0), 0);
    ck_assert_int_ge(empty_staging(), 0);
    ck_assert_int_lt(unpack_into(staging, tar.data, 1024 + 30, 100, NULL, &err), 0);
    buf_free(&tar);
}
END_TEST

/* A cheap generator with a fixed seed: the same damage in every run. */
static unsigned next_random(void)
{
    static unsigned state = 2463534242;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

START_TEST(flipped_bytes)
{
    fill();
    for (int round = 0; round < 400; round++) {
        cleanup_free char *copy = mem_alloc(tar.len);
        struct buf damaged = {.data = copy, .len = tar.len};
        struct err err = {0};
        int r;

        memcpy(copy, tar.data, tar.len);
        for (int i = 0; i < 1 + round % 3; i++)
            copy[next_random() % tar.len] = (char)next_random();
        if (round % 2) /* damage that the checksum does not give away */
            tar_checksum(&damaged, (next_random() % (tar.len / 512)) * 512);
        r = unpack_into(staging, copy, tar.len, 1 + next_random() % 5000, NULL, &err);
        ck_assert_int_eq(r, -err.code);
        check_outside();
        ck_assert_int_ge(empty_staging(), 0);
    }
    buf_free(&tar);
}
END_TEST

START_TEST(no_tar_at_all)
{
    char text[2000];
    struct err err = {0};

    memset(text, 'x', sizeof text);
    ck_assert_int_lt(unpack_into(staging, text, sizeof text, 0, NULL, &err), 0);
    ck_assert_int_lt(unpack_into(staging, "<html>", 6, 0, NULL, &err), 0);
}
END_TEST

SUITE(layer_hostile)
{
    const TTest *const tests[] = {
        climbing_names,
        climbing_in_the_middle,
        absolute_names_land_inside,
        symlinks_to_outside_are_only_text,
        symlinks_as_last_component_are_replaced,
        hard_links_to_outside,
        hard_links_to_symlinks_change_nothing,
        the_root_stays_a_directory,
        a_replaced_directory_is_looked_up_again,
        a_replaced_symlink_is_looked_up_again,
        whiteouts_stay_inside,
        no_directory_is_called_like_a_whiteout,
        a_whiteout_device_in_the_tar,
        links_to_whiteouts_and_directories,
        a_file_in_the_way_of_a_directory,
        overlong_names,
        huge_headers,
        nul_in_names,
        trees_deeper_than_names,
        control_characters_do_not_reach_the_terminal,
        impossible_sizes,
        limits_bite,
        entries_are_limited,
        cut_anywhere,
        a_writer_that_did_not_close_its_tar,
        flipped_bytes,
        no_tar_at_all,
    };

    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        TCase *t = tcase_create(tests[i]->name);

        tcase_set_tags(t, "needs-root");
        tcase_set_timeout(t, 60);
        tcase_add_unchecked_fixture(t, paths, place_remove);
        tcase_add_test(t, tests[i]);
        suite_add_tcase(suite, t);
    }
}
