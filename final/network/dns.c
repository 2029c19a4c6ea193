/* dns.c - the server at 127.0.0.11: sockets inside of the container's namespace, answers from the
 * names of its networks, and everything else passed on. All of it runs in the shim's one loop, so
 * nothing here waits, and everything is bounded: one container cannot make its shim grow, or be
 * late for long. */
#include "network/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "network/internal.h"
#include "network/names.h"

enum {
    NETWORKS_MAX = 32,
    CLIENTS_MAX = 32,
    UDP_ASKERS = 256,
    AT_ONCE = 64,
    IDLE_MS = 10000,
    ADDRESSES_MAX = 2000
};

/* A connection over TCP: one question at a time. */
struct client {
    int fd; /* -1: free */
    struct buf in, out;
    size_t sent;
    bool waiting; /* for a forwarded answer */
    uint32_t serial;
    int64_t deadline;
};

struct net_dns {
    int netns, names, runs, udp, tcp;
    bool isolated;
    size_t network_count;
    struct {
        char id[65];
        char name[256];
    } networks[NETWORKS_MAX];
    struct dns_forwarder *forwarder;
    struct client *clients;     /* CLIENTS_MAX, once there was one */
    struct sockaddr_in *askers; /* UDP_ASKERS: who waits for a forwarded answer, by number */
    size_t next_asker;
    uint32_t serial;
};

/* Who asked, in one number: over UDP the place in `askers`, over TCP the client's. */
#define ASKER_TCP (1ull << 63)

/* --- answers --------------------------------------------------------------------------------- */

struct collection {
    struct ip ips[ADDRESSES_MAX];
    size_t count;
    char name[512];
};

static void collect_addresses(void *context, const char *target)
{
    struct collection *c = context;
    cleanup_strv struct strv parts = {0};

    strv_split(&parts, target, ' ');
    for (size_t i = 0; i < parts.len && c->count < ADDRESSES_MAX; i++)
        if (!ip_parse(parts.items[i], &c->ips[c->count]))
            c->count++;
}

/* Everybody gets another one first: the load of several containers of one name is shared. */
static void shuffle(struct collection *c)
{
    for (size_t i = c->count; i > 1; i--) {
        uint32_t random = 0;
        struct ip swap;
        size_t k;

        if (getrandom(&random, sizeof random, 0) < 0)
            return;
        k = random % i;
        swap = c->ips[i - 1];
        c->ips[i - 1] = c->ips[k];
        c->ips[k] = swap;
    }
}

/* "web" on all networks; "web.net1" on that one. */
static size_t look_up(const struct net_dns *dns, const char *name, names_visit *visit,
                      void *context)
{
    size_t found = 0, len = strlen(name);

    for (size_t i = 0; i < dns->network_count; i++) {
        size_t suffix = strlen(dns->networks[i].name);

        found +=
            (size_t)names_look_up(dns->names, dns->runs, dns->networks[i].id, name, visit, context);
        if (len > suffix + 1 && name[len - suffix - 1] == '.' &&
            !strcasecmp(name + len - suffix, dns->networks[i].name)) {
            cleanup_free char *front = str_copy_n(name, len - suffix - 1);

            found += (size_t)names_look_up(dns->names, dns->runs, dns->networks[i].id, front, visit,
                                           context);
        }
    }
    return found;
}

static bool answer_address(const struct net_dns *dns, const uint8_t *query,
                           const struct dns_question *q, struct dns_answer *ret)
{
    struct collection *c;

    if (!*q->name)
        return false;
    c = mem_alloc(sizeof *c);
    if (!look_up(dns, q->name, collect_addresses, c)) {
        free(c);
        return false;
    }
    shuffle(c);
    dns_answer_begin(query, q, DNS_NOERROR, ret);
    for (size_t i = 0; i < c->count; i++)
        if (q->type == (c->ips[i].len == 4 ? DNS_A : DNS_AAAA))
            dns_answer_address(ret, &c->ips[i]);
    free(c);
    return true; /* without an address of that kind, too: the name is ours */
}

