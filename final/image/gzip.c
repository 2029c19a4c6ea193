/* One thread collects chunks and hands out what is done, in order; the others compress.
 *
 *     FREE    filled by the caller, becomes
 *     READY   taken by a worker, becomes
 *     BUSY    compressed, becomes
 *     DONE    given to the sink, becomes FREE
 *
 * The slots are a ring: `fill` is where the next chunk goes, `drain` the next one the sink gets,
 * `take` the next one a worker takes. */
#include "image/gzip.h"

#include <isa-l.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/str.h"

#define CHUNK       (512u << 10) /* smaller ones compress worse, larger ones leave the cache */
#define DICTIONARY  IGZIP_HIST_SIZE
#define OUTPUT_ROOM (CHUNK + CHUNK / 2)
#define SLOTS       6
#define THREADS_MAX 4
#define LEVEL       1 /* 3 saves another fiftieth and takes twice as long */
#define LEVEL_ROOM  ISAL_DEF_LVL1_DEFAULT

enum slot_state { FREE, READY, BUSY, DONE };

struct slot {
    enum slot_state state;
    unsigned char *input; /* the dictionary, then the chunk */
    unsigned char *output;
    size_t dictionary, len, out_len;
    unsigned long crc;
};

struct gzip_writer {
    tar_sink *sink;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot slots[SLOTS];
    size_t fill, take, drain;
    bool stop;
    pthread_t threads[THREADS_MAX];
    size_t thread_count;
    bool begun;
    unsigned long crc; /* of all that went to the sink */
    uint64_t total;
};

/* --- workers ---------------------------------------------------------------------------------- */

/* SYNC_FLUSH ends the chunk's last block at a byte, where the next one can be joined. There is
 * always room: what does not compress is stored. */
static void compress_chunk(struct slot *s, unsigned char *level_buffer)
{
    struct isal_zstream z;
    unsigned char *chunk = s->input + DICTIONARY;

    isal_deflate_init(&z);
    z.level = LEVEL;
    z.level_buf = level_buffer;
    z.level_buf_size = LEVEL_ROOM;
    z.gzip_flag = IGZIP_DEFLATE;
    z.flush = SYNC_FLUSH;
    z.end_of_stream = 0;
    if (s->dictionary)
        isal_deflate_set_dict(&z, chunk - s->dictionary, (uint32_t)s->dictionary);
    z.next_in = chunk;
    z.avail_in = (uint32_t)s->len;
    z.next_out = s->output;
    z.avail_out = OUTPUT_ROOM;
    do {
        if (isal_deflate(&z) != COMP_OK || !z.avail_out)
            abort(); /* our own buffers and settings: nothing a caller could do about it */
    } while (z.avail_in || z.internal_state.state != ZSTATE_NEW_HDR);
    s->out_len = z.total_out;
    s->crc = crc32_gzip_refl(0, chunk, s->len);
}

/* In the order of the chunks, so that the one the sink waits for is never the last to be begun. The
 * lock is held; NULL: it is over. */
static struct slot *take_slot(struct gzip_writer *w)
{
    struct slot *s;

    while (w->slots[w->take].state != READY && !w->stop)
        pthread_cond_wait(&w->changed, &w->lock);
    if (w->stop)
        return NULL;
    s = &w->slots[w->take];
    s->state = BUSY;
    w->take = (w->take + 1) % SLOTS;
    return s;
}

