/* Who reaches whom. Every line of the matrix is asked and answered by real programs, from the host,
 * from another machine on the host's network, and from containers; what must not work is tried,
 * too. */
#include "engine/lan.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define EXPECT_OK(...) EXPECT(0, NULL, "", __VA_ARGS__)

/* --- one bridge ------------------------------------------------------------------------------ */

START_TEST(containers_of_the_default_bridge)
{
    cleanup_free char *web = NULL;

    SERVE("web", "tcp", "80", "--network", "bridge");
    SERVE("other", "udp", "53", NULL);
    web = lan_address("web", NULL);
    ck_assert_msg(str_starts(web, "172."), "%s", web);
    REACH("other", "tcp", web, "80", "web from 172.");
    REACH(FROM_HOST, "tcp", web, "80", "web from 172."); /* the gateway's address */
    REACH("other", "tcp", web, "81", "refused");
}
END_TEST

/* They reach the outside with the host's address, and what the host offers at the gateway. */
START_TEST(the_way_out)
{
    cleanup_free char *log = world_path("neighbour"), *gateway = NULL, *enter = NULL, *text = NULL;
    pid_t server;

    SERVE("web", "tcp", "80", NULL);
    server = lan_start(log, (const char *const[]){NET, "serve", "tcp", "7000", "outside", NULL});
    text = run_wait_for_text(log, "ready", 20);
    REACH("web", "tcp", NEIGHBOUR, "7000", "outside from " HOST);
    run_stop(server);
    server = run_start(NULL, log, (const char *const[]){NET, "serve", "tcp", "7001", "host", NULL});
    gateway = world_inspect("web", "{{.NetworkSettings.Gateway}}");
    lan_await(FROM_HOST, "tcp", gateway, "7001");
    REACH("web", "tcp", gateway, "7001", "host from 172.");
    run_stop(server);
}
END_TEST

/* --- published ports ------------------------------------------------------------------------- */

static void check_published(const char *proto)
{
    cleanup_free char *port = str_format("8080:80/%s", proto), *gateway = NULL;

    SERVE("web", proto, "80", "-p", port);
    SERVE("near", "tcp", "9", NULL);
    EXPECT_OK("network", "create", "far-net");
    SERVE("far", "tcp", "9", "--network", "far-net");
    gateway = world_inspect("web", "{{.NetworkSettings.Gateway}}");
    REACH(FROM_HOST, proto, "127.0.0.1", "8080", "web from ");
    REACH(FROM_HOST, proto, "::1", "8080", "web from ");
    REACH(FROM_HOST, proto, HOST, "8080", "web from ");
    REACH(FROM_HOST, proto, gateway, "8080", "web from ");
    REACH(FROM_NEIGHBOUR, proto, HOST, "8080", "web from " NEIGHBOUR); /* who asks is not hidden */
    REACH(FROM_NEIGHBOUR, proto, HOST6, "8080", "web from "); /* though the container has no IPv6 */
    REACH("near", proto, HOST, "8080", "web from ");
    REACH("near", proto, gateway, "8080", "web from ");
    REACH("far", proto, HOST, "8080", "web from "); /* from another network, as from outside */
    REACH("web", proto, HOST, "8080", "web from "); /* itself, the long way */
}

START_TEST(a_published_port_of_tcp)
{
    check_published("tcp");
}
END_TEST

START_TEST(a_published_port_of_udp)
{
    check_published("udp");
}
END_TEST

/* The hardware address of the host on the cable, or of the neighbour. */
static char *cable_address(bool of_host)
{
    cleanup_run struct run_result r = {0};

    if (of_host)
        RUN_OK(&r, NULL, "sh", "-c", "ip -o link show lan0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'");
    else
        NEIGHBOUR_RUN(&r, "sh", "-c", "ip -o link show eth0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'");
    return str_copy_n(r.out.data, strcspn(r.out.data, "\n"));
}

