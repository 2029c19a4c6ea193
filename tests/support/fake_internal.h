/* fake_internal.h - what fake_registry.c and fake_uploads.c share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "support/fake_registry.h"

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
    struct strv requests; /* heads; bodies that are text, too */
    bool writable;
    struct fake_upload *uploads; /* fake_uploads.c */
    size_t upload_count;
    struct connection *connections[CONNECTIONS_MAX];
    size_t connection_count;
};

/* What one request is answered with, copied under the lock. */
struct reply {
    struct fake_rule rule;
    int status;
    char *type, *data, *challenge;
    char *headers; /* more of them, each ending in \r\n; NULL: none */
    size_t len, from;
    bool ranged;
    bool no_body; /* HEAD */
};

/* A request as it came. */
struct fake_request {
    const char *method, *target, *body;
    size_t len; /* of the body, as far as it came */
};

/* Under the lock. True when it was a request that writes, or asks about what is written. */
bool fake_write(struct fake_registry *f, const struct fake_request *q, struct reply *reply);
void fake_uploads_free(struct fake_registry *f);
/* fake_serve() for one who holds the lock. */
void fake_put(struct fake_registry *f, const char *path, const char *type, const void *data,
              size_t len);
