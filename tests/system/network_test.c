/* The network room against the kernel, each test in a network namespace of its own: bridges,
 * cables, routes, the switches of /proc/sys/net, the rules and their memory. */
#include "support/suite.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "network/internal.h"
#include "network/network.h"
#include "support/run.h"

static struct err err;

#define DONE(call) ck_assert_msg((call) >= 0, "%s", err.message)

/* In a namespace of this test's own; Check forks for each. */
static void alone(void)
{
    cleanup_with(run_free) struct run_result r = {0};

    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    RUN_OK(&r, NULL, "sh", "-c", "ip link set lo up; echo 0 >/proc/sys/net/ipv4/ip_forward");
}

/* Another one, as a descriptor. */
static int other_namespace(void)
{
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), other;

    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(setns(own, CLONE_NEWNET), 0);
    close(own);
    return other;
}

static struct subnet address(const char *text)
{
    struct subnet s;

    ck_assert_int_eq(subnet_parse(text, true, &s), 0);
    return s;
}

static void expect(const char *command, const char *expected)
{
    cleanup_with(run_free) struct run_result r = {0};

    RUN_OK(&r, NULL, "sh", "-c", command);
    ck_assert_msg(str_equal(r.out.data, expected), "%s\n  gave '%s'\n  expected '%s'", command,
                  r.out.data, expected);
}

/* The same inside of another namespace. */
static void expect_in(int netns, const char *command, const char *expected)
{
    int own = -1;

    DONE(netns_enter(netns, &own, &err));
    expect(command, expected);
    DONE(netns_leave(own, &err));
    close(own);
}

static void make_bridge(const char *name, const char *ip, struct strv *notes)
{
    struct net_bridge bridge = {.name = name, .ip4 = address(ip)};

    DONE(net_bridge_ensure(&bridge, true, notes, &err));
}

START_TEST(a_bridge_is_made_once_and_mended)
{
    cleanup_strv struct strv notes = {0};

    make_bridge("cb0", "10.44.0.1/24", &notes);
    ck_assert_uint_eq(notes.len, 1); /* forwarding is on now, and that is said */
    expect("ip -o -4 addr show cb0 | sed 's/ *scope.*//; s/.*inet //'", "10.44.0.1/24\n");
    expect("cat /proc/sys/net/ipv6/conf/cb0/disable_ipv6 /proc/sys/net/ipv4/ip_forward", "1\n1\n");
    make_bridge("cb0", "10.44.0.1/24", &notes);
    ck_assert_uint_eq(notes.len, 1);
    expect("ip link set cb0 down; ip addr flush dev cb0", "");
    make_bridge("cb0", "10.44.0.1/24", &notes);
    expect("ip -o -4 addr show cb0 | grep -c 10.44.0.1", "1\n");
    expect("ip link add notabr type veth peer name other", "");
    ck_assert_int_eq(net_bridge_ensure(&(struct net_bridge){.name = "notabr"}, true, &notes, &err),
                     -EEXIST);
    DONE(net_link_remove("cb0", &err));
    ck_assert(!net_link_exists("cb0"));
    DONE(net_link_remove("cb0", &err)); /* twice is as good */
}
END_TEST

/* A container's end of a cable, without any container. */
static struct net_endpoint endpoint(void)
{
    struct net_endpoint e = {.network = "test",
                             .network_id = "test",
                             .bridge = "cb0",
                             .host_link = "cv0",
                             .interface = "eth0",
                             .mac = {2, 0x42, 10, 44, 0, 2},
                             .ip4 = address("10.44.0.2/24"),
                             .gateway4 = address("10.44.0.1/24").base,
                             .default4 = true,
                             .mtu = 1400};

    return e;
}

START_TEST(a_container_is_plugged_in)
{
    cleanup_strv struct strv notes = {0};
    cleanup_close int inside = other_namespace();
    struct net_endpoint e = endpoint();

    make_bridge("cb0", "10.44.0.1/24", &notes);
    DONE(net_plug(&e, inside, &err));
    expect_in(inside, "ip -o -4 addr show eth0 | sed 's/.*inet \\([^ ]*\\).*/\\1/'",
              "10.44.0.2/24\n");
    expect_in(inside, "ip route | head -1", "default via 10.44.0.1 dev eth0 \n");
    expect_in(inside,
              "cat /sys/class/net/eth0/mtu 2>/dev/null || ip -o link show eth0 | sed 's/.*mtu "
              "\\([0-9]*\\).*/\\1/'",
              "1400\n");
    expect_in(inside, "cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1\n");
    expect("busybox ping -c1 -w20 10.44.0.2 >/dev/null && echo there", "there\n");
    ck_assert(net_link_heard("cv0"));
    DONE(net_plug(&e, inside, &err)); /* the cable of the run before gives way */
    DONE(net_set_default_routes(inside, &e, 0, &err));
    expect_in(inside, "ip route | grep -c default || true", "0\n");
    DONE(net_unplug(&e, &err));
    expect_in(inside, "ip -o link | grep -c eth0 || true", "0\n");
}
END_TEST

