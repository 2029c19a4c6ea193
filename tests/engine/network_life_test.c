/* Networks made, listed, removed; containers that come onto them and leave; others' rules. */
#include "engine/lan.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define EXPECT_OK(...) EXPECT(0, NULL, "", __VA_ARGS__)

/* --- the commands ---------------------------------------------------------------------------- */

START_TEST(a_networks_life)
{
    cleanup_free char *id = OUTPUT("network", "create", "--label", "a=b", "net-one"), *shown = NULL;

    ck_assert_uint_eq(strlen(id), 64);
    EXPECT(1, "", "network with name net-one already exists", "network", "create", "net-one");
    shown = OUTPUT("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}}");
    ck_assert_str_eq(
        shown,
        "bridge bridge local \nhost host local \nnet-one bridge local a=b\nnone null local ");
    EXPECT(0, "net-one\n", "", "network", "inspect", "-f", "{{.Name}}", id);
    EXPECT(1, "", "bridge is a pre-defined network and cannot be removed", "network", "rm",
           "bridge");
    EXPECT(1, "", "network nosuch not found", "network", "rm", "nosuch");
    EXPECT(125, "", "network nosuch not found", "run", "--rm", "--network", "nosuch", BOX, "true");
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--network", "net-one", BOX, "sleep", "1000");
    EXPECT(1, "", "has active endpoints", "network", "rm", "net-one");
    EXPECT(0, "web\n", "", "network", "inspect", "-f", "{{range .Containers}}{{.Name}}{{end}}",
           "net-one");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
    EXPECT(0, "net-one\n", "", "network", "rm", "net-one");
    EXPECT_OK("network", "create", "net-two");
    EXPECT_OK("network", "create", "--label", "a", "--label", "b=c", "net-labels");
    EXPECT(0, "net-labels\n", "", "network", "ls", "--filter", "label=a", "--filter", "label=b=c",
           "--format", "{{.Name}}");
    EXPECT(0, "", "", "network", "ls", "--filter", "label=a", "--filter", "label=b=d", "--format",
           "{{.Name}}");
    EXPECT(0, "net-labels\n", "", "network", "ls", "--filter", "name=^net-l", "--format",
           "{{.Name}}");
    EXPECT(0, "", "", "network", "ls", "--filter", "name=^labels", "--format", "{{.Name}}");
    EXPECT(0, "Deleted Networks:\nnet-two\n\n", "", "network", "prune", "-f", "--filter",
           "label!=a");
    EXPECT(0, "Deleted Networks:\nnet-labels\n\n", "", "network", "prune", "-f");
}
END_TEST

START_TEST(events_of_networks)
{
    EXPECT_OK("network", "create", "net-ev");
    EXPECT_OK("run", "--rm", "--name", "ev1", "--network", "net-ev", BOX, "true");
    SERVE("ev2", "tcp", "80", NULL);
    EXPECT_OK("network", "connect", "net-ev", "ev2");
    EXPECT_OK("network", "disconnect", "net-ev", "ev2");
    EXPECT_OK("network", "rm", "net-ev");
    EXPECT(0, "create\nconnect\ndisconnect\nconnect\ndisconnect\ndestroy\n", "", "events",
           "--until", "0s", "--filter", "network=net-ev", "--format", "{{.Action}}");
}
END_TEST

/* Taken off all its networks, a container has none at its next starts either, until it is put on
 * one again. */
START_TEST(off_all_networks)
{
    EXPECT_OK("network", "create", "net-one");
    EXPECT_OK("run", "-d", "--name", "web", "--network", "net-one", BOX, "sleep", "1000");
    EXPECT(0, "0\n", "", "inspect", "-f",
           "{{(index .NetworkSettings.Networks \"net-one\").GwPriority}}", "web");
    EXPECT_OK("network", "disconnect", "net-one", "web");
    for (int i = 0; i < 2; i++) {
        EXPECT(0, "lo\n", "", "exec", "web", "ls", "/sys/class/net");
        EXPECT_OK("stop", "-t", "0", "web");
        EXPECT_OK("start", "web");
    }
    EXPECT_OK("network", "connect", "net-one", "web");
    EXPECT(0, "eth0\nlo\n", "", "exec", "web", "ls", "/sys/class/net");
}
END_TEST

