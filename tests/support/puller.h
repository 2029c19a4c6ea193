/* puller.h - engine_pull() in the test's own process, into a state directory of its own, with what
 * it says written down and what it left looked at. One a test: make and drop are a checked fixture.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/engine.h"

void puller_make(void);
void puller_drop(void);
const char *puller_root(void);
const char *puller_docker_config(void); /* directory for config.json and certs.d */
struct engine *puller_engine(void);

/* Pulls NAME; what it says is in puller_said() afterwards. `options` may be NULL. */
int pull(const char *name, const struct pull_options *options, struct err *err);
void pull_ok(const char *name); /* fails the test otherwise */

/* Lines and statuses in order, one a line: "v1: Pulling from me/app", "0123456789ab: Pull
 * complete". Without "Downloading" and "Extracting", whose number is a matter of time. */
const char *puller_said(void);
bool puller_said_line(const char *line);
/* Called with every layer status, before it is written down; NULL: nothing. */
void puller_watch(void (*watch)(const char *id, const char *status));

/* Entries of a directory below the root ("staging", "layers", "blobs/partial", "blobs/sha256"). */
unsigned puller_count(const char *directory);
/* No image, no layer, no staged directory, no blob; of what broke off `partials` files may be
 * there. */
void puller_assert_nothing(unsigned partials);

/* The content of a file in an image, from the topmost layer that has it; NULL when none has. Caller
 * frees. */
char *puller_file(const char *canonical, const char *path);
/* Its absolute path; caller frees. */
char *puller_path(const char *canonical, const char *path);
