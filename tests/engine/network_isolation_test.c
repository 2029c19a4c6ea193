/* What must not work, tried by who would like it to: containers that forge, neighbours that know
 * the way, networks that are none of one's business. Each silence stands beside something that
 * answers, so that silence means refusal. */
#include "engine/lan.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define EXPECT_OK(...) EXPECT(0, NULL, "", __VA_ARGS__)

/* --- forged sources -------------------------------------------------------------------------- */

static char *mac_of(const char *name)
{
    return world_inspect(name, "{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}");
}

/* A datagram from inside of "evil" with these sources. */
static void forge_inside(const char *mac, const char *ip, const char *to_mac, const char *to,
                         const char *text)
{
    EXPECT_OK("exec", "evil", "net", "udp-from", "eth0", mac, ip, to_mac, to, "53", text);
}

START_TEST(forged_datagrams)
{
    cleanup_free char *evil = NULL, *evil_mac = NULL, *web = NULL, *web_mac = NULL, *other = NULL,
                      *log = NULL;

    SERVE("web", "udp", "53", NULL);
    SERVE("other", "tcp", "80", NULL);
    SERVE("evil", "tcp", "80", NULL);
    web = lan_address("web", NULL);
    other = lan_address("other", NULL);
    evil = lan_address("evil", NULL);
    web_mac = mac_of("web");
    evil_mac = mac_of("evil");
    forge_inside(evil_mac, other, web_mac, web, "anothers-address");
    forge_inside("02:42:ac:99:99:99", evil, web_mac, web, "anothers-hardware");
    forge_inside(evil_mac, "8.8.8.8", web_mac, web, "from-far-away");
    forge_inside(evil_mac, evil, web_mac, web, "honest");
    world_wait_log("web", "got honest");
    log = OUTPUT("logs", "web");
    ck_assert_msg(!strstr(log, "anothers") && !strstr(log, "far-away"), "%s", log);
}
END_TEST

/* "evil" says that it has the address of "other": who asks for that still finds "other". */
START_TEST(forged_arp)
{
    cleanup_free char *web = NULL, *other = NULL, *evil_mac = NULL, *other_mac = NULL,
                      *table = NULL;

    SERVE("web", "tcp", "80", NULL);
    SERVE("other", "tcp", "80", NULL);
    SERVE("evil", "tcp", "80", NULL);
    web = lan_address("web", NULL);
    other = lan_address("other", NULL);
    evil_mac = mac_of("evil");
    other_mac = mac_of("other");
    REACH("web", "tcp", other, "80", "other from ");
    for (int i = 0; i < 5; i++)
        EXPECT_OK("exec", "evil", "net", "arp-from", "eth0", evil_mac, other, web);
    REACH("web", "tcp", other, "80", "other from ");
    table = OUTPUT("exec", "web", "cat", "/proc/net/arp");
    ck_assert_msg(strstr(table, other_mac) && !strstr(table, evil_mac), "%s", table);
}
END_TEST

/* --- from outside ---------------------------------------------------------------------------- */

START_TEST(containers_addresses_are_not_the_neighbours_business)
{
    cleanup_free char *web = NULL, *dgram = NULL;

    SERVE("web", "tcp", "80", "-p", "8080:80");
    SERVE("dgram", "udp", "53", NULL);
    web = lan_address("web", NULL);
    dgram = lan_address("dgram", NULL);
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "web from ");
    REACH(FROM_NEIGHBOUR, "tcp", web, "80", SILENCE); /* not even a published one */
    REACH(FROM_NEIGHBOUR, "tcp", web, "81", SILENCE);
    REACH(FROM_NEIGHBOUR, "udp", dgram, "53", SILENCE);
    REACH(FROM_HOST, "udp", dgram, "53", "dgram from ");
}
END_TEST

START_TEST(networks_do_not_meet)
{
    cleanup_free char *one = NULL, *two = NULL, *standard = NULL;

    EXPECT_OK("network", "create", "net-one");
    EXPECT_OK("network", "create", "net-two");
    SERVE("one", "tcp", "80", "--network", "net-one", "-p", "8080:80");
    SERVE("two", "tcp", "80", "--network", "net-two");
    SERVE("std", "tcp", "80", NULL);
    one = lan_address("one", NULL);
    two = lan_address("two", NULL);
    standard = lan_address("std", NULL);
    REACH("one", "tcp", two, "80", SILENCE);
    REACH("two", "tcp", one, "80", SILENCE); /* published, but not at this address */
    REACH("one", "tcp", standard, "80", SILENCE);
    REACH("std", "tcp", two, "80", SILENCE);
    REACH("two", "tcp", HOST, "8080", "one from ");
    EXPECT_OK("network", "connect", "net-two", "one"); /* now they do, on that network */
    REACH("one", "tcp", two, "80", "two from ");
    EXPECT_OK("network", "disconnect", "net-two", "one");
    REACH("one", "tcp", two, "80", SILENCE);
}
END_TEST

/* --- --internal, icc=false ------------------------------------------------------------------- */

