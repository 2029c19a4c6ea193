/* port.c - sockets that hold published ports. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "network/internal.h"

enum { BACKLOG = 128 };

socklen_t net_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (ip->len == 16) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

        *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&six->sin6_addr, ip->bytes, 16);
        return sizeof *six;
    }
    *(struct sockaddr_in *)ret =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&((struct sockaddr_in *)ret)->sin_addr, ip->bytes, 4);
    return sizeof(struct sockaddr_in);
}

/* SO_REUSEADDR: a connection that ended there a moment ago is no reason to refuse. Two who listen
 * still refuse each other. Not for datagrams, where it would let two share the port. */
static int prepare(int fd, const struct net_port *port)
{
    int on = 1;

    if (port->proto != IPPROTO_UDP && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -errno;
    if (port->host_ip.len == 16 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        return -errno;
    return 0;
}

int net_port_open(const struct net_port *port, struct err *err)
{
    int type = port->proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, r;
    cleanup_close int fd =
        socket(ip_family(&port->host_ip), type | SOCK_CLOEXEC | SOCK_NONBLOCK, port->proto);
    struct sockaddr_storage address;
    socklen_t len = net_sockaddr(&port->host_ip, port->host, &address);
    char ip[IP_TEXT_MAX];

    if (fd < 0 && (errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT))
        return -EPROTONOSUPPORT;
    if (fd < 0)
        return err_errno(err, "cannot make a socket for port %u/%s", port->host,
                         net_proto_name(port->proto));
    r = prepare(fd, port);
    if (!r && bind(fd, (struct sockaddr *)&address, len) < 0)
        r = -errno;
    if (!r && type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
        r = -errno;
    if (r == -EADDRINUSE)
        return r;
    if (r == -EADDRNOTAVAIL && port->host_ip.len == 16) /* a host without IPv6 */
        return -EPROTONOSUPPORT;
    if (r < 0)
        return err_set(err, -r, "cannot publish port %s:%u/%s: %s", ip_format(&port->host_ip, ip),
                       port->host, net_proto_name(port->proto), strerror(-r));
    return steal_fd(&fd);
}

void net_port_range(uint16_t *ret_first, uint16_t *ret_last)
{
    char text[32];

    if (net_switch_read("ipv4/ip_local_port_range", text) < 0 ||
        sscanf(text, "%hu %hu", ret_first, ret_last) != 2) {
        *ret_first = 32768;
        *ret_last = 60999;
    }
}
