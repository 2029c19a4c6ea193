/* network.h - containers that reach each other, the outside, and nothing they should not.
 *
 * Theory of operation. A network is a bridge, which is a switch made of software. A container is
 * plugged into it by a veth pair, which is a cable: one end is a port of the bridge, the other is
 * eth0 in the container's own network namespace.
 *
 *       container             host                                        outside
 *      +----------+   cv<id>0 +----------------+  routing, NAT    eth0
 *      |   eth0 ==|===========|= bridge cooper0 |--------------------------->
 *      +----------+           +----------------+
 *         172.17.0.2             172.17.0.1
 *
 * Who does what, and when. The command that starts a container takes its addresses (a database
 * transaction, see storage/), makes the bridge if it is not there, opens the sockets of published
 * ports and puts the container's elements into the rules. Its shim, while init is busy with its
 * mounts, makes the cable with one end in init's namespace, and gives eth0 its address: a start is
 * not delayed by it. When the container has ended the shim takes the elements out again; the cable
 * goes with the namespace. What a killed process left is found by its name, which begins with the
 * container's id, and by the plan (run/<id>/network.json), which is written before anything is
 * made.
 *
 * The rules (rules.c) are two tables of nftables of our own, "inet cooper" and "bridge cooper".
 * Their chains never change: what changes is in sets and maps, so a container or a port is one
 * element more, whatever the number of containers. Others' tables are never touched. That nobody
 * has touched ours is asked of the kernel at each start: the ruleset has a generation number, and
 * while it is the one we left everything is as we left it; only when it is another are the rules
 * read, compared, and made anew from the records if need be.
 *
 *     - from a port of ours: only frames with the container's own hardware and internet address go
 *       on (ARP, too)
 *     - forwarded to a bridge: only answers, and what came for a published port
 *     - forwarded from a bridge: anywhere that is not a bridge of ours; from an internal network
 *       nowhere
 *     - to the host itself: from an internal network nothing; from others what the host offers
 *
 * Published ports. Traffic that arrives for one is given the container's address by a map (DNAT),
 * with the client's address kept. The kernel does not do that for 127.0.0.1 and [::1], and must
 * not, or the neighbours on the cable outside could forge them. So the shim listens at each
 * published port as well: it reserves the port, so that no other program takes it, and relays what
 * reaches it from this host (proxy.c).
 *
 * Names. On networks that a user made, 127.0.0.11 in the container is answered by its shim (dns.c):
 * names of the containers on its networks from run/network/names/, which the shims fill and empty;
 * everything else is asked of the host's resolvers.
 *
 * Kernel: Linux 5.12; nf_tables with nat and fib, bridge, veth.
 */
#pragma once

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/str.h"

#define LINK_NAME_MAX 16 /* IFNAMSIZ, with the NUL */

/* --- plans -------------------------------------------------------------------------------------
 *
 * What one container has on its networks, as JSON, because it is kept in the database, shown by
 * inspect and given to the shim. An endpoint has docker's members (IPAddress, IPPrefixLen, Gateway,
 * GlobalIPv6Address, ...) and ours: Bridge, HostLink, Interface, MTU, Internal, Isolated, Names
 * (what it is called in the DNS), LinkLocalIPs. */

struct net_endpoint {
    const char *network, *network_id; /* borrowed from the JSON, as all texts here */
    const char *bridge;
    char host_link[LINK_NAME_MAX]; /* cv<12 of the id><n> */
    char interface[LINK_NAME_MAX]; /* eth<n> */
    uint8_t mac[6];
    struct subnet ip4, ip6; /* address with prefix; base.len 0: none */
    struct ip gateway4, gateway6;
    bool default4, default6; /* has the container's default route */
    bool internal, isolated; /* icc=false: not to other containers */
    bool ipv6;
    bool publishes; /* may be led back to itself by a published port */
    uint32_t mtu;
    const json_t *names, *more; /* DNS names; further addresses of this interface */
};
/* -EINVAL for what cannot be an endpoint of ours. */
int net_endpoint_read(const json_t *endpoint, struct net_endpoint *ret, struct err *err);

enum { NET_ENDPOINTS_MAX = 16 };
struct net_endpoint_list {
    struct net_endpoint items[NET_ENDPOINTS_MAX];
    size_t len;
};
/* All of an array; the texts are the array's. */
int net_endpoints_read(const json_t *endpoints, struct net_endpoint_list *ret, struct err *err);