/* A bridge that was there before the network is there after it. */
START_TEST(a_bridge_of_ones_own)
{
    cleanup_run struct run_result r = {0};

    RUN_OK(&r, NULL, "ip", "link", "add", "own0", "type", "bridge");
    EXPECT_OK("network", "create", "-o", "com.docker.network.bridge.name=own0", "owned");
    EXPECT_OK("network", "create", "-o", "com.docker.network.bridge.name=made0", "made");
    EXPECT(1, "", "(made0): networks have same bridge name", "network", "create", "-o",
           "com.docker.network.bridge.name=made0", "second");
    EXPECT(1, "", "operation is not permitted on predefined default network", "network", "create",
           "default");
    SERVE("web", "tcp", "80", "--network", "owned", "-p", "8080:80");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "web from " NEIGHBOUR);
    EXPECT_OK("rm", "-f", "web");
    EXPECT_OK("network", "rm", "owned");
    RUN_OK(&r, NULL, "ip", "address", "flush", "dev", "own0"); /* up, but without an address */
    EXPECT_OK("network", "create", "-o", "com.docker.network.bridge.name=own0", "owned");
    SERVE("web", "tcp", "80", "--network", "owned", "-p", "8080:80");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "web from " NEIGHBOUR);
    EXPECT_OK("rm", "-f", "web");
    EXPECT_OK("network", "rm", "owned", "made");
    RUN_OK(&r, NULL, "ip", "link", "show", "own0");
    RUN(&r, NULL, "ip", "link", "show", "made0");
    ck_assert_int_ne(r.code, 0);
    RUN_OK(&r, NULL, "ip", "link", "del", "own0");
}
END_TEST

/* Somebody cleans up the host's addresses: the next container brings the bridge's back. */
START_TEST(a_bridge_that_lost_its_addresses)
{
    cleanup_run struct run_result r = {0};

    EXPECT(0, NULL, NULL, "network", "create", "--ipv6", "--subnet", "fd50::/64", "--subnet",
           "10.50.0.0/24", "-o", "com.docker.network.bridge.name=lost0", "lost");
    EXPECT(0, "10.50.0.0/24 fd50::/64 \n", "", "network", "inspect", "-f",
           "{{range .IPAM.Config}}{{.Subnet}} {{end}}", "lost"); /* IPv4 first, always */
    SERVE("web", "tcp", "80", "--network", "lost", "-p", "8080:80");
    RUN_OK(&r, NULL, "ip", "address", "flush", "dev", "lost0");
    EXPECT_OK("run", "--rm", "--network", "lost", BOX, "true");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "web from " NEIGHBOUR);
    REACH("web", "tcp", "10.50.0.1", "8080", "web from 10.50.0.1");
    run_free(&r);
    RUN_OK(&r, NULL, "ip", "-o", "address", "show", "dev", "lost0");
    ck_assert_msg(strstr(r.out.data, " 10.50.0.1/24 ") && strstr(r.out.data, " fd50::1/64 "), "%s",
                  r.out.data);
}
END_TEST

