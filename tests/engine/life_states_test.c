/* A container's life after `run -d`: ps, exec, stop, kill, rm, names and prefixes, inspect. */
#include "engine/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* A container that lives until it is told to end, and ends at once when told. */
#define LIVE                                                                                       \
    BOX, "sh", "-c",                                                                               \
        "trap 'echo bye; exit 3' TERM; trap 'echo usr1' USR1; echo ready; while :; do sleep "      \
        "0.05; done"

static void start(const char *name)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", name, LIVE);
    world_wait_log(name, "ready");
}

START_TEST(detached_run_prints_the_id)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "web", LIVE);
    cleanup_free char *shown = world_inspect("web", "{{.Id}} {{.Name}} {{.State.Status}}");
    cleanup_free char *expected = str_format("%s /web running", id);

    ck_assert_uint_eq(strspn(id, "0123456789abcdef"), 64);
    ck_assert_uint_eq(strlen(id), 64);
    ck_assert_str_eq(shown, expected);
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(ps_shows_docker_columns)
{
    const char *out;
    cleanup_free char *id = NULL, *row = NULL;

    start("web");
    id = world_inspect("web", "{{.Id}}");
    row = str_format("%.12s   box:1     \"sh -c 'trap 'echo b…\"", id);
    out = EXPECT(0, NULL, "", "ps");
    ck_assert_msg(str_starts(out, "CONTAINER ID   IMAGE     COMMAND"), "%s", out);
    ck_assert_msg(strstr(out, row) && strstr(out, " Up ") && str_ends(out, "   web\n"), "%s", out);
    EXPECT(0, "web\n", "", "stop", "web");
    out = EXPECT(0, NULL, "", "ps");
    ck_assert_msg(!strchr(out, '\n')[1], "%s", out); /* only the header */
    out = EXPECT(0, NULL, "", "ps", "-a");
    ck_assert_msg(strstr(out, "Exited (3) ") && strstr(out, " ago "), "%s", out);
    EXPECT(0, "web exited\n", "", "ps", "-a", "--format", "{{.Names}} {{.State}}");
    EXPECT(0, "web\n", "", "rm", "web");
}
END_TEST

START_TEST(ps_quiet_and_filters)
{
    cleanup_free char *id = NULL, *line = NULL, *short_line = NULL;

    start("one");
    id = world_inspect("one", "{{.Id}}");
    line = str_format("%s\n", id);
    short_line = str_format("%.12s\n", id);
    EXPECT(0, line, "", "ps", "-q", "--no-trunc");
    EXPECT(0, short_line, "", "ps", "-q");
    EXPECT(0, short_line, "", "ps", "-q", "--filter", "name=one");
    EXPECT(0, "", "", "ps", "-q", "--filter", "name=two");
    EXPECT(0, "", "", "ps", "-aq", "--filter", "status=exited");
    EXPECT(0, "one\n", "", "rm", "-f", "one");
}
END_TEST

START_TEST(exec_joins_the_container)
{
    start("web");
    EXPECT(0, "hello\n", "", "exec", "web", "echo", "hello");
    EXPECT(7, "", "", "exec", "web", "sh", "-c", "exit 7");
    EXPECT(0, "b\n/tmp\n82\n", "", "exec", "-e", "A=b", "-w", "/tmp", "-u", "www", "web", "sh",
           "-c", "echo $A; pwd; id -u");
    EXPECT(0, NULL, "", "run", "-d", "--name", "env", "-e", "NOSUCH_ENV=1", BOX, "sleep", "1000");
    EXPECT(0, "1\n", "", "exec", "env", "sh", "-c", "echo ${NOSUCH_ENV-unset}");
    EXPECT(0, "unset\n", "", "exec", "-e", "NOSUCH_ENV", "env", "sh", "-c",
           "echo ${NOSUCH_ENV-unset}");
    EXPECT(0, "sh\n", "", "exec", "web", "cat", "/proc/1/comm");
    EXPECT(0, "", "", "exec", "web", "touch", "/made");
    EXPECT(0, "/made\n", "", "exec", "web", "ls", "/made");
    EXPECT(127, "", "executable file not found in $PATH", "exec", "web", "nosuch");
    EXPECT(126, "", "no such file or directory", "exec", "-w", "/nosuch", "web", "true");
    EXPECT(1, "", "", "exec", "web", "test", "-e", "/nosuch");
    EXPECT(126, "", "unable to find user zz", "exec", "-u", "zz", "web", "true");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
}
END_TEST

/* The same confinement as the container's own processes: capabilities, filter, control group. */
#define CONFINEMENT                                                                                \
    "grep -E 'Cap|Seccomp:|NoNewPrivs' /proc/self/status; cat /proc/self/cgroup;"                  \
    "for ns in net pid mnt ipc uts cgroup; do ls -l /proc/self/ns/$ns | sed 's/.*-> //'; done;"

