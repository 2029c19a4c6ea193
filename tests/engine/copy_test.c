/* cp, in both directions, running or not, and export. The container's side is hostile. */
#include "engine/world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static char *host; /* a directory of each test's own, the commands' working directory */

static void setup(void)
{
    struct err err = {0};

    world_clear();
    host = world_path("host");
    file_remove_tree(AT_FDCWD, host, &err); /* of a test that failed */
    ck_assert_int_eq(mkdir(host, 0755), 0);
    ck_assert_int_eq(chdir(host), 0);
}

static void teardown(void)
{
    struct err err = {0};

    ck_assert_int_eq(chdir("/"), 0);
    file_remove_tree(AT_FDCWD, host, &err);
    free(host);
}

static void put(const char *name, const char *text)
{
    struct err err = {0};

    ck_assert_msg(!file_store(AT_FDCWD, name, text, strlen(text), 0644, false, &err), "%s",
                  err.message);
}

static void expect_file(const char *name, const char *text)
{
    cleanup_buf struct buf content = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(AT_FDCWD, name, 1 << 20, &content, &err), "%s", err.message);
    ck_assert_msg(str_equal(content.data, text), "%s: '%s', expected '%s'", name, content.data,
                  text);
}

static bool exists(const char *name)
{
    struct stat st;

    return !lstat(name, &st);
}

static bool is_directory(const char *name)
{
    struct stat st;

    return !lstat(name, &st) && S_ISDIR(st.st_mode);
}

static void run_sleeper(const char *name)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", name, BOX, "sleep", "600");
}

#define SHELL(name, script) EXPECT(0, "", "", "exec", name, "sh", "-c", script)

/* src/f (twice, by a hard link), src/link -> f, src/sub/g of user 12:34 */
static void make_source(void)
{
    ck_assert_int_eq(mkdir("src", 0755), 0);
    ck_assert_int_eq(mkdir("src/sub", 0750), 0);
    put("src/f", "one\n");
    put("src/sub/g", "two\n");
    ck_assert_int_eq(chown("src/sub/g", 12, 34), 0);
    ck_assert_int_eq(chmod("src/f", 04755), 0);
    ck_assert_int_eq(link("src/f", "src/hard"), 0);
    ck_assert_int_eq(symlink("f", "src/link"), 0);
}

/* --- what goes where
 * ---------------------------------------------------------------------------- */

static const struct {
    const char *from, *to;
    const char *check; /* a shell in the container agrees */
} in_cases[] = {
    {"src/f", "web:/data", "cat /data/f"},
    {"src/f", "web:/data/", "cat /data/f"},
    {"src/f", "web:/data/new", "cat /data/new"},
    {"src/f", "web:data/new", "cat /data/new"},
    {"src/f", "web:/tmp/../data/./new", "cat /data/new"},
    {"src", "web:/data", "cat /data/src/sub/g"},
    {"src/", "web:/data", "cat /data/src/sub/g"},
    {"src/.", "web:/data", "cat /data/sub/g"},
    {"src", "web:/fresh", "cat /fresh/sub/g"},
    {"src/.", "web:/fresh", "cat /fresh/sub/g"},
    {"src", "web:/fresh/", "cat /fresh/sub/g"},
    {"src/link", "web:/data", "[ \"$(ls -l /data/link | sed 's/.* //')\" = f ]"},
    {"src", "web:/data", "[ /data/src/f -ef /data/src/hard ]"},
    {"src", "web:/data", "[ $(stat -c %u:%g:%a /data/src/sub/g) = 12:34:644 ]"},
    {"src", "web:/data", "[ $(stat -c %u:%g:%a /data/src/f) = 0:0:4755 ]"},
    {"src", "web:/data", "[ $(stat -c %a /data/src/sub) = 750 ]"},
    {"src/f", "web:/etc/passwd", "[ \"$(cat /etc/passwd)\" = one ]"},
};

static void check_in_case(int i)
{
    EXPECT(0, "", "", "cp", in_cases[i].from, in_cases[i].to);
    EXPECT(0, NULL, "", "exec", "web", "sh", "-c", in_cases[i].check);
}

