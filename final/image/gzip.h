/* gzip.h - packing what is to leave this machine: layers for push and save.
 *
 * The stream is cut into chunks of one size, which are compressed side by side, each with the end
 * of the one before it as its dictionary, and joined to one gzip member (RFC 1952). So the bytes do
 * not depend on how many processors there were. They do depend on the version of ISA-L: a packed
 * layer is kept, not made again and again. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "image/tar.h"

struct gzip_writer;
/* The sink gets the compressed bytes, in the caller's thread. */
struct gzip_writer *gzip_writer_new(tar_sink *sink, void *context);
/* Copies `data`; waits when the compressing threads are behind. After an error nothing but
 * gzip_writer_free() makes sense. */
int gzip_writer_add(struct gzip_writer *w, const void *data, size_t len, struct err *err);
/* What is left, and the trailer. Also a stream without any data is a valid one. */
int gzip_writer_end(struct gzip_writer *w, struct err *err);
void gzip_writer_free(struct gzip_writer *w); /* NULL is fine; ends the threads */
