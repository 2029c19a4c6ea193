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

/* A new, still detached mount of a file system; `data` is its option string "a=b,c" or NULL.
 * Returns the descriptor of its root directory, usable for *at() calls before and after attaching.
 */
int mount_new(const char *type, const char *source, const char *data, uint64_t attributes,
              struct err *err);
/* A detached copy of what is mounted at (dir, path); "" with AT_EMPTY_PATH semantics. A bind mount.
 */
int mount_clone(int dir, const char *path, bool recursive, struct err *err);
/* Changes MOUNT_ATTR_* of a mount, and of all below it if `recursive`. */
int mount_change(int mount, uint64_t set, uint64_t clear, bool recursive, struct err *err);
/* Puts a detached mount on (dir, name); name "" is `dir` itself. */
int mount_attach(int mount, int dir, const char *name, struct err *err);
