/* dns_forward.c - questions passed on as they came, and their answers passed back.
 *
 * Each question has a socket of its own, with a port the kernel chose, and a number drawn at
 * random: who wants to slip in a wrong answer has to guess both. A server that does not answer
 * within four seconds, or that is not there, is followed by the next one, and the one that answered
 * last is asked first from then on. At most PENDING_MAX questions are under way. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "network/dns.h"
#include "network/internal.h"

enum { PENDING_MAX = 256, SERVERS_MAX = 3, PATIENCE_MS = 4000, PORT = 53 };

struct pending {
    int fd; /* -1: free */
    bool tcp;
    uint64_t asker;
    uint8_t original_id[2], id[2];
    struct buf query;    /* with our number */
    size_t sent;         /* TCP: of the length and the query */
    struct buf incoming; /* TCP */
    size_t server, tried;
    int64_t deadline;
};

struct dns_forwarder {
    int netns; /* servers that the user named are reached from inside; -1: the host's */
    struct ip servers[SERVERS_MAX];
    size_t count, favourite;
    struct timespec changed; /* of the host's resolv.conf, when it was read */
    struct pending *pending; /* PENDING_MAX, while there is any */
    size_t active;
    dns_reply *reply;
    void *context;
};

int64_t dns_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void add_server(struct dns_forwarder *f, const char *text)
{
    if (f->count < SERVERS_MAX && text && !ip_parse(text, &f->servers[f->count]))
        f->count++;
}

struct dns_forwarder *dns_forwarder_new(int netns, const json_t *servers, dns_reply *reply,
                                        void *context)
{
    struct dns_forwarder *f = mem_alloc(sizeof *f);
    json_t *item;
    size_t i;

    f->reply = reply;
    f->context = context;
    f->netns = json_array_size(servers) ? netns : -1;
    json_array_foreach(servers, i, item) add_server(f, json_string_value(item));
    return f;
}

/* A laptop that moved has other resolvers: the file is read again when it has changed. */
static void refresh_servers(struct dns_forwarder *f)
{
    cleanup_resolv struct net_resolv host = {0};
    struct stat st;

    if (f->netns >= 0)
        return;
    if (stat("/etc/resolv.conf", &st) < 0)
        st.st_mtim = (struct timespec){0};
    if (f->count && st.st_mtim.tv_sec == f->changed.tv_sec &&
        st.st_mtim.tv_nsec == f->changed.tv_nsec)
        return;
    f->changed = st.st_mtim;
    f->count = f->favourite = 0;
    net_resolv_host(false, &host);
    for (size_t i = 0; i < host.servers.len; i++)
        add_server(f, host.servers.items[i]);
}

/* --- one question ---------------------------------------------------------------------------- */

static void finish(struct dns_forwarder *f, struct pending *p, const uint8_t *message, size_t len)
{
    cleanup_buf struct buf incoming = p->incoming; /* the message may be in it */

    p->incoming = (struct buf){0};
    close_fd(&p->fd);
    buf_free(&p->query);
    f->active--;
    f->reply(f->context, p->asker, message, len);
}

static int open_inside(struct dns_forwarder *f, int family, int type)
{
    cleanup_close int own = -1;
    struct err ignored;
    int fd;

    if (f->netns >= 0 && netns_enter(f->netns, &own, &ignored) < 0)
        return -1;
    fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (own >= 0)
        netns_leave(own, &ignored);
    return fd;
}

