/* Two commands about one container at the same moment, for certain: the test holds the database's
 * write lock until both have read the record and want to change it. One wins, the other says why it
 * did not. */
#include "engine/world.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static sqlite3 *hold_database(void)
{
    cleanup_free char *path = str_format("%s/cooper.db", world_root());
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void let_go(sqlite3 *db)
{
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* SQLite waits for a lock by sleeping, which nothing else in cooper does. `pause` has a lock of its
 * own besides. */
static bool waits_for_lock(pid_t pid)
{
    cleanup_free char *path = str_format("/proc/%d/syscall", (int)pid);
    cleanup_buf struct buf text = {0};
    struct err err = {0};
    long call;

    if (file_load(AT_FDCWD, path, 4096, &text, &err))
        return false;
    call = atol(text.data); /* "running" is 0 */
    return call == SYS_nanosleep || call == SYS_clock_nanosleep || call == SYS_flock;
}

static void wait_until_it_waits(pid_t pid)
{
    for (int i = world_ticks(20); i > 0; i--) {
        if (waits_for_lock(pid))
            return;
        world_tick();
    }
    ck_abort_msg("process %d never came to the database's lock", (int)pid);
}

struct outcome {
    int code;
    char *text; /* what it printed */
};

/* Starts both, lets them meet, and tells how each ended. */
static void meet(const char *const one[], const char *const other[], struct outcome ret[2])
{
    char *logs[2] = {world_path("one"), world_path("other")};
    sqlite3 *db = hold_database();
    pid_t pids[2] = {world_start(logs[0], one), world_start(logs[1], other)};

    for (int i = 0; i < 2; i++)
        wait_until_it_waits(pids[i]);
    let_go(db);
    for (int i = 0; i < 2; i++) {
        cleanup_buf struct buf text = {0};
        struct err err = {0};

        ret[i].code = run_wait(pids[i], 30);
        ck_assert(!file_load(AT_FDCWD, logs[i], 65536, &text, &err));
        ret[i].text = buf_steal(&text);
        unlink(logs[i]);
        free(logs[i]);
    }
}

/* Exactly one succeeded; the other said `error`. The index of the winner. */
static int one_winner(struct outcome both[2], const char *error)
{
    int winner = both[0].code == 0 ? 0 : 1;

    ck_assert_msg(both[winner].code == 0 && both[1 - winner].code == 1 &&
                      strstr(both[1 - winner].text, error),
                  "%d: %s%d: %s; expected '%s' once", both[0].code, both[0].text, both[1].code,
                  both[1].text, error);
    free(both[0].text);
    free(both[1].text);
    return winner;
}

#define COMMAND(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(start_meets_start)
{
    struct outcome both[2];

    EXPECT(0, NULL, "", "create", "--name", "web", BOX, "sleep", "60");
    meet(COMMAND("start", "web"), COMMAND("start", "web"), both);
    one_winner(both, "container web has changed: another command was faster");
    EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    EXPECT(0, "in\n", "", "exec", "web", "echo", "in");
}
END_TEST

/* A policy's start, and a command that writes down, between that start's look and its claim, what
 * it found: nobody else starts the container, so the start must not give up. */
START_TEST(a_restart_meets_somebody_who_looks)
{
    cleanup_free char *id =
        OUTPUT("run", "-d", "--name", "ra", "--restart", "always", BOX, "sh", "-c",
               "echo run; until [ -e /go ]; do usleep 1000; done; rm /go; exit 3");
    cleanup_run struct run_result r = {0};
    pid_t shim = world_shim_of(id);
    sqlite3 *db;

    world_wait_log("ra", "run");
    db = hold_database();
    COOPER(&r, "exec", "ra", "touch", "/go"); /* may end with its container */
    wait_until_it_waits(shim);                /* which has become `cooper start` */
    ck_assert_int_eq(
        sqlite3_exec(db, "UPDATE containers SET revision = revision + 1", NULL, NULL, NULL),
        SQLITE_OK);
    let_go(db);
    world_wait_for("ra", "{{.State.Status}} {{.RestartCount}}", "running 1");
    EXPECT(0, "run\nrun\n", "", "logs", "ra");
}
END_TEST

START_TEST(rm_meets_start)
{
    struct outcome both[2];
    int winner;

    EXPECT(0, NULL, "", "create", "--name", "web", BOX, "sleep", "60");
    meet(COMMAND("rm", "web"), COMMAND("start", "web"), both);
    winner = one_winner(both, both[0].code ? "You cannot remove a running container"
                                           : "another command was faster");
    if (winner == 1)
        EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    else
        world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(rm_meets_rm)
{
    struct outcome both[2];

    EXPECT(0, NULL, "", "create", "--name", "web", BOX);
    meet(COMMAND("rm", "web"), COMMAND("rm", "web"), both);
    /* It is gone already, or going. */
    one_winner(both,
               both[0].code
                   ? (strstr(both[0].text, "in progress") ? "in progress" : "No such container")
                   : (strstr(both[1].text, "in progress") ? "in progress" : "No such container"));
    world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(rename_meets_rename)
{
    struct outcome both[2];

    EXPECT(0, NULL, "", "create", "--name", "web", BOX);
    meet(COMMAND("rename", "web", "aa"), COMMAND("rename", "web", "bb"), both);
    if (one_winner(both, "another command was faster") == 0)
        EXPECT(0, "aa\n", "", "ps", "-a", "--format", "{{.Names}}");
    else
        EXPECT(0, "bb\n", "", "ps", "-a", "--format", "{{.Names}}");
}
END_TEST

START_TEST(two_want_one_name)
{
    struct outcome both[2];
    cleanup_free char *names = NULL;

    EXPECT(0, NULL, "", "create", "--name", "one", BOX);
    EXPECT(0, NULL, "", "create", "--name", "two", BOX);
    meet(COMMAND("rename", "one", "web"), COMMAND("rename", "two", "web"), both);
    one_winner(both, "Conflict. The container name \"/web\" is already in use by container");
    names = OUTPUT("ps", "-a", "--format", "{{.Names}}");
    ck_assert_msg(str_equal(names, "two\nweb") || str_equal(names, "web\none"), "%s", names);
    meet(COMMAND("create", "--name", "new", BOX), COMMAND("create", "--name", "new", BOX), both);
    one_winner(both, "Conflict. The container name \"/new\" is already in use by container");
}
END_TEST

START_TEST(pause_meets_pause)
{
    struct outcome both[2];

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sleep", "60");
    meet(COMMAND("pause", "web"), COMMAND("pause", "web"), both);
    one_winner(both, "Cannot pause container");
    EXPECT(0, "paused\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    EXPECT(0, "web\n", "", "unpause", "web");
}
END_TEST

/* Two updates of different members: neither is lost. */
START_TEST(update_meets_update)
{
    struct outcome both[2];

    EXPECT(0, NULL, "", "create", "--name", "web", BOX);
    meet(COMMAND("update", "--pids-limit", "9", "web"), COMMAND("update", "-c", "77", "web"), both);
    ck_assert_int_eq(both[0].code + both[1].code, 0);
    free(both[0].text);
    free(both[1].text);
    EXPECT(0, "9 77\n", "", "inspect", "-f", "{{.HostConfig.PidsLimit}} {{.HostConfig.CpuShares}}",
           "web");
}
END_TEST

/* Both want it gone, and it goes; a stop that comes too late has nothing to do. */
START_TEST(stop_meets_rm_force)
{
    struct outcome both[2];

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sleep", "60");
    meet(COMMAND("stop", "-t", "0", "web"), COMMAND("rm", "-f", "web"), both);
    ck_assert_msg(both[1].code == 0, "%s", both[1].text);
    ck_assert_msg(both[0].code == 0 || strstr(both[0].text, "No such container"), "%s",
                  both[0].text);
    free(both[0].text);
    free(both[1].text);
    world_assert_nothing_left(NULL);
}
END_TEST

/* --- in the middle of a start ---------------------------------------------------------------- */

static void wait_for_file(const char *path)
{
    for (int i = world_ticks(20); access(path, F_OK) && i > 0; i--)
        world_tick();
}

/* An image whose volume takes long to fill: its init is at its mounts for a while, and has the
 * host's root. */
static void import_slow_image(void)
{
    cleanup_free char *dir = world_path("slow"), *tar = world_path("slow.tar");
    cleanup_free char *script = str_format(
        "mkdir -p %s/bin %s/big && cp /bin/busybox %s/bin/sh && cp /bin/busybox %s/bin/test && "
        "cp /bin/busybox %s/bin/sleep && touch %s/marker && cd %s/big && seq 30000 | xargs touch "
        "&& "
        "tar -cf %s -C %s . && rm -r %s",
        dir, dir, dir, dir, dir, dir, dir, tar, dir, dir);
    cleanup_run struct run_result r = {0};

    run_argv_ok(&r, NULL, (const char *const[]){"sh", "-c", script, NULL});
    EXPECT(0, NULL, NULL, "import", tar, "slow:1");
}

START_TEST(exec_and_cp_wait_until_the_root_is_the_container_s)
{
    cleanup_free char *id = NULL, *pids = NULL, *log = world_path("start"), *file = NULL;
    cleanup_run struct run_result r = {0};
    pid_t start;

    import_slow_image();
    id = OUTPUT("create", "--name", "web", "-v", "vol:/big", "slow:1", "/bin/sleep", "600");
    pids = str_format("%s/run/%s/pids.new", world_root(), id);
    file = world_path("file");
    RUN_OK(&r, NULL, "touch", file);
    start = START(log, "start", "web");
    wait_for_file(pids);
    EXPECT(0, "", "", "exec", "web", "/bin/test", "-e", "/marker");
    EXPECT(0, "", NULL, "cp", file, "web:/bin/");
    ck_assert_int_eq(run_wait(start, 60), 0);
    EXPECT(0, "", "", "exec", "web", "/bin/test", "-e", "/bin/file");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    EXPECT(0, NULL, NULL, "rmi", "slow:1");
    unlink(log);
}
END_TEST

SUITE(races_forced)
{
    TCase *t = tcase_create("races_forced");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_test(t, start_meets_start);
    tcase_add_test(t, a_restart_meets_somebody_who_looks);
    tcase_add_test(t, rm_meets_start);
    tcase_add_test(t, rm_meets_rm);
    tcase_add_test(t, rename_meets_rename);
    tcase_add_test(t, two_want_one_name);
    tcase_add_test(t, pause_meets_pause);
    tcase_add_test(t, update_meets_update);
    tcase_add_test(t, stop_meets_rm_force);
    tcase_add_test(t, exec_and_cp_wait_until_the_root_is_the_container_s);
    suite_add_tcase(suite, t);
}
