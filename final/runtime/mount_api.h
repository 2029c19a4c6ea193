/* mount_api.h - mounts as descriptors: made or cloned first, then put in their place.
 *
 * fsopen(2), fsmount(2), open_tree(2) and move_mount(2), Linux 5.2; mount_setattr(2), 5.12.
 * mount(2) takes the *path* of the place, and an image decides what its paths mean: between
 * checking a path and mounting on it a symlink can appear (CVE-2021-30465). Here the place is
 * opened beneath the root once, and the mount goes onto that descriptor and nowhere else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* A file system to be mounted. What is 0 or NULL is left out. */
struct mount_fs {
    const char *type, *source;
    const struct strv *data; /* its own options; one entry may hold several: "a=1,b" */
    unsigned long super; /* MS_* bits that are properties of the file system (mount_options.h) */
    bool readonly;       /* the file system itself, not only this mount of it */
    const char *label_option; /* SELinux: "context" or one of its kin, */
    const char *label;        /* and the label */
    uint64_t attributes;      /* MOUNT_ATTR_* */
    const char *beneath;      /* a directory in it that is wanted alone */
    int place; /* a directory of a mount of our own, for mount_legacy.h; 0: there is none */
};

/* A new, still detached mount. Returns the descriptor of its root directory, usable for *at() calls
 * before and after attaching. The error says which option was refused, and what the file system had
 * to say about it. */
int mount_make(const struct mount_fs *fs, struct err *err);
/* The same with an option string "a=b,c" (may be NULL). */
int mount_new(const char *type, const char *source, const char *data, uint64_t attributes,
              struct err *err);
/* Applies options to the file system that is mounted with its root at `target`: mount -o remount.
 */
int mount_reconfigure(int target, const struct mount_fs *fs, struct err *err);

/* A detached copy of what is mounted at (dir, path); "" is `dir` itself. A bind mount. `flags`:
 * AT_RECURSIVE, AT_SYMLINK_NOFOLLOW or 0. */
int mount_clone(int dir, const char *path, unsigned flags, struct err *err);
/* Changes MOUNT_ATTR_* of a mount, and of all below it if `recursive`. */
int mount_change(int mount, uint64_t set, uint64_t clear, bool recursive, struct err *err);
/* MS_PRIVATE, MS_SLAVE, MS_SHARED or MS_UNBINDABLE, perhaps | MS_REC. mount_namespaces(7). */
int mount_propagate(int mount, unsigned long propagation, struct err *err);
/* Puts a detached mount on (dir, name); name "" is `dir` itself. */
int mount_attach(int mount, int dir, const char *name, struct err *err);
