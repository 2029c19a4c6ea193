/* exec_process.h - from exec's flags to the `process` object that is run. */
#pragma once

#include <jansson.h>

#include "runtime/cli/args.h"

/* What --process says, or the container's own process as the flags change it; NULL and an error.
 * The caller owns it. */
json_t *exec_process(const struct args *args, const json_t *config, struct err *err);
/* --user when it is a name, to be looked up in the container; NULL: numbers, which are in the
 * object. */
const char *exec_user(const struct args *args);
