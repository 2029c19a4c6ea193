#include "engine/taker.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define HEAD 6 /* what tells how a stream is compressed */

struct taker {
    struct store *store;
    struct layer_unpack *unpack;
    int fd; /* of the blob being written */
    char name[64];
    unsigned char head[HEAD]; /* until it is known what comes */
    size_t head_len;
    const char *compression;  /* NULL: not known yet */
    struct gzip_writer *gzip; /* NULL: the bytes are kept as they come */
    struct hasher *packed;    /* of what gzip wrote */
    uint64_t packed_size;
    struct layer_blob blob;
};

/* What the compressor made. */
static int write_packed(void *context, const void *data, size_t len, struct err *err)
{
    struct taker *t = context;

    hasher_add(t->packed, data, len);
    t->packed_size += len;
    return store_blob_write(t->fd, data, len, err);
}

/* The tar on its way to the unpacking thread. */
static int pack(void *context, const void *data, size_t len, struct err *err)
{
    return gzip_writer_add(((struct taker *)context)->gzip, data, len, err);
}

int taker_new(struct store *store, int stage_fd, struct taker **ret, struct err *err)
{
    struct taker *t = mem_alloc(sizeof *t);
    int r;

    t->store = store;
    t->fd = store_blob_begin(store, t->name, err);
    r = t->fd < 0 ? t->fd : layer_unpack_begin(stage_fd, NULL, NULL, &t->unpack, err);
    if (r < 0) {
        taker_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

static bool is_kept_as_it_is(const char *compression)
{
    return !strcmp(compression, "gzip") || !strcmp(compression, "zstd");
}

static void decide(struct taker *t)
{
    t->compression = compression_of(t->head, t->head_len);
    if (is_kept_as_it_is(t->compression))
        return;
    t->packed = hasher_new();
    t->gzip = gzip_writer_new(write_packed, t);
    layer_unpack_tee(t->unpack, pack, t);
}

static int feed(struct taker *t, const void *data, size_t len, struct err *err)
{
    int r = t->gzip ? 0 : store_blob_write(t->fd, data, len, err);

    return r < 0 ? r : layer_unpack_feed(t->unpack, data, len, err);
}

int taker_feed(struct taker *t, const void *data, size_t len, struct err *err)
{
    const unsigned char *p = data;

    if (!t->compression) {
        for (; len && t->head_len < HEAD; len--)
            t->head[t->head_len++] = *p++;
        if (t->head_len < HEAD)
            return 0;
        decide(t);
        if (feed(t, t->head, t->head_len, err) < 0)
            return -err->code;
    }
    return len ? feed(t, p, len, err) : 0;
}

static int end_stream(struct taker *t, struct layer_result *result, struct err *err)
{
    int r = 0;

    if (!t->compression) { /* nothing that short is a tar: the unpacking says so */
        decide(t);
        r = feed(t, t->head, t->head_len, err);
    }
    if (!r)
        r = layer_unpack_finish(steal_ptr(&t->unpack), result, err);
    if (r < 0 || !t->gzip)
        return r;
    r = gzip_writer_end(t->gzip, err);
    if (r < 0)
        layer_fixups_free(steal_ptr(&result->fixups));
    return r;
}

int taker_finish(struct taker *t, struct layer_result *ret, struct layer_blob *ret_blob,
                 struct err *err)
{
    bool zstd;
    int r = end_stream(t, ret, err);

    if (r < 0)
        return r;
    zstd = !strcmp(t->compression, "zstd");
    strcpy(t->blob.diff_id, ret->diff_id);
    strcpy(t->blob.media_type, zstd ? MEDIA_OCI_LAYER_ZSTD : MEDIA_OCI_LAYER_GZIP);
    if (t->gzip) {
        hasher_finish(steal_ptr(&t->packed), t->blob.digest);
        t->blob.size = t->packed_size;
    } else {
        strcpy(t->blob.digest, ret->blob_digest);
        t->blob.size = ret->blob_size;
    }
    *ret_blob = t->blob;
    return 0;
}

int taker_keep(struct taker *t, struct err *err)
{
    int r = store_blob_commit(t->store, t->name, t->fd, t->blob.digest, err);

    if (!r)
        close_fd(&t->fd);
    return r;
}

void taker_free(struct taker *t)
{
    struct err ignored;

    if (!t)
        return;
    layer_unpack_abort(t->unpack);
    gzip_writer_free(t->gzip);
    hasher_free(t->packed);
    if (t->fd >= 0)
        store_stage_drop(t->store, t->name, &ignored);
    close_fd(&t->fd);
    free(t);
}
