/* pull.h - what the files of a pull share: one image on its way from a registry into the store. */
#pragma once

#include <pthread.h>

#include "engine/engine.h"
#include "image/image.h"
#include "registry/registry.h"

#define PULL_WORKERS 3   /* docker's: more connections at once make registries throttle */
#define PULL_LAYERS  127 /* what one overlay mount takes; docker says "max depth exceeded" */

enum pull_state { PULL_WAITING, PULL_STAGED, PULL_PUBLISHED };

struct pull_layer {
    const struct descriptor *blob;
    const char *diff_id;
    char chain_id[DIGEST_LEN + 1], parent[DIGEST_LEN + 1]; /* parent "" for the base */
    char short_id[13]; /* of the blob's digest: what users see */

    /* Under the pull's `state` lock, or in the hands of the one worker that has the layer: */
    enum pull_state state;
    char stage[64]; /* its directory in staging/, "" when there is none */
    int stage_fd;
    uint64_t size;
    struct layer_fixups *fixups; /* NULL: nothing to take from the layers below */
    char dir[64];                /* below layers/, once published */
};

struct pull {
    struct store *store;
    struct registry *registry;
    const struct pull_progress *progress;
    const volatile bool *cancelled; /* the caller's wish */
    volatile bool stop;             /* atomic: a worker failed, or the caller wished */
    struct pull_layer *layers;      /* base first */
    size_t layer_count;

    pthread_mutex_t say;   /* progress: one caller at a time */
    pthread_mutex_t state; /* the layers' states, the next to start, the database, `err` */
    size_t next;           /* the next layer to start */
    struct err err;        /* of the first worker that failed */
};

/* Tells progress; `done` and `total` in bytes, 0 for a mere change of status. */
void pull_status(struct pull *p, const struct pull_layer *l, const char *status, uint64_t done,
                 uint64_t total);

bool pull_stopped(const struct pull *p);

/* Fetches, unpacks and publishes every layer that is not PULL_PUBLISHED. */
int pull_layers(struct pull *p, struct err *err);

/* One layer: blob and tree in one stream, both checked. Afterwards the blob is published and the
 * tree staged (l->stage, l->stage_fd, l->fixups, l->size). On failure nothing of the tree is left;
 * of the blob, what may be resumed. Uses nothing of `p` that needs a lock. */
int pull_layer_fetch(struct pull *p, struct pull_layer *l, struct err *err);
