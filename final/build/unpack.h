/* unpack.h - a tar, packed or not, becomes a directory: a context that came as one, and ADD.
 * Private to build/. libarchive: linked into cooper-image only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define UNPACK_HEAD 512 /* bytes that show what something is */

/* False: it is neither a tar nor compressed. */
bool unpack_may_be_tar(const void *head, size_t len);

struct unpack;
/* `to` is an empty directory of ours (0700). */
int unpack_begin(int to, struct unpack **ret, struct err *err);
int unpack_feed(struct unpack *u, const void *data, size_t len, struct err *err);
/* Frees `u` whatever happens. */
int unpack_finish(struct unpack *u, struct err *err);
void unpack_abort(struct unpack *u); /* NULL is fine */
