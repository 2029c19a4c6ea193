/* A new network namespace has no devices but a loopback that is switched off. A veth pair is a
 * cable with a plug at each end: one end stays on the host, in a bridge, which is a switch; the
 * other is put into the namespace and becomes eth0.
 *
 * The kegs' addresses mean nothing outside of this host. So what leaves it is given the host's
 * address (masquerading), and what comes in for a published port is given the keg's (DNAT); the
 * kernel remembers both for the answers. */
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "die.h"
#include "netlink.h"

#define BRIDGE  "keg0"
#define SUBNET  "10.99.0."
#define GATEWAY SUBNET "1"
/* 10.99.0.N has the same hardware address every time. Neighbours remember it for a minute, and
 * would send to a device that is gone: a keg's is new each time, and a bridge without an address of
 * its own takes the lowest of its ports. The 2 says that we made it up. */
#define HARDWARE_ADDRESS(n) ((char[6]){2, 0, 10, 99, 0, (char)(n)})

static const char *wanted, *publish;

const struct option_row network_options[] = {
    {"address", SUBNET "N", &wanted},
    {"publish", "HOSTPORT:PORT", &publish},
    {NULL, NULL, NULL},
};

static void must(int result, const char *what)
{
    errno = -result;
    if (result < 0)
        die(errno == EOPNOTSUPP ? "this kernel lacks the driver: modprobe bridge veth" : NULL,
            "cannot %s: %m", what);
}

/* Sets a switch of the host. Returns 1 if that changed it. */
static int switch_on(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char old = 0;

    if (fd < 0 || read(fd, &old, 1) != 1 || (old == '0' && pwrite(fd, "1", 1, 0) != 1))
        die(NULL, "cannot switch on '%s': %m", path);
    close(fd);
    return old == '0';
}

static void make_bridge(void)
{
    int result = netlink_add_bridge(BRIDGE, HARDWARE_ADDRESS(1));

    if (result != -EEXIST)
        must(result, "make the bridge " BRIDGE);
    result = netlink_add_address(BRIDGE, GATEWAY, 24);
    if (result != -EEXIST)
        must(result, "give " BRIDGE " the address " GATEWAY);
    must(netlink_set_up(BRIDGE, NULL), "switch on " BRIDGE);
    if (switch_on("/proc/sys/net/ipv4/ip_forward"))
        dprintf(STDERR_FILENO,
                "keg: switched on net.ipv4.ip_forward: this host passes packets on now\n");
}

/* Names of devices are unique, so the device that is called after an address is the address's lock.
 * Returns N. */
static int plug_in(int netns)
{
    int first = wanted ? atoi(wanted + strlen(SUBNET)) : 2, last = wanted ? first : 254,
        result = -EEXIST, n;
    char name[16];

    for (n = first; n <= last && result == -EEXIST; n++) {
        snprintf(name, sizeof name, "keg%d", n);
        result = netlink_add_veth(name, "eth0", HARDWARE_ADDRESS(n), netns);
    }
    if (result == -EEXIST)
        die("a keg that has just ended keeps its own for a moment",
            "cannot find a free address from " SUBNET "%d to " SUBNET "%d", first, last);
    must(result, "make a pair of virtual devices");
    must(netlink_set_up(name, BRIDGE), "plug the keg into " BRIDGE);
    return n - 1;
}

/* Takes the port before there are rules, so that they never lead another program's visitors away.
 * SO_REUSEADDR: a connection that ended there a moment ago does not count. */
static int reserve(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("ss -ltnp tells who has it", "cannot publish the host's port %d: %m", port);
    return fd;
}

/* Keeps others out for good. After the rules, which turn everybody away: before, somebody could be
 * connected to us, and we never answer. */
static void hold(int fd, int port)
{
    if (listen(fd, 1) < 0)
        die("another keg was faster", "cannot publish the host's port %d: %m", port);
}

