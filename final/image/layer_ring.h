/* layer_ring.h - a bounded ring of buffers between two threads; private to image/.
 *
 * One writer, one reader. The writer fills the buffer of ring_room() and hands it over with
 * ring_publish(); the reader gets whole buffers. Each side can leave at any time without the other
 * waiting for ever:
 *
 *     the writer ends        ring_close()   the reader gets what is there, then the end (0)
 *     the writer gives up    ring_abort()   the reader gets -ECANCELED at once
 *     the reader leaves      ring_leave()   the writer's buffers are free at once, what it
 *                                           publishes is dropped */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Large enough that system calls and locks do not count, small enough that the 8 of them stay in
 * cache. */
#define RING_BUFFER (256u << 10)
#define RING_COUNT  8

struct ring;
struct ring *ring_new(void); /* never NULL */
void ring_free(struct ring *r);

/* The buffer to fill, RING_BUFFER bytes; waits until one is free. */
void *ring_room(struct ring *r);
/* Hands over the first `len` bytes of the buffer that ring_room() gave last. */
void ring_publish(struct ring *r, size_t len);
void ring_close(struct ring *r);
void ring_abort(struct ring *r);
/* For the writer: whoever unpacks has met an error, and tells of it when it is joined. */
bool ring_reader_left(struct ring *r);

/* Gives the last buffer back and waits for the next: its length, 0 at the end, -ECANCELED. */
long ring_take(struct ring *r, const void **ret);
void ring_leave(struct ring *r);
