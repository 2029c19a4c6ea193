/* platform.h - comparing platforms; private to image/. */
#pragma once

#include "image/image.h"

#define PLATFORM_TEXT 48
/* "linux/arm/v7" */
void platform_text(const struct platform *p, char ret[PLATFORM_TEXT]);
