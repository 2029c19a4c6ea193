/* What can be seen of containers: top, stats, diff; and container prune. */
#include "engine/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static void run_sleeper(const char *name)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", name, BOX, "sleep", "600");
}

/* --- top
 * ----------------------------------------------------------------------------------------- */

#define TOP_HEAD                                                                                   \
    "UID                 PID                 PPID                C                   STIME       " \
    "        TTY                 TIME                CMD\n"

START_TEST(top_shows_the_host_s_pids)
{
    cleanup_free char *pid = NULL, *row = NULL;
    const char *out;

    run_sleeper("web");
    pid = world_inspect("web", "{{.State.Pid}}");
    row = str_format("root                %-20s", pid);
    out = EXPECT(0, NULL, "", "top", "web");
    ck_assert_msg(str_starts(out, TOP_HEAD) && str_starts(out + strlen(TOP_HEAD), row), "'%s'",
                  out);
    ck_assert_msg(str_ends(out, "00:00:00            sleep 600\n"), "'%s'", out);
    out = EXPECT(0, NULL, "", "top", "web", "aux");
    ck_assert(str_starts(out, "USER                PID                 %CPU                %MEM"));
    row[0] = 0;
    free(row);
    row = str_format("PID                 COMMAND\n%-20ssleep\n", pid);
    EXPECT(0, row, "", "top", "web", "-o", "pid,comm");
    free(row);
    row = str_format("PID\n%s\n", pid);
    EXPECT(0, row, "", "container", "top", "web", "-opid");
}
END_TEST

START_TEST(top_shows_what_was_started_later)
{
    const char *out = "";

    run_sleeper("web");
    EXPECT(0, "", "", "exec", "-d", "-u", "www", "web", "sleep", "601");
    for (int i = world_ticks(10); i > 0; i--) {
        out = EXPECT(0, NULL, "", "top", "web", "-o", "pid,uid,args");
        if (strstr(out, "82                  sleep 601\n"))
            break;
        world_tick();
    }
    ck_assert_msg(strstr(out, "82                  sleep 601\n") != NULL, "%s", out);
}
END_TEST

/* CVE-2022-1227: a ps that the image brings must not run. */
START_TEST(top_runs_nothing_of_the_image)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sh", "-c",
           "rm /bin/ps; printf '#!/bin/sh\\necho ran >/ran\\n' >/bin/ps; chmod 755 /bin/ps;"
           "echo ready; sleep 600");
    world_wait_log("web", "ready");
    EXPECT(0, NULL, "", "top", "web");
    EXPECT(1, "", "", "exec", "web", "test", "-e", "/ran");
}
END_TEST

START_TEST(top_explains)
{
    cleanup_free char *id = OUTPUT("create", "--name", "new", BOX);
    cleanup_free char *text = str_format("Container %s is not running\n", id);

    run_sleeper("web");
    EXPECT(1, "", "Couldn't find PID field in ps output\n", "top", "web", "-o", "comm");
    EXPECT(1, "", "ps: error: unknown user-defined format specifier \"foo\"\n", "top", "web", "-o",
           "foo,pid");
    EXPECT(1, "", "ps: error: format specification must follow -o\n", "top", "web", "ax", "-o");
    EXPECT(1, "", "No such container: nosuch\n", "top", "nosuch");
    EXPECT(1, "", text, "top", "new");
}
END_TEST

/* --- stats
 * --------------------------------------------------------------------------------------- */

START_TEST(stats_tells_who_is_busy)
{
    cleanup_free char *busy = NULL, *idle = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "busy", BOX, "sh", "-c", "while :; do :; done");
    run_sleeper("idle");
    busy = OUTPUT("stats", "--no-stream", "--format", "{{.CPUPerc}}", "busy");
    idle = OUTPUT("stats", "--no-stream", "--format", "{{.CPUPerc}}", "idle");
    /* However loaded the machine is: one of them works, and nobody has more than the whole. */
    ck_assert_msg(atof(busy) > 5 && atof(busy) <= 100.0 * sysconf(_SC_NPROCESSORS_ONLN) + 1, "%s",
                  busy);
    ck_assert_msg(atof(idle) < 5 && str_ends(idle, "%"), "%s", idle);
}
END_TEST

