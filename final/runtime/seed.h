/* seed.h - a new volume starts with what the image has at its place: docker's copy-up. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* If the directory `to` is empty, copies the content of `from` into it, and, with `metadata`,
 * `from`'s own mode and owner. Both are directory descriptors, O_PATH will do. */
int seed_directory(int from, int to, bool metadata, struct err *err);
