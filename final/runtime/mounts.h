/* mounts.h - the mounts of config.json, made beneath the container's root. */
#pragma once

#include "runtime/cgroup.h"
#include "runtime/spec.h"

#define MOUNTS_PLACES 3
extern const char *const mounts_places[MOUNTS_PLACES]; /* "/dev", "/proc", "/sys" */

/* Begin with places = {-1, -1, -1}. */
struct mounts {
    const struct spec *spec;
    const char *bundle;
    int root;      /* O_PATH, the container's root */
    bool isolated; /* rootfs_isolated(): what is bound is private without being told */
    const struct cgroup *cgroup;
    /* Called before the first mount that shows the control group: waits until the parent made it
     * and joins it. */
    int (*enter_cgroup)(void *context, struct err *err);
    /* Has the parent open the source of spec->mounts[number]: mount_source.h. `from_parent`: of
     * every bind; else only where nobody else can. */
    bool from_parent;
    int (*ask_source)(void *context, size_t number, struct err *err);
    void *context;

    int places[MOUNTS_PLACES]; /* what was mounted on each, or -1 */
    bool own_proc;             /* on /proc that is a new procfs, and not the host's */
    int *later;                /* mounts that are to be read-only in the end */
    size_t later_count;
    bool remember; /* what was mounted, in `made`: to undo it */
    int *made;
    size_t made_count;
};

/* In their order. mounts_free() also after a failure. */
int mounts_make(struct mounts *m, struct err *err);
/* Makes those read-only that had to be written to until now. */
int mounts_finish(struct mounts *m, struct err *err);
void mounts_free(struct mounts *m);
/* Opens a path beneath the root (O_PATH); what lies in /dev, /proc or /sys, in what was mounted
 * there, whatever the image has put in that place by now. Returns -errno without a message. */
int mounts_open(const struct mounts *m, const char *path);
/* What was mounted on /dev (borrowed), or -1. */
int mounts_dev(const struct mounts *m);
/* The new procfs that was mounted on /proc (borrowed), or -1. */
int mounts_proc(const struct mounts *m);

/* Did config.json bind the host's /dev instead of mounting a fresh one? Then it is left as it is.
 */
bool mounts_bind_dev(const struct spec *spec);
