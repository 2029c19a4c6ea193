/* masks.h - paths of the kernel a container must not read, or not write. */
#pragma once

#include "runtime/spec.h"

/* `null` is the host's /dev/null, checked by masks_open_null(). */
int masks_apply(const struct spec *spec, int root, int null, struct err *err);
/* Opens /dev/null and makes sure that it is the null device. */
int masks_open_null(struct err *err);
