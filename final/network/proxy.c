/* proxy.c - what reaches a published port's own socket is carried to the container by hand: from
 * this host's loopback, which no rule may lead elsewhere, and from IPv6 to a container that has
 * only IPv4. Everything else was given the container's address by the kernel before it could come
 * here.
 *
 * One loop with the container's stdio, so nothing waits: what one side cannot take is kept, at most
 * a piece, and the other side is not read meanwhile. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "network/dns.h"
#include "network/internal.h"

enum { PIECE = 65536, CONNECTIONS_MAX = 512, AT_ONCE = 32, UDP_IDLE_MS = 90000 };

struct listener {
    int fd;
    uint8_t proto;
    uint16_t port; /* the container's */
};

/* One direction of a connection. */
struct flow {
    struct buf kept; /* read, not yet written */
    bool ended;      /* nothing more comes; passed on once `kept` is empty */
    bool passed;
};

struct connection {
    bool udp, connecting;
    int client, target;           /* UDP: client is the listener's socket, borrowed */
    struct flow up, down;         /* to the container, from it */
    struct sockaddr_storage from; /* UDP */
    socklen_t from_len;
    int64_t used_ms;
};

struct net_proxy {
    struct listener *listeners;
    size_t listener_count;
    struct connection *connections;
    size_t count;
    struct ip ip4, ip6;
};

/* What is under way at the moment, in either direction. */
static char piece[PIECE];

struct net_proxy *net_proxy_new(void)
{
    return mem_alloc(sizeof(struct net_proxy));
}

void net_proxy_add(struct net_proxy *proxy, int fd, const struct net_port *port)
{
    proxy->listeners =
        mem_grow(proxy->listeners, proxy->listener_count + 1, sizeof *proxy->listeners);
    proxy->listeners[proxy->listener_count++] = (struct listener){fd, port->proto, port->container};
}

void net_proxy_target(struct net_proxy *proxy, const struct ip *ip4, const struct ip *ip6)
{
    proxy->ip4 = *ip4;
    proxy->ip6 = *ip6;
}

/* --- connections ----------------------------------------------------------------------------- */

static void drop(struct net_proxy *proxy, size_t i)
{
    struct connection *c = &proxy->connections[i];

    if (!c->udp)
        close_fd(&c->client);
    close_fd(&c->target);
    buf_free(&c->up.kept);
    buf_free(&c->down.kept);
    *c = proxy->connections[--proxy->count];
}

/* A socket on its way to the container's port; -1: there is no way. */
static int dial(const struct net_proxy *proxy, const struct listener *l)
{
    const struct ip *ip = proxy->ip4.len ? &proxy->ip4 : &proxy->ip6;
    cleanup_close int fd = -1;
    struct sockaddr_storage address;
    socklen_t len;

    if (!ip->len)
        return -1;
    len = net_sockaddr(ip, l->port, &address);
    fd = socket(ip_family(ip),
                (l->proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
                l->proto);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS))
        return -1;
    return steal_fd(&fd);
}

static struct connection *add_connection(struct net_proxy *proxy)
{
    proxy->connections = mem_grow(proxy->connections, proxy->count + 1, sizeof *proxy->connections);
    proxy->connections[proxy->count] = (struct connection){.used_ms = dns_now_ms()};
    return &proxy->connections[proxy->count++];
}

static void accept_some(struct net_proxy *proxy, const struct listener *l)
{
    for (int i = 0; i < AT_ONCE && proxy->count < CONNECTIONS_MAX; i++) {
        int client = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), target;
        struct connection *c;

        if (client < 0)
            return;
        target = dial(proxy, l);
        if (target < 0) {
            close(client);
            continue;
        }
        c = add_connection(proxy);
        c->client = client;
        c->target = target;
        c->connecting = true;
    }
}

