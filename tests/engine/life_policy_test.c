/* What happens to a container when it ends by itself: restart policies; and what is changed of it
 * while it lives: pause, rename, update, restart. */
#include "engine/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LIVE                                                                                       \
    BOX, "sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
#define STATE "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}"

static void start(const char *name)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", name, LIVE);
    world_wait_log(name, "ready");
}

/* How often `text` stands in the container's log. */
static int count_in_log(const char *name, const char *text)
{
    const char *at = EXPECT(0, NULL, NULL, "logs", name);
    int n = 0;

    for (; (at = strstr(at, text)); at++)
        n++;
    return n;
}

static void wait_for_count(const char *name, const char *text, int count)
{
    for (int i = world_ticks(20); i > 0 && count_in_log(name, text) < count; i--)
        world_tick();
    ck_assert_int_ge(count_in_log(name, text), count);
}

/* --- restart policies
 * ----------------------------------------------------------------------------- */

START_TEST(on_failure_counts_its_retries)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "rf", "--restart", "on-failure:2", BOX,
                                   "sh", "-c", "echo run; exit 3");

    world_wait_for("rf", STATE, "exited 3 2");
    ck_assert_int_eq(count_in_log("rf", "run"), 3);
    EXPECT(0, "on-failure 2\n", "", "inspect", "-f",
           "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}",
           "rf");
    EXPECT(0, NULL, "", "start", "rf"); /* by hand: it counts from the beginning */
    world_wait_for("rf", STATE, "exited 3 2");
    ck_assert_int_eq(count_in_log("rf", "run"), 6);
    EXPECT(0, "rf\n", "", "rm", "rf");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(on_failure_leaves_success_alone)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "rs", "--restart", "on-failure", BOX, "true");
    world_wait_for("rs", STATE, "exited 0 0");
}
END_TEST

START_TEST(always_goes_on_until_it_is_stopped)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "ra", "--restart", "always", BOX, "sh",
                                   "-c", "echo run; exit 0");

    wait_for_count("ra", "run", 3);
    EXPECT(0, "ra\n", "", "stop", "ra");
    EXPECT(0, "exited\n", "", "inspect", "-f", "{{.State.Status}}", "ra");
    EXPECT(0, "ra\n", "", "rm", "ra");
    world_assert_nothing_left(id);
}
END_TEST

/* The state between two runs, with its own words. The long wait comes after seven short runs. */
START_TEST(between_two_runs)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "rr", "--restart", "unless-stopped", BOX,
                                   "sh", "-c", "exit 4");
    cleanup_free char *busy =
        str_format("Container %s is restarting, wait until the container is running\n", id);
    cleanup_free char *refused =
        str_format("You cannot remove a restarting container %s. Stop the container before", id);

    world_wait_for("rr", STATE, "restarting 4 5");
    EXPECT(0, "true true 0\n", "", "inspect", "-f",
           "{{.State.Running}} {{.State.Restarting}} {{.State.Pid}}", "rr");
    ck_assert(str_starts(EXPECT(0, NULL, "", "ps", "--format", "{{.State}} {{.Status}}"),
                         "restarting Restarting (4) "));
    EXPECT(1, "", busy, "pause", "rr");
    EXPECT(1, "", busy, "exec", "rr", "true");
    EXPECT(1, "", "You cannot attach to a restarting container, wait until it is running\n",
           "attach", "rr");
    EXPECT(1, "", refused, "rm", "rr");
    EXPECT(0, "rr\n", "", "start", "rr"); /* it will */
    EXPECT(0, "rr\n", "", "stop", "rr");
    EXPECT(0, "exited 4\n", "", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "rr");
    EXPECT(0, "rr\n", "", "rm", "rr");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(force_ends_the_wait)
{
    cleanup_free char *id =
        OUTPUT("run", "-d", "--name", "rr", "--restart", "always", BOX, "false");

    world_wait_for("rr", "{{.State.Status}} {{.RestartCount}}", "restarting 5");
    EXPECT(0, "rr\n", "", "rm", "-f", "rr");
    world_assert_nothing_left(id);
}
END_TEST

