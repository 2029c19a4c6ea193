/* fake_image.h - small images for the fake registry, made in memory so that a test can spoil any
 * part of them. */
#pragma once

#include <stddef.h>

#include "base/digest.h"
#include "support/fake_registry.h"

struct fake_layer {
    char *data; /* gzip of the tar */
    size_t len;
    char digest[DIGEST_LEN + 1], diff_id[DIGEST_LEN + 1];
};

/* A layer with the file `name` (may have directories) holding `text`, and `padding` bytes nobody
 * can compress in the file "padding-<name without slashes>". */
void fake_layer_make(struct fake_layer *ret, const char *name, const char *text, size_t padding);
void fake_layer_free(struct fake_layer *layer);

struct fake_image {
    const struct fake_layer *layers;
    size_t count;
    const char *extra_diff_id;        /* one more in the config than there are layers */
    const char *instead_diff_id;      /* of the first layer */
    const char *extra_members;        /* of the manifest: ",\"manifests\":[]" */
    const char *os;                   /* NULL: linux */
    const char *config_members;       /* of the config: ",\"history\":7" */
    const char *layer_type;           /* NULL: docker's, with gzip */
    long config_longer, layer_longer; /* than the manifest says */
    size_t padding;                   /* spaces at the end of the config */
    size_t repeated;                  /* so many more descriptors of the first layer */
};
/* Serves config, layers and manifest as /v2/<repository>/...; `ret_id` (may be NULL) gets the
 * image's ID. */
void fake_push(struct fake_registry *f, const char *repository, const char *tag,
               const struct fake_image *image, char ret_id[DIGEST_LEN + 1]);
