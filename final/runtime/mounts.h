/* mounts.h - the mounts of config.json, made beneath the container's root. */
#pragma once

#include "runtime/cgroup.h"
#include "runtime/spec.h"

struct mounts_context {
    const struct spec *spec;
    const char *bundle;
    int root; /* O_PATH, the container's root */
    const struct cgroup *cgroup;
    /* Called before the first mount that shows the control group: waits until the parent made it
     * and joins it. */
    int (*enter_cgroup)(void *context, struct err *err);
    void *context;
};
int mounts_make(const struct mounts_context *c, struct err *err);
/* Did config.json bind the host's /dev instead of mounting a fresh one? Then it is left as it is.
 */
bool mounts_bind_dev(const struct spec *spec);
