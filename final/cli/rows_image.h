/* rows_image.h - one image as a row of format.h, with docker's members. */
#pragma once

#include "engine/engine.h"

struct image_row {
    int64_t now_ns; /* ages are counted from here */
    bool whole;     /* ids are not cut */
    bool digests;   /* "Digest" is looked up; else it is "<none>" */
};
/* A new reference. `canonical`: the name the row is for, NULL when the image has none. What only
 * `system df` counts is "N/A". */
json_t *rows_image(const struct image *image, const char *canonical, const struct image_row *how);
