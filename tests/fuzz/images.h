#pragma once

#include "image/image.h"

/* Reads all images of an archive or layout as `load` does. */
void fuzz_images(int fd);
