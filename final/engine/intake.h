/* intake.h - the layers of one image on their way into the store: by pull from a registry, by load
 * from an archive. They come in parallel and in any order, and are published base first. */
#pragma once

#include <pthread.h>

#include "engine/engine.h"
#include "image/image.h"

#define INTAKE_WORKERS 3   /* docker's: more connections at once make registries throttle */
#define INTAKE_LAYERS  127 /* what one overlay mount takes; docker says "max depth exceeded" */

enum intake_state { INTAKE_WAITING, INTAKE_STAGED, INTAKE_PUBLISHED };

struct intake_layer {
    const char *diff_id;
    char chain_id[DIGEST_LEN + 1], parent[DIGEST_LEN + 1]; /* parent "" for the base */
    char short_id[13];                                     /* what users see */
    const void *source;                                    /* where it comes from: fetch() knows */
    struct layer_blob blob;                                /* what holds its tar */

    /* Under the intake's `state` lock, or in the hands of the one worker that has the layer: */
    enum intake_state state;
    char stage[64]; /* its directory in staging/, "" when there is none */
    int stage_fd;
    uint64_t size;
    struct layer_fixups *fixups; /* NULL: nothing to take from the layers below */
    char dir[64];                /* below layers/, once published */
};

struct intake {
    struct store *store;
    const struct pull_progress *progress;
    const volatile bool *cancelled; /* the caller's wish */
    volatile bool stop;             /* atomic: a worker failed, or the caller wished */
    struct intake_layer *layers;    /* base first */
    size_t layer_count;

    /* Makes what comes of l->source a staged tree (l->stage, l->stage_fd, l->fixups, l->size) and
     * sees to the blob. On failure nothing of the tree is left. Called from several threads; uses
     * nothing of the intake that needs a lock. */
    int (*fetch)(struct intake *in, struct intake_layer *l, struct err *err);
    void *context;
    const char *done; /* the status of a published layer; NULL: none */

    pthread_mutex_t say;   /* progress: one caller at a time */
    pthread_mutex_t state; /* the layers' states, the next to start, the database, `err` */
    size_t next;           /* the next layer to start */
    struct err err;        /* of the first worker that failed */
};
/* An intake with its locks; the rest is the caller's to set. */
void intake_init(struct intake *in, struct store *store, const struct pull_progress *progress,
                 const volatile bool *cancelled);
void intake_free(struct intake *in);

/* One layer for each diffID, with its chain id; those that are here are INTAKE_PUBLISHED. */
int intake_plan(struct intake *in, const struct strv *diff_ids, struct err *err);
size_t intake_missing(const struct intake *in);
/* Fetches and publishes every layer that is not PUBLISHED. `what` names the whole in "...
 * cancelled".
 */
int intake_run(struct intake *in, const char *what, struct err *err);
/* For fetch() that failed: drops the staged tree. */
void intake_drop_stage(struct intake *in, struct intake_layer *l);
/* Adds the layers' chain ids and blobs to the record of their image. *ret_packed, which the record
 * points to, is the caller's to free. */
void intake_record(const struct intake *in, struct image_record *record,
                   struct layer_blob **ret_packed);

/* Tells progress; `done` and `total` in bytes, 0 for a mere change of status. */
void intake_status(struct intake *in, const struct intake_layer *l, const char *status,
                   uint64_t done, uint64_t total);
/* A line of text. */
void intake_say(struct intake *in, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool intake_stopped(const struct intake *in);
