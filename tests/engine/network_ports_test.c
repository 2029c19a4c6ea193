/* Published ports: taken, random, freed; how ps and port show them. Who reaches what is in
 * network_reach_test.c. */
#include "engine/lan.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define EXPECT_OK(...) EXPECT(0, NULL, "", __VA_ARGS__)

START_TEST(a_port_that_is_taken)
{
    cleanup_free char *log = world_path("stranger"), *text = NULL;
    pid_t stranger;

    SERVE("web", "tcp", "80", "-p", "8080:80");
    EXPECT(125, NULL, "Bind for 0.0.0.0:8080 failed: port is already allocated", "run", "-d",
           "--name", "late", "-p", "8080:80", BOX, "true");
    EXPECT(0, "created\n", "", "inspect", "-f", "{{.State.Status}}", "late");
    EXPECT_OK("stop", "-t", "0", "web");
    EXPECT_OK("start", "late"); /* freed by the stop */
    EXPECT_OK("wait", "late");
    EXPECT_OK("start", "web");
    lan_await(FROM_NEIGHBOUR, "tcp", HOST, "8080");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "web from "); /* the same port after the restart */
    stranger =
        run_start(NULL, log, (const char *const[]){NET, "serve", "tcp", "8081", "stranger", NULL});
    text = run_wait_for_text(log, "ready", 20);
    EXPECT(125, NULL, "address already in use", "run", "--rm", "-p", "8081:80", BOX, "true");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8081", "stranger from ");
    run_stop(stranger);
}
END_TEST

static const struct {
    const char *publish, *error;
} bad_ports[] = {
    {"0:80x", "invalid containerPort: 80x"},     {"70000:80", "invalid hostPort: 70000"},
    {"80:70000", "invalid containerPort"},       {"9002-9000:80-82", "invalid hostPort: 9002-9000"},
    {"9000-9001:80-82", "invalid ranges"},       {"80:80/icmp", "invalid proto: icmp"},
    {"1.2.3.400:80:80", "invalid IP address"},   {"80:", "no port specified"},
    {"10.99.0.55:80:80", "cannot publish port"},
};

START_TEST(a_port_asked_for_twice)
{
    EXPECT(125, NULL, "Bind for 0.0.0.0:8080 failed: port is already allocated", "run", "--rm",
           "-p", "8080:80", "-p", "8080:81", BOX, "true");
}
END_TEST

START_TEST(bad_ports_are_refused)
{
    EXPECT(125, NULL, bad_ports[_i].error, "run", "--rm", "-p", bad_ports[_i].publish, BOX, "true");
}
END_TEST

START_TEST(ports_in_ps_and_publish_all)
{
    cleanup_free char *cell = NULL;

    SERVE("web", "tcp", "80", "-p", "127.0.0.1:9000-9001:9000-9001", "-p", "8080:80", "--expose",
          "443");
    EXPECT(0,
           "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp, 127.0.0.1:9000-9001->9000-9001/tcp\n",
           "", "ps", "--format", "{{.Ports}}");
    SERVE("all", "tcp", "80", "-P", "--expose", "80");
    cell = OUTPUT("port", "all", "80/tcp");
    ck_assert_msg(str_starts(cell, "0.0.0.0:3"), "%s", cell);
    EXPECT(0,
           "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n9000/tcp -> 127.0.0.1:9000\n"
           "9001/tcp -> 127.0.0.1:9001\n",
           "", "port", "web");
    EXPECT(0, "web\n", "", "ps", "--filter", "publish=9001", "--format", "{{.Names}}");
    EXPECT(0, "web\n", "", "ps", "--filter", "publish=8000-8080", "--format", "{{.Names}}");
    EXPECT(0, "", "", "ps", "--filter", "publish=80", "--format", "{{.Names}}"); /* the host's */
    EXPECT(0, "", "", "ps", "--filter", "publish=8080/udp", "--format", "{{.Names}}");
    EXPECT(0, "web\n", "", "ps", "--filter", "expose=440-450/tcp", "--format", "{{.Names}}");
    EXPECT(0, "", "", "ps", "--filter", "publish=443", "--format", "{{.Names}}");
    EXPECT(0, "all\nweb\n", "", "ps", "--filter", "network=bridge", "--format", "{{.Names}}");
    EXPECT(0, "", "", "ps", "--filter", "network=none", "--format", "{{.Names}}");
    EXPECT_OK("stop", "-t", "0", "web");
    EXPECT(0, "\n", "", "ps", "-a", "--filter", "name=web", "--format", "{{.Ports}}");
    EXPECT(0, "", "", "ps", "-a", "--filter", "publish=8080", "--format", "{{.Names}}");
    EXPECT(0, "", "", "ps", "-a", "--filter", "expose=443", "--format", "{{.Names}}");
}
END_TEST

