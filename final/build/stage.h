/* stage.h - a build in progress. Private to build/.
 *
 *     build.c        from a request to an image: context, Dockerfile, plan, stages, image
 *     plan.c         which stages there are, which are needed, and by whom
 *     stage.c        one stage from its FROM to its last instruction
 *     scope.c        ARG and ENV: which name has which value where
 *     step_from.c    FROM: scratch, another stage, an image
 *     step_run.c     RUN, and run_mounts.c its --mount
 *     step_copy.c    COPY, ADD and WORKDIR
 *     cache.c        has this been done before?
 *     cache_from.c   or does an image from elsewhere know?
 *     why.c          if not, what is different from last time?
 *     image.c        what comes out: the image's config document; --squash
 *
 *     verify.c, check.c, prune.c   build --verify, build --check, builder prune
 *
 * Each stage that is needed has a thread and an engine of its own, and begins when the stage it
 * builds on is done. What a stage is made of is written by its own thread only, and read by others
 * when its state says that it is done. */
#pragma once

#include <pthread.h>

#include "build/build.h"
#include "build/context.h"
#include "build/copy.h"
#include "build/dockerfile.h"
#include "build/mount_flag.h"
#include "engine/engine.h"

enum stage_state { STAGE_WAITING, STAGE_DONE, STAGE_FAILED };

/* The files of an image or of a stage so far, in layers, base first. */
struct layers {
    struct strv dirs, chain_ids, diff_ids;
};
void layers_free(struct layers *layers);
void layers_copy(const struct layers *from, struct layers *to);
void layers_add(struct layers *layers, const struct layer *layer);
/* The chain id of the topmost, or "". */
const char *layers_top(const struct layers *layers);

struct build;
struct stage {
    struct build *build;
    struct engine *engine; /* its own */
    size_t index;          /* in the Dockerfile */
    char *name;            /* or NULL */
    const struct instruction *from, *first;
    size_t count;       /* of instructions behind FROM */
    char *base_name;    /* what FROM says, variables expanded */
    char *platform;     /* of --platform, or NULL */
    struct stage *base; /* that FROM names, or NULL */
    bool scratch, needed;
    unsigned lane, first_step; /* among those that are needed */
    enum stage_state state;

    struct layers layers;
    char base_image[DIGEST_LEN + 1]; /* the image at the bottom, or "" */
    size_t base_layers;              /* how many of the layers are that one's */
    json_t *document;                /* its document; an empty object */
    json_t *config, *history;
    char *author;
    int64_t epoch; /* seconds: no file of a new layer is younger */
    struct change_state changes;
    struct scope {
        json_t *args;    /* ["NAME=value"]: declared by ARG, in order */
        json_t *proxies; /* predefined ones that --build-arg gave: for RUN, and in no key */
    } scope;
    struct strv used; /* keys of the cache's rows */

    /* The instruction at hand. */
    const struct dockerfile *file; /* it is from: the build's, or a trigger's */
    const struct instruction *at;
    unsigned step;
    size_t ordinal; /* among the stage's instructions, triggers too */
    bool missed;    /* something in this stage was not in the cache */
    struct dockerfile triggers;
};

struct build {
    struct engine *engine; /* of the thread that builds */
    const struct build_request *request;
    struct context context;
    struct dockerfile file;
    struct scope globals; /* ARG before the first FROM */
    struct stage *stages;
    size_t stage_count;
    struct stage *target;

    pthread_mutex_t lock;   /* what follows, what stages need, and the listener */
    unsigned steps, lanes;  /* of the stages that are needed */
    pthread_cond_t changed; /* a stage's state */
    struct strv consumed;   /* names of --build-arg that something asked for */
    bool failed;
    int stop[2];    /* a pipe: readable for all threads to end */
    int over[2];    /* another: hung up when they have ended */
    struct err err; /* of the first stage that failed */
    char *excerpt;
    struct stage *culprit;
    struct step_stage wreck; /* of its RUN; fd -1 */
    json_t *wreck_config, *wreck_host;
    char wreck_image[DIGEST_LEN + 1];
    char stand_in[DIGEST_LEN + 1]; /* an image of nothing, or "" */
};