/* As nft(8) takes them. The table is ours: others' rules stay as they are, and it goes when our
 * socket closes. */
static void add_rules(int n, int host_port, int port)
{
    static struct nft_ctx *nft; /* stays: the rules live as long as its socket */
    char rules[2048];
    int len = snprintf(rules, sizeof rules,
                       "table ip keg%d {\n"
                       "  flags owner\n"
                       "  chain leaving {\n"
                       "    type nat hook postrouting priority srcnat\n"
                       "    ip saddr " SUBNET "%d oifname != " BRIDGE " masquerade\n"
                       "    ct status dnat oifname " BRIDGE " ip saddr { 127.0.0.0/8, " SUBNET
                       "0/24 } masquerade\n"
                       "  }\n"
                       "  chain spoofed {\n"
                       "    type filter hook prerouting priority raw\n"
                       "    iifname " BRIDGE " ip daddr 127.0.0.0/8 drop\n"
                       "  }\n",
                       n, n);

    for (int i = 0; i < 2 && port; i++)
        len +=
            snprintf(rules + len, sizeof rules - len,
                     "  chain %s {\n"
                     "    type nat hook %s priority -100\n"
                     "    fib daddr type local tcp dport %d dnat to " SUBNET "%d:%d\n"
                     "  }\n",
                     i ? "from_host" : "arriving", i ? "output" : "prerouting", host_port, n, port);
    snprintf(rules + len, sizeof rules - len, "}\n");
    nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!nft || nft_ctx_buffer_error(nft) || nft_run_cmd_from_buffer(nft, rules) < 0)
        die("this kernel lacks nf_tables or its nat: modprobe nft_masq",
            "cannot set the rules of keg%d: %s", n,
            nft ? nft_ctx_get_error_buffer(nft) : "no memory left");
}

static void read_options(int *ret_host_port, int *ret_port)
{
    int n, end = 0;

    if (wanted &&
        (sscanf(wanted, SUBNET "%3d%n", &n, &end) != 1 || wanted[end] || n < 2 || n > 254))
        die("N is a number from 2 to 254", "'%s' is not an address " SUBNET "N", wanted);
    if (publish &&
        (sscanf(publish, "%5d:%5d%n", ret_host_port, ret_port, &end) != 2 || publish[end] ||
         *ret_host_port < 1 || *ret_host_port > 65535 || *ret_port < 1 || *ret_port > 65535))
        die("for example --publish 8080:80", "'%s' is not HOSTPORT:PORT", publish);
}

static int open_namespace(void)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        die(NULL, "cannot open our network namespace: %m");
    return fd;
}

void network_create(void)
{
    int host = open_namespace(), keg, door, host_port = 0, port = 0, n = 0;
    char address[32];

    read_options(&host_port, &port);
    if (unshare(CLONE_NEWNET) < 0)
        die(NULL, "cannot make a network namespace: %m");
    keg = open_namespace();
    /* Back to the host for its half of the work; only the host's root is let in again. */
    if (setns(host, CLONE_NEWNET) == 0) {
        make_bridge();
        n = plug_in(keg);
        door = port ? reserve(host_port) : -1;
        add_rules(n, host_port, port);
        if (port) {
            hold(door, host_port);
            switch_on("/proc/sys/net/ipv4/conf/" BRIDGE "/route_localnet"); /* for localhost */
        }
    } else if (wanted || publish) {
        die("run keg as root", "cannot plug a keg into the host's network: %m");
    }
    if (setns(keg, CLONE_NEWNET) < 0)
        die(NULL, "cannot go back to the keg's network: %m");
    must(netlink_set_up("lo", NULL), "switch on lo");
    if (n) {
        snprintf(address, sizeof address, SUBNET "%d", n);
        must(netlink_add_address("eth0", address, 24), "give eth0 its address");
        must(netlink_set_up("eth0", NULL), "switch on eth0");
        must(netlink_add_default_route(GATEWAY), "route what is not local through " GATEWAY);
    }
}