/* False when this server cannot even be tried. */
static bool ask_server(struct dns_forwarder *f, struct pending *p)
{
    const struct ip *server = &f->servers[p->server];
    struct sockaddr_storage address;
    socklen_t len = net_sockaddr(server, PORT, &address);

    close_fd(&p->fd);
    p->sent = p->incoming.len = 0;
    p->deadline = dns_now_ms() + PATIENCE_MS;
    if (getrandom(p->id, sizeof p->id, 0) != sizeof p->id)
        return false;
    memcpy(p->query.data, p->id, sizeof p->id);
    p->fd = open_inside(f, ip_family(server), p->tcp ? SOCK_STREAM : SOCK_DGRAM);
    if (p->fd < 0 || (connect(p->fd, (struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS))
        return false;
    return p->tcp || send(p->fd, p->query.data, p->query.len, MSG_NOSIGNAL) >= 0;
}

/* Nobody answered: that is the answer. */
static void give_up(struct dns_forwarder *f, struct pending *p)
{
    struct dns_answer answer = {0};
    struct dns_question q;

    memcpy(p->query.data, p->original_id, 2);
    if (dns_read_question((uint8_t *)p->query.data, p->query.len, &q)) {
        dns_answer_begin((uint8_t *)p->query.data, &q, DNS_SERVFAIL, &answer);
        dns_answer_end(&answer, &q, 0);
    }
    finish(f, p, (uint8_t *)answer.bytes.data, answer.bytes.len);
    buf_free(&answer.bytes);
}

/* The next server, until one can be asked. */
static void ask_next(struct dns_forwarder *f, struct pending *p)
{
    while (p->tried < f->count) {
        p->server = (f->favourite + p->tried++) % f->count;
        if (ask_server(f, p))
            return;
    }
    give_up(f, p);
}

static struct pending *free_place(struct dns_forwarder *f)
{
    if (f->active == PENDING_MAX)
        return NULL;
    if (!f->pending) {
        f->pending = mem_alloc(PENDING_MAX * sizeof *f->pending);
        for (size_t i = 0; i < PENDING_MAX; i++)
            f->pending[i].fd = -1;
    }
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (f->pending[i].fd == -1)
            return &f->pending[i];
    return NULL;
}

bool dns_forward(struct dns_forwarder *f, uint64_t asker, const uint8_t *query, size_t len,
                 bool tcp)
{
    struct pending *p;

    refresh_servers(f);
    p = f->count ? free_place(f) : NULL;
    if (!p)
        return false;
    *p = (struct pending){.fd = -1, .tcp = tcp, .asker = asker};
    memcpy(p->original_id, query, sizeof p->original_id);
    buf_add(&p->query, query, len);
    f->active++;
    ask_next(f, p);
    return true;
}

void dns_forward_forget(struct dns_forwarder *f, uint64_t asker)
{
    for (size_t i = 0; f->pending && i < PENDING_MAX; i++) {
        struct pending *p = &f->pending[i];

        if (p->fd == -1 || p->asker != asker)
            continue;
        close_fd(&p->fd);
        buf_free(&p->query);
        buf_free(&p->incoming);
        f->active--;
    }
}

/* An answer to what was asked: number, and the question itself letter by letter. */
static bool answers(const struct pending *p, const uint8_t *message, size_t len)
{
    struct dns_question q;

    if (len < DNS_HEADER || memcmp(message, p->id, 2) || !(message[2] & 0x80))
        return false;
    if (!dns_read_question((uint8_t *)p->query.data, p->query.len, &q))
        return false;
    return len >= q.end &&
           !memcmp(message + DNS_HEADER, p->query.data + DNS_HEADER, q.end - DNS_HEADER);
}

static void take_answer(struct dns_forwarder *f, struct pending *p, uint8_t *message, size_t len)
{
    int code = message[3] & 15;

    /* A server that will not or cannot: perhaps another can. */
    if ((code == DNS_SERVFAIL || code == 5) && p->tried < f->count) {
        ask_next(f, p);
        return;
    }
    f->favourite = p->server;
    memcpy(message, p->original_id, 2);
    finish(f, p, message, len);
}

static void serve_udp(struct dns_forwarder *f, struct pending *p)
{
    static uint8_t message[DNS_MESSAGE_MAX];
    ssize_t n = recv(p->fd, message, sizeof message, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        ask_next(f, p); /* nobody listens there */
    else if (answers(p, message, (size_t)n))
        take_answer(f, p, message, (size_t)n);
}

static void send_tcp(struct dns_forwarder *f, struct pending *p)
{
    uint8_t head[2] = {(uint8_t)(p->query.len >> 8), (uint8_t)p->query.len};
    struct iovec parts[] = {{head, 2}, {p->query.data, p->query.len}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;

    if (p->sent < 2) {
        parts[0].iov_base = head + p->sent;
        parts[0].iov_len = 2 - p->sent;
    } else {
        parts[0].iov_len = 0;
        parts[1].iov_base = p->query.data + (p->sent - 2);
        parts[1].iov_len = p->query.len - (p->sent - 2);
    }
    n = sendmsg(p->fd, &m, MSG_NOSIGNAL);
    if (n > 0)
        p->sent += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        ask_next(f, p);
}

static void receive_tcp(struct dns_forwarder *f, struct pending *p)
{
    uint8_t part[16384], *data;
    ssize_t n = recv(p->fd, part, sizeof part, 0);
    size_t len;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        ask_next(f, p);
        return;
    }
    buf_add(&p->incoming, part, (size_t)n);
    data = (uint8_t *)p->incoming.data;
    len = p->incoming.len < 2 ? 0 : (size_t)data[0] << 8 | data[1];
    if (p->incoming.len < 2 || p->incoming.len < 2 + len)
        return;
    if (answers(p, data + 2, len))
        take_answer(f, p, data + 2, len);
    else
        ask_next(f, p);
}

/* --- the loop's side ------------------------------------------------------------------------- */

size_t dns_forward_room(const struct dns_forwarder *f)
{
    return f->active;
}

size_t dns_forward_poll(struct dns_forwarder *f, struct pollfd *p, size_t room, int *timeout_ms)
{
    int64_t now = f->active ? dns_now_ms() : 0;
    size_t n = 0;

    for (size_t i = 0; f->active && i < PENDING_MAX && n < room; i++) {
        struct pending *q = &f->pending[i];
        int64_t left = q->deadline - now;

        if (q->fd < 0)
            continue;
        p[n++] = (struct pollfd){q->fd, q->tcp && q->sent < q->query.len + 2 ? POLLOUT : POLLIN, 0};
        if (left < 0)
            left = 0;
        if (*timeout_ms < 0 || left < *timeout_ms)
            *timeout_ms = (int)left;
    }
    return n;
}

static void serve_one(struct dns_forwarder *f, struct pending *q, short events)
{
    if (!events && dns_now_ms() >= q->deadline)
        ask_next(f, q);
    else if (events && !q->tcp)
        serve_udp(f, q);
    else if (events & POLLOUT)
        send_tcp(f, q);
    else if (events)
        receive_tcp(f, q);
}

void dns_forward_serve(struct dns_forwarder *f, const struct pollfd *p, size_t count)
{
    for (size_t i = 0; f->pending && i < PENDING_MAX; i++) {
        short events = 0;

        if (f->pending[i].fd < 0)
            continue;
        for (size_t k = 0; k < count; k++)
            if (p[k].fd == f->pending[i].fd)
                events = p[k].revents;
        serve_one(f, &f->pending[i], events);
    }
    if (!f->active) { /* memory is given back when nothing is asked */
        free(f->pending);
        f->pending = NULL;
    }
}

void dns_forwarder_free(struct dns_forwarder *f)
{
    for (size_t i = 0; f->pending && i < PENDING_MAX; i++) {
        close_fd(&f->pending[i].fd);
        buf_free(&f->pending[i].query);
        buf_free(&f->pending[i].incoming);
    }
    free(f->pending);
    free(f);
}