START_TEST(exec_is_the_containers_user)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "-u", "www", "--group-add", "77", BOX,
           "sleep", "1000");
    EXPECT(0, "82\n82 50 77\n", "", "exec", "web", "sh", "-c", "id -u; id -G");
    EXPECT(0, "0\n0 77\n", "", "exec", "-u", "0", "web", "sh", "-c", "id -u; id -G");
}
END_TEST

START_TEST(exec_is_confined_alike)
{
    cleanup_free char *inside = NULL, *joined = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sh", "-c",
           CONFINEMENT "echo ready; exec sleep 1000");
    world_wait_log("web", "ready");
    inside = OUTPUT("logs", "web");
    joined = OUTPUT("exec", "web", "sh", "-c", CONFINEMENT);
    inside[strlen(inside) - strlen("\nready")] = 0;
    ck_assert_str_eq(joined, inside);
    EXPECT(0, "web\n", "", "rm", "-f", "web");
}
END_TEST

START_TEST(exec_takes_stdin)
{
    struct run_options o = {.input = "from outside", .input_len = 12};
    cleanup_run struct run_result r = {0};

    start("web");
    world_run(&r, &o, (const char *const[]){"exec", "-i", "web", "cat", NULL});
    ck_assert_int_eq(r.code, 0);
    ck_assert_str_eq(r.out.data, "from outside");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
}
END_TEST

START_TEST(exec_needs_a_running_container)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "done", BOX, "true");
    cleanup_free char *text = str_format("%s is not running", id);

    world_wait_for("done", "{{.State.Status}}", "exited");
    EXPECT(1, "", text, "exec", "done", "true");
    EXPECT(1, "", "No such container: nosuch", "exec", "nosuch", "true");
    EXPECT(0, "done\n", "", "rm", "done");
}
END_TEST

START_TEST(stop_sends_the_signal_and_waits)
{
    start("web");
    EXPECT(0, "web\n", "", "stop", "web");
    EXPECT(0, "exited 3 false\n", "", "inspect", "-f",
           "{{.State.Status}} {{.State.ExitCode}} {{.State.Running}}", "web");
    EXPECT(0, "ready\nbye\n", "", "logs", "web");
    EXPECT(0, "web\n", "", "stop", "web"); /* once more: nothing to do, no error */
    EXPECT(0, "web\n", "", "rm", "web");
}
END_TEST

START_TEST(stop_signal_can_be_chosen)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--stop-signal", "SIGUSR2", BOX, "sh", "-c",
           "trap 'exit 9' USR2; echo ready; while :; do sleep 0.05; done");
    world_wait_log("web", "ready");
    EXPECT(0, "web\n", "", "stop", "web");
    EXPECT(0, "9\n", "", "inspect", "-f", "{{.State.ExitCode}}", "web");
    EXPECT(0, "web\n", "", "rm", "web");
}
END_TEST

/* PID 1 without a handler never sees SIGTERM; after the time is up it gets SIGKILL. */
START_TEST(stop_kills_who_will_not_listen)
{
    double start_time, took;

    EXPECT(0, NULL, "", "run", "-d", "--name", "deaf", BOX, "sleep", "1000");
    start_time = world_now();
    EXPECT(0, "deaf\n", "", "stop", "-t", "1", "deaf");
    took = world_now() - start_time;
    ck_assert_msg(took >= 0.9, "it was given only %.2f s", took);
    EXPECT(0, "137\n", "", "inspect", "-f", "{{.State.ExitCode}}", "deaf");
    EXPECT(0, "deaf\n", "", "rm", "deaf");
}
END_TEST

START_TEST(init_passes_signals_on)
{
    double start_time;

    EXPECT(0, NULL, "", "run", "-d", "--name", "tini", "--init", BOX, "sh", "-c",
           "echo ready; exec sleep 1000");
    world_wait_log("tini", "ready");
    start_time = world_now();
    EXPECT(0, "tini\n", "", "stop", "-t", "60", "tini");
    ck_assert(world_now() - start_time < 30);
    EXPECT(0, "143\n", "", "inspect", "-f", "{{.State.ExitCode}}", "tini");
    EXPECT(0, "tini\n", "", "rm", "tini");
}
END_TEST

START_TEST(kill_sends_any_signal)
{
    start("web");
    EXPECT(0, "web\n", "", "kill", "-s", "USR1", "web");
    world_wait_log("web", "usr1");
    EXPECT(0, "web\n", "", "kill", "web");
    world_wait_for("web", "{{.State.Status}}", "exited");
    EXPECT(0, "137\n", "", "inspect", "-f", "{{.State.ExitCode}}", "web");
    EXPECT(1, "", "is not running", "kill", "web");
    EXPECT(0, "web\n", "", "rm", "web");
}
END_TEST