START_TEST(into_a_running_container)
{
    make_source();
    run_sleeper("web");
    check_in_case(_i);
}
END_TEST

/* The same rules, and what was copied is there when it runs. */
START_TEST(into_a_resting_container)
{
    make_source();
    EXPECT(0, NULL, "", "create", "--name", "web", BOX, "sleep", "600");
    EXPECT(0, "", "", "cp", in_cases[_i].from, in_cases[_i].to);
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(0, NULL, "", "exec", "web", "sh", "-c", in_cases[_i].check);
}
END_TEST

static const struct {
    const char *from, *to, *file, *text;
} out_cases[] = {
    {"web:/src/f", ".", "f", "one\n"},           {"web:/src/f", "new", "new", "one\n"},
    {"web:/src/f", "dir", "dir/f", "one\n"},     {"web:/src/f", "dir/", "dir/f", "one\n"},
    {"web:/src/f", "there", "there", "one\n"},   {"web:src", "dir", "dir/src/sub/g", "two\n"},
    {"web:/src/.", "dir", "dir/sub/g", "two\n"}, {"web:/src", "new", "new/sub/g", "two\n"},
    {"web:/src/.", "new", "new/sub/g", "two\n"}, {"web:/up/f", "new", "new", "one\n"},
    {"web:/src/f", "./a:b", "a:b", "one\n"},
};

START_TEST(out_of_a_container)
{
    bool resting = _i & 1; /* both states, case by case */

    make_source();
    ck_assert_int_eq(mkdir("dir", 0755), 0);
    put("there", "old\n");
    run_sleeper("web");
    EXPECT(0, "", "", "cp", "src", "web:/");
    SHELL("web", "ln -s /src /up");
    if (resting)
        EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
    EXPECT(0, "", "", "cp", out_cases[_i].from, out_cases[_i].to);
    expect_file(out_cases[_i].file, out_cases[_i].text);
}
END_TEST

START_TEST(symlinks_are_copied_or_followed)
{
    char target[64] = "";

    run_sleeper("web");
    SHELL("web", "ln -s /etc/group /data/link; ln -s /data /dir; ln -s ../../../../etc/group /esc");
    EXPECT(0, "", "", "cp", "web:/data/link", "kept");
    ck_assert_int_eq(readlink("kept", target, sizeof target - 1), 10);
    ck_assert_str_eq(target, "/etc/group");
    EXPECT(0, "", "", "cp", "-L", "web:/data/link", "followed");
    expect_file("followed", "root:x:0:\nwww:x:82:\nstaff:x:50:www\n");
    EXPECT(0, "", "", "cp", "-L", "web:/esc", "inside"); /* the container's file, not ours */
    expect_file("inside", "root:x:0:\nwww:x:82:\nstaff:x:50:www\n");
    put("f", "new\n");
    EXPECT(0, "", "", "cp", "f", "web:/dir"); /* a target is always followed */
    EXPECT(0, "new\n", "", "exec", "web", "cat", "/data/f");
    EXPECT(0, "", "", "cp", "f", "web:/data/link");
    EXPECT(0, "new\n", "", "exec", "web", "cat", "/etc/group");
}
END_TEST

static const struct {
    const char *from, *to, *message;
} error_cases[] = {
    {"web:/nope", "x",
     "Error response from daemon: Could not find the file /nope in container web\n"},
    {"nosuch:/etc", "x", "Error response from daemon: No such container: nosuch\n"},
    {"f", "web:/no/such",
     "Error response from daemon: Could not find the file /no in container web\n"},
    {"f", "web:/noslash/", "no such directory\n"},
    {"web:/etc/passwd", "nodir/", "no such directory\n"},
    {"web:/etc", "f", "cannot copy directory\n"},
    {"d", "web:/etc/passwd", "cannot copy directory\n"},
    {"f/", "web:/data", "not a directory\n"},
    {"web:/etc/passwd/", "x", "not a directory\n"},
    {"a", "b", "must specify at least one container source\n"},
    {"web:/a", "web:/b", "copying between containers is not supported\n"},
    {"web:", "x", "path cannot be empty\n"},
    {"web:/dev/null", "x", "'/dev/null' is a device node"},
    {"web:/proc/version", "x", "Could not find the file /proc/version in container web\n"},
};