static const struct {
    const char *args[8], *error;
} bad_networks[] = {
    {{"--subnet", "10.99.0.0/16"},
     "Pool overlaps with other one on this address space"}, /* the host's cable */
    {{"--subnet", "nonsense"}, "invalid subnet nonsense"},
    {{"--subnet", "10.50.0.0/33"}, "invalid subnet"},
    {{"--subnet", "10.50.0.0/16", "--gateway", "10.51.0.1"},
     "no matching subnet for gateway 10.51.0.1"},
    {{"--subnet", "10.50.0.0/16", "--ip-range", "10.51.0.0/24"},
     "no matching subnet for range 10.51.0.0/24"},
    {{"--subnet", "10.50.0.0/16", "--aux-address", "x=10.60.0.1"},
     "no matching subnet for aux-address"},
    {{"--subnet", "fd07::/64"}, "needs --ipv6"},
    {{"--driver", "nosuch"}, "plugin \"nosuch\" not found"},
    {{"--driver", "host"}, "only one instance of \"host\" network is allowed"},
    {{"-o", "mtu=9"}, "invalid MTU"},
    {{"--ipv4=false"}, "IPv4 or IPv6 must be enabled"},
    {{"-o", "com.docker.network.bridge.name=much-too-long-a-name"}, "invalid bridge name"},
    {{"--gateway", "10.50.0.1"}, "no matching subnet"},
    {{"--subnet", "10.50.0.0/24", "--gateway", "10.50.0.0"}, "is the network's own address"},
    {{"--subnet", "10.50.0.0/24", "--gateway", "10.50.0.255"}, "is the network's own address"},
    {{"--subnet", "10.50.0.0/31"}, "no room for a gateway and a container"},
    {{"--subnet", "127.5.0.0/16"}, "addresses of 127.0.0.0/8 are no host's"},
    {{"--subnet", "224.1.0.0/16"}, "are no host's"},
    {{"-o", "com.docker.network.bridge.enable_icc=no"}, "no is neither true nor false"},
    {{"-o", "com.docker.network.bridge.enable_ip_masquerade=2"}, "2 is neither true nor false"},
    {{"-o", "com.docker.network.bridge.host_binding_ipv4=127.0.1"}, "127.0.1 is no IPv4 address"},
    {{"-o", "com.docker.network.bridge.host_binding_ipv4=::1"}, "::1 is no IPv4 address"},
};

START_TEST(bad_networks_are_refused)
{
    const char *args[16] = {"network", "create"};
    size_t n = 2;

    for (size_t i = 0; bad_networks[_i].args[i]; i++)
        args[n++] = bad_networks[_i].args[i];
    args[n++] = "bad";
    world_expect("bad network", 1, "", bad_networks[_i].error, args);
    EXPECT(1, "[]\n", "not found", "network", "inspect", "bad");
}
END_TEST

/* All of docker's pools taken, and nobody has been on the default network yet: it has its place,
 * and all can be removed. */
START_TEST(pools_that_are_exhausted)
{
    const char *other = world_other_root();
    cleanup_free char *tables = lan_nft("list tables");
    cleanup_run struct run_result r = {0};
    int n = 0;

    for (; n < 100; n++) {
        cleanup_free char *name = str_format("many%d", n);

        run_free(&r);
        COOPER(&r, "--root", other, "network", "create", name);
        if (r.code)
            break;
    }
    ck_assert_int_lt(n, 100);
    ck_assert(strstr(r.err.data, "all predefined address pools have been fully subnetted"));
    EXPECT(0, "bridge\n", "", "--root", other, "network", "inspect", "-f", "{{.Name}}", "bridge");
    EXPECT_OK("--root", other, "network", "prune", "-f");
    EXPECT(0, "bridge\nhost\nnone\n", "", "--root", other, "network", "ls", "--format",
           "{{.Name}}");
    run_free(&r);
    RUN_OK(&r, NULL, "sh", "-c",
           "nft list tables | while read -r word family name; do case $0 in *\"$family $name\"*) "
           ";; *) "
           "nft delete table \"$family\" \"$name\" ;; esac; done",
           tables);
}
END_TEST

