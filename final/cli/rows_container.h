/* rows_container.h - one container as a row of format.h, with docker's members. */
#pragma once

#include "engine/engine.h"

struct container_row {
    int64_t now_ns;   /* ages are counted from here */
    json_t *images;   /* an object of the caller's: image names that were looked up so far */
    bool whole;       /* nothing is cut */
    bool ports;       /* look up which are published */
    bool size;        /* walk its directory: what it wrote, and with its image */
    bool size_member; /* "Size" is there also when nobody counted: "0B" */
};
/* A new reference. What cannot be looked up is left empty. */
json_t *rows_container(struct engine *e, const struct container *c,
                       const struct container_row *how);
