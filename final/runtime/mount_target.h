/* mount_target.h - the place a mount goes to: found, or made, beneath the container's root. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* What is to be mounted decides what its place may be. */
enum mount_target_kind {
    TARGET_DIRECTORY, /* made if missing */
    TARGET_FILE,      /* anything but a directory; an empty file is made if there is nothing */
    TARGET_FIXED,     /* a directory, and no component of its name may be a symlink */
    TARGET_LINK,      /* a symlink at the end is taken itself; else as TARGET_FILE */
};

struct mount_target {
    int fd;       /* O_PATH */
    bool on_proc; /* it is on a procfs, */
    bool at_root; /* and there it is the root */
    bool made;    /* a directory that was not there before */
};

/* Opens it; the caller closes ret->fd. -ENOTDIR when a directory is wanted and there is none. */
int mount_target_open(int root, const char *destination, enum mount_target_kind kind,
                      struct mount_target *ret, struct err *err);

/* Is anything allowed there? Masks and read-only paths are found by name after the mounts, and
 * /proc and /proc/self/attr are what a label or a limit is written to: nothing may take their place
 * but a procfs (runc's rule, CVE-2015-3631 and CVE-2019-16884), and inside of a procfs nothing but
 * what LXCFS and its like replace. `proc`: what is to be mounted is a procfs. */
int mount_target_check(const struct mount_target *target, const char *destination, bool proc,
                       struct err *err);

/* Is this directory the kernel's: /proc or /sys? */
bool mount_target_is_kernel(int fd);

/* "/a//b/./c/.." -> "/a/b"; never above "/". The caller frees it. */
char *mount_target_clean(const char *destination);
/* Does the destination say `path`, however it is written? */
bool mount_target_is(const char *destination, const char *path);
