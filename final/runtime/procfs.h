/* procfs.h - a procfs of one's own, which is mounted nowhere.
 *
 * What is written to /proc by name may reach another file: an image can have a symlink there, and
 * config.json or a race another mount (CVE-2019-16884, CVE-2025-52881). Nobody can put anything
 * into a procfs that only its descriptor leads to. Its processes are those of the caller's PID
 * namespace. */
#pragma once

#include "base/err.h"

/* The descriptor of its root directory. -EPERM in a user namespace whose own /proc is partly
 * covered. */
int procfs_open(struct err *err);
/* Opens a file in a procfs, by a path without a slash at its beginning: no symlink on the way and
 * no other mount. -errno without a message. */
int procfs_open_file(int proc, const char *path, int flags);
