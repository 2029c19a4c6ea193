/* Commands that meet: one starts, waits for, stops or removes what another is at that moment
 * starting, ending or removing. */
#include "engine/world.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "storage/storage.h"

/* Before: of several first commands on a new root, one found the default network half known: its
 * bridge taken, its name not seen yet. So did the stages of a build that run side by side. */
START_TEST(several_commands_are_the_first)
{
    cleanup_free char *root = world_path("fresh"), *log = world_path("fresh.log");
    struct err err = {0};

    for (int i = 0; i < 15; i++) {
        pid_t clients[6];

        for (size_t k = 0; k < 6; k++)
            clients[k] = START(log, "--root", root, "network", "ls");
        for (size_t k = 0; k < 6; k++)
            ck_assert_int_eq(run_wait(clients[k], 20), 0);
        ck_assert_msg(!file_remove_tree(AT_FDCWD, root, &err), "%s", err.message);
    }
}
END_TEST

/* Before: rm -f waited for the `run` that had begun the start, as long as the container lived. */
START_TEST(rm_force_meets_a_start)
{
    for (int i = 0; i < 6; i++) {
        cleanup_free char *log = world_path("client");
        pid_t client = START(log, "run", "--name", "web", BOX, "sleep", "15");
        double begun = world_now();

        while (run_wait(client, 0) == -1 && world_now() - begun < 12) {
            cleanup_run struct run_result r = {0};

            COOPER(&r, "rm", "-f", "web");
            ck_assert_msg(!r.code, "%s", r.err.data);
        }
        ck_assert_msg(world_now() - begun < 12, "rm -f waited for the container's end");
        unlink(log);
    }
    world_assert_nothing_left(NULL);
}
END_TEST

/* One of the two wins, and the other says so; a container is never taken from under its start. */
START_TEST(rm_meets_a_start)
{
    for (int i = 0; i < 12; i++) {
        cleanup_free char *log = world_path("start");
        cleanup_run struct run_result r = {0};
        bool started;
        pid_t start;

        EXPECT(0, NULL, "", "create", "--name", "web", BOX, "sleep", "60");
        start = START(log, "start", "web");
        COOPER(&r, "rm", "web");
        started = run_wait(start, 20) == 0;
        ck_assert_msg(started == (r.code != 0), "start and rm both %s: %s",
                      started ? "succeeded" : "failed", r.err.data);
        if (started)
            EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}", "web");
        else
            world_assert_nothing_left(NULL);
        EXPECT(0, NULL, NULL, "rm", "-f", "web");
        unlink(log);
    }
}
END_TEST

/* Lets the record say that the process `owner` is starting the container (or, 0, that it has ended
 * with 9). */
static void pretend(const char *name, pid_t owner)
{
    struct store *store = NULL;
    struct container c = {0};
    struct err err = {0};

    ck_assert_msg(!store_open(world_root(), &store, &err), "%s", err.message);
    ck_assert(!store_container_find(store, name, &c, &err));
    ck_assert(!store_container_own(&c, &err)); /* for the boot id */
    if (owner)
        ck_assert(!proc_identify(owner, &c.owner));
    free(c.state);
    c.state = str_copy(owner ? "starting" : "exited");
    c.exit_code = owner ? 0 : 9;
    ck_assert_msg(!store_container_update(store, &c, &err), "%s", err.message);
    container_free(&c);
    store_close(store);
}

static void answered_after_the_start(const char *answer, const char *const command[])
{
    cleanup_free char *log = world_path("answer"), *text = NULL;
    pid_t starter = run_start(NULL, NULL, (const char *const[]){"sleep", "60", NULL}), other;

    EXPECT(0, NULL, "", "create", "--name", "web", BOX, "true");
    pretend("web", starter);
    other = world_start(log, command);
    ck_assert_msg(run_wait(other, 1) == -1, "'%s' did not wait for the start", command[0]);
    pretend("web", 0);
    run_stop(starter);
    ck_assert_int_eq(run_wait(other, 20), 0);
    text = run_wait_for_text(log, answer, 5);
    ck_assert_ptr_nonnull(text);
    EXPECT(0, NULL, NULL, "rm", "-f", "web");
    unlink(log);
}

START_TEST(wait_and_stop_meet_a_start)
{
    answered_after_the_start("9\n", (const char *const[]){"wait", "web", NULL});
    answered_after_the_start("web\n", (const char *const[]){"stop", "web", NULL});
    answered_after_the_start("web\n", (const char *const[]){"rm", "-f", "web", NULL});
}
END_TEST

/* Waits until the process is in a certain system call: where it waits for what is to come. */
static void wait_for_call(pid_t pid, long call)
{
    cleanup_free char *path = str_format("/proc/%d/syscall", (int)pid);

    for (int i = world_ticks(20); i > 0; i--) {
        cleanup_buf struct buf text = {0};
        struct err err = {0};

        if (!file_load(AT_FDCWD, path, 4096, &text, &err) && atol(text.data) == call)
            return;
        world_tick();
    }
    ck_abort_msg("process %d never came to system call %ld", (int)pid, call);
}

