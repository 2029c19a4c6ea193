#include "support/fake_registry.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

#define HEAD_MAX        (64u << 10)
#define ENDLESS         (1ull << 30)
#define CONNECTIONS_MAX 1024

struct item {
    char *path, *type, *data;
    size_t len;
};

struct connection {
    struct fake_registry *server;
    pthread_t thread;
    int fd;
    atomic_bool done; /* its thread has no more to do */
};

struct fake_registry {
    int listener, stop;
    char address[32];
    pthread_t accepter;
    pthread_mutex_t lock; /* everything below */
    struct item *items;
    size_t item_count;
    struct {
        struct fake_rule rule;
        unsigned used;
    } rules[32];
    size_t rule_count;
    const char *authorization, *challenge;
    struct strv requests;
    struct connection *connections[CONNECTIONS_MAX];
    size_t connection_count;
};

/* What one request is answered with, copied under the lock. */
struct reply {
    struct fake_rule rule;
    int status;
    char *type, *data, *challenge;
    size_t len, from;
    bool ranged;
};

/* --- what a test says and asks --------------------------------------------------------------- */

void fake_serve(struct fake_registry *f, const char *path, const char *type, const void *data,
                size_t len)
{
    struct item *item = NULL;

    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->item_count; i++)
        if (!strcmp(f->items[i].path, path))
            item = &f->items[i];
    if (!item) {
        f->items = mem_grow(f->items, f->item_count + 1, sizeof *f->items);
        item = &f->items[f->item_count++];
        *item = (struct item){.path = str_copy(path)};
    }
    free(item->type);
    free(item->data);
    item->type = str_copy(type);
    item->data = str_copy_n(data, len);
    item->len = len;
    pthread_mutex_unlock(&f->lock);
}

void fake_break(struct fake_registry *f, const struct fake_rule *rule)
{
    pthread_mutex_lock(&f->lock);
    ck_assert_uint_lt(f->rule_count, sizeof f->rules / sizeof *f->rules);
    f->rules[f->rule_count].used = 0;
    f->rules[f->rule_count++].rule = *rule;
    pthread_mutex_unlock(&f->lock);
}

void fake_require(struct fake_registry *f, const char *authorization, const char *challenge)
{
    pthread_mutex_lock(&f->lock);
    f->authorization = authorization;
    f->challenge = challenge;
    pthread_mutex_unlock(&f->lock);
}

unsigned fake_count(struct fake_registry *f, const char *text)
{
    unsigned count = 0;

    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->requests.len; i++)
        count += strstr(f->requests.items[i], text) != NULL;
    pthread_mutex_unlock(&f->lock);
    return count;
}

char *fake_requests(struct fake_registry *f)
{
    char *all;

    pthread_mutex_lock(&f->lock);
    all = strv_join(&f->requests, "\n");
    pthread_mutex_unlock(&f->lock);
    return all;
}

const char *fake_address(const struct fake_registry *f)
{
    return f->address;
}

/* --- deciding on an answer, under the lock --------------------------------------------------- */

static void apply_rule(struct fake_registry *f, const char *target, struct reply *reply)
{
    for (size_t i = 0; i < f->rule_count; i++) {
        const struct fake_rule *rule = &f->rules[i].rule;

        if (!strstr(target, rule->path) || (rule->times && f->rules[i].used == rule->times))
            continue;
        f->rules[i].used++;
        reply->rule = *rule;
        return;
    }
}

static bool is_allowed(const struct fake_registry *f, const char *target, const char *head)
{
    cleanup_free char *line = NULL;

    if (!f->challenge || !str_starts(target, "/v2/"))
        return true;
    line = str_format("\r\nAuthorization: %s\r\n", f->authorization);
    return strstr(head, line);
}

static void find_content(const struct fake_registry *f, const char *target, struct reply *reply)
{
    size_t n = strcspn(target, "?");

    for (size_t i = 0; i < f->item_count; i++) {
        const struct item *item = &f->items[i];

        if (strlen(item->path) != n || strncmp(item->path, target, n))
            continue;
        reply->status = 200;
        reply->type = str_copy(item->type);
        reply->data = str_copy_n(item->data, item->len);
        reply->len = item->len;
    }
}

