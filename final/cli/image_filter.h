/* image_filter.h - which images a command is about: --filter of `images` and `image prune`. */
#pragma once

#include <stdbool.h>

#include "cli/cli.h"

struct image_filter {
    struct cli *cli;
    const struct strv *given;
    const char *also;                      /* one more "reference": `images NAME`; NULL: none */
    int64_t before_ns, since_ns, until_ns; /* what the names and moments came to; 0: not asked */
    json_t *config; /* of the image looked at; loaded when a filter asks for it */
};

/* Checks keys and values, and looks up what they name; docker's errors, printed: the exit code is
 * *ret_code then. */
int image_filter_prepare(struct cli *cli, const char *also, struct image_filter *ret,
                         int *ret_code);
/* `familiar` is the name of the row, "" for none. */
bool image_filter_holds(struct image_filter *f, const struct image *image, const char *familiar);
/* The same for an image by its first name: for engine_prune_images(). */
bool image_filter_passes(void *filter, const struct image *image);
