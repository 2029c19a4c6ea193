/* build_world.h - contexts to build from. */
#pragma once

#include "engine/world.h"

/* Writes a file of the context `name`, making its directories; "Dockerfile" as any other. */
void build_file(const char *context, const char *path, const char *text);
/* The directory of a context; valid until the next call. */
const char *build_path(const char *context);
/* Removes everything that earlier tests built: images but the box, the cache, contexts. A checked
 * fixture's setup. */
void build_clear(void);

/* `build [OPTIONS] CONTEXT` succeeds; its standard output, valid until the next call. */
const char *build_run(const char *context, const char *const args[]);
#define BUILD(context, ...)                                                                        \
    build_run(context, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
/* -q: the image's id; the caller frees. */
char *build_id(const char *context, const char *const args[]);
#define BUILD_ID(context, ...)                                                                     \
    build_id(context, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
/* It fails with code 1, and `err` is in its standard error. */
void build_fails(const char *context, const char *err);

/* How often `text` is in `all`. */
unsigned build_count(const char *all, const char *text);