/* docker's: what somebody killed was meant to end. A signal that does not end it means nothing. */
START_TEST(kill_is_meant)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "rk", "--restart", "always", LIVE);
    world_wait_log("rk", "ready");
    EXPECT(0, "rk\n", "", "kill", "rk");
    world_wait_for("rk", STATE, "exited 137 0");
    EXPECT(0, NULL, "", "run", "-d", "--name", "rh", "--restart", "always", BOX, "sh", "-c",
           "trap 'exit 2' HUP; echo ready; while :; do sleep 0.05; done");
    world_wait_log("rh", "ready");
    EXPECT(0, "rh\n", "", "kill", "-s", "HUP", "rh");
    wait_for_count("rh", "ready", 2);
}
END_TEST

/* A process that dies of itself, or that somebody outside shoots, is started again. */
START_TEST(a_killed_process_is_started_again)
{
    cleanup_free char *pid = NULL;

    EXPECT(0, NULL, "", "run", "-d", "--name", "rp", "--restart", "always", LIVE);
    world_wait_log("rp", "ready");
    pid = world_inspect("rp", "{{.State.Pid}}");
    ck_assert_int_gt(atoi(pid), 1);
    kill(atoi(pid), SIGKILL);
    wait_for_count("rp", "ready", 2);
    world_wait_for("rp", "{{.State.Status}} {{.RestartCount}}", "running 1");
}
END_TEST

START_TEST(attached_ends_with_the_first_run)
{
    EXPECT(3, "x\n", "", "run", "--name", "at", "--restart", "on-failure:1", BOX, "sh", "-c",
           "echo x; exit 3");
    world_wait_for("at", STATE, "exited 3 1");
    ck_assert_int_eq(count_in_log("at", "x"), 2);
}
END_TEST

START_TEST(wait_ends_with_a_run)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "rw", "--restart", "always", BOX, "sh", "-c",
           "sleep 0.3; exit 6");
    EXPECT(0, "6\n", "", "wait", "rw");
    EXPECT(0, "6\n", "", "wait", "rw");
}
END_TEST

