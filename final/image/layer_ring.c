/* The ring counts buffers ever published and ever given back; their difference is what lies in
 * between, their value modulo RING_COUNT is a place. Nothing is copied: the writer inflates into a
 * buffer, the reader writes files from it. One lock for it all is enough, because it is taken once
 * for 256 KiB. */
#include "image/layer_ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/str.h"

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* one for both directions: only one side can be waiting at a time */
    unsigned published;     /* buffers ever handed over; modulo RING_COUNT the next one to fill */
    unsigned returned;      /* buffers ever given back by the reader */
    bool taken;             /* the reader holds buffer `returned` */
    bool closed, aborted, left;
    size_t len[RING_COUNT];
    unsigned char *buffers;
};

struct ring *ring_new(void)
{
    struct ring *r = mem_alloc(sizeof *r);

    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->buffers = mem_alloc((size_t)RING_BUFFER * RING_COUNT);
    return r;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r->buffers);
    free(r);
}

static unsigned char *buffer(struct ring *r, unsigned n)
{
    return r->buffers + (size_t)(n % RING_COUNT) * RING_BUFFER;
}

/* A reader that has left waits for nothing, so the writer need not either: it goes on into buffers
 * that nobody looks at, because what it does on the way, hashing, still counts. */
void *ring_room(struct ring *r)
{
    void *room;

    pthread_mutex_lock(&r->lock);
    while (r->published - r->returned == RING_COUNT && !r->left)
        pthread_cond_wait(&r->changed, &r->lock);
    room = buffer(r, r->published);
    pthread_mutex_unlock(&r->lock);
    return room;
}

void ring_publish(struct ring *r, size_t len)
{
    pthread_mutex_lock(&r->lock);
    r->len[r->published % RING_COUNT] = len;
    if (!r->left)
        r->published++;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void raise_flag(struct ring *r, bool *flag)
{
    pthread_mutex_lock(&r->lock);
    *flag = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

void ring_close(struct ring *r)
{
    raise_flag(r, &r->closed);
}

void ring_abort(struct ring *r)
{
    raise_flag(r, &r->aborted);
}

void ring_leave(struct ring *r)
{
    raise_flag(r, &r->left);
}

bool ring_reader_left(struct ring *r)
{
    bool left;

    pthread_mutex_lock(&r->lock);
    left = r->left;
    pthread_mutex_unlock(&r->lock);
    return left;
}

/* Giving back comes first: the writer may be waiting for exactly this buffer. */
long ring_take(struct ring *r, const void **ret)
{
    long len = -ECANCELED;

    pthread_mutex_lock(&r->lock);
    if (r->taken) {
        r->taken = false;
        r->returned++;
        pthread_cond_signal(&r->changed);
    }
    while (r->published == r->returned && !r->closed && !r->aborted)
        pthread_cond_wait(&r->changed, &r->lock);
    if (!r->aborted) {
        r->taken = r->published != r->returned;
        len = r->taken ? (long)r->len[r->returned % RING_COUNT] : 0;
        *ret = buffer(r, r->returned);
    }
    pthread_mutex_unlock(&r->lock);
    return len;
}
