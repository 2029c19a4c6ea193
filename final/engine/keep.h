/* keep.h - whether a container that has ended is about to be started again by `restart`: then --rm
 * does not mean this end. For the shim and the engine. */
#pragma once

#include <stdbool.h>

/* `dir`: the container's directory, relative to dirfd. */
bool keep_is_valid(int dirfd, const char *dir);
