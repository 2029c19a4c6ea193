/* masks.h - paths of the kernel a container must not read, or not write. */
#pragma once

#include "runtime/mounts.h"

/* linux.readonlyPaths and linux.maskedPaths, after all mounts. A path that is not there is passed
 * over; a '*' in it means itself. `null` is the host's /dev/null, checked by masks_open_null(). */
int masks_apply(const struct mounts *m, int null, struct err *err);
/* Opens /dev/null and makes sure that it is the null device. */
int masks_open_null(struct err *err);
