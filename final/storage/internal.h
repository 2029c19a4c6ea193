/* internal.h - what the files of storage/ share and nobody else sees. */
#pragma once

#include "storage/storage.h"

/* Rewrites index.json from the records, so that the state directory stays a readable OCI layout. */
int layout_write_index(struct store *store, struct err *err);
