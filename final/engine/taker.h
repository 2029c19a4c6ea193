/* taker.h - a layer that comes as a stream of bytes from anywhere: it is unpacked, and what holds
 * its tar is kept as a blob. gzip and zstd stay as they came; anything else is packed with gzip, so
 * that every layer from outside can leave again with the very bytes of its tar. */
#pragma once

#include "engine/engine.h"
#include "image/image.h"

struct taker;
/* `stage_fd` as for layer_unpack_begin(). */
int taker_new(struct store *store, int stage_fd, struct taker **ret, struct err *err);
int taker_feed(struct taker *t, const void *data, size_t len, struct err *err);
/* Everything was fed: digests and sizes. *ret_blob says what the blob will be; fixups in *ret are
 * the caller's. */
int taker_finish(struct taker *t, struct layer_result *ret, struct layer_blob *ret_blob,
                 struct err *err);
/* The digests are what they should be: keeps the blob. */
int taker_keep(struct taker *t, struct err *err);
void taker_free(struct taker *t); /* NULL is fine; drops a blob that was not kept */
