/* beneath.h - paths that somebody else chose, resolved inside a root directory.
 *
 * An image or a container decides what its symlinks say. openat2(2) with RESOLVE_IN_ROOT lets the
 * kernel resolve such a path as if `root` were "/": absolute symlinks and ".." stay inside, whoever
 * races us. RESOLVE_NO_MAGICLINKS refuses /proc's links. Linux 5.6. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* openat2(root, path) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more_resolve. O_CLOEXEC is
 * added. Returns the descriptor or -errno; sets no message (the caller knows what the path was
 * for). */
int beneath_open(int root, const char *path, int flags, mode_t mode, uint64_t more_resolve);

/* Opens the directory `path` (O_PATH), making missing components with `mode`, owner 0:0. Symlinks
 * are followed inside the root; where one leads to nothing, that is made. Returns the descriptor or
 * -errno with a message. */
int beneath_make_dirs(int root, const char *path, mode_t mode, struct err *err);
/* The same for a file, empty when it is made (its directories: 0755). What is there already may be of
 * any kind. */
int beneath_make_file(int root, const char *path, mode_t mode, struct err *err);

/* Splits off the last component: opens the parent directory (O_PATH, made when `make_parents`) and
 * copies the name. -EINVAL for a path that ends in "." or ".." or is the root itself. */
int beneath_parent(int root, const char *path, int make_parents, char ret_name[256],
                   struct err *err);
