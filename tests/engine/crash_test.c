/* kill -9 at any moment, and many at once: what was reported stays true, and the next command
 * cleans up. */
#include "engine/world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static pid_t init_of(const char *name)
{
    cleanup_free char *pid = world_inspect(name, "{{.State.Pid}}");

    ck_assert_msg(atoi(pid) > 1, "container '%s' has pid '%s'", name, pid); /* kill(0) is us */
    return atoi(pid);
}

static void wait_until_gone(pid_t pid)
{
    for (int i = world_ticks(10); i > 0 && world_process_exists(pid); i--)
        world_tick();
    ck_assert_msg(!world_process_exists(pid), "process %d is still there", (int)pid);
}

#define LIVE BOX, "sh", "-c", "echo ready; trap 'exit 3' TERM; while :; do sleep 0.05; done"

START_TEST(a_killed_client_leaves_the_container)
{
    cleanup_free char *log = world_path("client"), *out = NULL;
    pid_t client = START(log, "run", "--name", "web", LIVE);

    out = run_wait_for_text(log, "ready", 30);
    ck_assert(out != NULL);
    kill(client, SIGKILL);
    ck_assert_int_eq(run_wait(client, 10), 137);
    EXPECT(0, "hi\n", "", "exec", "web", "echo", "hi");
    EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    EXPECT(0, "ready\n", "", "logs", "web");
    EXPECT(0, "web\n", "", "stop", "web");
    EXPECT(0, "exited 3\n", "", "inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "web");
    EXPECT(0, "web\n", "", "rm", "web");
    unlink(log);
}
END_TEST

START_TEST(a_killed_shim_is_told_truthfully)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--name", "web", LIVE);
    pid_t init, shim;

    world_wait_log("web", "ready");
    init = init_of("web");
    shim = world_parent_of(init);
    ck_assert_int_gt(shim, 1);
    kill(shim, SIGKILL);
    wait_until_gone(shim);
    EXPECT(0, "", "", "ps", "-q");
    EXPECT(0, "exited false 0\n", "", "inspect", "-f",
           "{{.State.Status}} {{.State.Running}} {{.State.Pid}}", "web");
    wait_until_gone(init);
    EXPECT(0, "ready\n", "", "logs", "web");
    EXPECT(1, "", "is not running", "exec", "web", "true");
    EXPECT(0, "web\n", "", "rm", "web");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(a_killed_shim_of_an_rm_container)
{
    cleanup_free char *id = OUTPUT("run", "-d", "--rm", "--name", "web", LIVE);
    pid_t shim;

    world_wait_log("web", "ready");
    shim = world_parent_of(init_of("web"));
    kill(shim, SIGKILL);
    wait_until_gone(shim);
    /* Whatever comes next takes it away, and the name is free. */
    EXPECT(0, "", "", "run", "--rm", "--name", "web", BOX, "true");
    EXPECT(0, "", "", "ps", "-aq");
    world_assert_nothing_left(id);
}
END_TEST

START_TEST(a_killed_init_is_an_ordinary_end)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", LIVE);
    world_wait_log("web", "ready");
    kill(init_of("web"), SIGKILL);
    world_wait_for("web", "{{.State.Status}} {{.State.ExitCode}}", "exited 137");
    EXPECT(0, "web\n", "", "rm", "web");
}
END_TEST

/* The client is killed at 40 moments from before its first system call to after its last one. */
START_TEST(a_client_killed_at_any_moment)
{
    for (int i = 0; i < 40; i++) {
        pid_t client = START(NULL, "run", "--rm", "--name", "sweep", BOX, "true");

        nanosleep(&(struct timespec){.tv_nsec = i * 500000L}, NULL);
        kill(client, SIGKILL);
        ck_assert_int_ge(run_wait(client, 10), 0);
        if (i % 4)
            continue;
        /* The very same command works next: the name is free, or its holder ends by itself. */
        for (int n = world_ticks(10); n > 0; n--) {
            cleanup_run struct run_result r = {0};

            COOPER(&r, "run", "--rm", "--name", "sweep", BOX, "true");
            if (r.code == 0)
                break;
            ck_assert_msg(n > 1 && strstr(r.err.data, "already in use"), "%d: %s", i, r.err.data);
            world_tick();
        }
    }
    world_clear();
    EXPECT(0, "", "", "ps", "-aq");
    world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(twenty_at_once)
{
    enum { N = 20 };
    pid_t pids[N];

    for (int i = 0; i < N; i++) {
        char script[32];

        snprintf(script, sizeof script, "exit %d", i + 1);
        pids[i] = START(NULL, "run", "--rm", BOX, "sh", "-c", script);
    }
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(run_wait(pids[i], 50), i + 1);
    EXPECT(0, "", "", "ps", "-aq");
    world_assert_nothing_left(NULL);
}
END_TEST

/* One name, ten takers: exactly one gets it. */
START_TEST(one_name_for_one_container)
{
    enum { N = 10 };
    pid_t pids[N];
    int winners = 0;

    for (int i = 0; i < N; i++)
        pids[i] = START(NULL, "run", "-d", "--name", "prize", LIVE);
    for (int i = 0; i < N; i++) {
        int code = run_wait(pids[i], 50);

        ck_assert_msg(code == 0 || code == 125, "%d", code);
        winners += code == 0;
    }
    ck_assert_int_eq(winners, 1);
    EXPECT(0, "prize\n", "", "ps", "-a", "--format", "{{.Names}}");
    EXPECT(0, "prize\n", "", "rm", "-f", "prize");
}
END_TEST

/* rm -f of a container by several commands at once: gone, and nobody hangs. */
START_TEST(removed_by_several)
{
    pid_t pids[4];

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", LIVE);
    for (int i = 0; i < 4; i++)
        pids[i] = START(NULL, "rm", "-f", "web");
    for (int i = 0; i < 4; i++)
        ck_assert_int_le(run_wait(pids[i], 50), 1);
    EXPECT(0, "", "", "ps", "-aq");
    world_assert_nothing_left(NULL);
}
END_TEST

#define OTHER BUILD_DIR "/bin/cooper", "--root", world_other_root()

START_TEST(two_roots_never_meet)
{
    cleanup_run struct run_result r = {0};

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", LIVE);
    RUN_OK(&r, NULL, OTHER, "ps", "-aq");
    ck_assert_str_eq(r.out.data, "");
    RUN_OK(&r, NULL, OTHER, "images", "-q");
    ck_assert_str_eq(r.out.data, "");
    RUN(&r, NULL, OTHER, "rm", "-f", "web");
    RUN(&r, NULL, OTHER, "stop", "web");
    ck_assert_int_eq(r.code, 1);
    EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
}
END_TEST

SUITE(crash)
{
    TCase *t = tcase_create("crash");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_test(t, a_killed_client_leaves_the_container);
    tcase_add_test(t, a_killed_shim_is_told_truthfully);
    tcase_add_test(t, a_killed_shim_of_an_rm_container);
    tcase_add_test(t, a_killed_init_is_an_ordinary_end);
    tcase_add_test(t, a_client_killed_at_any_moment);
    tcase_add_test(t, twenty_at_once);
    tcase_add_test(t, one_name_for_one_container);
    tcase_add_test(t, removed_by_several);
    tcase_add_test(t, two_roots_never_meet);
    suite_add_tcase(suite, t);
}