START_TEST(subnets_ranges_and_static_addresses)
{
    cleanup_free char *config = NULL;

    EXPECT_OK("network", "create", "--subnet", "10.50.0.0/24", "--gateway", "10.50.0.254",
              "--ip-range", "10.50.0.8/30", "--aux-address", "printer=10.50.0.9", "-o", "mtu=1400",
              "lab");
    EXPECT(1, "", "Pool overlaps", "network", "create", "--subnet", "10.50.0.128/25", "overlap");
    config = OUTPUT("network", "inspect", "-f", "{{json .IPAM.Config}}", "lab");
    ck_assert_str_eq(
        config,
        "[{\"Subnet\":\"10.50.0.0/24\",\"IPRange\":\"10.50.0.8/30\",\"Gateway\":\"10.50.0.254\","
        "\"AuxiliaryAddresses\":{\"printer\":\"10.50.0.9\"}}]");
    SERVE("aa", "tcp", "80", "--network", "lab");
    SERVE("bb", "tcp", "80", "--network", "lab");
    SERVE("cc", "tcp", "80", "--network", "lab");
    {
        cleanup_free char *a = lan_address("aa", NULL), *b = lan_address("bb", NULL),
                          *c = lan_address("cc", NULL);

        ck_assert_str_eq(a, "10.50.0.8"); /* .9 is the printer's */
        ck_assert_str_eq(b, "10.50.0.10");
        ck_assert_str_eq(c, "10.50.0.11");
    }
    EXPECT(125, NULL, "no available IPv4 addresses on this network's address pools: lab", "run",
           "--name", "dd", "--network", "lab", BOX, "true");
    EXPECT(0, "created\n", "", "inspect", "-f", "{{.State.Status}}", "dd");
    EXPECT_OK("rm", "-f", "bb");
    EXPECT_OK("start", "dd"); /* there is one again */
    SERVE("ee", "tcp", "80", "--network", "lab", "--ip", "10.50.0.77", "--mac-address",
          "92:d0:c6:0a:29:33");
    REACH("aa", "tcp", "10.50.0.77", "80", "ee from 10.50.0.8");
    EXPECT(0, "92:d0:c6:0a:29:33\n", "", "exec", "ee", "cat", "/sys/class/net/eth0/address");
    EXPECT(0, "1400\n", "", "exec", "ee", "cat", "/sys/class/net/eth0/mtu");
    EXPECT(125, NULL, "Address already in use", "run", "--rm", "--network", "lab", "--ip",
           "10.50.0.77", BOX, "true");
    EXPECT(125, NULL, "Address already in use: 10.50.0.255", "run", "--rm", "--network", "lab",
           "--ip", "10.50.0.255", BOX, "true");
    EXPECT(125, NULL, "Address already in use: 10.50.0.0", "run", "--rm", "--network",
           "name=lab,ip=10.50.0.0", BOX, "true");
    EXPECT(125, NULL, "no configured subnet contains IP address 10.60.0.1", "run", "--rm",
           "--network", "lab", "--ip", "10.60.0.1", BOX, "true");
    EXPECT(125, NULL, "user defined networks only", "run", "--rm", "--ip", "172.17.0.99", BOX,
           "true");
    EXPECT_OK("network", "create", "auto");
    EXPECT(125, NULL, "only when connecting to networks with user configured subnets", "run",
           "--rm", "--network", "name=auto,ip=172.18.0.9", BOX, "true");
}
END_TEST

/* What was given back last is given out last. */
START_TEST(addresses_are_used_again_last)
{
    EXPECT_OK("network", "create", "--subnet", "10.50.0.0/29", "small"); /* .2 to .6 */
    for (int i = 0; i < 12; i++) {
        cleanup_free char *expected = str_format("10.50.0.%d\n", 2 + i % 5);
        cleanup_free char *format =
            str_copy("ip -o -4 addr show eth0 | sed 's/.*inet \\([^/]*\\).*/\\1/'");

        EXPECT(0, expected, "", "run", "--rm", "--network", "small", BOX, "sh", "-c", format);
    }
}
END_TEST

/* --- connect, disconnect --------------------------------------------------------------------- */

START_TEST(a_running_container_changes_networks)
{
    cleanup_free char *gateway = NULL, *route = NULL, *expected = NULL;

    EXPECT_OK("network", "create", "net-one");
    EXPECT_OK("network", "create", "net-two");
    SERVE("web", "tcp", "80", "-p", "8080:80");
    SERVE("one", "tcp", "80", "--network", "net-one");
    EXPECT(1, "", "endpoint with name web already exists in network bridge", "network", "connect",
           "bridge", "web");
    EXPECT_OK("network", "connect", "--alias", "shop", "net-one", "web");
    {
        cleanup_free char *one = lan_address("one", NULL), *web = lan_address("web", "net-one");

        REACH("web", "tcp", one, "80", "one from ");
        REACH("one", "tcp", web, "80", "web from ");
    }
    EXPECT_OK("network", "disconnect", "bridge", "web");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080",
          "web from " NEIGHBOUR); /* the port has moved along */
    REACH(FROM_HOST, "tcp", "127.0.0.1", "8080", "web from ");
    gateway = OUTPUT("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "net-one");
    expected = str_format("default via %s dev eth1 ", gateway);
    route = OUTPUT("exec", "web", "sh", "-c", "ip route | grep default");
    ck_assert_str_eq(route, expected);
    EXPECT(1, "", "is not connected to network bridge", "network", "disconnect", "bridge", "web");
    /* The wish outlives the run. */
    EXPECT_OK("network", "connect", "net-two", "web");
    EXPECT_OK("stop", "-t", "0", "web");
    EXPECT_OK("network", "disconnect", "net-two", "web");
    EXPECT_OK("start", "web");
    EXPECT(0, "net-one \n", "", "inspect", "-f",
           "{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}", "web");
    lan_await(FROM_NEIGHBOUR, "tcp", HOST, "8080");
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "web from " NEIGHBOUR);
}
END_TEST