/* What the rule does to the content before it is sent. */
static void spoil(struct reply *reply)
{
    const struct fake_rule *rule = &reply->rule;

    if (rule->body) {
        free(reply->data);
        reply->data = str_copy(rule->body);
        reply->len = strlen(rule->body);
    }
    if (rule->status)
        reply->status = rule->status;
    if (rule->flip && reply->len)
        reply->data[reply->len / 2] ^= 1;
    if (rule->longer) {
        size_t len = (size_t)((long)reply->len + rule->longer);
        char *data = mem_alloc(len + 1);

        memcpy(data, reply->data, len < reply->len ? len : reply->len);
        free(reply->data);
        reply->data = data;
        reply->len = len;
    }
}

static void apply_range(const char *head, struct reply *reply)
{
    const char *range = strstr(head, "\r\nRange: bytes=");

    if (!range || reply->rule.no_range || reply->status != 200)
        return;
    reply->from = strtoull(range + strlen("\r\nRange: bytes="), NULL, 10);
    reply->ranged = true;
    reply->status = reply->from < reply->len ? 206 : 416;
    if (reply->status == 416)
        reply->from = reply->len;
}

static void decide(struct fake_registry *f, const char *head, struct reply *reply)
{
    cleanup_free char *target = NULL;
    const char *space = strchr(head, ' ');

    target = space ? str_copy_n(space + 1, strcspn(space + 1, " \r")) : str_copy("");
    pthread_mutex_lock(&f->lock);
    strv_add(&f->requests, head);
    reply->status = 404;
    apply_rule(f, target, reply);
    if (!is_allowed(f, target, head)) {
        reply->status = 401;
        reply->challenge = str_copy(f->challenge);
    } else {
        find_content(f, target, reply);
        spoil(reply);
        apply_range(head, reply);
    }
    pthread_mutex_unlock(&f->lock);
}

/* --- talking --------------------------------------------------------------------------------- */

static bool send_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* The head of a request and the body its Content-Length announces; NULL when the client is gone or
 * speaks no HTTP. */
static char *receive(int fd)
{
    struct buf head = {0};
    size_t expected = 0;

    for (;;) {
        char piece[4096];
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        const char *end, *length;

        if (n > 0)
            buf_add(&head, piece, (size_t)n);
        if (n <= 0 || head.len > HEAD_MAX || *head.data == 0x16) /* 0x16: a TLS hello */
            break;
        end = strstr(head.data, "\r\n\r\n");
        length = strcasestr(head.data, "\r\ncontent-length: ");
        if (length)
            expected = strtoul(length + 18, NULL, 10);
        if (end && head.len >= (size_t)(end + 4 - head.data) + expected)
            return buf_steal(&head);
    }
    buf_free(&head);
    return NULL;
}

static void send_endless_headers(int fd)
{
    static const char line[] =
        "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
    uint64_t sent = 0;

    if (send_all(fd, "HTTP/1.1 200 OK\r\n", 17))
        while (sent < ENDLESS && send_all(fd, line, sizeof line - 1))
            sent += sizeof line - 1;
}

static char *reply_head(const struct reply *r)
{
    struct buf head = {0};
    const char *type = r->rule.type ? r->rule.type : r->type;

    buf_printf(&head, "HTTP/1.1 %d Whatever\r\nConnection: close\r\n", r->status);
    if (!r->rule.no_length)
        buf_printf(&head, "Content-Length: %zu\r\n", r->len - r->from);
    if (type)
        buf_printf(&head, "Content-Type: %s\r\n", type);
    if (r->challenge)
        buf_printf(&head, "WWW-Authenticate: %s\r\n", r->challenge);
    if (r->ranged && r->status == 206)
        buf_printf(&head, "Content-Range: bytes %zu-%zu/%zu\r\n", r->from, r->len - 1, r->len);
    buf_printf(&head, "%s\r\n", r->rule.headers ? r->rule.headers : "");
    return buf_steal(&head);
}

