/* df.h - `system df -v`. */
#pragma once

#include "engine/engine.h"

/* Tables of images, containers and volumes with their sizes; with `format` the same as one document
 * {"Images":[...],"Containers":[...],"Volumes":[...],"BuildCache":[...]}. */
int df_print_verbose(struct engine *e, const char *format, struct err *err);
