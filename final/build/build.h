/* build.h - Dockerfiles: what their instructions mean. Dockerfile reference; where it is silent,
 * docker's classic builder was asked.
 *
 * Two entrances: the instructions that change nothing but an image's configuration, which
 * `--change` of commit and import has too, and below them the build of a whole Dockerfile. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"

/* --- words of an instruction ------------------------------------------------------------------ */

struct word_rules {
    const json_t *env;  /* where $NAME gets its value: the last "NAME=value" of an array of strings,
                           or the member of an object; NULL: nowhere */
    char escape;        /* '\\' or '`', as the "# escape" directive says */
    bool heredoc;       /* quotes are text like any other */
    struct strv *unset; /* gets the names that were asked for and have no value; NULL: no */
};

/* Takes the quotes off and puts values in: $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?e} ${v?e}
 * ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/w} ${v//p/w}; nothing is expanded in single quotes or behind
 * the escape character. The caller frees *ret. */
int word_expand(const struct word_rules *rules, const char *text, char **ret, struct err *err);
/* Words between blanks, their quotes and escapes still on. */
void words_split(const char *text, char escape, struct strv *ret);

/* --- configuration ---------------------------------------------------------------------------- */

/* What a series of instructions remembers from one to the next. Zero-initialise it. */
struct change_state {
    char escape;       /* 0: '\\' */
    const json_t *env; /* where variables have their values from; NULL: the configuration's Env */
    bool cmd_set;      /* a CMD came: ENTRYPOINT leaves it alone; one from below it resets */
};

/* Applies CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER,
 * VOLUME or WORKDIR (in any case) to `config`, docker's Config object. `text` is what follows the
 * instruction, lines joined, in UTF-8. -ENOENT without a message for any other instruction. */
int change_apply(json_t *config, const char *instruction, const char *text,
                 struct change_state *state, struct err *err);

/* The values of `--change`, each one instruction or more, a line each, of those that commit and
 * import allow. */
int changes_apply(json_t *config, const struct strv *changes, struct err *err);

/* --- building --------------------------------------------------------------------------------- */

struct engine;
struct step_stage;

struct build_secret {
    char *id;
    char *path;  /* a file, or */
    char *value; /* the text itself */
};
struct build_agent { /* --ssh */
    char *id, *socket;
};

enum build_event_kind {
    BUILD_STEP,     /* a step begins: text is the instruction */
    BUILD_NOTE,     /* a line of the engine's: " ---> Using cache" */
    BUILD_CACHED,   /* the step needed not be done */
    BUILD_RUNNING,  /* text: the id of the step's container */
    BUILD_OUTPUT,   /* bytes its command wrote */
    BUILD_MADE,     /* text: the id of what the step gave; "" when no file was changed */
    BUILD_WHY,      /* text: why the step was not in the cache */
    BUILD_WARNING,  /* text */
    BUILD_PULL,     /* text: a line about an image that comes from a registry */
    BUILD_LANE_END, /* a stage is done */
};
struct build_event {
    enum build_event_kind kind;
    unsigned lane; /* stages that may run at the same time have different ones, in their order */
    unsigned step, steps;
    const char *text;
    size_t len;
    int stream;
};
/* Called from several threads, one at a time. */
typedef void build_listener(void *context, const struct build_event *event);

/* A step's command ended with an error, and its files are still there. */
struct build_failure {
    struct engine *engine;
    const char *image;
    const json_t *config, *host;
    const struct strv *layers;
    struct step_stage *stage;
};

struct build_request {
    const char *source;     /* PATH, URL, or "-" for `input` */
    const char *dockerfile; /* -f, or NULL */
    int input;
    const struct strv *tags, *args, *labels, *no_cache_filter, *cache_from;
    const json_t
        *host; /* docker's HostConfig of RUN's containers: limits, ExtraHosts, NetworkMode */
    const char *target, *platform;
    bool no_cache, pull, squash;
    bool why;       /* tell what was different from last time */
    bool rehearsal; /* the image is not kept: for comparing */
    bool allow_insecure, allow_host_network;
    int64_t epoch; /* seconds; BUILD_NO_EPOCH: the base image's time */
    const struct build_secret *secrets;
    size_t secret_count;
    const struct build_agent *agents;
    size_t agent_count;
    build_listener *listen;
    void (*failed)(void *context, const struct build_failure *failure); /* NULL: nobody wants it */
    void *context;
    int cancel_fd; /* becomes readable to end the build */
    const volatile bool *cancelled;
};
#define BUILD_NO_EPOCH INT64_MIN

struct build_result {
    char id[DIGEST_LEN + 1];
    json_t *document; /* the image's */
    char *excerpt;    /* of the Dockerfile, where an error has a place in it; else NULL */
};
/* Builds. `ret` is to be freed in any case. Nothing is left of a build that fails but what its
 * steps gave, for the next one. */
int build_image(struct engine *e, const struct build_request *request, struct build_result *ret,
                struct err *err);
void build_result_free(struct build_result *result);
/* `build --verify`: builds once more, without the cache. 0 when it gives the same image as `first`;
 * 1, and lines that say what differs. `second` is to be freed in any case. */
int build_verify(struct engine *e, const struct build_request *request,
                 const struct build_result *first, struct strv *ret_lines,
                 struct build_result *second, struct err *err);
/* Removes what the cache has: by default only steps whose layers no image has; the longest unused
 * first. */
struct build_prune {
    bool all;            /* also those, and what RUN --mount=type=cache keeps */
    int64_t until_ns;    /* only what was not used since; 0: any */
    uint64_t keep_bytes; /* stop when this much is left; 0: never */
};
int build_prune(struct engine *e, const struct build_prune *what, struct strv *ret_ids,
                uint64_t *ret_bytes, struct err *err);
/* `build --check`: what is right but doubtful, each under the name that docker's checks give it,
 * with the place. The number of them, or -errno for what is wrong. */
int build_check(struct engine *e, const struct build_request *request, struct strv *ret_lines,
                struct build_result *ret, struct err *err);
