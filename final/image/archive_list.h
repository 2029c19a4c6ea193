/* archive_list.h - making the list of an archive's images; private to image/. */
#pragma once

#include <jansson.h>

#include "image/archive.h"

/* A JSON document of the archive: 1 when it is there, 0 when not. */
int archive_json(struct image_archive *a, const char *name, json_t **ret, struct err *err);
/* Adds the image to the list, which owns its parts then; after an error they are the caller's. */
int archive_list_add(struct archived_images *images, const struct archived_image *image,
                     struct err *err);
void archived_image_free(struct archived_image *image);
/* One more name, as docker writes it. */
int archived_image_tag(struct archived_image *image, const char *name, struct err *err);

/* What docker saved before version 1.10: 1 when this is such an archive, 0 when not. */
int archive_legacy(struct image_archive *a, struct archived_images *images, struct err *err);
