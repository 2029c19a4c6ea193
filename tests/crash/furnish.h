/* furnish.h - the root filesystem of the containers that are swept. */
#pragma once

#include "base/err.h"

/* busybox with the few names that scenarios use: small, because a sweep looks at every file after
 * every attempt. `path` must not exist. */
int furnish_tree(const char *path, struct err *err);