static void note_name(void *context, const char *target)
{
    snprintf(context, 256, "%s", target);
}

static bool answer_reverse(const struct net_dns *dns, const uint8_t *query,
                           const struct dns_question *q, struct dns_answer *ret)
{
    char key[IP_TEXT_MAX + 1] = "@", name[256] = "", whole[520];
    struct ip ip;

    if (!dns_reverse_address(q->name, &ip))
        return false;
    ip_format(&ip, key + 1);
    for (size_t i = 0; i < dns->network_count; i++) {
        if (!names_look_up(dns->names, dns->runs, dns->networks[i].id, key, note_name, name))
            continue;
        snprintf(whole, sizeof whole, "%s.%s", name, dns->networks[i].name);
        dns_answer_begin(query, q, DNS_NOERROR, ret);
        dns_answer_name(ret, whole);
        return true;
    }
    return false;
}

static bool answer_locally(const struct net_dns *dns, const uint8_t *query,
                           const struct dns_question *q, struct dns_answer *ret)
{
    if (q->type == DNS_PTR)
        return answer_reverse(dns, query, q, ret);
    return answer_address(dns, query, q, ret);
}

/* --- UDP ------------------------------------------------------------------------------------- */

static void send_udp(const struct net_dns *dns, const struct sockaddr_in *to, const void *message,
                     size_t len)
{
    sendto(dns->udp, message, len, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)to,
           sizeof *to);
}

static void refuse(const uint8_t *query, const struct dns_question *q, struct dns_answer *ret)
{
    dns_answer_begin(query, q, DNS_SERVFAIL, ret);
}

static bool forward_udp(struct net_dns *dns, const struct sockaddr_in *from, const uint8_t *query,
                        size_t len)
{
    size_t place = dns->next_asker++ % UDP_ASKERS;

    if (dns->isolated)
        return false;
    if (!dns->askers)
        dns->askers = mem_alloc(UDP_ASKERS * sizeof *dns->askers);
    dns_forward_forget(dns->forwarder, place); /* the oldest gives way */
    dns->askers[place] = *from;
    return dns_forward(dns->forwarder, place, query, len, false);
}

static void serve_question(struct net_dns *dns, const struct sockaddr_in *from,
                           const uint8_t *query, size_t len)
{
    struct dns_answer answer = {0};
    struct dns_question q;

    if (!dns_read_question(query, len, &q))
        return;
    if (!answer_locally(dns, query, &q, &answer)) {
        if (forward_udp(dns, from, query, len))
            return;
        refuse(query, &q, &answer);
    }
    dns_answer_end(&answer, &q, q.udp_room);
    send_udp(dns, from, answer.bytes.data, answer.bytes.len);
    buf_free(&answer.bytes);
}

static void serve_udp(struct net_dns *dns)
{
    uint8_t query[4096];

    for (int i = 0; i < AT_ONCE; i++) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        ssize_t n =
            recvfrom(dns->udp, query, sizeof query, MSG_DONTWAIT, (struct sockaddr *)&from, &size);

        if (n < 0)
            return;
        serve_question(dns, &from, query, (size_t)n);
    }
}

/* --- TCP ------------------------------------------------------------------------------------- */

static void drop_client(struct net_dns *dns, struct client *c)
{
    if (c->waiting)
        dns_forward_forget(dns->forwarder, ASKER_TCP | c->serial);
    close_fd(&c->fd);
    buf_free(&c->in);
    buf_free(&c->out);
    *c = (struct client){.fd = -1};
}

static void queue_tcp(struct client *c, const void *message, size_t len)
{
    buf_add_char(&c->out, (char)(len >> 8));
    buf_add_char(&c->out, (char)len);
    buf_add(&c->out, message, len);
    c->waiting = false;
    c->deadline = dns_now_ms() + IDLE_MS;
}