static void *work(void *context)
{
    struct gzip_writer *w = context;
    cleanup_free unsigned char *level_buffer = mem_alloc(LEVEL_ROOM);
    struct slot *s;

    pthread_mutex_lock(&w->lock);
    while ((s = take_slot(w))) {
        pthread_mutex_unlock(&w->lock);
        compress_chunk(s, level_buffer);
        pthread_mutex_lock(&w->lock);
        s->state = DONE;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static size_t processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (size_t)n;
}

/* Signals go to the threads of the program, which know what to do with them. With one thread it is
 * slower, but goes; with none it does not. */
static int start_threads(struct gzip_writer *w, struct err *err)
{
    sigset_t all, before;
    int r = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!r && w->thread_count < processors()) {
        r = pthread_create(&w->threads[w->thread_count], NULL, work, w);
        w->thread_count += !r;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return w->thread_count ? 0 : err_set(err, r, "cannot start a thread: %s", strerror(r));
}

/* --- the caller's side ------------------------------------------------------------------------ */

struct gzip_writer *gzip_writer_new(tar_sink *sink, void *context)
{
    struct gzip_writer *w = mem_alloc(sizeof *w);

    w->sink = sink;
    w->context = context;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        w->slots[i].input = mem_alloc(DICTIONARY + CHUNK);
        w->slots[i].output = mem_alloc(OUTPUT_ROOM);
    }
    return w;
}

void gzip_writer_free(struct gzip_writer *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    for (size_t i = 0; i < SLOTS; i++) {
        free(w->slots[i].input);
        free(w->slots[i].output);
    }
    free(w);
}

/* No name, no time, "unknown" as operating system: as Go's writer. */
static int begin(struct gzip_writer *w, struct err *err)
{
    static const unsigned char header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};

    if (w->begun)
        return 0;
    if (start_threads(w, err) < 0)
        return -err->code;
    w->begun = true;
    return w->sink(w->context, header, sizeof header, err);
}

/* Gives the oldest chunk to the sink; waits for it. */
static int drain_one(struct gzip_writer *w, struct err *err)
{
    struct slot *s = &w->slots[w->drain];
    int r;

    pthread_mutex_lock(&w->lock);
    while (s->state != DONE)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    r = w->sink(w->context, s->output, s->out_len, err);
    w->crc = crc32_combine(w->crc, s->crc, (long)s->len);
    w->total += s->len;
    w->drain = (w->drain + 1) % SLOTS;
    s->len = 0;
    pthread_mutex_lock(&w->lock);
    s->state = FREE;
    pthread_mutex_unlock(&w->lock);
    return r;
}

/* Hands the chunk being filled to the workers and makes the next slot free, which begins with the
 * end of this one. */
static int submit(struct gzip_writer *w, struct err *err)
{
    struct slot *full = &w->slots[w->fill], *next;
    size_t keep = full->len < DICTIONARY ? full->len : DICTIONARY;

    pthread_mutex_lock(&w->lock);
    full->state = READY;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    w->fill = (w->fill + 1) % SLOTS;
    next = &w->slots[w->fill];
    if (w->fill == w->drain && drain_one(w, err) < 0)
        return -err->code;
    memcpy(next->input + DICTIONARY - keep, full->input + DICTIONARY + full->len - keep, keep);
    next->dictionary = keep;
    return 0;
}

int gzip_writer_add(struct gzip_writer *w, const void *data, size_t len, struct err *err)
{
    const unsigned char *p = data;
    int r = begin(w, err);

    while (len && r >= 0) {
        struct slot *s = &w->slots[w->fill];
        size_t n = CHUNK - s->len < len ? CHUNK - s->len : len;

        memcpy(s->input + DICTIONARY + s->len, p, n);
        s->len += n;
        p += n;
        len -= n;
        if (s->len == CHUNK)
            r = submit(w, err);
    }
    return r;
}

static void put_le32(unsigned char *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(value >> 8 * i);
}

/* An empty last block, the sum and the length. */
static int put_trailer(struct gzip_writer *w, struct err *err)
{
    unsigned char trailer[10] = {0x03, 0x00};

    put_le32(trailer + 2, (uint32_t)w->crc);
    put_le32(trailer + 6, (uint32_t)w->total);
    return w->sink(w->context, trailer, sizeof trailer, err);
}

int gzip_writer_end(struct gzip_writer *w, struct err *err)
{
    int r = begin(w, err);

    if (r >= 0 && w->slots[w->fill].len)
        r = submit(w, err);
    while (r >= 0 && w->drain != w->fill)
        r = drain_one(w, err);
    return r < 0 ? r : put_trailer(w, err);
}
