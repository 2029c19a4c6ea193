/* logs: order, streams, times, following, tails, rotation. */
#include "engine/world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* Runs a script to its end in a container of this name. */
static void finished(const char *name, const char *script)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", name, BOX, "sh", "-c", script);
    world_wait_for(name, "{{.State.Status}}", "exited");
}

START_TEST(streams_stay_apart)
{
    finished("log", "echo out; echo err >&2; printf tail");
    EXPECT(0, "out\ntail", "err\n", "logs", "log");
}
END_TEST

START_TEST(a_run_in_the_foreground_is_logged_too)
{
    EXPECT(5, "out\n", "err\n", "run", "--name", "log", BOX, "sh", "-c",
           "echo out; echo err >&2; exit 5");
    EXPECT(0, "out\n", "err\n", "logs", "log");
}
END_TEST

static const struct {
    const char *tail, *out;
} tail_cases[] = {
    {"all", "1\n2\n3\n4\n5\n"},
    {"2", "4\n5\n"},
    {"0", ""},
    {"99", "1\n2\n3\n4\n5\n"},
};

START_TEST(tail_counts_lines)
{
    finished("log", "seq 5");
    EXPECT(0, tail_cases[_i].out, "", "logs", "--tail", tail_cases[_i].tail, "log");
}
END_TEST

START_TEST(timestamps_precede_lines)
{
    cleanup_free char *text = NULL, *stamp = NULL;
    int64_t before = clock_now(), time = 0;
    char *blank;

    finished("log", "echo hello world");
    text = OUTPUT("logs", "-t", "log");
    blank = strchr(text, ' ');
    ck_assert_msg(blank && str_equal(blank, " hello world"), "%s", text);
    stamp = str_copy_n(text, (size_t)(blank - text));
    ck_assert_int_eq(clock_parse(stamp, &time), 0);
    ck_assert_msg(time >= before - 1000000000 && time <= clock_now(), "%s", stamp);
    ck_assert_uint_eq(strlen(stamp), strlen("2026-11-21T05:40:22.303129613Z"));
}
END_TEST

START_TEST(since_and_until_cut)
{
    cleanup_free char *text = NULL, *second = NULL;
    const char *out;
    char *line;

    finished("log", "echo a; sleep 0.1; echo b; sleep 0.1; echo c");
    text = OUTPUT("logs", "-t", "log");
    line = strchr(text, '\n');
    ck_assert_msg(line != NULL, "%s", text);
    second = str_copy_n(line + 1, strcspn(line, " ") - 1);
    EXPECT(0, "b\nc\n", "", "logs", "--since", second, "log");
    out = EXPECT(0, NULL, "", "logs", "--until", second, "log");
    ck_assert_msg(str_starts(out, "a\n") && !strchr(out, 'c'), "%s", out);
    EXPECT(0, "a\nb\nc\n", "", "logs", "--since", "10m", "log");
    EXPECT(0, "", "", "logs", "--until", "10m", "log");
}
END_TEST

/* Follows what comes, and ends when the container does. */
START_TEST(follow_ends_with_the_container)
{
    cleanup_free char *out = world_path("followed"), *content = NULL;
    pid_t follower;

    EXPECT(0, NULL, "", "run", "-d", "--name", "log", BOX, "sh", "-c",
           "echo first; trap 'echo last; exit' TERM; while :; do sleep 0.05; done");
    follower = START(out, "logs", "-f", "log");
    free(run_wait_for_text(out, "first\n", 20));
    ck_assert_int_eq(run_wait(follower, 0), -1); /* still there */
    EXPECT(0, "log\n", "", "stop", "log");
    ck_assert_int_eq(run_wait(follower, 30), 0);
    content = run_wait_for_text(out, "last\n", 5);
    ck_assert_str_eq(content, "first\nlast\n");
}
END_TEST

START_TEST(long_lines_and_bytes_come_back_whole)
{
    const char *out;

    finished("log", "yes x | head -n 50000 | tr -d '\\n'; printf '\\n\\001\"\\\\\\303\\251\\n'");
    out = EXPECT(0, NULL, "", "logs", "log");
    ck_assert_uint_eq(strspn(out, "x"), 50000);
    ck_assert_str_eq(out + 50000, "\n\001\"\\\303\251\n");
}
END_TEST

/* Files named log*, and their sizes, in the container's directory. */
static void count_logs(const char *path, int *ret_files, long *ret_largest)
{
    cleanup_free char *dir = str_copy(path);
    char *base = strrchr(dir, '/');
    cleanup_closedir DIR *d = NULL;

    *base++ = 0;
    d = opendir(dir);
    ck_assert(d != NULL);
    *ret_files = 0;
    *ret_largest = 0;
    for (struct dirent *e; (e = readdir(d));) {
        cleanup_free char *file = str_format("%s/%s", dir, e->d_name);
        struct stat st;

        if (!str_starts(e->d_name, base) || stat(file, &st) < 0)
            continue;
        ++*ret_files;
        if (st.st_size > *ret_largest)
            *ret_largest = st.st_size;
    }
}

START_TEST(rotation_bounds_the_files)
{
    cleanup_free char *path = NULL, *shown = NULL;
    int files, expected = 3000;
    long largest;
    char *line;

    EXPECT(0, NULL, "", "run", "-d", "--name", "log", "--log-opt", "max-size=10k", "--log-opt",
           "max-file=3", BOX, "seq", "3000");
    world_wait_for("log", "{{.State.Status}}", "exited");
    path = world_inspect("log", "{{.LogPath}}");
    count_logs(path, &files, &largest);
    ck_assert_int_eq(files, 3);
    ck_assert_msg(largest <= 10 * 1000 + 200, "%ld bytes", largest);
    /* What is left is the end, without a gap. */
    shown = OUTPUT("logs", "log");
    for (; (line = strrchr(shown, '\n')); expected--) {
        ck_assert_int_eq(atoi(line + 1), expected);
        *line = 0;
    }
    ck_assert_int_lt(expected, 2900);
}
END_TEST

START_TEST(no_logs_without_a_driver)
{
    EXPECT(0, "x\n", "", "run", "--name", "log", "--log-driver", "none", BOX, "echo", "x");
    EXPECT(1, "", "does not support reading", "logs", "log");
}
END_TEST

SUITE(logs)
{
    TCase *t = tcase_create("logs");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_test(t, streams_stay_apart);
    tcase_add_test(t, a_run_in_the_foreground_is_logged_too);
    tcase_add_loop_test(t, tail_counts_lines, 0, 4);
    tcase_add_test(t, timestamps_precede_lines);
    tcase_add_test(t, since_and_until_cut);
    tcase_add_test(t, follow_ends_with_the_container);
    tcase_add_test(t, long_lines_and_bytes_come_back_whole);
    tcase_add_test(t, rotation_bounds_the_files);
    tcase_add_test(t, no_logs_without_a_driver);
    suite_add_tcase(suite, t);
}
