/* link.c - bridges: made when a container needs one, found as they are otherwise. */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/netlink.h"
#include "network/internal.h"

/* What RTM_GETLINK tells of a link. */
struct link_facts {
    int index;
    bool bridge;
    uint64_t heard; /* frames */
};

static int note_link(void *context, const struct nlmsghdr *message)
{
    const struct nlattr *found[IFLA_STATS64 + 1], *info[IFLA_INFO_KIND + 1];
    const struct ifinfomsg *fixed = NLMSG_DATA(message);
    struct link_facts *facts = context;

    nl_attributes(message, sizeof *fixed, found, IFLA_STATS64);
    nl_nested(found[IFLA_LINKINFO], info, IFLA_INFO_KIND);
    facts->index = fixed->ifi_index;
    if (found[IFLA_STATS64] && nl_len(found[IFLA_STATS64]) >= sizeof facts->heard)
        memcpy(&facts->heard, nl_data(found[IFLA_STATS64]), sizeof facts->heard); /* rx_packets */
    facts->bridge = info[IFLA_INFO_KIND] && !strcmp(nl_data(info[IFLA_INFO_KIND]), "bridge");
    return 0;
}

/* -ENODEV when there is none. */
static int find_link(int fd, const char *name, struct link_facts *ret)
{
    cleanup_batch struct nl_batch batch = {0};
    struct ifinfomsg fixed = {0};

    *ret = (struct link_facts){0};
    nl_message(&batch, RTM_GETLINK, 0, &fixed, sizeof fixed, "find the link", 0);
    nl_put_text(&batch, IFLA_IFNAME, name);
    return nl_query(fd, &batch, note_link, ret);
}

void nl_put_new_address(struct nl_batch *batch, int index, const struct subnet *address)
{
    struct ifaddrmsg fixed = {
        .ifa_family = (uint8_t)ip_family(&address->base),
        .ifa_prefixlen = address->prefix,
        .ifa_index = (uint32_t)index,
        /* The address is ours, the database says so: not a second is spent on asking around. */
        .ifa_flags = address->base.len == 16 ? IFA_F_NODAD : 0};

    nl_message(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed,
               "give a link its address", EEXIST);
    nl_put(batch, IFA_LOCAL, address->base.bytes, address->base.len);
    nl_put(batch, IFA_ADDRESS, address->base.bytes, address->base.len);
}

static int make_bridge(int fd, const struct net_bridge *bridge, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    struct ifinfomsg fixed = {0};
    uint8_t mac[6];
    size_t info;

    /* An address of its own: without, a bridge takes the lowest of its ports', and its neighbours'
     * memory of it would be wrong with each container that comes or goes. */
    net_mac_from(bridge->ip4.base.len ? &bridge->ip4.base : &bridge->ip6.base, mac);
    nl_message(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof fixed,
               "make the bridge", EEXIST);
    nl_put_text(&batch, IFLA_IFNAME, bridge->name);
    nl_put(&batch, IFLA_ADDRESS, mac, sizeof mac);
    nl_put_u32(&batch, IFLA_MTU, bridge->mtu ? bridge->mtu : 1500);
    info = nl_nest(&batch, IFLA_LINKINFO);
    nl_put_text(&batch, IFLA_INFO_KIND, "bridge");
    nl_end(&batch, info);
    return nl_send(fd, &batch, err);
}

/* Before it is up, so that not one packet of IPv6 leaves it. */
static int put_bridge_switches(const struct net_bridge *bridge, struct err *err)
{
    static const char *const names[] = {"accept_ra", "disable_ipv6", "accept_dad"};
    const char *const values[] = {"0", bridge->ipv6 ? "0" : "1", "0"};
    char any[32];

    if (net_switch_read("ipv6/conf/all/disable_ipv6", any) < 0) {
        if (!bridge->ipv6)
            return 0;
        return err_set(err, EAFNOSUPPORT,
                       "this kernel has no IPv6: the network '%s' cannot have it", bridge->name);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cleanup_free char *name = str_format("ipv6/conf/%s/%s", bridge->name, names[i]);
        int r = net_switch_set(name, values[i], err);

        if (r < 0)
            return r;
    }
    return 0;
}

static int bring_up(int fd, const struct net_bridge *bridge, int index, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    struct ifinfomsg fixed = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

    if (bridge->ip4.base.len)
        nl_put_new_address(&batch, index, &bridge->ip4);
    if (bridge->ipv6 && bridge->ip6.base.len)
        nl_put_new_address(&batch, index, &bridge->ip6);
    nl_message(&batch, RTM_SETLINK, 0, &fixed, sizeof fixed, "switch on the bridge", 0);
    return nl_send(fd, &batch, err);
}

/* Packets that are for somebody else are passed on only by a host that forwards, and it is the
 * person at the host who is told that it does now. */
static int forward(const char *name, const char *shown, struct strv *ret_notes, struct err *err)
{
    char now[32];
    int r = net_switch_read(name, now);

    if (r < 0)
        return err_set(err, -r, "cannot read the switch %s: %s", shown, strerror(-r));
    if (strcmp(now, "0"))
        return 0;
    r = net_switch_set(name, "1", err);
    if (!r)
        strv_take(ret_notes,
                  str_format("switched on %s: this host passes packets on for its containers now",
                             shown));
    return r;
}

