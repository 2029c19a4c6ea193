/* sandbox.c - one cable: from a port of the bridge to an interface inside of a container's network
 * namespace.
 *
 * The far end is made inside of the namespace: there is no moment at which the cable would outlive
 * it. */
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "network/internal.h"
#include "base/netlink.h"

/* Read by every interface made after it. "default" is what a new interface of the namespace begins
 * with. */
static int put_switches(const struct net_endpoint *e, struct err *err)
{
    static const char *const names[] = {"accept_ra", "accept_dad", "disable_ipv6"};
    const char *const values[] = {"0", "0", e->ipv6 ? "0" : "1"};
    char now[32];

    if (net_switch_read("ipv6/conf/default/disable_ipv6", now) < 0)
        return 0; /* a kernel without IPv6 */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cleanup_free char *name = str_format("ipv6/conf/default/%s", names[i]);
        int r = net_switch_set(name, values[i], err);

        if (r < 0)
            return r;
    }
    return 0;
}

static void put_pair(struct nl_batch *batch, const struct net_endpoint *e, int netns)
{
    struct ifinfomsg fixed = {0};
    size_t info, data, peer;

    nl_message(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed,
               "make a pair of virtual links", 0);
    nl_put_text(batch, IFLA_IFNAME, e->host_link);
    nl_put_u32(batch, IFLA_MTU, e->mtu);
    info = nl_nest(batch, IFLA_LINKINFO);
    nl_put_text(batch, IFLA_INFO_KIND, "veth");
    data = nl_nest(batch, IFLA_INFO_DATA);
    peer = nl_nest(batch, VETH_INFO_PEER);
    nl_put_raw(batch, &fixed, sizeof fixed);
    nl_put_text(batch, IFLA_IFNAME, e->interface);
    nl_put_u32(batch, IFLA_MTU, e->mtu);
    nl_put(batch, IFLA_ADDRESS, e->mac, sizeof e->mac);
    nl_put_u32(batch, IFLA_NET_NS_FD, (uint32_t)netns);
    nl_end(batch, peer);
    nl_end(batch, data);
    nl_end(batch, info);
}