START_TEST(wait_meets_the_removal)
{
    for (int i = 0; i < 5; i++) {
        cleanup_free char *id = OUTPUT("run", "-d", "--rm", BOX, "sh", "-c",
                                       "until [ -e /go ]; do usleep 1000; done; exit 7");
        cleanup_run struct run_result r = {0};
        cleanup_free char *log = world_path("wait"), *text = NULL;
        pid_t waiting = START(log, "wait", id);

        wait_for_call(waiting, SYS_recvfrom);
        COOPER(&r, "exec", id, "touch", "/go"); /* may be killed with its container */
        ck_assert_int_eq(run_wait(waiting, 20), 0);
        text = run_wait_for_text(log, "7\n", 5);
        ck_assert_ptr_nonnull(text);
        unlink(log);
    }
}
END_TEST

START_TEST(start_meets_the_end)
{
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sleep", "60");
    for (int i = 0; i < 20; i++) {
        EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
        EXPECT(0, "web\n", "", "start", "web");
        EXPECT(0, "in\n", "", "exec", "web", "echo", "in");
    }
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    world_assert_nothing_left(NULL);
}
END_TEST

/* A lock or a pipe of the caller's must not be held for as long as the container runs. */
/* Started all at once, seen by all at once, removed all at once: each is there, and then none. */
START_TEST(fifty_at_once)
{
    enum { N = 50 };
    pid_t pids[N], ps = 0;
    char names[N][8];

    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        pids[i] =
            START(NULL, "run", "-d", "--name", names[i], "--network", "none", BOX, "sleep", "600");
    }
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(run_wait(pids[i], 100), 0);
    EXPECT(0, "50\n", "", "info", "--format", "{{.ContainersRunning}}");
    for (int i = 0; i < N; i++)
        pids[i] = START(NULL, "rm", "-f", names[i]);
    ps = START(NULL, "ps", "-a");
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(run_wait(pids[i], 100), 0);
    ck_assert_int_eq(run_wait(ps, 100), 0);
    EXPECT(0, "", "", "ps", "-aq");
    world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(no_descriptor_of_the_caller_stays)
{
    int ends[2];
    struct pollfd p;

    ck_assert(!pipe(ends)); /* deliberately inherited */
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sleep", "60");
    close(ends[1]);
    p = (struct pollfd){ends[0], POLLIN, 0};
    ck_assert_int_eq(poll(&p, 1, 10000), 1);
    ck_assert(p.revents & POLLHUP);
    close(ends[0]);
    EXPECT(0, "web\n", "", "rm", "-f", "web");
}
END_TEST

/* What outlives the process may write for ever; the end is told all the same, and memory is not
 * filled with it. */
START_TEST(the_end_meets_endless_output)
{
    cleanup_run struct run_result r = {0};

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sleep", "60");
    COOPER(&r, "exec", "web", "sh", "-c",
           "head -c 3000000 /dev/zero; sleep 60 & cat /dev/zero & cat /dev/zero & exit 5");
    ck_assert_int_eq(r.code, 5);
    ck_assert_uint_ge(r.out.len, 3000000);
    EXPECT(0, "web\n", "", "rm", "-f", "web");
}
END_TEST

/* COOPER_LIBEXEC names the helpers' place; the shim needs cooper itself to remove. */
START_TEST(a_shim_removes_with_helpers_elsewhere)
{
    static const char *const environment[] = {"COOPER_LIBEXEC=" BUILD_DIR "/libexec/cooper", NULL};
    static const struct run_options options = {.environment = environment};
    static const char *const command[] = {"run", "-d", "--rm", BOX, "true", NULL};
    cleanup_run struct run_result r = {0};
    cleanup_free char *path = NULL;

    world_run(&r, &options, command);
    ck_assert_msg(!r.code, "%s", r.err.data);
    r.out.data[64] = 0;
    path = str_format("%s/containers/%s", world_root(), r.out.data);
    for (int i = world_ticks(10); i > 0 && !access(path, F_OK); i--)
        world_tick();
    ck_assert_msg(access(path, F_OK) < 0, "'%s' is still there", path);
}
END_TEST

SUITE(races)
{
    TCase *t = tcase_create("races");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_test(t, several_commands_are_the_first);
    tcase_add_test(t, rm_force_meets_a_start);
    tcase_add_test(t, rm_meets_a_start);
    tcase_add_test(t, wait_and_stop_meet_a_start);
    tcase_add_test(t, wait_meets_the_removal);
    tcase_add_test(t, start_meets_the_end);
    tcase_add_test(t, the_end_meets_endless_output);
    tcase_add_test(t, a_shim_removes_with_helpers_elsewhere);
    tcase_add_test(t, fifty_at_once);
    tcase_add_test(t, no_descriptor_of_the_caller_stays);
    suite_add_tcase(suite, t);
}
