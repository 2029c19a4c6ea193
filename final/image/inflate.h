/* inflate.h - decompression of a stream that comes in pieces; private to image/. */
#pragma once

#include <stddef.h>

#include "base/err.h"

/* Where the output goes: a buffer to fill, then how much of it was filled. Never more than it has
 * room for. */
struct inflate_output {
    void *(*room)(void *context, size_t *ret_room);
    int (*filled)(void *context, size_t len, struct err *err);
    void *context;
};

struct inflate;
/* `compression` NULL: gzip, zstd, bzip2, xz or none, by the first bytes. */
int inflate_new(const char *compression, const struct inflate_output *output, struct inflate **ret,
                struct err *err);
/* Uses up all of `data` before it returns, and calls the output from within. -EINVAL for a stream
 * that is damaged, or is not what `compression` says. */
int inflate_feed(struct inflate *z, const void *data, size_t len, struct err *err);
/* No more input: an error when the stream is not complete. */
int inflate_end(struct inflate *z, struct err *err);
void inflate_free(struct inflate *z); /* NULL is fine */