/* A port passes frames on and has no address of its own: not even IPv6 is to give it one. */
static void put_port(struct nl_batch *batch, const struct net_endpoint *e, unsigned bridge)
{
    struct ifinfomsg fixed = {0};
    size_t families, inet6;

    nl_message(batch, RTM_SETLINK, 0, &fixed, sizeof fixed, "plug a link into the bridge", 0);
    nl_put_text(batch, IFLA_IFNAME, e->host_link);
    nl_put_u32(batch, IFLA_MASTER, bridge);
    families = nl_nest(batch, IFLA_AF_SPEC);
    inet6 = nl_nest(batch, AF_INET6);
    nl_put_u8(batch, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    nl_end(batch, inet6);
    nl_end(batch, families);
    /* Up second and in a message of its own: by then it has no address to announce. */
    fixed.ifi_flags = fixed.ifi_change = IFF_UP;
    nl_message(batch, RTM_SETLINK, 0, &fixed, sizeof fixed, "switch on a port of the bridge", 0);
    nl_put_text(batch, IFLA_IFNAME, e->host_link);
}

/* What comes in by a port goes out by it again, if that is where a published port leads: to the
 * container itself. Only where there is one, for its own broadcasts come back to it as well. */
static void put_hairpin(struct nl_batch *batch, const struct net_endpoint *e, int index)
{
    struct ifinfomsg fixed = {.ifi_family = AF_BRIDGE, .ifi_index = index};
    size_t port;

    nl_message(batch, RTM_SETLINK, 0, &fixed, sizeof fixed, "let a port of the bridge lead back",
               0);
    nl_put_text(batch, IFLA_IFNAME, e->host_link);
    port = nl_nest(batch, IFLA_PROTINFO);
    nl_put_u8(batch, IFLA_BRPORT_MODE, 1);
    nl_end(batch, port);
}

static int make_cable(const struct net_endpoint *e, int netns, struct err *err)
{
    cleanup_close int fd = nl_open(0 /* NETLINK_ROUTE */, err);
    cleanup_batch struct nl_batch batch = {0};
    unsigned bridge = if_nametoindex(e->bridge);

    if (fd < 0)
        return fd;
    if (!bridge)
        return err_set(err, ENODEV, "the bridge '%s' is gone", e->bridge);
    /* The link of the run before goes with its namespace, which the kernel takes down when it has
     * time. */
    if (net_link_exists(e->host_link) && net_link_remove(e->host_link, err) < 0)
        return -err->code;
    put_pair(&batch, e, netns);
    put_port(&batch, e, bridge);
    if (nl_send(fd, &batch, err) < 0 || !e->publishes)
        return -err->code;
    put_hairpin(&batch, e, (int)if_nametoindex(e->host_link));
    return nl_send(fd, &batch, err);
}

static void put_link_local(struct nl_batch *batch, const struct net_endpoint *e, int index)
{
    json_t *item;
    size_t i;

    json_array_foreach(e->more, i, item)
    {
        struct subnet more = {.prefix = 16};

        if (ip_parse(json_string_value(item), &more.base) < 0)
            continue;
        more.prefix = more.base.len == 4 ? 16 : 64;
        nl_put_new_address(batch, index, &more);
    }
}

/* The end inside is switched on last: then both are, and the kernel lets packets pass at once. init
 * switches on the loopback too, but when is its affair, and 127.0.0.11 is needed now. */
static int configure(const struct net_endpoint *e, int fd, int index, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    struct ifinfomsg loopback = {.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
                     up = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

    nl_message(&batch, RTM_SETLINK, 0, &loopback, sizeof loopback,
               "switch on a container's loopback", 0);
    if (e->ip4.base.len)
        nl_put_new_address(&batch, index, &e->ip4);
    if (e->ip6.base.len)
        nl_put_new_address(&batch, index, &e->ip6);
    put_link_local(&batch, e, index);
    nl_message(&batch, RTM_SETLINK, 0, &up, sizeof up, "switch on a container's interface", 0);
    return nl_send(fd, &batch, err);
}

static void put_default_route(struct nl_batch *batch, int type, const struct ip *gateway, int index)
{
    struct rtmsg fixed = {.rtm_family = (uint8_t)ip_family(gateway),
                          .rtm_table = RT_TABLE_MAIN,
                          .rtm_protocol = RTPROT_BOOT,
                          .rtm_scope = RT_SCOPE_UNIVERSE,
                          .rtm_type = RTN_UNICAST};
    bool add = type == RTM_NEWROUTE;

    nl_message(batch, (uint16_t)type, add ? NLM_F_CREATE | NLM_F_REPLACE : 0, &fixed, sizeof fixed,
               add ? "route what is not local through the gateway" : "remove a default route",
               add ? 0 : ESRCH);
    if (!add)
        return;
    nl_put(batch, RTA_GATEWAY, gateway->bytes, gateway->len);
    nl_put_u32(batch, RTA_OIF, (uint32_t)index);
}

/* Index of an interface of the namespace; 0: none. */
static int index_inside(int netns, const char *name)
{
    cleanup_close int own = -1;
    struct err ignored;
    int index = 0;

    if (netns_enter(netns, &own, &ignored) < 0)
        return 0;
    index = (int)if_nametoindex(name);
    netns_leave(own, &ignored);
    return index;
}

static void put_default_routes(struct nl_batch *batch, const struct net_endpoint *e, int index)
{
    if (e->default4 && e->gateway4.len)
        put_default_route(batch, RTM_NEWROUTE, &e->gateway4, index);
    if (e->default6 && e->gateway6.len)
        put_default_route(batch, RTM_NEWROUTE, &e->gateway6, index);
}

/* One visit for what can only be done from inside: switches, a socket, the interface's number. */
static int prepare_inside(const struct net_endpoint *e, int netns, int *ret_fd, struct err *err)
{
    cleanup_close int own = -1, fd = -1;
    int r = netns_enter(netns, &own, err);

    if (r < 0)
        return r;
    r = put_switches(e, err);
    if (!r)
        fd = nl_open(0, err);
    if (netns_leave(own, err) < 0 || r < 0 || fd < 0)
        return -err->code;
    *ret_fd = steal_fd(&fd);
    return 0;
}

int net_plug(const struct net_endpoint *e, int netns, struct err *err)
{
    cleanup_batch struct nl_batch routes = {0};
    cleanup_close int fd = -1;
    int index, r = prepare_inside(e, netns, &fd, err);

    if (!r)
        r = make_cable(e, netns, err);
    if (!r) {
        index = index_inside(netns, e->interface);
        r = configure(e, fd, index, err);
    }
    if (!r)
        put_default_routes(&routes, e, index);
    if (!r && routes.count)
        r = nl_send(fd, &routes, err);
    return r < 0 ? err_wrap(err, "cannot connect the container to network %s", e->network) : 0;
}

int net_unplug(const struct net_endpoint *e, struct err *err)
{
    return net_link_remove(e->host_link, err);
}

int net_set_default_routes(int netns, const struct net_endpoint *endpoints, size_t count,
                           struct err *err)
{
    static const struct ip any[] = {{.len = 4}, {.len = 16}};
    cleanup_close int fd = nl_open_in(netns, 0, err);
    cleanup_batch struct nl_batch batch = {0};
    struct err ignored;

    if (fd < 0)
        return fd;
    for (int i = 0; i < 2; i++) {
        put_default_route(&batch, RTM_DELROUTE, &any[i], 0);
        nl_send(fd, &batch, &ignored); /* there may be none */
    }
    for (size_t i = 0; i < count; i++)
        put_default_routes(&batch, &endpoints[i], index_inside(netns, endpoints[i].interface));
    return batch.count ? nl_send(fd, &batch, err) : 0;
}