/* False for what is no question. */
static bool answer_tcp(struct net_dns *dns, struct client *c, const uint8_t *query, size_t len)
{
    struct dns_answer answer = {0};
    struct dns_question q;

    if (!dns_read_question(query, len, &q))
        return false;
    if (!answer_locally(dns, query, &q, &answer)) {
        c->waiting = true;
        if (!dns->isolated && dns_forward(dns->forwarder, ASKER_TCP | c->serial, query, len, true))
            return true;
        refuse(query, &q, &answer);
    }
    dns_answer_end(&answer, &q, 0);
    queue_tcp(c, answer.bytes.data, answer.bytes.len);
    buf_free(&answer.bytes);
    return true;
}

/* The next whole question of those that came, if the last one has been answered. */
static bool next_question(struct net_dns *dns, struct client *c)
{
    const uint8_t *data = (uint8_t *)c->in.data;
    size_t len = c->in.len < 2 ? 0 : (size_t)data[0] << 8 | data[1];
    cleanup_free uint8_t *query = NULL;

    if (c->waiting || c->out.len || c->in.len < 2 || c->in.len < 2 + len)
        return true;
    query = mem_alloc(len + 1);
    memcpy(query, data + 2, len);
    memmove(c->in.data, c->in.data + 2 + len, c->in.len - 2 - len);
    c->in.len -= 2 + len;
    return answer_tcp(dns, c, query, len);
}

static bool read_client(struct client *c)
{
    uint8_t part[4096];
    ssize_t n = recv(c->fd, part, sizeof part, MSG_DONTWAIT);

    if (n > 0)
        buf_add(&c->in, part, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool write_client(struct client *c)
{
    ssize_t n =
        send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->sent += (size_t)n;
    if (c->sent == c->out.len) {
        buf_free(&c->out);
        c->sent = 0;
    }
    return true;
}

static void accept_client(struct net_dns *dns)
{
    int fd = accept4(dns->tcp, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    if (!dns->clients) {
        dns->clients = mem_alloc(CLIENTS_MAX * sizeof *dns->clients);
        for (int i = 0; i < CLIENTS_MAX; i++)
            dns->clients[i].fd = -1;
    }
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (dns->clients[i].fd >= 0)
            continue;
        dns->clients[i] =
            (struct client){.fd = fd, .serial = ++dns->serial, .deadline = dns_now_ms() + IDLE_MS};
        return;
    }
    close(fd);
}

/* A forwarded answer, or none. */
static void deliver(void *context, uint64_t asker, const uint8_t *message, size_t len)
{
    struct net_dns *dns = context;

    if (!(asker & ASKER_TCP)) {
        if (len)
            send_udp(dns, &dns->askers[asker], message, len);
        return;
    }
    for (int i = 0; dns->clients && i < CLIENTS_MAX; i++) {
        struct client *c = &dns->clients[i];

        if (c->fd < 0 || c->serial != (uint32_t)asker)
            continue;
        if (len)
            queue_tcp(c, message, len);
        else
            c->deadline = 0, c->waiting = false;
    }
}

/* --- opening and the loop's side ------------------------------------------------------------- */

static int open_socket(int type, struct err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f00000b)};
    cleanup_close int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        (type == SOCK_STREAM && listen(fd, CLIENTS_MAX) < 0))
        return err_errno(err, "cannot listen at 127.0.0.11 for the container's names");
    return steal_fd(&fd);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof address;

    getsockname(fd, (struct sockaddr *)&address, &len);
    return ntohs(address.sin_port);
}

static int open_sockets(struct net_dns *dns, struct err *err)
{
    cleanup_close int own = -1;
    int r = netns_enter(dns->netns, &own, err);

    if (r < 0)
        return r;
    dns->udp = open_socket(SOCK_DGRAM, err);
    if (dns->udp >= 0)
        dns->tcp = open_socket(SOCK_STREAM, err);
    r = dns->udp < 0 || dns->tcp < 0 ? -err->code : 0;
    return netns_leave(own, err) < 0 ? -err->code : r;
}

