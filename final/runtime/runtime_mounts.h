/* runtime_mounts.h - mounts that come and go while the container runs: crun's `mounts add|remove`.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "base/err.h"

struct runtime_mounts_request {
    pid_t init; /* the container's init, checked alive by the caller */
    int init_pidfd;
    const char *bundle;   /* relative sources are relative to it */
    const json_t *config; /* the container's config.json */
    const json_t *mounts; /* an array as in config.json */
};

/* Adds all of them in their order, as create would have, or none. Sources are the host's,
 * destinations the container's. Control groups cannot be added. The container needs a mount
 * namespace of its own. */
int runtime_mounts_add(const struct runtime_mounts_request *request, struct err *err);
/* Unmounts what is mounted on the destinations, the last one first; nothing if one of them is no
 * mount. What lies in /proc or /sys stays: masks are mounts, too. */
int runtime_mounts_remove(const struct runtime_mounts_request *request, struct err *err);
