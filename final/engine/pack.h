/* pack.h - an image as others get it: a manifest, a config and layers, each a blob in the store. */
#pragma once

#include "engine/engine.h"
#include "image/image.h"

struct packed_image {
    char id[DIGEST_LEN + 1];     /* of the config */
    char digest[DIGEST_LEN + 1]; /* of the manifest */
    struct buf text;             /* the manifest's */
    struct manifest manifest;
    struct strv diff_ids;
};
/* Makes the blobs that are missing: layers that were made here are packed, and an image without a
 * manifest gets one. What was made is recorded as the image's. To be called under store_hold(). */
int image_pack(struct engine *e, const struct image *image, struct packed_image *ret,
               struct err *err);
void packed_image_free(struct packed_image *p);