START_TEST(errors_are_docker_s)
{
    put("f", "new\n");
    ck_assert_int_eq(mkdir("d", 0755), 0);
    run_sleeper("web");
    EXPECT(1, "", error_cases[_i].message, "cp", error_cases[_i].from, error_cases[_i].to);
    ck_assert(!exists("x"));
}
END_TEST

START_TEST(errors_name_the_host_s_path)
{
    cleanup_free char *missing = str_format("lstat %s/nosuch: no such file or directory\n", host);
    cleanup_free char *no_dir =
        str_format("invalid output path: directory \"%s/nodir\" does not exist\n", host);

    run_sleeper("web");
    EXPECT(1, "", missing, "cp", "nosuch", "web:/");
    EXPECT(1, "", no_dir, "cp", "web:/etc/passwd", "nodir/x");
    ck_assert_int_eq(mkdir("passwd", 0755), 0);
    EXPECT(1, "", "cannot overwrite directory \"passwd\" with non-directory", "cp",
           "web:/etc/passwd", ".");
}
END_TEST

/* --- volumes, read-only places
 * ------------------------------------------------------------------ */

START_TEST(volumes_are_reached)
{
    cleanup_free char *bind = str_format("%s/shared:/shared:ro", host);

    ck_assert_int_eq(mkdir("shared", 0755), 0);
    put("f", "new\n");
    put("shared/s", "shared\n");
    EXPECT(0, NULL, "", "create", "--name", "web", "-v", "vol:/data", "-v", bind, BOX, "sleep",
           "600");
    EXPECT(0, "", "", "cp", "f", "web:/data/");
    EXPECT(0, "new\n", "", "run", "--rm", "-v", "vol:/x", BOX, "cat", "/x/f");
    EXPECT(0, "", "", "cp", "web:/shared/s", "back");
    expect_file("back", "shared\n");
    EXPECT(1, "", "mounted volume is marked read-only\n", "cp", "f", "web:/shared/");
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(0, "", "", "cp", "web:/data/f", "again");
    expect_file("again", "new\n");
    EXPECT(1, "", "mounted volume is marked read-only\n", "cp", "f", "web:/shared/");
    EXPECT(0, NULL, "", "run", "-d", "--name", "ro", "--read-only", BOX, "sleep", "600");
    EXPECT(1, "", "container rootfs is marked read-only\n", "cp", "f", "ro:/");
    EXPECT(0, "ro\n", "", "stop", "-t", "0", "ro");
    EXPECT(1, "", "container rootfs is marked read-only\n", "cp", "f", "ro:/");
}
END_TEST

/* --rm has an overlay that can be mounted once; cp is not the once. */
START_TEST(a_container_to_be_removed)
{
    put("f", "new\n");
    EXPECT(0, NULL, "", "create", "--name", "web", "--rm", BOX, "cat", "/f");
    EXPECT(0, "", "", "cp", "f", "web:/");
    EXPECT(0, "new\n", "", "start", "-a", "web");
}
END_TEST

/* --- what a hostile container may give
 * ---------------------------------------------------------- */

