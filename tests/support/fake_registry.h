/* fake_registry.h - a registry on loopback that misbehaves as a test tells it to: threads of the
 * test process, plain HTTP/1.1, one request a connection.
 *
 *     struct fake_registry *f = fake_start();
 *     fake_serve(f, "/v2/me/app/blobs/sha256:...", "application/octet-stream", data, len);
 *     fake_break(f, &(struct fake_rule){.path = "/blobs/", .times = 1, .cut = 1000});
 *     ...
 *     ck_assert_uint_eq(fake_count(f, "\r\nRange: bytes=1000-\r\n"), 1);
 *     fake_stop(f);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_registry;

struct fake_registry *fake_start(void);
void fake_stop(struct fake_registry *f);                 /* NULL is fine */
const char *fake_address(const struct fake_registry *f); /* "127.0.0.1:PORT" */

/* Content; a path served again is replaced. `type` may be NULL. Everything is copied. */
void fake_serve(struct fake_registry *f, const char *path, const char *type, const void *data,
                size_t len);

/* From now on images can be pushed: uploads, mounts from other repositories, manifests. What was
 * pushed is served. An upload that broke off keeps what came of it. */
void fake_accept_pushes(struct fake_registry *f);
/* A copy of what is served there, NUL-terminated; NULL: nothing. The caller frees. */
char *fake_served(struct fake_registry *f, const char *path, size_t *ret_len);

/* What goes wrong with requests whose target contains `path`. Rules are tried in order; the first
 * that matches and has `times` left counts. Strings must live as long as the server. */
struct fake_rule {
    const char *path;
    const char *method;  /* of requests with this one only; NULL: any */
    unsigned times;      /* 0: always */
    int status;          /* answer this instead of the content */
    const char *headers; /* more header lines, each ending in \r\n */
    const char *type;    /* other Content-Type */
    const char *body;    /* other body */
    uint64_t cut;        /* close the connection after so many bytes of the body */
    bool stall;          /* ... or rather say no more, until the client goes */
    bool no_range;       /* take no notice of Range */
    bool flip;           /* one bit of the body is wrong */
    long longer;         /* so many bytes more (less) than the content, honestly announced */
    bool no_length;      /* the end of the connection ends the body */
    bool endless_headers;
    uint64_t take; /* close the connection when so many bytes of the request's body have come */
    bool after;    /* `status` is answered when what was asked for has been done */
};
void fake_break(struct fake_registry *f, const struct fake_rule *rule);

/* Requests for /v2/... without "Authorization: <authorization>" get 401 with "WWW-Authenticate:
 * <challenge>". */
void fake_require(struct fake_registry *f, const char *authorization, const char *challenge);

/* How many requests so far contain `text` in their head or (POST) body. */
unsigned fake_count(struct fake_registry *f, const char *text);
/* All of them, for messages and closer looks; the caller frees. */
char *fake_requests(struct fake_registry *f);
