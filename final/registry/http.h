/* http.h - one HTTP request and its answer over libcurl. Nothing here follows a redirect, tries
 * again or knows about credentials: those are decisions, and they live in conversation.c, auth.c
 * and retry.c.
 *
 * Bounds that hold for every request, because the other side may be hostile: 256 KiB of headers in
 * all, a body no longer than asked for, a stall limit (no progress for `stall_s` seconds), http and
 * https only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define HTTP_HEADERS_MAX (256u << 10)
/* What is kept of the body of an answer that is not a success: enough for the registry's JSON
 * error. */
#define HTTP_ERROR_BODY_MAX (64u << 10)

/* Connections are kept open for the next request of any thread. */
struct http;

struct http_settings {
    unsigned stall_s;                 /* 0: 30 */
    bool (*cancelled)(void *context); /* NULL: never */
    void *context;
    const char *ca_file;    /* more CA certificates (PEM) for every host; NULL: none */
    const char *config_dir; /* has certs.d/, see tls.h; NULL: none */
};
struct http *http_new(const struct http_settings *settings);
void http_free(struct http *h); /* NULL is fine */
bool http_cancelled(const struct http *h);

struct http_answer {
    long status;
    char *content_type;    /* without parameters, lower case; NULL when absent */
    char *digest;          /* Docker-Content-Digest */
    char *location;        /* of a redirect or an upload, absolute; NULL: none */
    char *link;            /* the Link header: where a list goes on; NULL: none */
    bool has_upload_range; /* a Range header: so many bytes of an upload are there */
    uint64_t upload_end;
    struct strv challenges;            /* one element for each WWW-Authenticate header */
    int64_t retry_after_s;             /* -1 when absent; dates are converted */
    int64_t length;                    /* Content-Length, -1 when absent */
    int64_t modified;                  /* Last-Modified, seconds since 1970; -1 when absent */
    bool has_range;                    /* a Content-Range that could be read: */
    uint64_t range_start, range_total; /* range_total 0: "*" */
    struct buf body;                   /* without a sink, or when the status is not 2xx */
};
void http_answer_free(struct http_answer *a);

/* Gets pieces of a 2xx body once the headers are complete. A negative result ends the request with
 * it. */
typedef int http_sink(void *context, const struct http_answer *answer, const void *data, size_t len,
                      struct err *err);

/* What goes along with a request; read anew whenever it has to be sent again. */
struct http_body {
    const char *type; /* Content-Type */
    const void *data; /* in memory; NULL: `len` bytes of `fd` from `offset` on, by pread(2) */
    int fd;
    uint64_t offset, len;
    bool has_range; /* a part of something larger: Content-Range "from-to" */
    uint64_t range_from;
    void (*sent)(void *context, uint64_t done); /* how far it is, now and then; NULL: not wanted */
    void *context;
};

struct http_request {
    const char *url;
    const char *method;        /* NULL: GET, or POST with a form */
    const char *authorization; /* value of the header; NULL: none */
    const char *accept;        /* NULL: anything */
    const char *form;          /* urlencoded: POST instead of GET */
    const struct http_body *body;
    unsigned patience_s; /* instead of the settings' stall limit; 0: that one */
    uint64_t range_from; /* 0: the whole */
    uint64_t body_max;   /* longer is -EFBIG */
    unsigned deadline_s; /* for the whole request; 0: only the stall limit */
    http_sink *sink;     /* NULL: into answer->body */
    void *context;
};
/* 0 with any status; negative when there is no complete answer:
 * -ECANCELED, -ETIMEDOUT (stall, deadline), -ECONNREFUSED, -EHOSTUNREACH (name or route),
 * -ECONNRESET (cut off or garbled), -EPROTONOSUPPORT (no TLS spoken there), -EKEYREJECTED
 * (certificate not trusted), -EFBIG, or what the sink said. `*ret` is filled as far as it came in
 * every case; the caller frees it. */
int http_request(struct http *h, const struct http_request *request, struct http_answer *ret,
                 struct err *err);
