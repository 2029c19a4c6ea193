#include "support/fake_registry.h"

#include "support/fake_internal.h"

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

#define HEAD_MAX (64u << 20)
#define ENDLESS  (1ull << 30)

/* --- what a test says and asks --------------------------------------------------------------- */

void fake_put(struct fake_registry *f, const char *path, const char *type, const void *data,
              size_t len)
{
    struct item *item = NULL;

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
    item->data = mem_alloc(len + 1);
    memcpy(item->data, data, len);
    item->len = len;
}

void fake_serve(struct fake_registry *f, const char *path, const char *type, const void *data,
                size_t len)
{
    pthread_mutex_lock(&f->lock);
    fake_put(f, path, type, data, len);
    pthread_mutex_unlock(&f->lock);
}

char *fake_served(struct fake_registry *f, const char *path, size_t *ret_len)
{
    char *copy = NULL;

    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->item_count; i++)
        if (!strcmp(f->items[i].path, path)) {
            copy = mem_alloc(f->items[i].len + 1);
            memcpy(copy, f->items[i].data, f->items[i].len);
            *ret_len = f->items[i].len;
        }
    pthread_mutex_unlock(&f->lock);
    return copy;
}

void fake_accept_pushes(struct fake_registry *f)
{
    pthread_mutex_lock(&f->lock);
    f->writable = true;
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

/* The rule for a request; `use`: it counts. */
static const struct fake_rule *find_rule(struct fake_registry *f, const char *method,
                                         const char *target, bool use)
{
    for (size_t i = 0; i < f->rule_count; i++) {
        const struct fake_rule *rule = &f->rules[i].rule;

        if (!strstr(target, rule->path) || (rule->times && f->rules[i].used == rule->times) ||
            (rule->method && strcmp(rule->method, method)))
            continue;
        f->rules[i].used += use;
        return rule;
    }
    return NULL;
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
        reply->data = mem_alloc(item->len + 1);
        memcpy(reply->data, item->data, item->len);
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

static void split(const char *head, char **ret_method, char **ret_target)
{
    size_t n = strcspn(head, " ");

    *ret_method = str_copy_n(head, n);
    *ret_target = head[n] ? str_copy_n(head + n + 1, strcspn(head + n + 1, " \r")) : str_copy("");
}

static void decide(struct fake_registry *f, const struct buf *request, struct reply *reply)
{
    cleanup_free char *method = NULL, *target = NULL;
    const char *head = request->data, *end = strstr(head, "\r\n\r\n");
    const struct fake_rule *rule;
    struct fake_request q;

    split(head, &method, &target);
    q = (struct fake_request){method, target, end + 4,
                              request->len - (size_t)(end + 4 - request->data)};
    pthread_mutex_lock(&f->lock);
    strv_add(&f->requests, head);
    reply->status = 404;
    rule = find_rule(f, method, target, true);
    if (rule)
        reply->rule = *rule;
    reply->no_body = !strcmp(method, "HEAD");
    if (!is_allowed(f, target, head)) {
        reply->status = 401;
        reply->challenge = str_copy(f->challenge);
    } else if (!f->writable || (reply->rule.status && !reply->rule.after) ||
               !fake_write(f, &q, reply)) {
        find_content(f, target, reply);
        spoil(reply);
        apply_range(head, reply);
    } else if (reply->rule.status) {
        reply->status = reply->rule.status; /* it was done, and nobody hears of it */
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

/* How much of the body is taken before the connection breaks. */
static size_t limit_of(struct fake_registry *f, const char *head, size_t expected)
{
    cleanup_free char *method = NULL, *target = NULL;
    const struct fake_rule *rule;
    size_t limit = expected;

    split(head, &method, &target);
    pthread_mutex_lock(&f->lock);
    rule = find_rule(f, method, target, false);
    if (rule && rule->take && rule->take < expected)
        limit = (size_t)rule->take;
    pthread_mutex_unlock(&f->lock);
    return limit;
}

/* A request: its head, and of the body its Content-Length announces what is taken. False when the
 * client is gone or speaks no HTTP. */
static bool receive(struct fake_registry *f, int fd, struct buf *ret)
{
    size_t wanted = SIZE_MAX;

    for (;;) {
        char piece[65536];
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        const char *end, *length;

        if (n > 0)
            buf_add(ret, piece, (size_t)n);
        if (n <= 0 || ret->len > HEAD_MAX || *ret->data == 0x16) /* 0x16: a TLS hello */
            return false;
        end = strstr(ret->data, "\r\n\r\n");
        if (end && wanted == SIZE_MAX) {
            length = strcasestr(ret->data, "\r\ncontent-length: ");
            wanted = (size_t)(end + 4 - ret->data) +
                     limit_of(f, ret->data, length ? strtoul(length + 18, NULL, 10) : 0);
        }
        if (ret->len >= wanted) {
            ret->len = wanted;
            return true;
        }
    }
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
    buf_printf(&head, "%s%s\r\n", r->headers ? r->headers : "",
               r->rule.headers ? r->rule.headers : "");
    return buf_steal(&head);
}

static void send_reply(int fd, const struct reply *r)
{
    cleanup_free char *head = reply_head(r);
    size_t len = r->len - r->from;
    char byte;

    if (r->rule.cut && r->rule.cut < len)
        len = r->rule.cut;
    if (r->no_body)
        len = 0;
    if (!send_all(fd, head, strlen(head)) || !send_all(fd, r->data ? r->data + r->from : "", len))
        return;
    if (r->rule.stall)
        while (recv(fd, &byte, 1, 0) > 0)
            ;
}

static void *converse(void *context)
{
    struct connection *c = context;
    cleanup_buf struct buf request = {0};
    struct reply reply = {0};

    if (receive(c->server, c->fd, &request)) {
        decide(c->server, &request, &reply);
        if (reply.rule.take)
            ; /* not a word more */
        else if (reply.rule.endless_headers)
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
    free(reply.headers);
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
    fake_uploads_free(f);
    strv_free(&f->requests);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