struct net_port {
    uint8_t proto;      /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
    uint16_t container; /* the container's port */
    uint16_t host;      /* the host's */
    struct ip host_ip;  /* what it is bound to; 0.0.0.0 and :: for any */
};
int net_port_read(const json_t *port, struct net_port *ret, struct err *err);
const char *net_proto_name(uint8_t proto);
/* "tcp", "udp", "sctp" -> IPPROTO_*, or -EINVAL. */
int net_proto_number(const char *name);

/* --- links: link.c, sandbox.c */

struct net_bridge {
    const char *name;
    struct subnet ip4, ip6; /* the gateway's address; base.len 0: none */
    bool ipv6;
    uint32_t mtu; /* 0: 1500 */
};
/* Makes the bridge, or sees that it is as it should be: up, and with its addresses.
 * IPv6 is switched off on it unless the network has it; router advertisements are never listened
 * to. `ret_notes` gets what was changed on the host beside it (forwarding). */
int net_bridge_ensure(const struct net_bridge *bridge, bool forwards, struct strv *ret_notes,
                      struct err *err);
int net_link_remove(const char *name, struct err *err); /* success if it is not there */
bool net_link_exists(const char *name);
/* Whether a frame has come in by it. */
bool net_link_heard(const char *name);
/* Addresses of the host's links and routes that are not ours: what a new subnet must not overlap.
 * The list is grown; the caller frees it. */
struct net_subnets {
    struct subnet *items;
    size_t len;
};
int net_host_subnets(struct net_subnets *ret, struct err *err);

/* Plugs a container in: makes the cable from the bridge to the interface in `netns`, gives it its
 * addresses and routes, and puts the switches of IPv6. */
int net_plug(const struct net_endpoint *endpoint, int netns, struct err *err);
int net_unplug(const struct net_endpoint *endpoint, struct err *err);
/* The default routes anew, after an endpoint has come or gone. */
int net_set_default_routes(int netns, const struct net_endpoint *endpoints, size_t count,
                           struct err *err);

/* --- rules: rules.c, nft.c */

/* Where the rules' state is kept and what the tables are called: one for each state directory, so
 * that two never touch each other's. */
struct net_place {
    int dir;        /* run/network/ */
    char table[32]; /* "cooper" or "cooper-<8 hex>" */
    char tag[16];   /* "0" or "-<8 hex>": of the default bridge's name */
};
int net_place_open(int run_dir, const char *root, bool standard, struct net_place *ret,
                   struct err *err);
void net_place_close(struct net_place *place);

enum net_set {
    SET_BRIDGES,
    SET_INTERNAL,
    SET_MASQUERADED,
    SET_SAME,
    SET_SELF4,
    SET_SELF6,
    SET_PUBLISHED4,
    SET_PUBLISHED4_ANY,
    SET_PUBLISHED6,
    SET_PUBLISHED6_ANY,
    SET_PORTS,
    SET_SOURCES4,
    SET_SOURCES6,
    SET_ISOLATED,
    SET_LINKED,
    SET_COUNT
};
struct net_element {
    enum net_set set;
    char link[LINK_NAME_MAX];
    uint8_t mac[6];
    struct ip ip, ip2; /* ip2: the other one of a pair */
    uint8_t proto;
    uint16_t port;
    struct ip to; /* maps: where it leads */
    uint16_t to_port;
};
struct net_elements {
    struct net_element *items;
    size_t len;
};
void net_elements_free(struct net_elements *list);
#define cleanup_elements __attribute__((cleanup(net_elements_free)))
/* What a network / a container's endpoint / its published ports put into the sets. */
void net_network_elements(const char *bridge, bool internal, bool masquerade,
                          struct net_elements *ret);
void net_endpoint_elements(const struct net_endpoint *endpoint, struct net_elements *ret);
void net_port_elements(const struct net_port *port, const struct net_endpoint *to,
                       struct net_elements *ret);
/* All of these for an endpoint as it is in a plan, with "Published" and "Linked". */
void net_plan_elements(const json_t *endpoint, struct net_elements *ret);
/* A container that is linked to another may reach its exposed port on a network with icc=false. */
void net_link_element(const struct ip *from, const struct ip *to, uint8_t proto, uint16_t port,
                      struct net_elements *ret);

/* Adds to or takes from the sets, in one transaction with the check that the tables are ours and
 * whole. When they are not, `all` is called for everything that belongs in them (the new ones,
 * too), and they are made anew. */
typedef int net_all_elements(void *context, struct net_elements *ret, struct err *err);
int net_rules_add(const struct net_place *place, const struct net_elements *elements,
                  net_all_elements *all, void *context, struct strv *ret_notes, struct err *err);
