/* Decompression as a push stream: pieces go in, whole buffers come out where the caller wants them.
 *
 * Each format is a row of a table: how it begins, and a step function that moves bytes from the
 * input window to the output window. One loop drives them all. A stream may consist of several
 * members one after another (gzip, zstd, bzip2 and xz all allow it, and parallel compressors write
 * it); what follows the last member and is no member itself is an error: bytes that one reader sees
 * and another does not are not wanted in a layer. gzip goes through igzip, which inflates about
 * three times as fast as zlib. */
#include "image/inflate.h"
#include "image/image.h"

#include <bzlib.h>
#include <isa-l/igzip_lib.h>
#include <lzma.h>
#include <stdbool.h>
#include <string.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/str.h"

#define MAGIC_MAX   6
#define XZ_MEMORY   (256u << 20) /* xz -9 needs 65 MiB to decompress */
#define ZSTD_WINDOW 27           /* 128 MiB, what zstd itself accepts without --long */

/* The windows a step works on; it moves the pointers. */
struct window {
    const unsigned char *in;
    size_t in_left;
    unsigned char *out;
    size_t out_left;
};

struct format {
    const char *name, *magic;
    size_t magic_len;
    int (*begin)(struct inflate *z);
    /* NULL, or why the stream is bad. Sets z->complete at the end of a member, clears it within
     * one. */
    const char *(*step)(struct inflate *z, struct window *w);
    void (*end)(struct inflate *z);
};

struct inflate {
    const struct format *format; /* NULL until known */
    const char *wanted;
    struct inflate_output output;
    unsigned char head[MAGIC_MAX]; /* the first bytes, until there are enough to tell the format */
    size_t head_len;
    bool complete; /* between members, where the stream may end */
    union {
        struct {
            struct inflate_state state;
            unsigned magic_seen; /* bytes of a further member's magic number that were recognised */
            bool within;
        } gzip;
        ZSTD_DStream *zstd;
        bz_stream bzip2;
        lzma_stream xz;
    };
};

/* --- none ------------------------------------------------------------------------------------- */

static int none_begin(struct inflate *z)
{
    z->complete = true;
    return 0;
}

/* One copy, because the caller's bytes are gone when it returns and the other thread still reads
 * them. */
static const char *none_step(struct inflate *z, struct window *w)
{
    size_t n = w->in_left < w->out_left ? w->in_left : w->out_left;

    (void)z;
    memcpy(w->out, w->in, n);
    w->in += n;
    w->in_left -= n;
    w->out += n;
    w->out_left -= n;
    return NULL;
}

static void none_end(struct inflate *z)
{
    (void)z;
}

/* --- gzip ------------------------------------------------------------------------------------- */

static int gzip_begin(struct inflate *z)
{
    isal_inflate_init(&z->gzip.state);
    return 0;
}

/* igzip takes any bytes behind a member for the next one's header: look at the magic number first.
 */
static const char *gzip_next_member(struct inflate *z, struct window *w)
{
    static const unsigned char magic[] = {0x1f, 0x8b};
    struct inflate_state *s = &z->gzip.state;

    for (; w->in_left && z->gzip.magic_seen < sizeof magic; w->in++, w->in_left--)
        if (*w->in != magic[z->gzip.magic_seen++])
            return "there is garbage behind its end";
    z->complete = !z->gzip.magic_seen;
    if (z->gzip.magic_seen < sizeof magic)
        return NULL;
    isal_inflate_reset(s);
    s->crc_flag = ISAL_GZIP;
    /* The two bytes are gone from the window (they may have come in different pieces): feed them
     * again. */
    s->next_in = (uint8_t *)magic;
    s->avail_in = sizeof magic;
    s->avail_out = 0;
    z->gzip.magic_seen = 0;
    z->gzip.within = true;
    return isal_inflate(s) < 0 ? "its header is invalid" : NULL;
}

/* `complete` and not `within`: a further member may follow, but need not. */
static const char *gzip_step(struct inflate *z, struct window *w)
{
    struct inflate_state *s = &z->gzip.state;
    int r;

    if (!z->gzip.within)
        return gzip_next_member(z, w);
    s->next_in = (uint8_t *)w->in;
    s->avail_in = (uint32_t)w->in_left;
    s->next_out = w->out;
    s->avail_out = (uint32_t)w->out_left;
    r = isal_inflate(s);
    w->in = s->next_in;
    w->in_left = s->avail_in;
    w->out = s->next_out;
    w->out_left = s->avail_out;
    if (r == ISAL_INCORRECT_CHECKSUM)
        return "its checksum is wrong";
    if (r < 0 || r == ISAL_NEED_DICT)
        return "it is damaged";
    z->complete = s->block_state == ISAL_BLOCK_FINISH;
    z->gzip.within = !z->complete;
    return NULL;
}

