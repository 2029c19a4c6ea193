/* rootfs.h - the container's root directory: mounted, entered, and the host's left behind. */
#pragma once

#include "runtime/spec.h"

/* Cuts the new mount namespace off from the host's, mounts the root there, and returns an O_PATH
 * descriptor of it: every later path goes beneath that. */
int rootfs_mount(const struct spec *spec, const char *bundle, struct err *err);
/* Is every mount in the new namespace private from the beginning? Otherwise config.json wants some
 * of the host's later mounts to come in. */
bool rootfs_isolated(const struct spec *spec);
/* Makes it the root and detaches the host's; the current directory is "/" then. */
int rootfs_pivot(const struct spec *spec, int root, struct err *err);
