/* Many containers at once and one after the other, and what is left when somebody is killed. */
#include "engine/lan.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/cleanup.h"
#include "engine/attach.h"

#define EXPECT_OK(...) EXPECT(0, NULL, "", __VA_ARGS__)

START_TEST(fifty_at_once_have_fifty_addresses)
{
    enum { N = 50 };
    cleanup_run struct run_result r = {0};
    pid_t pids[N];

    for (int i = 0; i < N; i++) {
        cleanup_free char *name = str_format("many%d", i);

        pids[i] = START(NULL, "run", "-d", "--name", name, BOX, "sleep", "1000");
    }
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(run_wait(pids[i], 100), 0);
    RUN_OK(&r, NULL, "sh", "-c",
           BUILD_DIR "/bin/cooper --root \"$0\" network inspect -f '{{range .Containers}}{{println "
                     ".IPv4Address}}{{end}}' "
                     "bridge | sort | uniq | grep -c 172",
           world_root());
    ck_assert_str_eq(r.out.data, "50\n");
    RUN_OK(&r, NULL, "sh", "-c", "ip -o link | grep -c ' cv'");
    ck_assert_str_eq(r.out.data, "50\n");
}
END_TEST

/* Waits until the kernel has taken down the namespaces of what has ended. */
static void wait_for_no_links(void)
{
    cleanup_run struct run_result r = {0};

    for (int i = world_ticks(20); i > 0; i--) {
        RUN(&r, NULL, "sh", "-c", "ip -o link | grep ' cv'");
        if (!r.out.len)
            return;
        world_tick();
    }
    ck_abort_msg("links are left:\n%s", r.out.data);
}

static void expect_no_names(void)
{
    cleanup_run struct run_result r = {0};

    RUN_OK(&r, NULL, "sh", "-c", "find \"$0\"/run/network/names -mindepth 1", world_root());
    ck_assert_str_eq(r.out.data, "");
}

/* Nothing of any container is left: links, elements, names, addresses. */
static void expect_clean(const char *rules)
{
    cleanup_free char *now = NULL;

    wait_for_no_links();
    now = lan_nft("-s list ruleset");
    ck_assert_msg(str_equal(now, rules), "rules:\n%s\nbefore:\n%s", now, rules);
    expect_no_names();
    EXPECT(0, "0\n", "", "network", "inspect", "-f", "{{len .Containers}}", "bridge");
}

START_TEST(many_cycles_leave_nothing)
{
    cleanup_free char *rules = NULL;

    EXPECT_OK("network", "create", "net-one");
    EXPECT_OK("run", "--rm", "--network", "net-one", BOX, "true");
    EXPECT_OK("run", "--rm", BOX, "true");
    rules = lan_nft("-s list ruleset");
    for (int i = 0; i < 100; i++) {
        EXPECT(0, NULL, "", "create", "--name", "cycle", "-p", "8080:80",
               i % 2 ? "--network=net-one" : "--network=bridge", BOX, "true");
        EXPECT(0, NULL, "", "start", "-a", "cycle");
        EXPECT(0, NULL, "", "rm", "cycle");
    }
    expect_clean(rules);
}
END_TEST

/* Killed at forty moments of a start: the next command works, and in the end nothing is left. */
START_TEST(a_start_killed_at_any_moment)
{
    cleanup_free char *rules = NULL;

    EXPECT_OK("network", "create", "net-one");
    EXPECT_OK("run", "--rm", BOX, "true");
    rules = lan_nft("-s list ruleset");
    for (int i = 0; i < 40; i++) {
        pid_t client = START(NULL, "run", "--rm", "--name", "sweep", "-p", "8080:80", "--network",
                             "net-one", BOX, "true");

        nanosleep(&(struct timespec){.tv_nsec = i * 500000L}, NULL);
        kill(client, SIGKILL);
        ck_assert_int_ge(run_wait(client, 10), 0);
    }
    for (int n = world_ticks(20); n > 0; n--) {
        cleanup_run struct run_result r = {0};

        COOPER(&r, "run", "--rm", "--name", "sweep", "-p", "8080:80", "--network", "net-one", BOX,
               "true");
        if (r.code == 0)
            break;
        ck_assert_msg(n > 1, "%s", r.err.data);
        world_tick();
    }
    world_clear();
    EXPECT(0, "", "", "ps", "-aq");
    expect_clean(rules);
    EXPECT(0, "net-one\n", "", "network", "rm", "net-one");
}
END_TEST

