/* sizes.h - how much disk a container takes (ps -s, inspect -s). */
#pragma once

#include "engine/engine.h"

/* Bytes the container wrote; and with its image. What cannot be read counts as nothing. */
unsigned long long sizes_container(struct engine *e, const struct container *c);
unsigned long long sizes_container_whole(struct engine *e, const struct container *c);