static void send_reply(int fd, const struct reply *r)
{
    cleanup_free char *head = reply_head(r);
    size_t len = r->len - r->from;
    char byte;

    if (r->rule.cut && r->rule.cut < len)
        len = r->rule.cut;
    if (!send_all(fd, head, strlen(head)) || !send_all(fd, r->data ? r->data + r->from : "", len))
        return;
    if (r->rule.stall)
        while (recv(fd, &byte, 1, 0) > 0)
            ;
}

static void *converse(void *context)
{
    struct connection *c = context;
    cleanup_free char *head = receive(c->fd);
    struct reply reply = {0};

    if (head) {
        decide(c->server, head, &reply);
        if (reply.rule.endless_headers)
            send_endless_headers(c->fd);
        else
            send_reply(c->fd, &reply);
    } else {
        send_all(c->fd, "HTTP/1.0 400 Bad Request\r\n\r\n",
                 28); /* as Go's servers answer a TLS hello */
    }
    free(reply.type);
    free(reply.data);
    free(reply.challenge);
    shutdown(c->fd, SHUT_RDWR); /* closed when joined: nobody may get the number before */
    c->done = true;
    return NULL;
}

static void end_connection(struct connection *c)
{
    pthread_join(c->thread, NULL);
    close(c->fd);
    free(c);
}

/* Those that are done make room. Called with the lock. */
static void forget_done(struct fake_registry *f)
{
    for (size_t i = f->connection_count; i-- > 0;)
        if (f->connections[i]->done) {
            end_connection(f->connections[i]);
            f->connections[i] = f->connections[--f->connection_count];
        }
}

static void *accept_all(void *context)
{
    struct fake_registry *f = context;
    struct pollfd p[] = {{f->listener, POLLIN, 0}, {f->stop, POLLIN, 0}};

    while (poll(p, 2, -1) >= 0 && !p[1].revents) {
        int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
        struct connection *c;

        if (fd < 0)
            continue;
        c = mem_alloc(sizeof *c);
        c->server = f;
        c->fd = fd;
        pthread_mutex_lock(&f->lock);
        forget_done(f);
        ck_assert_uint_lt(f->connection_count, CONNECTIONS_MAX);
        f->connections[f->connection_count++] = c;
        pthread_mutex_unlock(&f->lock);
        ck_assert_int_eq(pthread_create(&c->thread, NULL, converse, c), 0);
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

struct fake_registry *fake_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct fake_registry *f = mem_alloc(sizeof *f);
    socklen_t len = sizeof address;

    pthread_mutex_init(&f->lock, NULL);
    f->stop = eventfd(0, EFD_CLOEXEC);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(f->stop >= 0 && f->listener >= 0);
    ck_assert(!bind(f->listener, (struct sockaddr *)&address, sizeof address) &&
              !listen(f->listener, 64));
    ck_assert(!getsockname(f->listener, (struct sockaddr *)&address, &len));
    snprintf(f->address, sizeof f->address, "127.0.0.1:%u", ntohs(address.sin_port));
    ck_assert_int_eq(pthread_create(&f->accepter, NULL, accept_all, f), 0);
    return f;
}

static void end_connections(struct fake_registry *f)
{
    for (size_t i = 0; i < f->connection_count; i++) {
        shutdown(f->connections[i]->fd, SHUT_RDWR);
        end_connection(f->connections[i]);
    }
}

void fake_stop(struct fake_registry *f)
{
    uint64_t one = 1;

    if (!f)
        return;
    ck_assert(write(f->stop, &one, sizeof one) == (ssize_t)sizeof one);
    pthread_join(f->accepter, NULL);
    end_connections(f);
    close(f->stop);
    close(f->listener);
    for (size_t i = 0; i < f->item_count; i++) {
        free(f->items[i].path);
        free(f->items[i].type);
        free(f->items[i].data);
    }
    free(f->items);
    strv_free(&f->requests);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
