/* The kernel is asked for network changes in messages over a socket: a header with the type of the
 * request, a fixed part, and attributes, some of which hold attributes again. libmnl(3) keeps the
 * lengths right; the answer is an error number. */
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

enum { LARGEST = 4096 };

struct request {
    char bytes[LARGEST];
    struct nlmsghdr *header;
};

/* Begins a request and returns its fixed part, zeroed. */
static void *begin(struct request *request, int type, int flags, size_t fixed_len)
{
    memset(request->bytes, 0, sizeof request->bytes);
    request->header = mnl_nlmsg_put_header(request->bytes);
    request->header->nlmsg_type = type;
    request->header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    return mnl_nlmsg_put_extra_header(request->header, fixed_len);
}

/* A socket belongs to the network namespace it was opened in, so each request opens its own. */
static int ask(const struct request *request)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    char answer[LARGEST];
    ssize_t len = -1;

    if (socket && mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_sendto(socket, request->header, request->header->nlmsg_len) > 0)
        len = mnl_socket_recvfrom(socket, answer, sizeof answer);
    if (len >= 0)
        len = mnl_cb_run(answer, len, 0, mnl_socket_get_portid(socket), NULL, NULL);
    len = len < 0 ? -errno : 0;
    if (socket)
        mnl_socket_close(socket);
    return len;
}

int netlink_add_bridge(const char *name, const char hardware_address[6])
{
    struct request request;
    struct nlattr *info;

    begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
    mnl_attr_put(request.header, IFLA_ADDRESS, 6, hardware_address);
    info = mnl_attr_nest_start(request.header, IFLA_LINKINFO);
    mnl_attr_put_strz(request.header, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(request.header, info);
    return ask(&request);
}

int netlink_add_veth(const char *name, const char *peer, const char hardware_address[6], int netns)
{
    struct request request;
    struct nlattr *info, *data, *other;

    begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
    info = mnl_attr_nest_start(request.header, IFLA_LINKINFO);
    mnl_attr_put_strz(request.header, IFLA_INFO_KIND, "veth");
    data = mnl_attr_nest_start(request.header, IFLA_INFO_DATA);
    other = mnl_attr_nest_start(request.header, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(request.header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, peer);
    mnl_attr_put(request.header, IFLA_ADDRESS, 6, hardware_address);
    mnl_attr_put_u32(request.header, IFLA_NET_NS_FD, netns);
    mnl_attr_nest_end(request.header, other);
    mnl_attr_nest_end(request.header, data);
    mnl_attr_nest_end(request.header, info);
    return ask(&request);
}

int netlink_set_up(const char *name, const char *bridge)
{
    struct request request;
    struct ifinfomsg *link = begin(&request, RTM_NEWLINK, 0, sizeof *link);

    link->ifi_index = if_nametoindex(name);
    link->ifi_flags = link->ifi_change = IFF_UP;
    if (bridge)
        mnl_attr_put_u32(request.header, IFLA_MASTER, if_nametoindex(bridge));
    return ask(&request);
}

int netlink_add_address(const char *name, const char *address, int prefix_len)
{
    struct request request;
    struct ifaddrmsg *to = begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *to);
    in_addr_t binary = inet_addr(address);

    to->ifa_family = AF_INET;
    to->ifa_prefixlen = prefix_len;
    to->ifa_index = if_nametoindex(name);
    mnl_attr_put_u32(request.header, IFA_LOCAL, binary);
    mnl_attr_put_u32(request.header, IFA_ADDRESS, binary);
    return ask(&request);
}

int netlink_add_default_route(const char *gateway)
{
    struct request request;
    struct rtmsg *route = begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof *route);

    route->rtm_family = AF_INET;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_BOOT;
    route->rtm_scope = RT_SCOPE_UNIVERSE;
    route->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(request.header, RTA_GATEWAY, inet_addr(gateway));
    return ask(&request);
}