START_TEST(rm_refuses_a_running_container)
{
    cleanup_free char *id = NULL, *text = NULL;

    start("web");
    id = world_inspect("web", "{{.Id}}");
    text = str_format("%s", "Stop the container before attempting removal or force remove");
    EXPECT(1, "", text, "rm", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    EXPECT(1, "", "No such container: web", "rm", "web");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(rm_flag_removes_at_the_end)
{
    EXPECT(0, "", "", "run", "--rm", "--name", "gone", BOX, "true");
    EXPECT(0, "", "", "ps", "-aq");
    EXPECT(0, NULL, "", "run", "-d", "--rm", "--name", "gone", LIVE);
    world_wait_log("gone", "ready");
    EXPECT(0, "gone\n", "", "stop", "gone");
    for (int i = world_ticks(10); i > 0 && *EXPECT(0, NULL, "", "ps", "-aq"); i--)
        world_tick();
    EXPECT(0, "", "", "ps", "-aq");
    world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(names_are_unique)
{
    cleanup_free char *id = NULL, *text = NULL;

    start("web");
    id = world_inspect("web", "{{.Id}}");
    text = str_format("The container name \"/web\" is already in use by container \"%s\"", id);
    EXPECT(125, "", text, "run", "--name", "web", BOX, "true");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    EXPECT(0, "", "", "run", "--rm", "--name", "web", BOX, "true");
}
END_TEST

START_TEST(prefixes_of_an_id_will_do)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "web", LIVE);
    cleanup_free char *prefix = str_copy_n(id, 8);
    cleanup_free char *name = OUTPUT("inspect", "-f", "{{.Name}}", prefix);
    cleanup_free char *echo = str_format("%s\n", prefix);

    ck_assert_str_eq(name, "/web");
    EXPECT(0, echo, "", "rm", "-f", prefix);
}
END_TEST

START_TEST(a_name_comes_with_every_container)
{
    cleanup_free char *id = OUTPUT("run", "-d", BOX, "true");
    cleanup_free char *name = OUTPUT("inspect", "-f", "{{.Name}}", id);

    ck_assert_msg(*name == '/' && strchr(name, '_'), "'%s'", name);
    EXPECT(0, NULL, "", "rm", "-f", name + 1);
}
END_TEST

START_TEST(inspect_of_nothing)
{
    EXPECT(1, "[]\n", "No such object: nosuch", "inspect", "nosuch");
}
END_TEST

START_TEST(an_image_in_use_stays)
{
    start("web");
    EXPECT(1, "", "conflict: unable to remove repository reference \"box:1\" (must force)", "rmi",
           BOX);
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    EXPECT(0, "", "", "run", "--rm", BOX, "true");
}
END_TEST

/* The times of a run are in order and of today, not the zero time. */
START_TEST(times_are_recorded)
{
    cleanup_free char *times = NULL;
    char *created, *started, *finished, *rest;

    EXPECT(0, NULL, "", "run", "-d", "--name", "timed", BOX, "true");
    world_wait_for("timed", "{{.State.Status}}", "exited");
    rest = times =
        world_inspect("timed", "{{.Created}} {{.State.StartedAt}} {{.State.FinishedAt}}");
    created = strsep(&rest, " ");
    started = strsep(&rest, " ");
    finished = rest;
    ck_assert_msg(finished && strcmp(created, started) <= 0 && strcmp(started, finished) <= 0 &&
                      !str_starts(created, "0001"),
                  "%s, %s, %s", created, started, finished);
    EXPECT(0, "timed\n", "", "rm", "timed");
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, detached_run_prints_the_id);
    tcase_add_test(t, ps_shows_docker_columns);
    tcase_add_test(t, ps_quiet_and_filters);
    tcase_add_test(t, exec_joins_the_container);
    tcase_add_test(t, exec_is_the_containers_user);
    tcase_add_test(t, exec_is_confined_alike);
    tcase_add_test(t, exec_takes_stdin);
    tcase_add_test(t, exec_needs_a_running_container);
    tcase_add_test(t, stop_sends_the_signal_and_waits);
    tcase_add_test(t, stop_signal_can_be_chosen);
    tcase_add_test(t, stop_kills_who_will_not_listen);
    tcase_add_test(t, init_passes_signals_on);
    tcase_add_test(t, kill_sends_any_signal);
    tcase_add_test(t, rm_refuses_a_running_container);
    tcase_add_test(t, rm_flag_removes_at_the_end);
    tcase_add_test(t, names_are_unique);
    tcase_add_test(t, prefixes_of_an_id_will_do);
    tcase_add_test(t, a_name_comes_with_every_container);
    tcase_add_test(t, inspect_of_nothing);
    tcase_add_test(t, an_image_in_use_stays);
    tcase_add_test(t, times_are_recorded);
}

SUITE(states)
{
    TCase *t = tcase_create("states");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    add_tests(t);
    suite_add_tcase(suite, t);
}