START_TEST(stats_knows_memory_and_limits)
{
    cleanup_free char *usage = NULL;
    double used;

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "-m", "64m", BOX, "sh", "-c",
           "x=$(head -c 8000000 /dev/zero | tr '\\0' a); echo ready; sleep 600; echo");
    world_wait_log("web", "ready");
    usage = OUTPUT("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", "web");
    used = atof(usage);
    ck_assert_msg(strstr(usage, "MiB / 64MiB 2") && used > 7 && used < 40, "%s", usage);
}
END_TEST

START_TEST(stats_has_docker_s_forms)
{
    cleanup_free char *id = NULL;
    const char *out;

    run_sleeper("web");
    id = world_inspect("web", "{{.Id}}");
    out = EXPECT(0, NULL, "", "stats", "--no-stream");
    ck_assert(str_starts(out, "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT"));
    ck_assert(strstr(out, " MEM %     NET I/O "));
    out =
        EXPECT(0, NULL, "", "stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.Name}}");
    ck_assert(str_starts(out, id) && str_ends(out, " web\n"));
    out = EXPECT(0, NULL, "", "stats", "--no-stream", "--format", "json", "web");
    ck_assert(str_starts(out, "{\"BlockIO\":\"") && strstr(out, "B\",\"CPUPerc\":\""));
    ck_assert(strstr(out, "\"Container\":\"web\",\"ID\":\""));
    EXPECT(1, "", "No such container: nosuch\n", "stats", "--no-stream", "nosuch", "web");
    EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
    EXPECT(0, "", "", "stats", "--no-stream", "--format", "{{.Name}}");
    EXPECT(0, "web 0.00% 0B / 0B 0.00% 0B / 0B 0B / 0B 0\n", "", "stats", "--no-stream", "-a",
           "--format",
           "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}} "
           "{{.PIDs}}");
}
END_TEST

/* One table after the other, and a container that was asked for by name and goes is remembered. */
START_TEST(stats_streams)
{
    cleanup_free char *log = world_path("stats"), *text = NULL;
    pid_t stats;

    run_sleeper("web");
    stats = START(log, "stats", "--format", "{{.Name}} {{.PIDs}}", "web");
    text = run_wait_for_text(log, "web 1\nweb 1\n", 30);
    ck_assert_ptr_nonnull(text);
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    free(text);
    text = run_wait_for_text(log, "web --\n", 30);
    ck_assert_ptr_nonnull(text);
    run_stop(stats);
}
END_TEST

/* --- diff
 * ---------------------------------------------------------------------------------------- */

START_TEST(diff_is_exact)
{
    EXPECT(0, "", "", "run", "--name", "web", BOX, "sh", "-c",
           "echo new >/data/f; rm /bin/tty; chmod 700 /etc; rm -r /root; mkdir /root; "
           "touch /root/x; ln /data/f /data/g; mkdir /tmp/d; touch /tmp/d/e");
    EXPECT(0,
           "C /bin\nD /bin/tty\nC /data\nA /data/f\nA /data/g\nC /etc\nC /root\nA /root/x\n"
           "C /tmp\nA /tmp/d\nA /tmp/d/e\n",
           "", "diff", "web");
    EXPECT(1, "", "No such container: nosuch\n", "diff", "nosuch");
}
END_TEST

/* A directory that was there, removed and made again hides what it had. */
START_TEST(diff_sees_through_a_new_directory)
{
    const char *out;

    EXPECT(0, "", "", "run", "--name", "web", BOX, "sh", "-c",
           "cp /bin/busybox /tmp/busybox; /tmp/busybox rm -r /bin; /tmp/busybox mkdir /bin; "
           "/tmp/busybox mv /tmp/busybox /bin; /bin/busybox touch /bin/new");
    out = EXPECT(0, NULL, "", "diff", "web");
    ck_assert_msg(str_starts(out, "C /bin\nD /bin/basename\n") && strstr(out, "\nD /bin/tty\n") &&
                      str_ends(out, "\nC /bin/busybox\nA /bin/new\nC /tmp\n"),
                  "%s", out);
}
END_TEST

