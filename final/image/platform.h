/* platform.h - comparing platforms; private to image/. */
#pragma once

#include "image/image.h"

#define PLATFORM_TEXT 48
/* "linux/arm/v7" */
void platform_text(const struct platform *p, char ret[PLATFORM_TEXT]);
/* How well an offered platform suits: 0 not at all, else the more the better. */
int platform_rank(const struct platform *wanted, const char *os, const char *architecture,
                  const char *variant);