/* --- zstd ------------------------------------------------------------------------------------- */

/* A frame may ask for any window; the limit is what keeps memory fixed. */
static int zstd_begin(struct inflate *z)
{
    z->zstd = ZSTD_createDStream();
    return z->zstd &&
                   !ZSTD_isError(ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW))
               ? 0
               : -ENOMEM;
}

/* A call that moved nothing, because all has been said already, must not make an ended frame look
 * open: then the library hints at the header of the next one. */
static const char *zstd_step(struct inflate *z, struct window *w)
{
    ZSTD_inBuffer in = {w->in, w->in_left, 0};
    ZSTD_outBuffer out = {w->out, w->out_left, 0};
    size_t hint = ZSTD_decompressStream(z->zstd, &out, &in);

    if (ZSTD_isError(hint))
        return ZSTD_getErrorName(hint);
    w->in += in.pos;
    w->in_left -= in.pos;
    w->out += out.pos;
    w->out_left -= out.pos;
    if (in.pos || out.pos)
        z->complete = !hint;
    return NULL;
}

static void zstd_end(struct inflate *z)
{
    ZSTD_freeDStream(z->zstd);
}

/* --- bzip2 ------------------------------------------------------------------------------------ */

static int bzip2_begin(struct inflate *z)
{
    return BZ2_bzDecompressInit(&z->bzip2, 0, 0) == BZ_OK ? 0 : -ENOMEM;
}

/* The library ends with its stream; a further one needs a new start. */
static const char *bzip2_step(struct inflate *z, struct window *w)
{
    bz_stream *s = &z->bzip2;
    int r;

    if (z->complete) { /* a further member */
        if (!w->in_left)
            return NULL;
        BZ2_bzDecompressEnd(s);
        memset(s, 0, sizeof *s);
        if (bzip2_begin(z) < 0)
            return "out of memory";
        z->complete = false;
    }
    s->next_in = (char *)w->in;
    s->avail_in = (unsigned)w->in_left;
    s->next_out = (char *)w->out;
    s->avail_out = (unsigned)w->out_left;
    r = BZ2_bzDecompress(s);
    w->in = (const unsigned char *)s->next_in;
    w->in_left = s->avail_in;
    w->out = (unsigned char *)s->next_out;
    w->out_left = s->avail_out;
    z->complete = r == BZ_STREAM_END;
    return r == BZ_OK || r == BZ_STREAM_END ? NULL : "it is damaged";
}

static void bzip2_end(struct inflate *z)
{
    BZ2_bzDecompressEnd(&z->bzip2);
}

/* --- xz --------------------------------------------------------------------------------------- */

