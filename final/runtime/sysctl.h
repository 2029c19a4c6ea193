/* sysctl.h - linux.sysctl: kernel settings that belong to one of the container's own namespaces. */
#pragma once

#include "runtime/mounts.h"

/* Refuses, before anything is made, every key that is not namespaced or whose namespace is the
 * host's. */
int sysctl_check(const struct spec *spec, struct err *err);
/* Writes them, from inside the container's namespaces. */
int sysctl_apply(const struct mounts *m, struct err *err);
