/* elements.c - what a network, a container and a published port put into the sets. */
#include <arpa/inet.h>
#include <string.h>

#include "base/json.h"
#include "network/network.h"

static struct net_element *add(struct net_elements *list, enum net_set set, const char *link)
{
    struct net_element *e;

    list->items = mem_grow(list->items, list->len + 1, sizeof *list->items);
    e = &list->items[list->len++];
    *e = (struct net_element){.set = set};
    if (link)
        strncpy(e->link, link, sizeof e->link - 1);
    return e;
}

void net_network_elements(const char *bridge, bool internal, bool masquerade,
                          struct net_elements *ret)
{
    add(ret, SET_BRIDGES, bridge);
    add(ret, SET_SAME, bridge);
    if (internal)
        add(ret, SET_INTERNAL, bridge);
    else if (masquerade)
        add(ret, SET_MASQUERADED, bridge);
}

static void add_source(struct net_elements *ret, const struct net_endpoint *e, const struct ip *ip)
{
    struct net_element *source = add(ret, ip->len == 4 ? SET_SOURCES4 : SET_SOURCES6, e->host_link);

    memcpy(source->mac, e->mac, sizeof e->mac);
    source->ip = *ip;
}

/* fe80:: and the hardware address with its middle filled: what the kernel gives an interface. RFC
 * 4291, appendix A. */
static struct ip link_local(const uint8_t mac[6])
{
    return (struct ip){
        16, {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}};
}

void net_endpoint_elements(const struct net_endpoint *e, struct net_elements *ret)
{
    json_t *item;
    size_t i;

    add(ret, SET_PORTS, e->host_link);
    if (e->ip4.base.len)
        add_source(ret, e, &e->ip4.base);
    if (e->ipv6) {
        struct ip local = link_local(e->mac);

        if (e->ip6.base.len)
            add_source(ret, e, &e->ip6.base);
        add_source(ret, e, &local);
    }
    json_array_foreach(e->more, i, item)
    {
        struct ip more;

        if (!ip_parse(json_string_value(item), &more))
            add_source(ret, e, &more);
    }
    if (e->isolated)
        add(ret, SET_ISOLATED, e->host_link);
}

/* A port bound to loopback has no element: nothing that arrives on a cable is for it. */
void net_port_elements(const struct net_port *port, const struct net_endpoint *to,
                       struct net_elements *ret)
{
    bool six = port->host_ip.len == 16, any = ip_is_unspecified(&port->host_ip);
    const struct ip *target = six ? &to->ip6.base : &to->ip4.base;
    struct net_element *e;

    if (!target->len || ip_is_loopback(&port->host_ip))
        return;
    e = add(ret,
            six   ? any ? SET_PUBLISHED6_ANY : SET_PUBLISHED6
            : any ? SET_PUBLISHED4_ANY
                  : SET_PUBLISHED4,
            NULL);
    e->ip = port->host_ip;
    e->proto = port->proto;
    e->port = port->host;
    e->to = *target;
    e->to_port = port->container;
}

void net_link_element(const struct ip *from, const struct ip *to, uint8_t proto, uint16_t port,
                      struct net_elements *ret)
{
    struct net_element *e = add(ret, SET_LINKED, NULL);

    e->ip = *from;
    e->ip2 = *to;
    e->proto = proto;
    e->port = port;
}

static void add_self(struct net_elements *ret, const struct ip *ip)
{
    struct net_element *e;

    if (!ip->len)
        return;
    e = add(ret, ip->len == 4 ? SET_SELF4 : SET_SELF6, NULL);
    e->ip = e->ip2 = *ip;
}

/* Ports of others that it was linked to. */
static void add_linked(const json_t *endpoint, const struct ip *from, struct net_elements *ret)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(endpoint, "Linked"), i, item)
    {
        struct ip to;

        if (!ip_parse(json_str(item, "IP", ""), &to))
            net_link_element(from, &to, (uint8_t)json_int(item, "Proto", 0),
                             (uint16_t)json_int(item, "Port", 0), ret);
    }
}

void net_plan_elements(const json_t *json, struct net_elements *ret)
{
    struct net_endpoint endpoint;
    struct err ignored;
    json_t *item;
    size_t i;

    if (net_endpoint_read(json, &endpoint, &ignored) < 0)
        return;
    net_endpoint_elements(&endpoint, ret);
    if (endpoint.publishes) {
        add_self(ret, &endpoint.ip4.base);
        add_self(ret, &endpoint.ip6.base);
    }
    if (endpoint.isolated)
        add_linked(json, &endpoint.ip4.base, ret);
    json_array_foreach(json_object_get(json, "Published"), i, item)
    {
        struct net_port port;

        if (!net_port_read(item, &port, &ignored))
            net_port_elements(&port, &endpoint, ret);
    }
}