START_TEST(a_shim_killed_between_two_runs)
{
    cleanup_free char *id =
        OUTPUT("run", "-d", "--name", "rz", "--restart", "always", BOX, "false");
    pid_t shim;

    world_wait_for("rz", "{{.State.Status}} {{.RestartCount}}", "restarting 5");
    shim = world_shim_of(id);
    kill(shim, SIGKILL);
    world_wait_for("rz", "{{.State.Status}} {{.State.ExitCode}}", "exited 1");
    EXPECT(0, "rz\n", "", "rm", "rz");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(policies_are_checked)
{
    EXPECT(125, "", "cooper: Error response from daemon: invalid restart policy 'foo'\n", "run",
           "--restart", "foo", BOX);
    EXPECT(125, "", "maximum retry count cannot be used with restart policy 'always'\n", "run",
           "--restart", "always:3", BOX);
    EXPECT(125, "",
           "cooper: invalid restart policy format: maximum retry count must be an integer\n", "run",
           "--restart", "on-failure:x", BOX);
    EXPECT(125, "", "maximum retry count cannot be negative\n", "run", "--restart", "on-failure:-1",
           BOX);
    EXPECT(125, "", "cooper: conflicting options: cannot specify both --restart and --rm\n", "run",
           "--rm", "--restart", "always", BOX);
    EXPECT(0, "", "", "ps", "-aq");
}
END_TEST

/* --- restart
 * -------------------------------------------------------------------------------------- */

START_TEST(restart_is_stop_and_start)
{
    cleanup_free char *before = NULL, *after = NULL, *actions = NULL;

    start("web");
    before = world_inspect("web", "{{.State.Pid}}");
    EXPECT(0, "web\n", "", "restart", "web");
    after = world_inspect("web", "{{.State.Pid}}");
    ck_assert_str_ne(before, after);
    wait_for_count("web", "ready", 2);
    ck_assert_int_eq(count_in_log("web", "bye"), 1);
    actions = OUTPUT("events", "--until", "0s", "-f", "container=web", "--format", "{{.Action}}");
    ck_assert_msg(str_ends(actions, "start\nkill\ndie\nstop\nstart\nrestart"), "%s", actions);
    EXPECT(0, "web\n", "", "stop", "web");
    EXPECT(0, "web\n", "", "restart", "web"); /* what is stopped is started */
    EXPECT(0, "running 0 0\n", "", "inspect", "-f", STATE, "web");
    EXPECT(1, "web\n", "No such container: nosuch", "restart", "-t", "0", "nosuch", "web");
}
END_TEST

/* Its end in between is not the end that --rm means. */
START_TEST(restart_keeps_a_container_with_rm)
{
    EXPECT(0, NULL, "", "run", "-d", "--rm", "--name", "web", LIVE);
    world_wait_log("web", "ready");
    EXPECT(0, "web\n", "", "restart", "web");
    wait_for_count("web", "ready", 2);
    EXPECT(0, "web\n", "", "stop", "web");
    for (int i = world_ticks(10); i > 0 && *EXPECT(0, NULL, "", "ps", "-aq"); i--)
        world_tick();
    EXPECT(0, "", "", "ps", "-aq");
    world_assert_nothing_left(NULL);
}
END_TEST

/* --- pause
 * ---------------------------------------------------------------------------------------- */

static long counted(const char *name)
{
    cleanup_free char *count = OUTPUT("logs", "-n", "1", name);

    return atol(count);
}

START_TEST(what_is_paused_stands_still)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "web", BOX, "sh", "-c",
                                   "i=0; while :; do i=$((i+1)); echo $i; usleep 1000; done");
    cleanup_free char *again = str_format("Container %s is already paused\n", id);
    cleanup_free char *not_paused = str_format("Container %s is not paused\n", id);
    long then;

    for (int i = world_ticks(20); i > 0 && counted("web") < 3; i--)
        world_tick();
    EXPECT(0, "web\n", "", "pause", "web");
    then = counted("web");
    for (int i = 0; i < 10; i++)
        world_tick();
    ck_assert_int_le(counted("web"), then + 1); /* a line that was in the pipe */
    EXPECT(0, "paused true true\n", "", "inspect", "-f",
           "{{.State.Status}} {{.State.Running}} {{.State.Paused}}", "web");
    ck_assert(
        str_ends(EXPECT(0, NULL, "", "ps", "--format", "{{.State}} {{.Status}}"), " (Paused)\n"));
    EXPECT(1, "", again, "pause", "web");
    EXPECT(1, "", "Container web is paused, unpause the container before exec\n", "exec", "web",
           "true");
    EXPECT(1, "", "You cannot attach to a paused container, unpause it first\n", "attach", "web");
    EXPECT(1, "", "cannot start a paused container, try unpause instead\n", "start", "web");
    EXPECT(1, "", "Unpause and then stop the container before attempting removal", "rm", "web");
    EXPECT(0, "web\n", "", "unpause", "web");
    EXPECT(1, "", not_paused, "unpause", "web");
    then = counted("web");
    for (int i = world_ticks(20); i > 0 && counted("web") <= then; i--)
        world_tick();
    ck_assert_int_gt(counted("web"), then);
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(what_is_paused_can_be_ended)
{
    start("web");
    EXPECT(0, "web\n", "", "pause", "web");
    EXPECT(0, "web\n", "", "stop", "web");
    EXPECT(0, "exited 3 0\n", "", "inspect", "-f", STATE, "web"); /* it heard the signal */
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(0, "web\n", "", "pause", "web");
    EXPECT(0, "web\n", "", "kill", "web");
    world_wait_for("web", STATE, "exited 137 0");
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(0, "web\n", "", "pause", "web");
    EXPECT(0, "web\n", "", "restart", "-t", "0", "web");
    EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    EXPECT(0, "web\n", "", "pause", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    world_assert_nothing_left(NULL);
}
END_TEST

/* --- rename and update
 * ---------------------------------------------------------------------------- */

START_TEST(rename_gives_another_name)
{
    cleanup_free char *taken = NULL, *id = NULL, *line = NULL;

    start("web");
    id = OUTPUT("create", "--name", "other", BOX);
    taken = str_format("Error when allocating new name: Conflict. The container name \"/other\" is "
                       "already in use by container \"%s\"",
                       id);
    EXPECT(0, "", "", "rename", "web", "new");
    EXPECT(0, "/new\n", "", "inspect", "-f", "{{.Name}}", "new");
    EXPECT(1, "", "No such container: web\nError: failed to rename container named web\n", "rename",
           "web", "x2");
    EXPECT(1, "", taken, "rename", "new", "other");
    EXPECT(1, "",
           "Error response from daemon: Renaming a container with the same name as its current "
           "name\nError: failed to rename container named new\n",
           "rename", "new", "new");
    EXPECT(1, "", "Error when allocating new name: Invalid container name (/q), only", "rename",
           "new", "q");
    EXPECT(1, "", "Error: Neither old nor new names may be empty\n", "rename", "new", "");
    /* The shim, which started it under the old name, tells of its end under the new one. */
    EXPECT(0, "new\n", "", "stop", "new");
    line = OUTPUT("events", "--until", "0s", "-f", "container=new", "-f", "event=rename", "-f",
                  "event=die", "--format", "{{.Action}} {{index .Actor.Attributes \"oldName\"}}");
    ck_assert_str_eq(line, "rename /web\ndie ");
}
END_TEST

START_TEST(update_changes_limits_of_what_runs)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "web", "-m", "64m", BOX, "sleep", "600");
    cleanup_free char *refused = str_format("Cannot update container %s: Memory limit should be "
                                            "smaller than already set memoryswap limit",
                                            id);

    EXPECT(0, "web\n", "", "update", "--pids-limit", "7", "web");
    EXPECT(0, "7\n", "", "inspect", "-f", "{{.HostConfig.PidsLimit}}", "web");
    /* It bites now: eight processes are too many. */
    EXPECT(2, "", "can't fork", "exec", "web", "sh", "-c",
           "sleep 9 & sleep 9 & sleep 9 & sleep 9 & sleep 9 & sleep 9 & sleep 9 & wait; true");
    EXPECT(1, "", refused, "update", "-m", "256m", "web");
    EXPECT(0, "web\n", "", "update", "-m", "48m", "--memory-swap", "96m", "web");
    EXPECT(0, "50331648 100663296 7\n", "", "inspect", "-f",
           "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}}", "web");
    EXPECT(1, "", "Minimum memory limit allowed is 6MB\n", "update", "-m", "1k", "web");
    EXPECT(1, "", "you must provide one or more flags when using this command\n", "update", "web");
    EXPECT(1, "", "invalid restart policy 'foo'\n", "update", "--restart", "foo", "web");
    EXPECT(1, "web\n", "No such container: nosuch\n", "update", "--cpu-shares", "512", "nosuch",
           "web");
}
END_TEST