START_TEST(the_hosts_subnets_are_known)
{
    struct net_subnets list = {0};
    char text[SUBNET_TEXT_MAX];
    bool cable = false, route = false;

    expect(
        "ip link add aa type veth peer name bb; ip addr add 10.9.8.7/20 dev aa; ip link set aa up; "
        "ip link set bb up; ip route add 172.30.0.0/16 dev aa; ip route add default via 10.9.8.1",
        "");
    DONE(net_host_subnets(&list, &err));
    for (size_t i = 0; i < list.len; i++) {
        subnet_format(&list.items[i], text);
        cable |= !strcmp(text, "10.9.0.0/20");
        route |= !strcmp(text, "172.30.0.0/16");
        ck_assert_str_ne(text, "0.0.0.0/0"); /* everything would overlap with it */
    }
    ck_assert(cable && route);
    free(list.items);
}
END_TEST

static int calls; /* of all_elements */

static int all_elements(void *context, struct net_elements *ret, struct err *unused)
{
    (void)unused;
    calls++;
    net_network_elements(context, false, true, ret);
    return 0;
}

START_TEST(rules_are_made_once_and_remembered)
{
    cleanup_strv struct strv notes = {0};
    cleanup_elements struct net_elements more = {0};
    struct net_place place;
    struct net_endpoint e = endpoint();
    char *dir = temp_dir();
    int run = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    DONE(net_place_open(run, dir, true, &place, &err));
    ck_assert_str_eq(place.table, "cooper");
    calls = 0;
    DONE(net_rules_add(&place, &more, all_elements, "cb0", &notes, &err));
    ck_assert_int_eq(calls, 1);
    net_endpoint_elements(&e, &more);
    DONE(net_rules_add(&place, &more, all_elements, "cb0", &notes, &err));
    ck_assert_int_eq(calls, 1); /* only added to */
    expect("nft list set bridge cooper ports | grep -c cv0", "1\n");
    expect(
        "nft list set bridge cooper sources4 | grep -c '\"cv0\" . 02:42:0a:2c:00:02 . 10.44.0.2'",
        "1\n");
    expect("nft add table ip theirs", "");
    DONE(net_rules_add(&place, &more, all_elements, "cb0", &notes, &err));
    ck_assert_int_eq(calls, 1); /* another's change is none of ours */
    expect("nft flush ruleset", "");
    DONE(net_rules_add(&place, &more, all_elements, "cb0", &notes, &err));
    ck_assert_int_eq(calls, 2); /* everything anew, and only what belongs there */
    expect("nft list set inet cooper masqueraded | grep -c cb0", "1\n");
    DONE(net_rules_remove(&place, &more, &err)); /* of these none is there */
    DONE(net_rules_drop(&place, &err));
    expect("nft list tables", "");
    close(run);
    net_place_close(&place);
    temp_dir_remove(dir);
}
END_TEST

/* Two state directories in one namespace: each has its own tables. */
START_TEST(two_places_have_two_tables)
{
    struct net_place one, two;
    char *dir = temp_dir();
    int run = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    DONE(net_place_open(run, "/var/lib/one", false, &one, &err));
    DONE(net_place_open(run, "/var/lib/two", false, &two, &err));
    ck_assert_str_ne(one.table, two.table);
    ck_assert_str_ne(one.tag, two.tag);
    net_place_close(&one);
    net_place_close(&two);
    close(run);
    temp_dir_remove(dir);
}
END_TEST

START_TEST(ports_are_held)
{
    struct net_port port = {
        .proto = IPPROTO_TCP, .container = 80, .host = 8080, .host_ip = {.len = 4}};
    struct net_port six = port, udp = port;
    int first = net_port_open(&port, &err), second;

    six.host_ip.len = 16;
    udp.proto = IPPROTO_UDP;
    ck_assert_msg(first >= 0, "%s", err.message);
    ck_assert_int_eq(net_port_open(&port, &err), -EADDRINUSE);
    second = net_port_open(&six, &err); /* IPv6 is a port of its own */
    ck_assert_int_ge(second, 0);
    close(second);
    second = net_port_open(&udp, &err);
    ck_assert_int_ge(second, 0);
    ck_assert_int_eq(net_port_open(&udp, &err), -EADDRINUSE);
    close(second);
    close(first);
    first = net_port_open(&port, &err);
    ck_assert_int_ge(first, 0);
    close(first);
    ck_assert_int_eq(ip_parse("192.0.2.1", &port.host_ip), 0);
    ck_assert_int_lt(net_port_open(&port, &err), 0);
    ck_assert(strstr(err.message, "cannot publish port 192.0.2.1:8080/tcp"));
}
END_TEST

SUITE(network)
{
    TCase *t = tcase_create("kernel");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, alone, NULL);
    tcase_add_test(t, a_bridge_is_made_once_and_mended);
    tcase_add_test(t, a_container_is_plugged_in);
    tcase_add_test(t, the_hosts_subnets_are_known);
    tcase_add_test(t, rules_are_made_once_and_remembered);
    tcase_add_test(t, two_places_have_two_tables);
    tcase_add_test(t, ports_are_held);
    suite_add_tcase(suite, t);
}
