/* sysctl.h - linux.sysctl: kernel settings that belong to one of the container's own namespaces. */
#pragma once

#include "runtime/spec.h"

/* Refuses, before anything is made, every key that is not namespaced or whose namespace is the
 * host's. */
int sysctl_check(const struct spec *spec, struct err *err);
/* Writes them through the container's own procfs. */
int sysctl_apply(const struct spec *spec, int root, struct err *err);