START_TEST(the_host_gets_no_powers)
{
    struct stat st;

    run_sleeper("web");
    SHELL("web",
          "cp /bin/busybox /tmp/s; chown 12:34 /tmp/s; chmod 6755 /tmp/s; mknod /tmp/d c 1 3");
    EXPECT(0, "", "", "cp", "web:/tmp", "out");
    ck_assert_int_eq(stat("out/s", &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(st.st_uid, 0);
    ck_assert(!exists("out/d"));
    EXPECT(0, "", "", "cp", "-a", "web:/tmp", "all"); /* who asks for all of it gets it */
    ck_assert_int_eq(stat("all/s", &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 06755);
    ck_assert_int_eq(st.st_uid, 12);
    ck_assert(exists("all/d"));
}
END_TEST

/* CVE-2018-15664: a path checked, then exchanged for a symlink to the host. */
START_TEST(symlinks_swapped_under_cp)
{
    cleanup_free char *bait = str_format("%s/bait", host);

    ck_assert_int_eq(mkdir("bait", 0755), 0);
    put("bait/f", "host\n");
    put("f", "from the host\n");
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "-e", "BAIT", BOX, "sh", "-c",
           "mkdir -p /a/b; echo inside >/a/b/f; ln -s \"$0\" /evil; echo ready;"
           "while :; do mv /a/b /a/c; mv /evil /a/b; mv /a/b /evil; mv /a/c /a/b; done",
           bait);
    world_wait_log("web", "ready");
    for (int i = 0; i < 60; i++) {
        cleanup_run struct run_result r = {0};

        COOPER(&r, "cp", "f", "web:/a/b/f"); /* it fails or not: the name may be away */
        expect_file("bait/f", "host\n");
        run_free(&r);
        unlink("out");
        COOPER(&r, "cp", "web:/a/b/f", "out");
        if (r.code == 0) {
            cleanup_buf struct buf got = {0};
            struct err err = {0};

            ck_assert(!file_load(AT_FDCWD, "out", 4096, &got, &err));
            ck_assert_msg(!strstr(got.data, "host\n") || strstr(got.data, "from the host"), "%s",
                          got.data);
        }
    }
}
END_TEST

/* A tree that exchanges its directories while it is copied out: no name of it leads to ours. */
START_TEST(directories_swapped_under_cp)
{
    run_sleeper("web");
    SHELL("web", "mkdir -p /t/d/e; for i in $(seq 40); do mkdir /t/d/e/$i; echo in >/t/d/e/$i/f; "
                 "done; ln -s /etc /t/l");
    EXPECT(0, "", "", "exec", "-d", "web", "sh", "-c",
           "while :; do mv /t/d/e /t/x; mv /t/l /t/d/e; mv /t/d/e /t/l; mv /t/x /t/d/e; done");
    put("passwd", "marker\n");
    for (int i = 0; i < 25; i++) {
        cleanup_run struct run_result r = {0};
        struct err err = {0};

        COOPER(&r, "cp", "web:/t", "tree");
        /* /etc/passwd of the host would lie in tree/d/e if the link had been followed there. */
        ck_assert_msg(!is_directory("tree/d/e") || !exists("tree/d/e/passwd"),
                      "a symlink was followed");
        ck_assert_msg(!is_directory("tree/l") || !exists("tree/l/passwd"),
                      "a symlink was followed");
        file_remove_tree(AT_FDCWD, "tree", &err);
    }
}
END_TEST

/* It is not opened for reading: that would wait for ever. */
START_TEST(a_fifo_is_copied_as_one)
{
    struct stat st;

    run_sleeper("web");
    SHELL("web", "busybox mkfifo /tmp/p || mknod /tmp/p p");
    EXPECT(0, "", "", "cp", "web:/tmp/p", "p");
    ck_assert_int_eq(lstat("p", &st), 0);
    ck_assert(S_ISFIFO(st.st_mode));
}
END_TEST

/* --- tars
 * --------------------------------------------------------------------------------------- */

static void cp_in_tar(int code, const char *tar, const char *to, const char *message)
{
    cleanup_close int fd = open(tar, O_RDONLY | O_CLOEXEC);
    struct run_options options = {.stdin_fd = fd};
    cleanup_run struct run_result r = {0};

    ck_assert_int_ge(fd, 0);
    world_run(&r, &options, (const char *const[]){"cp", "-", to, NULL});
    ck_assert_msg(r.code == code && strstr(r.err.data, message), "%d: %s", r.code, r.err.data);
}

START_TEST(a_tar_goes_in)
{
    cleanup_run struct run_result r = {0};

    make_source();
    RUN_OK(&r, NULL, "tar", "-cf", "a.tar", "src");
    RUN_OK(&r, NULL, "tar", "-czf", "a.tar.gz", "-C", "src", ".");
    run_sleeper("web");
    cp_in_tar(0, "a.tar", "web:/data", "");
    SHELL("web",
          "[ $(stat -c %u:%a /data/src/sub/g) = 12:644 ] && [ /data/src/f -ef /data/src/hard ]");
    cp_in_tar(0, "a.tar.gz", "web:/tmp", "");
    EXPECT(0, "two\n", "", "exec", "web", "cat", "/tmp/sub/g");
    cp_in_tar(1, "a.tar", "web:/nox", "destination \"web:/nox\" must be a directory\n");
    cp_in_tar(1, "a.tar", "web:/etc/passwd", "must be a directory\n");
    cp_in_tar(1, "src/f", "web:/data", "Error processing tar file");
    EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
    cp_in_tar(0, "a.tar", "web:/root", "");
    EXPECT(0, "", "", "cp", "web:/root/src/f", "back");
    expect_file("back", "one\n");
}
END_TEST

/* Names that climb, symlinks planted before the names that use them. */
START_TEST(a_hostile_tar_stays_inside)
{
    cleanup_run struct run_result r = {0};

    put("victim", "host\n");
    put("evil", "evil\n");
    ck_assert_int_eq(symlink(host, "planted"), 0);
    RUN_OK(&r, NULL, "tar", "-cPf", "up.tar", "--transform", "s,^evil,../../../../../../evil2,",
           "evil");
    RUN_OK(&r, NULL, "tar", "-cf", "link.tar", "--transform", "s,^evil,planted/victim,", "planted",
           "evil");
    run_sleeper("web");
    COOPER(&r, "version");
    cp_in_tar(0, "up.tar", "web:/data", "");
    ck_assert(!exists("/evil2"));
    EXPECT(0, "evil\n", "", "exec", "web", "cat", "/data/evil2");
    cp_in_tar(0, "link.tar", "web:/data", "");
    expect_file("victim", "host\n");
}
END_TEST

static void expect_tar(const char *listing, const char *const args[])
{
    cleanup_run struct run_result tar = {0}, list = {0};
    struct run_options options = {0};

    world_run(&tar, NULL, args);
    ck_assert_msg(tar.code == 0, "%s", tar.err.data);
    options.input = tar.out.data;
    options.input_len = tar.out.len;
    RUN_OK(&list, &options, "tar", "-tf", "-");
    ck_assert_msg(str_equal(list.out.data, listing), "'%s', expected '%s'", list.out.data, listing);
}

START_TEST(a_tar_comes_out)
{
    make_source();
    run_sleeper("web");
    EXPECT(0, "", "", "cp", "src", "web:/data");
    expect_tar("src/\nsrc/f\nsrc/hard\nsrc/link\nsrc/sub/\nsrc/sub/g\n",
               (const char *const[]){"cp", "web:/data/src", "-", NULL});
    expect_tar("./\nf\nhard\nlink\nsub/\nsub/g\n",
               (const char *const[]){"cp", "web:/data/src/.", "-", NULL});
    expect_tar("f\n", (const char *const[]){"cp", "web:/data/src/f", "-", NULL});
}
END_TEST

/* --- export
 * ------------------------------------------------------------------------------------- */

START_TEST(export_is_all_files_and_nothing_mounted)
{
    cleanup_run struct run_result r = {0};
    const char *list;

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "-v", "vol:/vol", BOX, "sh", "-c",
           "rm /bin/tty; echo new >/data/n; ln /data/n /data/m; echo v >/vol/v; mkdir /etc/own;"
           "echo ready; sleep 600");
    world_wait_log("web", "ready");
    EXPECT(0, "", "", "export", "-o", "all.tar", "web");
    RUN_OK(&r, NULL, "tar", "-tf", "all.tar");
    list = r.out.data;
    ck_assert_msg(strstr(list, "bin/busybox\n") && strstr(list, "data/n\n") &&
                      strstr(list, "data/m\n") && strstr(list, "etc/own/\n") &&
                      strstr(list, "vol/\n"),
                  "%s", list);
    ck_assert_msg(!strstr(list, "bin/tty") && !strstr(list, "vol/v") && !strstr(list, "proc/1") &&
                      !strstr(list, ".wh."),
                  "%s", list);
    /* What comes out can go in. */
    EXPECT(0, NULL, "", "import", "all.tar", "again:1");
    EXPECT(0, "new\n", "", "run", "--rm", "again:1", "cat", "/data/m");
    EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
    EXPECT(0, "", "", "export", "--output", "stopped.tar", "web");
    RUN_OK(&r, NULL, "tar", "-tf", "stopped.tar");
    ck_assert(strstr(r.out.data, "data/n\n") && !strstr(r.out.data, "bin/tty"));
    EXPECT(0, "again:1\n", NULL, "images", "--format", "{{.Repository}}:{{.Tag}}", "again");
    EXPECT(0, NULL, NULL, "rmi", "again:1");
}
END_TEST

START_TEST(export_explains)
{
    EXPECT(1, "", "No such container: nosuch\n", "export", "nosuch");
    run_sleeper("web");
    EXPECT(1, "", "failed to export container: invalid output path: stat /nonexist: no such file",
           "export", "-o", "/nonexist/x", "web");
    EXPECT(1, "", "failed to export container: cannot write to a directory\n", "export", "-o", "/",
           "web");
}
END_TEST

/* --- beside other commands
 * ---------------------------------------------------------------------- */

/* A start waits for the copy into what rests; nothing is left, and no mount stays behind. */
START_TEST(cp_and_start_take_turns)
{
    cleanup_free char *log = world_path("start"), *id = NULL;
    cleanup_run struct run_result made = {0};

    RUN_OK(&made, NULL, "sh", "-c", "mkdir big; for i in $(seq 2000); do echo $i >big/$i; done");
    id = OUTPUT("create", "--name", "web", BOX, "sleep", "600");
    for (int i = 0; i < 3; i++) {
        pid_t start;

        EXPECT(0, "", "", "cp", "big", "web:/data");
        start = START(log, "start", "web");
        EXPECT(0, "", "", "cp", "big/.", "web:/data/big");
        ck_assert_int_eq(run_wait(start, 30), 0);
        EXPECT(0, "2000\n", "", "exec", "web", "sh", "-c", "ls /data/big | wc -l");
        EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
        unlink(log);
    }
    EXPECT(0, "web\n", "", "rm", "web");
    world_assert_nothing_left(id);
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_loop_test(t, into_a_running_container, 0, sizeof in_cases / sizeof *in_cases);
    tcase_add_loop_test(t, into_a_resting_container, 0, sizeof in_cases / sizeof *in_cases);
    tcase_add_loop_test(t, out_of_a_container, 0, sizeof out_cases / sizeof *out_cases);
    tcase_add_loop_test(t, errors_are_docker_s, 0, sizeof error_cases / sizeof *error_cases);
    tcase_add_test(t, symlinks_are_copied_or_followed);
    tcase_add_test(t, errors_name_the_host_s_path);
    tcase_add_test(t, volumes_are_reached);
    tcase_add_test(t, a_container_to_be_removed);
    tcase_add_test(t, the_host_gets_no_powers);
    tcase_add_test(t, symlinks_swapped_under_cp);
    tcase_add_test(t, directories_swapped_under_cp);
    tcase_add_test(t, a_fifo_is_copied_as_one);
    tcase_add_test(t, a_tar_goes_in);
    tcase_add_test(t, a_hostile_tar_stays_inside);
    tcase_add_test(t, a_tar_comes_out);
    tcase_add_test(t, export_is_all_files_and_nothing_mounted);
    tcase_add_test(t, export_explains);
    tcase_add_test(t, cp_and_start_take_turns);
}

SUITE(copy)
{
    TCase *t = tcase_create("copy");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, setup, teardown);
    add_tests(t);
    suite_add_tcase(suite, t);
}