/* The limits hold for the next run, too, and the policy for the end of this one. */
START_TEST(update_lasts)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sh", "-c",
           "echo run; sleep 0.5; exit 5");
    EXPECT(0, "web\n", "", "update", "--pids-limit", "9", "--restart", "on-failure:1", "web");
    world_wait_for("web", STATE, "exited 5 1");
    ck_assert_int_eq(count_in_log("web", "run"), 2);
    EXPECT(0, "web\n", "", "update", "--restart", "no", "web");
    EXPECT(0, NULL, "", "start", "web");
    world_wait_for("web", STATE, "exited 5 0");
    EXPECT(0, NULL, "", "run", "-d", "--rm", "--name", "gone", BOX, "sleep", "600");
    EXPECT(1, "",
           "Restart policy cannot be updated because AutoRemove is enabled for the container\n",
           "update", "--restart", "always", "gone");
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_test(t, on_failure_counts_its_retries);
    tcase_add_test(t, on_failure_leaves_success_alone);
    tcase_add_test(t, always_goes_on_until_it_is_stopped);
    tcase_add_test(t, between_two_runs);
    tcase_add_test(t, force_ends_the_wait);
    tcase_add_test(t, kill_is_meant);
    tcase_add_test(t, a_killed_process_is_started_again);
    tcase_add_test(t, attached_ends_with_the_first_run);
    tcase_add_test(t, wait_ends_with_a_run);
    tcase_add_test(t, a_shim_killed_between_two_runs);
    tcase_add_test(t, policies_are_checked);
    tcase_add_test(t, restart_is_stop_and_start);
    tcase_add_test(t, restart_keeps_a_container_with_rm);
    tcase_add_test(t, what_is_paused_stands_still);
    tcase_add_test(t, what_is_paused_can_be_ended);
    tcase_add_test(t, rename_gives_another_name);
    tcase_add_test(t, update_changes_limits_of_what_runs);
    tcase_add_test(t, update_lasts);
}

SUITE(policy)
{
    TCase *t = tcase_create("policy");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    add_tests(t);
    suite_add_tcase(suite, t);
}