START_TEST(several_networks_from_the_start)
{
    cleanup_free char *links = NULL, *route = NULL, *gateway = NULL;

    EXPECT_OK("network", "create", "zz-net");
    EXPECT_OK("network", "create", "aa-net");
    EXPECT_OK("network", "create", "--internal", "inner");
    EXPECT_OK("run", "-d", "--name", "web", "--network", "inner", "--network", "zz-net",
              "--network", "name=aa-net,alias=shop,gw-priority=-1", BOX, "sleep", "1000");
    links = OUTPUT("exec", "web", "sh", "-c", "ls /sys/class/net | tr '\\n' ' '");
    ck_assert_str_eq(links, "eth0 eth1 eth2 lo ");
    gateway = OUTPUT("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "zz-net");
    route = OUTPUT("exec", "web", "sh", "-c",
                   "ip route | sed -n 's/^default via \\([^ ]*\\) .*/\\1/p'");
    ck_assert_str_eq(route, gateway); /* not the internal one, and aa-net has less priority */
    EXPECT(125, NULL, "is specified multiple times", "run", "--rm", "--network", "zz-net",
           "--network", "zz-net", BOX, "true");
    EXPECT(125, NULL, "cannot specify both --network-alias and per-network alias", "run", "--rm",
           "--network", "name=zz-net,alias=a", "--network-alias", "b", BOX, "true");
    EXPECT(125, NULL, "cannot specify both --ip and per-network IPv4 address", "run", "--rm",
           "--network", "name=zz-net,ip=10.1.1.1", "--ip", "10.1.1.2", BOX, "true");
    EXPECT(125, NULL, "invalid key value pair format in driver options", "run", "--rm", "--network",
           "name=zz-net,driver-opt=a", BOX, "true");
}
END_TEST

static const struct {
    const char *args[6], *error;
} bad_modes[] = {
    {{"--network", "host", "--mac-address", "02:42:ac:11:00:99"},
     "conflicting options: mac-address and the network mode"},
    {{"--network", "none", "--mac-address", "02:42:ac:11:00:99"},
     "conflicting options: mac-address and the network mode"},
    {{"--network", "host", "--link", "web"},
     "conflicting options: host type networking can't be used with links"},
    {{"--network", "host", "--ip", "10.1.2.3"}, "supported on user defined networks only"},
    {{"--ip", "172.17.0.9"}, "supported on user defined networks only"},
    {{"--network-alias", "x"}, "supported only for containers in user defined networks"},
    {{"--network", "container:web", "--mac-address", "02:42:ac:11:00:99"},
     "conflicting options: mac-address and the network mode"},
    {{"--network", "container:web", "--ip", "10.1.2.3"}, "supported on user defined networks only"},
    {{"--network", "container:web", "--network-alias", "x"}, "for user-defined networks"},
    {{"--network", "container:web", "--dns", "1.1.1.1"},
     "conflicting options: dns and the network mode"},
    {{"--network", "container:web", "--link", "web"},
     "conflicting options: container type network can't be used with links"},
};

/* Refused when it is created: no container is left of it. */
START_TEST(what_a_network_mode_cannot_have_is_refused)
{
    const char *args[16] = {"create", "--name", "bad"};
    size_t n = 3;

    EXPECT_OK("create", "--name", "web", BOX, "true");
    for (size_t i = 0; bad_modes[_i].args[i]; i++)
        args[n++] = bad_modes[_i].args[i];
    args[n++] = BOX;
    world_expect("bad mode", _i >= 6 && _i <= 8 ? 125 : 1, "", bad_modes[_i].error, args);
    EXPECT(0, "web\n", "", "ps", "-a", "--format", "{{.Names}}");
}
END_TEST

START_TEST(ports_on_the_hosts_network_are_told_to_be_none)
{
    EXPECT(0, "", "WARNING: Published ports are discarded when using host network mode\n", "run",
           "--rm", "--network", "host", "-p", "8080:80", BOX, "true");
}
END_TEST

START_TEST(another_containers_network)
{
    cleanup_free char *web = NULL;

    SERVE("web", "tcp", "80", "--hostname", "cask", "-p", "8080:80");
    web = lan_address("web", NULL);
    EXPECT_OK("run", "-d", "--name", "side", "--network", "container:web", BOX, "net", "serve",
              "tcp", "81", "side");
    REACH("side", "tcp", "127.0.0.1", "80", "web from 127.0.0.1");
    REACH(FROM_HOST, "tcp", web, "81", "side from ");
    EXPECT(0, NULL, NULL, "exec", "side", "grep", "cask", "/etc/hosts");
    EXPECT(125, NULL, "conflicting options: port publishing and the container type network mode",
           "run", "--rm", "--network", "container:web", "-p", "81:81", BOX, "true");
    EXPECT(125, NULL, "conflicting options: hostname and the network mode", "run", "--rm",
           "--network", "container:web", "--hostname", "x", BOX, "true");
    EXPECT(125, NULL, "No such container: nosuch", "run", "--rm", "--network", "container:nosuch",
           BOX, "true");
    EXPECT_OK("stop", "-t", "0", "side");
    EXPECT_OK("start", "side");
    world_wait_log("side", "ready");
    /* Its owner ends: what stays has no cable any more, and the address may be another's. */
    EXPECT_OK("stop", "-t", "0", "web");
    REACH("side", "tcp", "127.0.0.1", "81", "side from 127.0.0.1");
    EXPECT(0, "lo\n", "", "exec", "side", "ls", "/sys/class/net");
    EXPECT_OK("stop", "-t", "0", "side");
    EXPECT(1, NULL, "cannot join network of a non running container", "start", "side");
}
END_TEST

/* --- others' rules, and none ----------------------------------------------------------------- */

START_TEST(the_rules_come_back)
{
    cleanup_free char *web = NULL, *before = NULL, *after = NULL;

    EXPECT_OK("network", "create", "net-one");
    SERVE("web", "tcp", "80", "-p", "8080:80");
    SERVE("one", "tcp", "80", "--network", "net-one");
    web = lan_address("web", NULL);
    before = lan_nft("-s list ruleset");
    free(lan_nft("flush ruleset"));
    EXPECT_OK("run", "--rm", BOX, "true");
    after = lan_nft("-s list ruleset");
    ck_assert_str_eq(after, before);
    REACH(FROM_NEIGHBOUR, "tcp", HOST, "8080", "web from " NEIGHBOUR);
    REACH("one", "tcp", web, "80", SILENCE);
    /* One rule of ours, or one element, taken away is noticed as well. */
    free(lan_nft("flush chain inet $(nft list tables | sed -n 's/table inet "
                 "\\(cooper.*\\)/\\1/p') to_bridge"));
    EXPECT_OK("run", "--rm", BOX, "true");
    free(after);
    after = lan_nft("-s list ruleset");
    ck_assert_str_eq(after, before);
}
END_TEST

START_TEST(others_rules_are_not_touched)
{
    cleanup_free char *before = NULL, *after = NULL;

    free(lan_nft("add table ip theirs"));
    free(lan_nft(
        "add chain ip theirs forward '{ type filter hook forward priority 0; policy drop; }'"));
    free(lan_nft("add rule ip theirs forward ip daddr 192.0.2.1 counter drop"));
    before = lan_nft("-s list table ip theirs");
    EXPECT(0, "", "the chain 'ip theirs forward' of another program drops what it does not know",
           "run", "--rm", BOX, "true");
    EXPECT(0, "", "", "run", "--rm", BOX, "true"); /* said once, not each time */
    free(lan_nft(
        "flush table inet $(nft list tables | sed -n 's/table inet \\(cooper.*\\)/\\1/p')"));
    EXPECT(0, "", NULL, "run", "--rm", BOX, "true");
    after = lan_nft("-s list table ip theirs");
    ck_assert_str_eq(after, before);
    free(lan_nft("delete table ip theirs"));
}
END_TEST

/* Connections of a port that was closed, or of an address that is another's now, are forgotten. */
START_TEST(connections_end_with_the_container)
{
    cleanup_run struct run_result r = {0};
    cleanup_free char *web = NULL, *pattern = NULL;

    SERVE("web", "udp", "53", "-p", "5353:53/udp");
    web = lan_address("web", NULL);
    pattern = str_format("src=%s ", web);
    REACH(FROM_NEIGHBOUR, "udp", HOST, "5353", "web from ");
    RUN_OK(&r, NULL, "cat", "/proc/net/nf_conntrack");
    ck_assert_msg(strstr(r.out.data, pattern), "%s", r.out.data);
    EXPECT_OK("rm", "-f", "web");
    for (int i = world_ticks(10); i > 0; i--) { /* the shim's last deed, after everybody was told */
        RUN_OK(&r, NULL, "cat", "/proc/net/nf_conntrack");
        if (!strstr(r.out.data, pattern))
            break;
        world_tick();
    }
    ck_assert_msg(!strstr(r.out.data, pattern), "%s", r.out.data);
}
END_TEST

START_TEST(forwarding_is_said)
{
    cleanup_run struct run_result r = {0};

    RUN_OK(&r, NULL, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward");
    EXPECT(0, "", "switched on net.ipv4.ip_forward", "run", "--rm", BOX, "true");
    EXPECT(0, "", "", "run", "--rm", BOX, "true");
    RUN_OK(&r, NULL, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward");
    EXPECT_OK("network", "create", "--internal", "inner"); /* which needs none */
    EXPECT(0, "", "", "run", "--rm", "--network", "inner", BOX, "true");
    EXPECT(0, "", "", "run", "--rm", "--network", "none", BOX, "true");
    RUN_OK(&r, NULL, "cat", "/proc/sys/net/ipv4/ip_forward");
    ck_assert_str_eq(r.out.data, "0\n");
    RUN_OK(&r, NULL, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward");
}
END_TEST

SUITE(network_life)
{
    TCase *t = tcase_create("life");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 200);
    tcase_add_unchecked_fixture(t, lan_make, lan_remove);
    tcase_add_checked_fixture(t, lan_clear, NULL);
    tcase_add_test(t, a_networks_life);
    tcase_add_test(t, events_of_networks);
    tcase_add_test(t, off_all_networks);
    tcase_add_test(t, a_bridge_of_ones_own);
    tcase_add_test(t, a_bridge_that_lost_its_addresses);
    tcase_add_loop_test(t, bad_networks_are_refused, 0, sizeof bad_networks / sizeof *bad_networks);
    tcase_add_test(t, pools_that_are_exhausted);
    tcase_add_test(t, subnets_ranges_and_static_addresses);
    tcase_add_test(t, addresses_are_used_again_last);
    tcase_add_test(t, a_running_container_changes_networks);
    tcase_add_test(t, several_networks_from_the_start);
    tcase_add_loop_test(t, what_a_network_mode_cannot_have_is_refused, 0,
                        sizeof bad_modes / sizeof *bad_modes);
    tcase_add_test(t, ports_on_the_hosts_network_are_told_to_be_none);
    tcase_add_test(t, another_containers_network);
    tcase_add_test(t, the_rules_come_back);
    tcase_add_test(t, others_rules_are_not_touched);
    tcase_add_test(t, connections_end_with_the_container);
    tcase_add_test(t, forwarding_is_said);
    suite_add_tcase(suite, t);
}