/* --- telling ---------------------------------------------------------------------------------- */
/* `event` needs no `steps`. */
void build_tell(struct build *b, struct build_event *event);
void stage_tell(struct stage *s, enum build_event_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool build_stopped(struct build *b);

/* --- plan.c */
/* Reads the Dockerfile's stages and what they need of each other. *ret_at: the instruction that is
 * wrong, if it is one. */
int plan_make(struct build *b, const struct instruction **ret_at, struct err *err);
/* By name (in any case) or number; NULL. Only stages before `before`. */
struct stage *plan_find(struct build *b, const char *name, size_t before);
/* Waits until it is done; does it, when it was not thought to be needed. -ECANCELED when it, or
 * another, failed. */
int plan_await(struct stage *s, struct err *err);

/* --- check.c */
/* Before anything is done: tells of empty continuation lines, and is an error where the Dockerfile
 * wants every doubt to be one (# check=error=true). *ret_place: of the first; line 0: nowhere. */
int check_before_build(struct build *b, struct place *ret_place, struct err *err);

/* --- build.c */
int build_begin(struct build *b, struct engine *e, const struct build_request *request,
                struct err *err);
/* Context, Dockerfile and plan. */
int build_read(struct build *b, struct build_result *ret, struct err *err);
void build_end(struct build *b);

/* --- scope.c */
void scope_free(struct scope *scope);
/* Sets one. */
void scope_set(struct scope *scope, const char *name, const char *value);
const char *scope_get(const struct scope *scope, const char *name);
/* What --build-arg says of it; "" with *ret_known when only its name was given and the environment
 * has none. NULL: nothing. Notes that it was asked for. */
const char *scope_given(struct build *b, const char *name);
/* ARG: before the first FROM (`stage` NULL), or in a stage. */
int scope_declare(struct build *b, struct stage *stage, const struct instruction *in,
                  struct err *err);
/* TARGETPLATFORM and the like, and what --build-arg says of variables that need no ARG. */
int scope_predefine(struct build *b, struct err *err);
void scope_begin_stage(struct stage *s);
/* Where variables of an instruction have their values: an array, ENV after ARG. A new reference. */
json_t *scope_variables(const struct stage *s);
/* ARGs that have a value and that no ENV hides, sorted: "NAME=value". */
void scope_visible(const struct stage *s, struct strv *ret);
/* Expands in the words of a stage's instruction. */
int scope_expand(const struct stage *s, const char *text, bool heredoc, char **ret,
                 struct err *err);
int scope_expand_flag(const struct stage *s, const char *flag, char **ret, struct err *err);

/* --- stage.c */
/* Runs it in the calling thread. */
void stage_run(struct stage *s);
void stage_free(struct stage *s);
/* A line of history; `layer`: with files. */
void stage_add_history(struct stage *s, const char *created_by, bool layer);
/* "/bin/sh -c #(nop) " as the stage's shell has it. */
char *stage_nop(const struct stage *s);
/* The stage's shell with one more word. A new reference. */
json_t *stage_shell(const struct stage *s, const char *text);
/* One instruction after the other. */
int stage_do(struct stage *s, const struct instruction *items, size_t count, bool numbered,
             struct err *err);

/* --- step_*.c: each does the instruction at hand */
int step_from(struct stage *s, struct err *err);
int step_run(struct stage *s, struct err *err);
int step_copy(struct stage *s, struct err *err);
int step_workdir(struct stage *s, struct err *err);
/* The layers of what --from names, and its tree's name for messages: a stage (awaited), or an image
 * (pulled where it is missing). */
int step_find_source(struct stage *s, const char *name, struct layers *ret, struct err *err);

/* --- run_mounts.c */
struct run_mounts {
    struct run_mount *items;
    size_t len;
    struct layers *sources; /* one each, of --mount=from */
    struct strv env;        /* secrets as variables */
    struct strv agent_env;  /* SSH_AUTH_SOCK */
    int *locks;             /* of cache directories */
    size_t lock_count;
    int entered; /* a namespace, or -1 */
    char script[64];
};
int run_mounts_parse(struct stage *s, struct run_mounts *ret, struct err *err);
/* What of them decides about the result: an array of strings for the key. */
int run_mounts_key(struct stage *s, struct run_mounts *m, json_t *ret, struct err *err);
/* Makes them, and their binds in HostConfig. `place`: a directory of the step's own, absolute.
 * `script`: text to be at /dev/pipes/<name>, or NULL. */
int run_mounts_make(struct stage *s, struct run_mounts *m, const char *place,
                    const struct heredoc *script, json_t *host, struct err *err);
/* Paths of the container ("run/secrets/x") that were made only to mount there. */
void run_mounts_targets(const struct run_mounts *m, struct strv *ret);
void run_mounts_unmount(struct run_mounts *m);
void run_mounts_free(struct run_mounts *m);

/* --- cache.c */

/* `inputs` is everything that decides what a step gives; the files it starts from are added. 1 and
 * the layer is the stage's, 0: it has to be done. `description`: what history says of it, NULL
 * while that is not known; `*ret_description` (may be NULL): what was recorded. */
int cache_ask(struct stage *s, json_t *inputs, const char *description, char **ret_description,
              struct err *err);
/* Records what it gave (chain_id "": nothing), and adds the layer to the stage. `files` (NULL:
 * none) is what --why will compare, and no part of the key: {"path": "what it is"}. */
int cache_tell(struct stage *s, const json_t *inputs, const json_t *files, const char *description,
               const struct layer *layer, struct err *err);
/* Another key for the layer the stage has now over `parent`. */
int cache_alias(struct stage *s, const json_t *inputs, const char *parent, const char *description,
                struct err *err);

/* --- cache_from.c */
/* 1 and the layer (chain_id "": no file was changed) that an image of --cache-from has for this
 * step; 0: none. */
int cache_from(struct stage *s, const char *description, struct layer *ret, struct err *err);
/* Tells which of them are not here. */
void cache_from_warn(struct build *b);

/* --- why.c */
/* Tells what is different from the newest step at this place. `files` as for cache_tell(). */
void why_tell(struct stage *s, const json_t *inputs, const json_t *files);
/* Names the place. The caller frees. */
char *why_slot(const struct stage *s);

/* --- image.c */
json_t *image_document(const struct stage *s);
/* --squash: all layers above those of the base image become one, as a step of its own. */
int image_squash(struct stage *s, struct err *err);