START_TEST(an_internal_network_has_no_way_out)
{
    cleanup_free char *log = world_path("outside"), *log2 = world_path("here"), *text = NULL,
                      *gateway = NULL, *bb = NULL, *route = NULL;
    pid_t outside, here;

    EXPECT_OK("network", "create", "--internal", "inner");
    SERVE("aa", "tcp", "80", "--network", "inner");
    SERVE("bb", "tcp", "80", "--network", "inner");
    SERVE("web", "tcp", "80", "-p", "8080:80");
    outside = lan_start(log, (const char *const[]){NET, "serve", "tcp", "7000", "outside", NULL});
    here = run_start(NULL, log2, (const char *const[]){NET, "serve", "tcp", "7001", "here", NULL});
    text = run_wait_for_text(log, "ready", 20);
    free(run_wait_for_text(log2, "ready", 20));
    bb = lan_address("bb", NULL);
    gateway = OUTPUT("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "inner");
    REACH("aa", "tcp", bb, "80", "bb from ");
    REACH(FROM_HOST, "tcp", bb, "80", "bb from "); /* the host may ask */
    REACH("aa", "tcp", NEIGHBOUR, "7000", "unreachable");
    REACH("aa", "tcp", HOST, "8080", "unreachable");
    REACH("aa", "tcp", gateway, "7001",
          SILENCE); /* what the host offers, at the only address there is */
    REACH("aa", "tcp", gateway, "8080", SILENCE);
    route = OUTPUT("exec", "aa", "cat", "/proc/net/route");
    ck_assert_msg(!strstr(route, "eth0\t00000000\t"), "a default route:\n%s", route);
    /* Somebody with the power to add one gains nothing. */
    EXPECT_OK("run", "-d", "--name", "root", "--privileged", "--network", "inner", BOX, "sleep",
              "1000");
    EXPECT_OK("exec", "root", "ip", "route", "add", "default", "via", gateway);
    REACH("root", "tcp", NEIGHBOUR, "7000", SILENCE);
    REACH("web", "tcp", NEIGHBOUR, "7000", "outside from ");
    run_stop(outside);
    run_stop(here);
}
END_TEST

START_TEST(icc_false_keeps_containers_apart)
{
    cleanup_free char *aa = NULL, *bb = NULL;

    EXPECT_OK("network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "apart");
    SERVE("aa", "tcp", "80", "--network", "apart", "--expose", "80", "-p", "8080:80");
    SERVE("bb", "tcp", "80", "--network", "apart");
    SERVE("cc", "tcp", "80", "--network", "apart", "--link", "aa:friend");
    aa = lan_address("aa", NULL);
    bb = lan_address("bb", NULL);
    REACH("bb", "tcp", aa, "80", SILENCE);
    REACH("aa", "tcp", bb, "80", SILENCE);
    REACH("cc", "tcp", aa, "80", "aa from "); /* linked, and the port exposed */
    free(aa);
    EXPECT_OK("stop", "-t", "0", "aa");
    EXPECT_OK("start", "aa");
    aa = lan_address("aa", "apart");
    lan_await("cc", "tcp", aa, "80");
    REACH("cc", "tcp", aa, "80", "aa from "); /* also at the address of its next run */
    REACH("cc", "tcp", bb, "80", SILENCE);
    REACH(FROM_HOST, "tcp", aa, "80", "aa from ");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "aa from ");
}
END_TEST

/* --- IPv6 ------------------------------------------------------------------------------------ */

START_TEST(no_ipv6_unless_asked)
{
    cleanup_free char *inside = NULL;
    cleanup_run struct run_result r = {0};

    SERVE("web", "tcp", "80", NULL);
    inside =
        OUTPUT("exec", "web", "sh", "-c",
               "grep -v ' lo$' /proc/net/if_inet6; cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6 "
               "/proc/sys/net/ipv6/conf/eth0/accept_ra");
    ck_assert_str_eq(inside, "1\n0");
    RUN_OK(&r, NULL, "sh", "-c", "grep -E ' (cooper|cv)' /proc/net/if_inet6 || echo none");
    ck_assert_str_eq(r.out.data, "none\n");
}
END_TEST

START_TEST(ipv6_when_asked)
{
    cleanup_free char *log = world_path("six"), *text = NULL, *aa = NULL, *inside = NULL;
    pid_t outside;

    EXPECT(0, NULL, NULL, "network", "create", "--ipv6", "--subnet", "fd05::/64", "six");
    SERVE("aa", "tcp", "80", "--network", "six", "-p", "8080:80");
    SERVE("bb", "tcp", "80", "--network", "six", "--ip6", "fd05::99");
    aa = world_inspect("aa", "{{.NetworkSettings.Networks.six.GlobalIPv6Address}}");
    ck_assert_str_eq(aa, "fd05::2");
    REACH("aa", "tcp", "fd05::99", "80", "bb from fd05::2");
    REACH(FROM_HOST, "tcp", aa, "80", "aa from fd05::1");
    REACH(FROM_NEIGHBOUR, "tcp", HOST6, "8080", "aa from " NEIGHBOUR6);
    REACH(FROM_HOST, "tcp", "::1", "8080", "aa from ");
    REACH("bb", "tcp", HOST6, "8080", "aa from ");
    REACH("aa", "tcp", HOST6, "8080", "aa from ");
    REACH(FROM_NEIGHBOUR, "tcp", aa, "80", SILENCE);
    outside = lan_start(log, (const char *const[]){NET, "serve", "tcp", "7000", "outside", NULL});
    text = run_wait_for_text(log, "ready", 20);
    REACH("aa", "tcp", NEIGHBOUR6, "7000", "outside from " HOST6);
    inside = OUTPUT("exec", "aa", "cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra");
    ck_assert_str_eq(inside, "0");
    run_stop(outside);
}
END_TEST

SUITE(network_isolation)
{
    TCase *t = tcase_create("isolation");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, lan_make, lan_remove);
    tcase_add_checked_fixture(t, lan_clear, NULL);
    tcase_add_test(t, forged_datagrams);
    tcase_add_test(t, forged_arp);
    tcase_add_test(t, containers_addresses_are_not_the_neighbours_business);
    tcase_add_test(t, networks_do_not_meet);
    tcase_add_test(t, an_internal_network_has_no_way_out);
    tcase_add_test(t, icc_false_keeps_containers_apart);
    tcase_add_test(t, no_ipv6_unless_asked);
    tcase_add_test(t, ipv6_when_asked);
    suite_add_tcase(suite, t);
}