/* A host that forwards no longer listens to router advertisements, and would lose its own way out
 * with them, unless it is told to do both: accept_ra 2. Documentation/networking/ip-sysctl.rst. */
static int keep_router_advertisements(struct err *err)
{
    struct if_nameindex *links = if_nameindex();
    int r = 0;

    for (struct if_nameindex *l = links; l && l->if_index && !r; l++) {
        cleanup_free char *name = str_format("ipv6/conf/%s/accept_ra", l->if_name);
        char now[32];

        if (!net_switch_read(name, now) && !strcmp(now, "1"))
            r = net_switch_set(name, "2", err);
    }
    if_freenameindex(links);
    return r;
}

static int forward6(struct strv *ret_notes, struct err *err)
{
    char now[32];
    int r;

    if (!net_switch_read("ipv6/conf/all/forwarding", now) && strcmp(now, "0"))
        return 0;
    r = keep_router_advertisements(err);
    return r < 0 ? r
                 : forward("ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding", ret_notes,
                           err);
}

int net_bridge_ensure(const struct net_bridge *bridge, bool forwards, struct strv *ret_notes,
                      struct err *err)
{
    cleanup_close int fd = nl_open(0 /* NETLINK_ROUTE */, err);
    struct link_facts facts;
    int r = fd < 0 ? fd : find_link(fd, bridge->name, &facts);

    if (r == -ENODEV) {
        r = make_bridge(fd, bridge, err);
        if (!r)
            r = put_bridge_switches(bridge, err);
        if (!r)
            find_link(fd, bridge->name, &facts);
    } else if (!r && !facts.bridge) {
        return err_set(err, EEXIST, "there is a link '%s' already, and it is no bridge",
                       bridge->name);
    }
    /* Each time: asking for what is there costs nothing, and what somebody flushed comes back. */
    if (!r)
        r = bring_up(fd, bridge, facts.index, err);
    if (!r && forwards && bridge->ip4.base.len)
        r = forward("ipv4/ip_forward", "net.ipv4.ip_forward", ret_notes, err);
    if (!r && forwards && bridge->ipv6)
        r = forward6(ret_notes, err);
    return r < 0 ? err_wrap(err, "network bridge '%s'", bridge->name) : 0;
}

int net_link_remove(const char *name, struct err *err)
{
    cleanup_close int fd = nl_open(0, err);
    cleanup_batch struct nl_batch batch = {0};
    struct ifinfomsg fixed = {0};

    if (fd < 0)
        return fd;
    nl_message(&batch, RTM_DELLINK, 0, &fixed, sizeof fixed, "remove the link", ENODEV);
    nl_put_text(&batch, IFLA_IFNAME, name);
    return nl_send(fd, &batch, err) < 0 ? err_wrap(err, "'%s'", name) : 0;
}

bool net_link_exists(const char *name)
{
    return if_nametoindex(name) != 0;
}

bool net_link_heard(const char *name)
{
    struct err ignored;
    cleanup_close int fd = nl_open(0, &ignored);
    struct link_facts facts;

    return fd >= 0 && !find_link(fd, name, &facts) && facts.heard;
}

/* --- what the host has ----------------------------------------------------------------------- */

static void add_subnet(struct net_subnets *list, const void *address, size_t len, uint8_t prefix)
{
    struct ip ip = {.len = (uint8_t)len};

    if (!prefix ||
        (len != 4 && len != 16)) /* a default route overlaps with everything and means nothing */
        return;
    memcpy(ip.bytes, address, len);
    list->items = mem_grow(list->items, list->len + 1, sizeof *list->items);
    list->items[list->len++] = subnet_of(&ip, prefix);
}

static int note_route(void *context, const struct nlmsghdr *message)
{
    const struct nlattr *found[RTA_DST + 1];
    const struct rtmsg *route = NLMSG_DATA(message);

    nl_attributes(message, sizeof *route, found, RTA_DST);
    /* The table "local" is the host's own addresses and loopback; what is dropped there is
     * nobody's. */
    if (route->rtm_table != RT_TABLE_LOCAL && route->rtm_type == RTN_UNICAST && found[RTA_DST])
        add_subnet(context, nl_data(found[RTA_DST]), nl_len(found[RTA_DST]), route->rtm_dst_len);
    return 0;
}

int net_host_subnets(struct net_subnets *ret, struct err *err)
{
    cleanup_close int fd = nl_open(0, err);
    cleanup_batch struct nl_batch batch = {0};
    struct rtmsg fixed = {.rtm_family = AF_UNSPEC};
    int r = fd;

    if (fd < 0)
        return fd;
    nl_message(&batch, RTM_GETROUTE, NLM_F_DUMP, &fixed, sizeof fixed, "list the host's routes", 0);
    r = nl_query(fd, &batch, note_route, ret);
    return r < 0 ? err_set(err, -r, "cannot list the host's routes: %s", strerror(-r)) : 0;
}