static void set_port_range(const char *range)
{
    cleanup_run struct run_result r = {0};

    RUN_OK(&r, NULL, "sh", "-c", "echo $0 >/proc/sys/net/ipv4/ip_local_port_range", range);
}

/* A random port is looked for behind the one before it, and at the beginning again when there are
 * no more: all of them are found, and one too many is an error. */
START_TEST(random_ports_to_the_last)
{
    set_port_range("40000 40004");
    EXPECT_OK("run", "-d", "--name", "aa", "-p", "40001:7", BOX, "sleep", "1000");
    EXPECT_OK("run", "-d", "--name", "bb", "-P", "--expose", "1-3", "--expose", "1-5/udp", BOX,
              "sleep", "1000");
    EXPECT(0,
           "1/tcp -> 0.0.0.0:40000\n1/tcp -> [::]:40000\n1/udp -> 0.0.0.0:40004\n"
           "1/udp -> [::]:40004\n2/tcp -> 0.0.0.0:40002\n2/tcp -> [::]:40002\n"
           "2/udp -> 0.0.0.0:40000\n2/udp -> [::]:40000\n3/tcp -> 0.0.0.0:40003\n"
           "3/tcp -> [::]:40003\n3/udp -> 0.0.0.0:40001\n3/udp -> [::]:40001\n"
           "4/udp -> 0.0.0.0:40002\n4/udp -> [::]:40002\n5/udp -> 0.0.0.0:40003\n"
           "5/udp -> [::]:40003\n",
           "", "port", "bb");
    EXPECT(125, NULL, "all ports are allocated: none of 40000 to 40004 is free", "run", "--rm",
           "-p", "1", "-p", "2", BOX, "true");
    EXPECT_OK("rm", "-f", "bb");
    EXPECT_OK("run", "--rm", "-p", "1", "-p", "2", "-p", "3", "-p", "4", BOX, "true");
    set_port_range("32768 60999");
}
END_TEST

/* What two ends say through the relay of [::1] arrives whole, however much it is, in both
 * directions at once. */
START_TEST(the_relay_loses_nothing)
{
    cleanup_run struct run_result r = {0};

    EXPECT_OK("run", "-d", "--name", "echo", "-p", "8080:7", BOX, "net", "echo", "7");
    world_wait_log("echo", "ready");
    RUN_OK(&r, NULL, NET, "flood", "tcp", "::1", "8080", "30000000");
    ck_assert_str_eq(r.out.data, "30000000 back, 0 wrong\n");
    RUN_OK(&r, NULL, NET, "flood", "tcp", "127.0.0.1", "8080", "30000000");
    ck_assert_str_eq(r.out.data, "30000000 back, 0 wrong\n");
}
END_TEST

SUITE(network_ports)
{
    TCase *t = tcase_create("ports");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 200);
    tcase_add_unchecked_fixture(t, lan_make, lan_remove);
    tcase_add_checked_fixture(t, lan_clear, NULL);
    tcase_add_test(t, a_port_that_is_taken);
    tcase_add_test(t, a_port_asked_for_twice);
    tcase_add_loop_test(t, bad_ports_are_refused, 0, sizeof bad_ports / sizeof *bad_ports);
    tcase_add_test(t, ports_in_ps_and_publish_all);
    tcase_add_test(t, random_ports_to_the_last);
    tcase_add_test(t, the_relay_loses_nothing);
    suite_add_tcase(suite, t);
}