START_TEST(diff_of_nothing)
{
    EXPECT(0, "", "", "run", "--name", "web", BOX, "true");
    EXPECT(0, "", "", "container", "diff", "web");
    run_sleeper("live");
    EXPECT(0, "", "", "exec", "live", "touch", "/data/now");
    EXPECT(0, "C /data\nA /data/now\n", "", "diff", "live");
}
END_TEST

/* --- prune
 * --------------------------------------------------------------------------------------- */

START_TEST(prune_takes_what_does_not_run)
{
    cleanup_free char *done = NULL, *made = NULL, *expected = NULL;

    run_sleeper("live");
    made = OUTPUT("create", "--name", "made", "-l", "keep=no", BOX);
    done = OUTPUT("run", "-d", "--name", "done", BOX, "sh", "-c", "echo 12345 >/x");
    EXPECT(0, "0\n", "", "wait", "done");
    EXPECT(0, "Total reclaimed space: 0B\n", "", "container", "prune", "-f", "--filter",
           "label=nosuch");
    EXPECT(0, "Total reclaimed space: 0B\n", "", "container", "prune", "-f", "--filter",
           "until=1h");
    expected = str_format("Deleted Containers:\n%s\n\nTotal reclaimed space: 6B\n", done);
    EXPECT(0, expected, "", "container", "prune", "-f", "--filter", "label!=keep");
    free(expected);
    expected = str_format("Deleted Containers:\n%s\n\nTotal reclaimed space: 0B\n", made);
    EXPECT(0, expected, "", "container", "prune", "--force");
    EXPECT(0, "live\n", "", "ps", "-a", "--format", "{{.Names}}");
    EXPECT(1, "", "invalid filter 'foo'\n", "container", "prune", "-f", "--filter", "foo=bar");
}
END_TEST

START_TEST(prune_asks)
{
    static const char question[] =
        "WARNING! This will remove all stopped containers.\nAre you sure "
        "you want to continue? [y/N] ";
    struct run_options no = {.input = "n\n", .input_len = 2},
                       yes = {.input = "y\n", .input_len = 2};
    static const char *const command[] = {"container", "prune", NULL};
    cleanup_run struct run_result r = {0};

    EXPECT(0, NULL, "", "create", "--name", "made", BOX);
    world_run(&r, &no, command);
    ck_assert_int_eq(r.code, 0);
    ck_assert_str_eq(r.out.data, question);
    EXPECT(0, "made\n", "", "ps", "-a", "--format", "{{.Names}}");
    world_run(&r, &yes, command);
    ck_assert(str_starts(r.out.data, question) &&
              str_starts(r.out.data + strlen(question), "Deleted Containers:\n"));
    EXPECT(0, "", "", "ps", "-aq");
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, top_shows_the_host_s_pids);
    tcase_add_test(t, top_shows_what_was_started_later);
    tcase_add_test(t, top_runs_nothing_of_the_image);
    tcase_add_test(t, top_explains);
    tcase_add_test(t, stats_tells_who_is_busy);
    tcase_add_test(t, stats_knows_memory_and_limits);
    tcase_add_test(t, stats_has_docker_s_forms);
    tcase_add_test(t, stats_streams);
    tcase_add_test(t, diff_is_exact);
    tcase_add_test(t, diff_sees_through_a_new_directory);
    tcase_add_test(t, diff_of_nothing);
    tcase_add_test(t, prune_takes_what_does_not_run);
    tcase_add_test(t, prune_asks);
}

SUITE(look)
{
    TCase *t = tcase_create("look");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    add_tests(t);
    suite_add_tcase(suite, t);
}