static int xz_begin(struct inflate *z)
{
    z->xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&z->xz, XZ_MEMORY, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static const char *xz_step(struct inflate *z, struct window *w)
{
    lzma_stream *s = &z->xz;
    lzma_ret r;

    if (z->complete) {
        if (!w->in_left)
            return NULL;
        if (lzma_stream_decoder(s, XZ_MEMORY, 0) != LZMA_OK)
            return "out of memory";
        z->complete = false;
    }
    s->next_in = w->in;
    s->avail_in = w->in_left;
    s->next_out = w->out;
    s->avail_out = w->out_left;
    r = lzma_code(s, LZMA_RUN);
    w->in = s->next_in;
    w->in_left = s->avail_in;
    w->out = s->next_out;
    w->out_left = s->avail_out;
    z->complete = r == LZMA_STREAM_END;
    if (r == LZMA_MEMLIMIT_ERROR)
        return "it needs too much memory";
    return r == LZMA_OK || r == LZMA_STREAM_END || r == LZMA_BUF_ERROR ? NULL : "it is damaged";
}

static void xz_end(struct inflate *z)
{
    lzma_end(&z->xz);
}

/* --- the stream ------------------------------------------------------------------------------- */

static const struct format formats[] = {
    {"gzip", "\x1f\x8b", 2, gzip_begin, gzip_step, none_end},
    {"zstd", "\x28\xb5\x2f\xfd", 4, zstd_begin, zstd_step, zstd_end},
    {"bzip2", "BZh", 3, bzip2_begin, bzip2_step, bzip2_end},
    {"xz",
     "\xfd"
     "7zXZ\0",
     6, xz_begin, xz_step, xz_end},
    {"none", "", 0, none_begin, none_step, none_end},
};
#define FORMAT_COUNT (sizeof formats / sizeof *formats)

int inflate_new(const char *compression, const struct inflate_output *output, struct inflate **ret,
                struct err *err)
{
    struct inflate *z;
    size_t i = 0;

    while (compression && i < FORMAT_COUNT && strcmp(formats[i].name, compression) != 0)
        i++;
    if (i == FORMAT_COUNT)
        return err_set(err, EINVAL, "there is no compression '%s'", compression);
    z = mem_alloc(sizeof *z);
    z->wanted = compression ? formats[i].name : NULL;
    z->output = *output;
    *ret = z;
    return 0;
}

/* zstd frames that zstd skips (pzstd and others put them first): 0x184D2A50 to 0x184D2A5F. */
static bool is_zstd_skippable(const unsigned char *head)
{
    return (head[0] & 0xf0) == 0x50 && !memcmp(head + 1, "\x2a\x4d\x18", 3);
}

/* The last format fits everything. */
static const struct format *find_format(const unsigned char *head, size_t len)
{
    const struct format *f = formats;

    if (len >= 4 && is_zstd_skippable(head))
        return &formats[1];
    while (len < f->magic_len || memcmp(head, f->magic, f->magic_len) != 0)
        f++;
    return f;
}

const char *compression_of(const void *head, size_t len)
{
    return find_format(head, len)->name;
}

/* A media type that does not fit the bytes is an error and not a reason to guess: another reader
 * would guess differently. */
static int choose(struct inflate *z, struct err *err)
{
    const struct format *f = find_format(z->head, z->head_len);

    if (z->wanted && !strcmp(z->wanted, "none"))
        f = &formats[FORMAT_COUNT - 1];
    if (z->wanted && strcmp(z->wanted, f->name) != 0)
        return err_set(err, EINVAL, "the layer is not %s-compressed, as its media type says",
                       z->wanted);
    z->format = f;
    if (f->begin(z) < 0)
        return err_set(err, ENOMEM, "no memory to decompress %s", f->name);
    return 0;
}

/* Output windows until the input is used up and the last window was not filled: a full one may mean
 * that the decompressor holds more back. */
static int run(struct inflate *z, const void *data, size_t len, struct err *err)
{
    struct window w = {.in = data, .in_left = len};
    size_t room;

    do {
        unsigned char *start = z->output.room(z->output.context, &room);
        size_t in_before = w.in_left;
        const char *wrong;
        int r;

        w.out = start;
        w.out_left = room;
        wrong = z->format->step(z, &w);
        if (wrong)
            return err_set(err, EINVAL, "the %s data cannot be read: %s", z->format->name, wrong);
        r = z->output.filled(z->output.context, (size_t)(w.out - start), err);
        if (r < 0)
            return r;
        if (w.in_left && w.in_left == in_before && w.out == start && !z->complete)
            return err_set(err, EINVAL, "the %s data makes no progress", z->format->name);
    } while (w.in_left || !w.out_left);
    return 0;
}

int inflate_feed(struct inflate *z, const void *data, size_t len, struct err *err)
{
    const unsigned char *bytes = data;
    int r;

    for (; len && !z->format && z->head_len < MAGIC_MAX; len--)
        z->head[z->head_len++] = *bytes++;
    if (!z->format) {
        if (z->head_len < MAGIC_MAX)
            return 0;
        r = choose(z, err);
        if (!r)
            r = run(z, z->head, z->head_len, err);
        if (r < 0)
            return r;
    }
    return len ? run(z, bytes, len, err) : 0;
}

int inflate_end(struct inflate *z, struct err *err)
{
    int r;

    if (!z->format) { /* shorter than any magic number we look for */
        r = choose(z, err);
        if (!r && z->head_len)
            r = run(z, z->head, z->head_len, err);
        if (r < 0)
            return r;
    }
    if (!z->complete)
        return err_set(err, EINVAL, "the %s data ends too early", z->format->name);
    return 0;
}

void inflate_free(struct inflate *z)
{
    if (!z)
        return;
    if (z->format)
        z->format->end(z);
    free(z);
}
