/* build_scene.h - a context, an image and a layer for tests of COPY and ADD. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "build/copy.h"

#define WHEN 1000000000 /* 2001-09-09 01:46:40 */

extern char scene[4096];       /* the directory of it all */
extern int from, below, stage; /* the context, the image's root, the layer being made */
extern struct store *store;    /* for what is fetched */
extern struct err err;         /* of the last call */
void scene_make(void);         /* a fixture */
void scene_remove(void);

/* One ADD or COPY of `source` (NULL: none). The digest is the plan's, and must be the same after
 * it.
 */
int scene_copy(struct copy_request *request, const char *source, char digest[DIGEST_LEN + 1]);
/* The layer is then `result` (build_files.h) / the message has `message` in it. */
void scene_must_copy(struct copy_request *request, const char *source, const char *result);
void scene_must_refuse(struct copy_request *request, const char *source, const char *message);
void scene_plan(struct copy_request *request, const char *source, char digest[DIGEST_LEN + 1]);
/* In whole seconds, of a file of the layer. */
int64_t scene_time(const char *path);
/* Nothing that was fetched is left. */
bool scene_is_clean(void);
