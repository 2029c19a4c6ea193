/* context.h - the files a build may use, and its Dockerfile. Private to build/.
 *
 *     context.c        what PATH, URL and - mean; which Dockerfile, which .dockerignore
 *     context_fetch.c  from a tar, an address or a git repository into a directory (libarchive,
 *                      libcurl: linked into cooper-image only)
 *
 * However it comes, a context is a directory in the end. What was fetched is in staging/ and goes
 * with context_close(), or with the next command if we are killed. Names in a context are foreign:
 * they are resolved beneath its root only. docker build's reference, "Build context". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "build/tree.h"

#define CONTEXT_DOCKERFILE_MAX (4u << 20)

struct context_request {
    const char *source;             /* PATH, URL, or "-" for `input` */
    const char *dockerfile;         /* -f; NULL: "Dockerfile"; "-": `input` */
    int input;                      /* what "-" reads: stdin */
    const volatile bool *cancelled; /* NULL: never */
};

struct context {
    struct tree tree;      /* to copy from; .dockerignore is in it. root is O_RDONLY */
    char *name;            /* the Dockerfile's, for messages: "Dockerfile", "sub/x.Dockerfile" */
    struct buf dockerfile; /* its text */
    char *path;            /* of the directory, absolute; NULL when it was fetched */

    /* context.c's own */
    struct store *store;
    struct ignore *ignore;
    char stage[64];
};

/* Finds or fetches the context and reads the Dockerfile and .dockerignore. In docker's words:
 * "unable to prepare context: path "X" not found". -EFBIG for a Dockerfile of more than 4 MiB. */
int context_open(struct store *store, const struct context_request *request, struct context *ret,
                 struct err *err);
/* Also writes down what is known of the files' content. For a zeroed one nothing. */
void context_close(struct context *context);
/* True for what context_open() fetches from the network: an http(s) address or a git repository. */
bool context_is_remote(const char *source);