int net_dns_open(const struct net_dns_options *o, struct net_dns **ret, struct err *err)
{
    struct net_dns *dns = mem_alloc(sizeof *dns);
    int r;

    dns->netns = dup(o->netns);
    dns->names = o->names;
    dns->runs = o->runs;
    dns->udp = dns->tcp = -1;
    dns->isolated = o->isolated;
    dns->forwarder = dns_forwarder_new(dns->netns, o->servers, deliver, dns);
    r = open_sockets(dns, err);
    if (!r)
        r = dns_redirect(o->netns, port_of(dns->udp), port_of(dns->tcp), err);
    if (r < 0) {
        net_dns_close(dns);
        return err_wrap(err, "the container's DNS");
    }
    *ret = dns;
    return 0;
}

void net_dns_networks(struct net_dns *dns, const struct net_endpoint *endpoints, size_t count)
{
    dns->network_count = 0;
    dns->isolated = true;
    for (size_t i = 0; i < count && dns->network_count < NETWORKS_MAX; i++) {
        dns->isolated &= endpoints[i].internal;
        snprintf(dns->networks[dns->network_count].id, 65, "%s", endpoints[i].network_id);
        snprintf(dns->networks[dns->network_count++].name, 256, "%s", endpoints[i].network);
    }
}

void net_dns_close(struct net_dns *dns)
{
    if (!dns)
        return;
    for (int i = 0; dns->clients && i < CLIENTS_MAX; i++)
        if (dns->clients[i].fd >= 0)
            drop_client(dns, &dns->clients[i]);
    dns_forwarder_free(dns->forwarder);
    close_fd(&dns->udp);
    close_fd(&dns->tcp);
    close_fd(&dns->netns);
    free(dns->clients);
    free(dns->askers);
    free(dns);
}

size_t net_dns_room(const struct net_dns *dns)
{
    return 2 + CLIENTS_MAX + dns_forward_room(dns->forwarder);
}

size_t net_dns_poll(struct net_dns *dns, struct pollfd *p, size_t room, int *timeout_ms)
{
    size_t n = 0;

    if (room < 2 + CLIENTS_MAX)
        return 0;
    p[n++] = (struct pollfd){dns->udp, POLLIN, 0};
    p[n++] = (struct pollfd){dns->tcp, POLLIN, 0};
    for (int i = 0; dns->clients && i < CLIENTS_MAX; i++) {
        const struct client *c = &dns->clients[i];
        int64_t left = c->fd < 0 ? 0 : c->deadline - dns_now_ms();

        p[n++] = (struct pollfd){c->fd, c->out.len ? POLLOUT : c->waiting ? 0 : POLLIN, 0};
        if (c->fd >= 0 && (*timeout_ms < 0 || left < *timeout_ms))
            *timeout_ms = left < 0 ? 0 : (int)left;
    }
    return n + dns_forward_poll(dns->forwarder, p + n, room - n, timeout_ms);
}

static void serve_clients(struct net_dns *dns, const struct pollfd *p, size_t count)
{
    for (int i = 0; dns->clients && i < CLIENTS_MAX; i++) {
        struct client *c = &dns->clients[i];
        short events = 0;
        bool alive = true;

        if (c->fd < 0)
            continue;
        for (size_t k = 0; k < count; k++)
            if (p[k].fd == c->fd)
                events = p[k].revents;
        if (events & POLLOUT)
            alive = write_client(c);
        else if (events)
            alive = read_client(c);
        if (!alive || !next_question(dns, c) ||
            (!events && !c->waiting && dns_now_ms() >= c->deadline))
            drop_client(dns, c);
    }
}

void net_dns_serve(struct net_dns *dns, const struct pollfd *p, size_t count)
{
    if (count < 2)
        return;
    if (p[0].revents)
        serve_udp(dns);
    serve_clients(dns, p + 2, count - 2);
    if (p[1].revents)
        accept_client(dns);
    dns_forward_serve(dns->forwarder, p + 2, count - 2);
}
