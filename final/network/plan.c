/* plan.c - endpoints and ports out of their JSON. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "network/internal.h"

static const struct {
    const char *name;
    uint8_t number;
} protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}};

const char *net_proto_name(uint8_t proto)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (protocols[i].number == proto)
            return protocols[i].name;
    return "unknown";
}

int net_proto_number(const char *name)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (!strcmp(protocols[i].name, name))
            return protocols[i].number;
    return -EINVAL;
}

static void read_ip(const json_t *json, const char *member, struct ip *ret)
{
    const char *text = json_str(json, member, "");

    if (!*text || ip_parse(text, ret) < 0)
        *ret = (struct ip){0};
}

static void read_address(const json_t *json, const char *address, const char *prefix,
                         struct subnet *ret)
{
    read_ip(json, address, &ret->base);
    ret->prefix = (uint8_t)json_int(json, prefix, 0);
}

int net_endpoint_read(const json_t *json, struct net_endpoint *ret, struct err *err)
{
    struct net_endpoint e = {
        .network = json_str(json, "Network", ""),
        .network_id = json_str(json, "NetworkID", ""),
        .bridge = json_str(json, "Bridge", ""),
        .default4 = json_flag(json, "Default4", false),
        .default6 = json_flag(json, "Default6", false),
        .internal = json_flag(json, "Internal", false),
        .isolated = json_flag(json, "Isolated", false),
        .ipv6 = json_flag(json, "IPv6", false),
        .publishes = json_array_size(json_object_get(json, "Published")) > 0,
        .mtu = (uint32_t)json_int(json, "MTU", 1500),
        .names = json_object_get(json, "Names"),
        .more = json_object_get(json, "LinkLocalIPs"),
    };

    snprintf(e.host_link, sizeof e.host_link, "%s", json_str(json, "HostLink", ""));
    snprintf(e.interface, sizeof e.interface, "%s", json_str(json, "Interface", ""));
    read_address(json, "IPAddress", "IPPrefixLen", &e.ip4);
    read_address(json, "GlobalIPv6Address", "GlobalIPv6PrefixLen", &e.ip6);
    read_ip(json, "Gateway", &e.gateway4);
    read_ip(json, "IPv6Gateway", &e.gateway6);
    if (!*e.bridge || !*e.host_link || net_mac_parse(json_str(json, "MacAddress", ""), e.mac) < 0)
        return err_set(err, EINVAL, "the record of an endpoint on network '%s' is not complete",
                       e.network);
    *ret = e;
    return 0;
}

int net_port_read(const json_t *json, struct net_port *ret, struct err *err)
{
    int proto = net_proto_number(json_str(json, "Proto", ""));
    struct net_port port = {.container = (uint16_t)json_int(json, "Container", 0),
                            .host = (uint16_t)json_int(json, "Host", 0)};

    if (proto < 0 || !port.container || !port.host ||
        ip_parse(json_str(json, "HostIP", ""), &port.host_ip) < 0)
        return err_set(err, EINVAL, "the record of a published port is not complete");
    port.proto = (uint8_t)proto;
    *ret = port;
    return 0;
}

int net_endpoints_read(const json_t *endpoints, struct net_endpoint_list *ret, struct err *err)
{
    json_t *item;
    size_t i;

    ret->len = 0;
    json_array_foreach(endpoints, i, item)
    {
        int r = ret->len < NET_ENDPOINTS_MAX
                    ? net_endpoint_read(item, &ret->items[ret->len], err)
                    : err_set(err, E2BIG, "a container can be on at most %d networks",
                              NET_ENDPOINTS_MAX);

        if (r < 0)
            return r;
        ret->len++;
    }
    return 0;
}
