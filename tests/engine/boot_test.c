/* What a boot does to containers: system start and system stop, and the unit that calls them. A
 * boot is made up here, as in crash_state_test.c: everything ends at once, the run directory is
 * gone, and the records name a boot that is over. */
#include "engine/world.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define NONE   "--network", "none"
#define LIVE   BOX, "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"
#define IGNORE BOX, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"

static void kill_hard(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    for (int i = world_ticks(10); i > 0 && world_process_exists(pid); i--)
        world_tick();
    ck_assert(!world_process_exists(pid));
}

/* The shim first: it must not see how its container ends. */
static void end_at_once(char *id)
{
    cleanup_free char *init = world_inspect(id, "{{.State.Pid}}");

    kill_hard(world_shim_of(id));
    kill_hard(atoi(init));
}

static void power_cut(void)
{
    cleanup_free char *running = OUTPUT("ps", "-q", "--no-trunc");
    cleanup_free char *run = str_format("%s/run", world_root());
    cleanup_free char *path = str_format("%s/cooper.db", world_root());
    struct err err = {0};
    sqlite3 *db = NULL;

    for (char *id = strtok(running, "\n"); id; id = strtok(NULL, "\n"))
        end_at_once(id);
    ck_assert_msg(!file_remove_tree(AT_FDCWD, run, &err), "%s", err.message);
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    ck_assert_int_eq(
        sqlite3_exec(db, "UPDATE containers SET boot_id = '00000000-0000-0000-0000-000000000000'",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void run_with(const char *name, const char *policy)
{
    EXPECT(0, NULL, "", "run", "-d", NONE, "--name", name, "--restart", policy, LIVE);
    world_wait_log(name, "ready");
}

#define RUNNING "ps", "--format", "{{.Names}}"

/* --- a power cut ------------------------------------------------------------------------------ */

START_TEST(what_ran_runs_again)
{
    run_with("never", "no");
    run_with("failing", "on-failure");
    run_with("unless", "unless-stopped");
    run_with("always", "always");
    power_cut();
    EXPECT(0, "", "", RUNNING);
    EXPECT(0, "failing\nunless\nalways\n", "", "system", "start");
    EXPECT(0, "always\nunless\nfailing\n", "", RUNNING);
    EXPECT(0, "exited 255\n", "", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}",
           "never");
    EXPECT(0, "inside\n", "", "exec", "always", "echo", "inside");
    EXPECT(0, "", "", "system", "start"); /* a second time there is nothing to do */
}
END_TEST

START_TEST(what_was_stopped_by_hand_stays_so_unless_always)
{
    run_with("unless", "unless-stopped");
    run_with("always", "always");
    run_with("failing", "on-failure");
    EXPECT(0, NULL, "", "stop", "unless", "always", "failing");
    EXPECT(0, "", "", "system", "start"); /* within a boot, a stop counts for all */
    power_cut();
    EXPECT(0, "always\n", "", "system", "start");
    EXPECT(0, "always\n", "", "stop", "always");
    EXPECT(0, "", "", "system", "start");
}
END_TEST

START_TEST(what_had_ended_well_does_not_start)
{
    EXPECT(0, NULL, "", "run", "--name", "good", NONE, "--restart", "on-failure", BOX, "true");
    EXPECT(0, NULL, "", "create", "--name", "fresh", NONE, "--restart", "always", BOX, "true");
    EXPECT(0, NULL, "", "run", "-d", "--rm", "--name", "gone", NONE, LIVE);
    world_wait_log("gone", "ready");
    power_cut();
    EXPECT(0, "", "", "system", "start");
    EXPECT(0, "fresh\ngood\n", "", "ps", "-a", "--format", "{{.Names}}");
}
END_TEST

START_TEST(one_that_cannot_start_is_told_and_the_others_go_on)
{
    cleanup_free char *dir = world_path("source"),
                      *mount = str_format("type=bind,src=%s,dst=/s", dir);

    ck_assert_int_eq(mkdir(dir, 0755), 0);
    EXPECT(0, NULL, "", "run", "-d", NONE, "--name", "broken", "--restart", "always", "--mount",
           mount, LIVE);
    run_with("fine", "always");
    power_cut();
    ck_assert_int_eq(rmdir(dir), 0);
    EXPECT(1, "fine\n", dir, "system", "start");
    EXPECT(0, "fine\n", "", RUNNING);
}
END_TEST

START_TEST(who_shares_a_network_starts_after_its_owner)
{
    run_with("owner", "always");
    EXPECT(0, NULL, "", "run", "-d", "--name", "guest", "--network", "container:owner", "--restart",
           "always", LIVE);
    power_cut();
    EXPECT(0, "owner\nguest\n", "", "system", "start");
}
END_TEST

/* Nobody else would: its shim, which the policy lives in, was killed. */
START_TEST(a_killed_shim_is_made_good)
{
    cleanup_free char *id = NULL;

    run_with("always", "always");
    id = world_inspect("always", "{{.Id}}");
    kill_hard(world_shim_of(id));
    EXPECT(0, "always\n", "", "system", "start");
    EXPECT(0, "inside\n", "", "exec", "always", "echo", "inside");
}
END_TEST

/* --- a shutdown ------------------------------------------------------------------------------- */

START_TEST(a_shutdown_stops_all_and_forgets_nothing)
{
    run_with("never", "no");
    run_with("unless", "unless-stopped");
    run_with("always", "always");
    EXPECT(0, NULL, "", "run", "-d", NONE, "--name", "deaf", "--restart", "unless-stopped",
           "--stop-timeout", "1", IGNORE);
    EXPECT(0, NULL, "", "run", "-d", "--rm", NONE, "--name", "passing", LIVE);
    world_wait_log("deaf", "ready");
    world_wait_log("passing", "ready");
    EXPECT(0, "always\n", "", "pause", "always");
    EXPECT(0, "passing\ndeaf\nalways\nunless\nnever\n", "", "system", "stop");
    EXPECT(0, "", "", RUNNING);
    EXPECT(0, "deaf 137\nalways 3\nunless 3\nnever 3\n", "", "ps", "-a", "--format",
           "{{.Names}} {{slice (index (split .Status \")\") 0) 8}}");
    power_cut();
    EXPECT(0, "unless\nalways\ndeaf\n", "", "system", "start");
}
END_TEST

START_TEST(a_shutdown_that_is_taken_back)
{
    run_with("unless", "unless-stopped");
    run_with("always", "always");
    EXPECT(0, "always\nunless\n", "", "system", "stop");
    EXPECT(0, "unless\nalways\n", "", "system", "start");
    EXPECT(0, "unless\n", "", "stop", "unless");
    EXPECT(0, "always\n", "", "system", "stop");
    EXPECT(0, "always\n", "", "system", "start"); /* and not the one that a person stopped */
}
END_TEST

/* It waits to be started again: the shutdown ends the waiting. */
START_TEST(a_shutdown_ends_a_restart)
{
    EXPECT(0, NULL, "", "run", "-d", NONE, "--name", "loop", "--restart", "always", BOX, "false");
    EXPECT(0, NULL, "", "system", "stop");
    world_wait_for("loop", "{{.State.Status}}", "exited");
    power_cut();
    EXPECT(0, "loop\n", "", "system", "start");
}
END_TEST

/* --- the unit --------------------------------------------------------------------------------- */

START_TEST(the_unit_is_installed_with_its_commands)
{
    cleanup_free char *dest = world_path("dest"), *unit = NULL, *bin = NULL, *destdir = NULL,
                      *build = str_format("BUILD=%s", BUILD_DIR);
    cleanup_run struct run_result r = {0};
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    destdir = str_format("DESTDIR=%s", dest);
    RUN_OK(&r, NULL, "make", "-s", "-C", SOURCE_DIR, build, destdir, "PREFIX=/opt/x",
           "install-files");
    unit = str_format("%s/opt/x/lib/systemd/system/cooper.service", dest);
    bin = str_format("%s/opt/x/bin/cooper", dest);
    ck_assert_msg(!file_load(AT_FDCWD, unit, 1u << 16, &text, &err), "%s", err.message);
    ck_assert(strstr(text.data, "\nExecStart=-/opt/x/bin/cooper system start\n"));
    ck_assert(strstr(text.data, "\nExecStop=/opt/x/bin/cooper system stop\n"));
    ck_assert(!strchr(text.data, '@') && !access(bin, X_OK));
    RUN_OK(&r, NULL, "make", "-s", "-C", SOURCE_DIR, build, destdir, "PREFIX=/opt/x", "uninstall");
    ck_assert(access(unit, F_OK) < 0 && access(bin, F_OK) < 0);
}
END_TEST

SUITE(boot)
{
    const TTest *const tests[] = {
        what_ran_runs_again,
        what_was_stopped_by_hand_stays_so_unless_always,
        what_had_ended_well_does_not_start,
        one_that_cannot_start_is_told_and_the_others_go_on,
        who_shares_a_network_starts_after_its_owner,
        a_killed_shim_is_made_good,
        a_shutdown_stops_all_and_forgets_nothing,
        a_shutdown_that_is_taken_back,
        a_shutdown_ends_a_restart,
        the_unit_is_installed_with_its_commands,
    };
    TCase *t = tcase_create("boot");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(suite, t);
}
