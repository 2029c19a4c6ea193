/* caps.h - capabilities(7): names, and what a container's process keeps of root's powers. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "runtime/spec.h"

/* A JSON array of "CAP_..." names as a bit set; null or absent is the empty set. Names that we or
 * this kernel do not know are added to `unknown`, each once. */
int caps_parse(const json_t *names, uint64_t *ret, struct strv *unknown, struct err *err);
/* Adds a warning if the sets contain what we cannot hand on because we do not have it. (In a user
 * namespace of its own the container has all.) */
void caps_warn_of_missing(const struct spec_caps *caps, struct strv *warnings);

/* The names this kernel has, by number. */
void caps_known(struct strv *ret);

/* The dropping has three steps, because installing a syscall filter in between needs CAP_SYS_ADMIN
 * while the change of user must already be done:
 *
 *     caps_limit_bounding()   as root: what no later execve(2) can bring back
 *     caps_keep()             after setuid(2): the final sets and, for the filter's sake,
 *                             CAP_SYS_ADMIN
 *     caps_finish()           one capset(2), the last call before execve(2)
 */
int caps_limit_bounding(const struct spec_caps *caps, struct err *err);
int caps_keep(const struct spec_caps *caps, struct err *err);
int caps_finish(const struct spec_caps *caps, struct err *err);
