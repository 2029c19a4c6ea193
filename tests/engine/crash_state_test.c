/* The records and the world disagree: another boot, a clock that jumped, a run directory that
 * somebody wiped, a pid that means another process by now. Commands tell what is true, touch nobody
 * else, and go on. */
#include "engine/world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc.h"

#define NONE      "--network", "none"
#define WEB       "-d", NONE, "--name", "web"
#define LIVE      BOX, "sh", "-c", "echo ready; trap 'exit 3' TERM; while :; do sleep 0.05; done"
#define TEN_YEARS "315360000000000000" /* in nanoseconds */

/* Changes a record behind the engine's back. */
static void edit(const char *sql)
{
    cleanup_free char *path = str_format("%s/cooper.db", world_root());
    sqlite3 *db = NULL;
    char *message = NULL;

    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
    ck_assert_msg(sqlite3_changes(db) > 0, "%s: changed nothing", sql);
    sqlite3_close(db);
}

static void kill_hard(pid_t pid)
{
    kill(pid, SIGKILL);
    for (int i = world_ticks(10); i > 0 && world_process_exists(pid); i--)
        world_tick();
    ck_assert(!world_process_exists(pid));
}

/* As a power cut does it: shim and container at once, and the run directory is gone. */
static void end_everything(const char *id)
{
    cleanup_free char *init = world_inspect("web", "{{.State.Pid}}");
    cleanup_free char *run = str_format("%s/run", world_root());
    pid_t shim = world_shim_of(id);
    struct err err = {0};

    kill_hard(shim);
    kill_hard(atoi(init));
    ck_assert_msg(!file_remove_tree(AT_FDCWD, run, &err), "%s", err.message);
}

/* --- another boot ----------------------------------------------------------------------------- */

static void boot_again(const char *id)
{
    end_everything(id);
    edit("UPDATE containers SET boot_id = '00000000-0000-0000-0000-000000000000'");
}

