/* pull.h - what the files of a pull share: one image on its way from a registry into the store. */
#pragma once

#include "engine/intake.h"
#include "registry/registry.h"

struct pull {
    struct intake in; /* each layer's source is its blob's descriptor */
    struct registry *registry;
};

/* intake's fetch(): one layer, blob and tree in one stream, both checked. Afterwards the blob is
 * published and the tree staged. On failure nothing of the tree is left; of the blob, what may be
 * resumed. `in->context` is the struct pull. */
int pull_layer_fetch(struct intake *in, struct intake_layer *l, struct err *err);
