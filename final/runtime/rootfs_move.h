/* rootfs_move.h - entering the root where pivot_root(2) cannot: `--no-pivot`. */
#pragma once

#include "base/err.h"

/* Moves the container's root over the host's and makes it the root. `root` is the mount's
 * descriptor. */
int rootfs_move(int root, struct err *err);