/* What is not there is passed over. */
int net_rules_remove(const struct net_place *place, const struct net_elements *elements,
                     struct err *err);
/* The socket these talk through, which they keep from one to the next: taken away for another
 * process
 * (-1: there is none), and given to one. See rules.c. */
int net_rules_socket(void);
void net_rules_adopt(int fd);
/* Connections from or to a container's address, and to a port of the host. Best effort: nothing
 * depends on it but what was there before. conntrack(8) -D. */
void net_forget_connections(const struct ip *ip);
void net_forget_port(uint8_t proto, uint16_t port);
/* Takes both tables away (nothing of this state directory is left). */
int net_rules_drop(const struct net_place *place, struct err *err);

/* --- addresses: pool.c */

/* The next of docker's default pools that overlaps none of `taken`; -ENOSPC. */
int net_pool_choose(const struct net_subnets *taken, struct subnet *ret, struct err *err);
/* A unique local subnet fdXX:XXXX:XXXX:XXXX::/64, from random bits. RFC 4193. */
int net_pool_random6(struct subnet *ret, struct err *err);
/* 02:42 and the IPv4 address, as docker did until 27; for IPv6 alone, its last four bytes. */
void net_mac_from(const struct ip *ip, uint8_t ret[6]);
int net_mac_parse(const char *text, uint8_t ret[6]);
void net_mac_format(const uint8_t mac[6], char ret[18]);

/* --- ports: port.c */

/* Opens the socket that reserves a port of the host, listening (TCP). -EADDRINUSE without a message
 * when it is taken; -EPROTONOSUPPORT when the kernel has no such protocol (the rules work without).
 */
int net_port_open(const struct net_port *port, struct err *err);
/* First and last of net.ipv4.ip_local_port_range. */
void net_port_range(uint16_t *ret_first, uint16_t *ret_last);

/* --- names: names.c */

/* Files below run/network/names/<network>/: a directory for each name, in it a link for each
 * container that is called so, which leads to its addresses. */
int net_names_add(int dir, const struct net_endpoint *endpoint, const char *container_id,
                  struct err *err);
void net_names_remove(int dir, const struct net_endpoint *endpoint, const char *container_id);

/* --- the shim's part: what it serves beside the container's stdio */

/* DNS at 127.0.0.11 in a container's namespace. */
struct net_dns;
struct net_dns_options {
    int netns;
    int names;             /* directory run/network/names */
    int runs;              /* directory run/, to see whether the holder of a name lives */
    const json_t *servers; /* --dns: asked from inside the container; empty: the host's */
    bool isolated;         /* only internal networks: nothing is forwarded */
};
int net_dns_open(const struct net_dns_options *options, struct net_dns **ret, struct err *err);
/* Which networks it answers for: network ids, with the names of the networks. */
void net_dns_networks(struct net_dns *dns, const struct net_endpoint *endpoints, size_t count);
void net_dns_close(struct net_dns *dns);
/* For poll(2): how many entries it may need; fills them, returns their number, and shortens the
 * time (-1: for ever) until something has to be done. */
size_t net_dns_room(const struct net_dns *dns);
size_t net_dns_poll(struct net_dns *dns, struct pollfd *p, size_t room, int *timeout_ms);
void net_dns_serve(struct net_dns *dns, const struct pollfd *p, size_t count);

/* Relays from the sockets of published ports to the container. */
struct net_proxy;
struct net_proxy *net_proxy_new(void);
void net_proxy_add(struct net_proxy *proxy, int fd, const struct net_port *port);
/* Where the container is now. */
void net_proxy_target(struct net_proxy *proxy, const struct ip *ip4, const struct ip *ip6);
size_t net_proxy_room(const struct net_proxy *proxy);
size_t net_proxy_poll(struct net_proxy *proxy, struct pollfd *p, size_t room, int *timeout_ms);
void net_proxy_serve(struct net_proxy *proxy, const struct pollfd *p, size_t count);
void net_proxy_free(struct net_proxy *proxy);

/* --- resolv.conf: resolv.c */

struct net_resolv {
    struct strv servers, search, options;
};
void net_resolv_free(struct net_resolv *r);
#define cleanup_resolv __attribute__((cleanup(net_resolv_free)))
/* The host's resolvers: /etc/resolv.conf. `reachable`: without those on loopback, which a container
 * cannot reach; systemd-resolved's own servers instead, where that is who listens there. */
void net_resolv_read(const char *path, struct net_resolv *ret);
void net_resolv_host(bool reachable, struct net_resolv *ret);