/* The commands of networks, killed at every millisecond or so: each can be said again. */
START_TEST(commands_killed_at_any_moment)
{
    cleanup_free char *rules = NULL;

    SERVE("web", "tcp", "80", NULL);
    rules = lan_nft("-s list ruleset");
    for (int i = 0; i < 24; i++) {
        static const char *const commands[][6] = {{"network", "create", "cut"},
                                                  {"network", "connect", "cut", "web"},
                                                  {"network", "disconnect", "cut", "web"},
                                                  {"network", "rm", "cut"}};
        struct timespec moment = {.tv_nsec = i * 700000L};

        for (int k = 0; k < 4; k++) {
            pid_t client = world_start(NULL, commands[k]);
            cleanup_run struct run_result r = {0};

            nanosleep(&moment, NULL);
            kill(client, SIGKILL);
            ck_assert_int_ge(run_wait(client, 10), 0);
            world_run(&r, NULL, commands[k]);
            ck_assert_msg(!r.code || strstr(r.err.data, "already exists") ||
                              strstr(r.err.data, "not found") ||
                              strstr(r.err.data, "is not connected"),
                          "%s after %d: %s", commands[k][1], i, r.err.data);
        }
    }
    EXPECT(0, "bridge \n", "", "inspect", "-f",
           "{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}", "web");
    {
        cleanup_free char *after = lan_nft("-s list ruleset");

        ck_assert_str_eq(after, rules);
    }
    EXPECT_OK("rm", "-f", "web");
    expect_no_names();
}
END_TEST

static void say(const char *id, char what)
{
    cleanup_free char *path = str_format("%s/run/%s/attach.sock", world_root(), id);
    cleanup_close int dir = -1, fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer = 0;

    *strrchr(path, '/') = 0;
    dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/attach.sock", dir);
    ck_assert(!connect(fd, (struct sockaddr *)&address, sizeof address));
    ck_assert_int_eq(send(fd, &what, 1, 0), 1);
    ck_assert_int_eq(recv(fd, &answer, 1, 0), 1);
    ck_assert_int_eq(answer, what);
}

/* A `connect` was killed when it had told the shim, and the shim has come round to it only after
 * `disconnect` had taken the names away. What it then made it takes back with the next word. */
START_TEST(a_late_word_of_a_killed_command)
{
    cleanup_free char *id = NULL, *plan = NULL, *kept = world_path("plan"), *names = NULL;
    cleanup_run struct run_result r = {0};

    EXPECT_OK("network", "create", "cut");
    SERVE("web", "tcp", "80", NULL);
    id = world_inspect("web", "{{.Id}}");
    plan = str_format("%s/run/%s/network.json", world_root(), id);
    EXPECT_OK("network", "connect", "cut", "web");
    RUN_OK(&r, NULL, "cp", plan, kept);
    EXPECT_OK("network", "disconnect", "cut", "web");
    RUN_OK(&r, NULL, "cp", kept, plan);
    say(id, ATTACH_NETWORK);
    names = str_format("%s/run/network/names", world_root());
    RUN_OK(&r, NULL, "find", names, "-name", "web");
    ck_assert_msg(strstr(r.out.data, "/web\n") != NULL, "'%s'", r.out.data);
    EXPECT(1, "", "is not connected", "network", "disconnect", "cut", "web");
    EXPECT_OK("network", "disconnect", "-f", "cut", "web");
    RUN_OK(&r, NULL, "find", names, "-mindepth", "1");
    ck_assert_str_eq(r.out.data, "");
    EXPECT(0, "cut\n", "", "network", "rm", "cut");
}
END_TEST

/* The shim is killed, and its container with it: the next command takes everything back. */
START_TEST(a_killed_shim_leaves_nothing)
{
    cleanup_free char *rules = NULL, *pid = NULL, *line = NULL;
    cleanup_run struct run_result r = {0};

    EXPECT_OK("run", "--rm", BOX, "true");
    rules = lan_nft("-s list ruleset");
    SERVE("web", "tcp", "80", "-p", "8080:80");
    pid = world_inspect("web", "{{.State.Pid}}");
    line = str_format("kill -9 $(sed -n 's/^PPid:.//p' /proc/%s/status)", pid);
    RUN_OK(&r, NULL, "sh", "-c", line);
    world_wait_for("web", "{{.State.Status}}", "exited");
    expect_clean(rules);
    SERVE("next", "tcp", "80", "-p", "8080:80"); /* the port is free */
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "next from ");
}
END_TEST

SUITE(network_crash)
{
    TCase *t = tcase_create("crash");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 200);
    tcase_add_unchecked_fixture(t, lan_make, lan_remove);
    tcase_add_checked_fixture(t, lan_clear, NULL);
    tcase_add_test(t, fifty_at_once_have_fifty_addresses);
    tcase_add_test(t, many_cycles_leave_nothing);
    tcase_add_test(t, a_start_killed_at_any_moment);
    tcase_add_test(t, commands_killed_at_any_moment);
    tcase_add_test(t, a_late_word_of_a_killed_command);
    tcase_add_test(t, a_killed_shim_leaves_nothing);
    suite_add_tcase(suite, t);
}