/* False when the connection is broken. */
static bool flush(struct flow *flow, int to)
{
    while (flow->kept.len) {
        ssize_t n = send(to, flow->kept.data, flow->kept.len, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        memmove(flow->kept.data, flow->kept.data + n, flow->kept.len - (size_t)n);
        flow->kept.len -= (size_t)n;
    }
    buf_free(&flow->kept);
    if (flow->ended && !flow->passed) {
        shutdown(to, SHUT_WR);
        flow->passed = true;
    }
    return true;
}

static bool carry(struct flow *flow, int from, int to)
{
    ssize_t n;

    if (flow->kept.len || flow->ended)
        return flush(flow, to);
    n = recv(from, piece, sizeof piece, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    flow->ended = n == 0;
    if (n) {
        ssize_t sent = send(to, piece, (size_t)n, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        sent = sent < 0 ? 0 : sent;
        if (sent < n)
            buf_add(&flow->kept, piece + sent, (size_t)(n - sent));
    }
    return flush(flow, to);
}

/* The connection to the container stands, or it was refused: then the client's is, too. */
static bool connected(struct connection *c)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(c->target, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
        setsockopt(c->client, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        return false;
    }
    c->connecting = false;
    return true;
}

static bool serve_stream(struct connection *c, short client, short target)
{
    if (c->connecting)
        return !target || connected(c);
    if (((client & (POLLIN | POLLHUP | POLLERR)) || (target & POLLOUT)) &&
        !carry(&c->up, c->client, c->target))
        return false;
    if (((target & (POLLIN | POLLHUP | POLLERR)) || (client & POLLOUT)) &&
        !carry(&c->down, c->target, c->client))
        return false;
    return !(c->up.passed && c->down.passed);
}

/* --- datagrams ------------------------------------------------------------------------------- */

static struct connection *find_session(struct net_proxy *proxy, int fd,
                                       const struct sockaddr_storage *from, socklen_t len)
{
    for (size_t i = 0; i < proxy->count; i++) {
        struct connection *c = &proxy->connections[i];

        if (c->udp && c->client == fd && c->from_len == len && !memcmp(&c->from, from, len))
            return c;
    }
    return NULL;
}

static struct connection *new_session(struct net_proxy *proxy, const struct listener *l,
                                      const struct sockaddr_storage *from, socklen_t len)
{
    int target = proxy->count < CONNECTIONS_MAX ? dial(proxy, l) : -1;
    struct connection *c;

    if (target < 0)
        return NULL;
    c = add_connection(proxy);
    c->udp = true;
    c->client = l->fd;
    c->target = target;
    c->from = *from;
    c->from_len = len;
    return c;
}

static void take_datagrams(struct net_proxy *proxy, const struct listener *l)
{

    for (int i = 0; i < AT_ONCE; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(l->fd, piece, sizeof piece, 0, (struct sockaddr *)&from, &len);
        struct connection *c;

        if (n < 0)
            return;
        c = find_session(proxy, l->fd, &from, len);
        if (!c)
            c = new_session(proxy, l, &from, len);
        if (c) {
            c->used_ms = dns_now_ms();
            send(c->target, piece, (size_t)n, MSG_NOSIGNAL);
        }
    }
}

static bool serve_session(struct connection *c, short events)
{
    ssize_t n;

    if (!events)
        return dns_now_ms() - c->used_ms < UDP_IDLE_MS;
    n = recv(c->target, piece, sizeof piece, 0);
    if (n < 0)
        return true; /* the container said that nobody is there; the next datagram may find somebody
                      */
    c->used_ms = dns_now_ms();
    sendto(c->client, piece, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&c->from, c->from_len);
    return true;
}

/* --- the loop's side ------------------------------------------------------------------------- */

size_t net_proxy_room(const struct net_proxy *proxy)
{
    return proxy->listener_count + 2 * proxy->count;
}

static void poll_stream(const struct connection *c, struct pollfd *p)
{
    bool up_free = !c->up.kept.len && !c->up.ended, down_free = !c->down.kept.len && !c->down.ended;

    p[0] = (struct pollfd){c->client,
                           (short)((up_free ? POLLIN : 0) | (c->down.kept.len ? POLLOUT : 0)), 0};
    p[1] = (struct pollfd){c->target,
                           (short)((down_free ? POLLIN : 0) | (c->up.kept.len ? POLLOUT : 0)), 0};
    if (c->connecting) {
        p[0].fd = -1; /* nothing is taken that could not be handed on */
        p[1].events = POLLOUT;
    }
    /* Nothing to wait for on a side: poll(2) would report its hanging up for ever. */
    for (int i = 0; i < 2; i++)
        if (!p[i].events)
            p[i].fd = -1;
}

size_t net_proxy_poll(struct net_proxy *proxy, struct pollfd *p, size_t room, int *timeout_ms)
{
    bool full = proxy->count >= CONNECTIONS_MAX;
    size_t n = 0;

    if (room < net_proxy_room(proxy))
        return 0;
    for (size_t i = 0; i < proxy->listener_count; i++)
        p[n++] = (struct pollfd){full ? -1 : proxy->listeners[i].fd, POLLIN, 0};
    for (size_t i = 0; i < proxy->count; i++, n += 2) {
        const struct connection *c = &proxy->connections[i];

        if (!c->udp) {
            poll_stream(c, p + n);
            continue;
        }
        p[n] = (struct pollfd){-1, 0, 0};
        p[n + 1] = (struct pollfd){c->target, POLLIN, 0};
        if (*timeout_ms < 0 || *timeout_ms > UDP_IDLE_MS)
            *timeout_ms = UDP_IDLE_MS;
    }
    return n;
}

void net_proxy_serve(struct net_proxy *proxy, const struct pollfd *p, size_t count)
{
    size_t listeners = proxy->listener_count,
           connections = count < listeners ? 0 : (count - listeners) / 2;

    for (size_t i = connections; i-- > 0;) {
        struct connection *c = &proxy->connections[i];
        const struct pollfd *own = p + listeners + 2 * i;
        bool goes_on = c->udp ? serve_session(c, own[1].revents)
                              : serve_stream(c, own[0].revents, own[1].revents);

        if (!goes_on)
            drop(proxy, i);
    }
    for (size_t i = 0; i < listeners && i < count; i++) {
        if (!p[i].revents)
            continue;
        if (proxy->listeners[i].proto == IPPROTO_UDP)
            take_datagrams(proxy, &proxy->listeners[i]);
        else
            accept_some(proxy, &proxy->listeners[i]);
    }
}

void net_proxy_free(struct net_proxy *proxy)
{
    if (!proxy)
        return;
    while (proxy->count)
        drop(proxy, proxy->count - 1);
    for (size_t i = 0; i < proxy->listener_count; i++)
        close_fd(&proxy->listeners[i].fd);
    free(proxy->listeners);
    free(proxy->connections);
    free(proxy);
}