START_TEST(after_a_boot)
{
    cleanup_free char *id = OUTPUT("run", WEB, LIVE);

    world_wait_log("web", "ready");
    boot_again(id);
    EXPECT(0, "", "", "ps", "-q");
    EXPECT(0, "exited 255 0\n", "", "inspect", "-f",
           "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}", "web");
    EXPECT(0, "ready\n", "", "logs", "web");
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(after_a_boot_what_was_to_go_is_gone)
{
    cleanup_free char *id = OUTPUT("run", "--rm", WEB, LIVE);

    world_wait_log("web", "ready");
    boot_again(id);
    EXPECT(0, "", "", "ps", "-aq");
    world_assert_nothing_left(id);
}
END_TEST

/* The new boot gives a pid of the old one to somebody else, who even started at the same tick. */
START_TEST(after_a_boot_pids_mean_others)
{
    cleanup_free char *id = OUTPUT("run", WEB, LIVE), *sql = NULL;
    struct proc_id self;

    world_wait_log("web", "ready");
    boot_again(id);
    ck_assert(!proc_identify(getpid(), &self));
    sql = str_format("UPDATE containers SET owner_pid = %d, owner_start = %llu, init_pid = %d,"
                     " init_start = %llu",
                     (int)self.pid, self.start, (int)self.pid, self.start);
    edit(sql);
    EXPECT(0, "", "", "ps", "-q");
    EXPECT(1, "", "is not running", "kill", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
}
END_TEST

/* --- a pid that is somebody else's ------------------------------------------------------------ */

/* Older than what comes after it, by more than a tick of the clock that tells processes apart. */
static pid_t bystander(void)
{
    static const char *const argv[] = {"sleep", "60", NULL};
    pid_t pid = run_start(NULL, NULL, argv);

    world_tick();
    return pid;
}

START_TEST(a_reused_pid_is_not_killed)
{
    pid_t other = bystander();
    cleanup_free char *id = OUTPUT("run", WEB, LIVE), *sql = NULL;

    world_wait_log("web", "ready");
    end_everything(id);
    sql = str_format("UPDATE containers SET owner_pid = %d, init_pid = %d", (int)other, (int)other);
    edit(sql);
    EXPECT(0, "", "", "ps", "-q");
    EXPECT(0, "exited 137\n", "", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "web");
    EXPECT(1, "", "is not running", "exec", "web", "true");
    EXPECT(1, "", "is not running", "kill", "web");
    EXPECT(0, "web\n", "", "stop", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    ck_assert_int_eq(run_wait(other, 0), -1); /* lives */
    run_stop(other);
    world_assert_nothing_left(id);
}
END_TEST

/* Even while the record says "running": only the init's pid was reused. */
START_TEST(a_reused_init_is_not_killed)
{
    pid_t other = bystander();
    cleanup_free char *id = OUTPUT("run", WEB, LIVE), *init = NULL, *sql = NULL;

    world_wait_log("web", "ready");
    init = world_inspect("web", "{{.State.Pid}}");
    sql = str_format("UPDATE containers SET init_pid = %d", (int)other);
    edit(sql);
    EXPECT(0, "web\n", "", "kill", "web");
    ck_assert_int_eq(run_wait(other, 0), -1);
    run_stop(other);
    kill_hard(atoi(init));
    world_wait_for("web", "{{.State.Status}} {{.State.ExitCode}}", "exited 137");
    EXPECT(0, "web\n", "", "rm", "web");
    world_assert_nothing_left(id);
}
END_TEST

/* --- the run directory ------------------------------------------------------------------------ */

START_TEST(the_run_directory_is_wiped)
{
    cleanup_free char *id = OUTPUT("run", WEB, LIVE), *run = str_format("%s/run", world_root());
    struct err err = {0};

    world_wait_log("web", "ready");
    ck_assert_msg(!file_remove_tree(AT_FDCWD, run, &err), "%s", err.message);
    EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    EXPECT(0, "inside\n", "", "exec", "web", "echo", "inside");
    EXPECT(1, "", "cannot attach", "attach", "--no-stdin", "web");
    EXPECT(0, "hello\n", "", "run", "--rm", NONE, BOX, "echo", "hello");
    EXPECT(0, "web\n", "", "stop", "web");
    EXPECT(0, "exited 3\n", "", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "web");
    EXPECT(0, "web\n", "", "start", "web");
    ck_assert_msg(!file_remove_tree(AT_FDCWD, run, &err), "%s", err.message);
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    world_assert_nothing_left(id);
}
END_TEST

/* --- the clock -------------------------------------------------------------------------------- */

/* Everything was recorded by a clock that was ten years ahead (sign "+"), or behind. */
static void jump(const char *sign)
{
    cleanup_free char *sql = str_format("UPDATE containers SET created = created %s " TEN_YEARS
                                        ", started = started %s " TEN_YEARS,
                                        sign, sign);

    edit(sql);
}

static void lives_through_a_jump(const char *sign)
{
    cleanup_free char *id = OUTPUT("run", WEB, LIVE);

    world_wait_log("web", "ready");
    jump(sign);
    EXPECT(0, "web running\n", "", "ps", "--format", "{{.Names}} {{.State}}");
    EXPECT(0, NULL, "", "ps", "-a");
    EXPECT(0, NULL, "", "inspect", "web");
    EXPECT(0, "ready\n", "", "logs", "web");
    EXPECT(0, "inside\n", "", "exec", "web", "echo", "inside");
    EXPECT(0, "web\n", "", "stop", "web");
    EXPECT(0, "exited 3\n", "", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "web");
    EXPECT(0, NULL, "", "ps", "-a");
    EXPECT(0, "web\n", "", "start", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    world_assert_nothing_left(id);
}

START_TEST(the_clock_was_ahead)
{
    lives_through_a_jump("+");
}
END_TEST

START_TEST(the_clock_was_behind)
{
    lives_through_a_jump("-");
}
END_TEST

/* A broken-off download is kept for a day. One from the future would be kept for years. */
START_TEST(a_download_from_the_future_goes)
{
    cleanup_free char *tar = world_path("box.tar");
    cleanup_free char *path = str_format("%s/blobs/partial/%064d", world_root(), 7);
    struct timespec times[2] = {{.tv_sec = time(NULL) + 315360000}, {.tv_sec = time(NULL)}};
    struct err err = {0};

    ck_assert(!file_store(AT_FDCWD, path, "part", 4, 0600, false, &err));
    times[1].tv_sec = time(NULL) + 315360000;
    ck_assert(!utimensat(AT_FDCWD, path, times, 0));
    EXPECT(0, NULL, "", "import", tar, "other:1");
    EXPECT(0, NULL, "", "rmi", "other:1");
    ck_assert_msg(access(path, F_OK) < 0, "'%s' is still there", path);
}
END_TEST

SUITE(crash_state)
{
    TCase *t = tcase_create("state");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_test(t, after_a_boot);
    tcase_add_test(t, after_a_boot_what_was_to_go_is_gone);
    tcase_add_test(t, after_a_boot_pids_mean_others);
    tcase_add_test(t, a_reused_pid_is_not_killed);
    tcase_add_test(t, a_reused_init_is_not_killed);
    tcase_add_test(t, the_run_directory_is_wiped);
    tcase_add_test(t, the_clock_was_ahead);
    tcase_add_test(t, the_clock_was_behind);
    tcase_add_test(t, a_download_from_the_future_goes);
    suite_add_tcase(suite, t);
}