/* A datagram from the neighbour's cable, to an address that no router would let pass. */
static void forge(const char *from, const char *to, const char *port, const char *text)
{
    cleanup_free char *own = cable_address(false), *host = cable_address(true);
    cleanup_run struct run_result r = {0};

    NEIGHBOUR_RUN(&r, NET, "udp-from", "eth0", own, from, host, to, port, text);
    ck_assert_msg(r.code == 0, "%s", r.err.data);
}

/* What reached a server of datagrams before now, and nothing of `forged` among it. */
static void expect_not_reached(const char *name, const char *address, const char *port,
                               const char *forged)
{
    cleanup_free char *log = NULL;

    REACH(FROM_HOST, "udp", address, port,
          name); /* whatever was sent before this has come or will not */
    world_wait_log(name, "got hello");
    log = OUTPUT("logs", name);
    ck_assert_msg(!strstr(log, forged), "%s", log);
}

START_TEST(published_on_loopback_only)
{
    cleanup_free char *gateway = NULL;

    SERVE("web", "tcp", "80", "-p", "127.0.0.1:8080:80");
    SERVE("dgram", "udp", "80", "-p", "127.0.0.1:8080:80/udp");
    SERVE("near", "tcp", "9", NULL);
    gateway = world_inspect("web", "{{.NetworkSettings.Gateway}}");
    REACH(FROM_HOST, "tcp", "127.0.0.1", "8080", "web from ");
    REACH(FROM_HOST, "tcp", HOST, "8080", "refused");
    REACH(FROM_HOST, "tcp", "::1", "8080", "refused");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "refused");
    REACH("near", "tcp", gateway, "8080", "refused");
    REACH("near", "tcp", HOST, "8080", "refused");
    forge(NEIGHBOUR, "127.0.0.1", "8080", "forged");
    expect_not_reached("dgram", "127.0.0.1", "8080", "forged");
}
END_TEST

START_TEST(published_on_one_address)
{
    SERVE("web", "tcp", "80", "-p", HOST ":8080:80");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "web from " NEIGHBOUR);
    REACH(FROM_HOST, "tcp", HOST, "8080", "web from ");
    REACH(FROM_HOST, "tcp", "127.0.0.1", "8080", "refused");
    REACH(FROM_NEIGHBOUR, "tcp", HOST6, "8080", "refused");
}
END_TEST

START_TEST(ranges_and_random_ports)
{
    cleanup_free char *port = NULL, *number = NULL;

    SERVE("web", "tcp", "8001", "-p", "9000-9002:8000-8002", "-p", "8001", "-p", "9100-9110:8001");
    EXPECT(0, "0.0.0.0:9002\n[::]:9002\n", NULL, "port", "web", "8002");
    EXPECT(1, "", "Error: No public port '81' published for web", "port", "web", "81");
    port = OUTPUT("port", "web", "8001");
    ck_assert_msg(strstr(port, "0.0.0.0:9001\n") && strstr(port, "0.0.0.0:9100\n"), "%s", port);
    number = str_copy(strstr(port, "0.0.0.0:3") ? strstr(port, "0.0.0.0:3") + 8 : "none");
    number[strcspn(number, "\n")] = 0;
    ck_assert_int_ge(atoi(number), 32768);
    REACH(FROM_NEIGHBOUR, "tcp", HOST, number, "web from ");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "9001", "web from ");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "9100", "web from ");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "9101", "refused");
}
END_TEST

SUITE(network_reach)
{
    TCase *t = tcase_create("reach");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, lan_make, lan_remove);
    tcase_add_checked_fixture(t, lan_clear, NULL);
    tcase_add_test(t, containers_of_the_default_bridge);
    tcase_add_test(t, the_way_out);
    tcase_add_test(t, a_published_port_of_tcp);
    tcase_add_test(t, a_published_port_of_udp);
    tcase_add_test(t, published_on_loopback_only);
    tcase_add_test(t, published_on_one_address);
    tcase_add_test(t, ranges_and_random_ports);
    suite_add_tcase(suite, t);
}
