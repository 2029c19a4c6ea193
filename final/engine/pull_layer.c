/* One layer from the network into the store, in one pass:
 *
 *     registry --> write to blobs/partial/<hex>
 *              --> SHA-256 (blob) --> inflate --> SHA-256 (diffID) --> unpack into staging/<stage>
 *
 * What an earlier, broken-off attempt left in the partial file goes through the same pipe first,
 * read from disk; then the registry is asked for the rest. A blob that is here already is read from
 * disk entirely.
 *
 * The blob is published, and with that its lock let go, before anybody waits for other layers: two
 * pulls of images that share layers in another order could otherwise wait for each other for ever.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "engine/pull.h"

#define PIECE             (256u << 10)
#define PROGRESS_EVERY_NS 100000000LL

struct stream {
    struct pull *pull;
    struct intake *in;
    struct intake_layer *layer;
    const struct descriptor *blob;
    struct layer_unpack *unpack;
    int fd;        /* of the partial file; -1 when the blob is here already */
    uint64_t done; /* bytes through the pipe */
    int64_t told_ns;
    bool consumer_failed; /* it was not the network */
};

static void tell(struct stream *s)
{
    int64_t now = clock_now();

    if (now - s->told_ns < PROGRESS_EVERY_NS)
        return;
    s->told_ns = now;
    intake_status(s->in, s->layer, "Downloading", s->done, s->blob->size);
}

static int feed(struct stream *s, const void *data, size_t len, struct err *err)
{
    int r = layer_unpack_feed(s->unpack, data, len, err);

    s->consumer_failed = r < 0;
    s->done += len;
    return r;
}

/* registry_sink: a piece from the network. */
static int take(void *context, const void *data, size_t len, struct err *err)
{
    struct stream *s = context;
    int r = store_blob_write(s->fd, data, len, err);

    if (r < 0) {
        s->consumer_failed = true;
        return err_wrap(err, "'%s'", s->blob->digest);
    }
    r = feed(s, data, len, err);
    if (r < 0)
        return r;
    tell(s);
    return 0;
}

/* What is on disk: `len` bytes from the start of `fd`. */
static int feed_file(struct stream *s, int fd, uint64_t len, struct err *err)
{
    cleanup_free char *piece = mem_alloc(PIECE);

    while (len) {
        ssize_t n = file_read(fd, piece, len < PIECE ? (size_t)len : PIECE);
        int r;

        if (n <= 0)
            return err_set(err, n < 0 ? (int)-n : EIO, "cannot read the blob '%s' again",
                           s->blob->digest);
        if (intake_stopped(s->in))
            return err_set(err, ECANCELED, "cancelled");
        r = feed(s, piece, (size_t)n, err);
        if (r < 0)
            return r;
        len -= (uint64_t)n;
    }
    return 0;
}

static int feed_blob(struct stream *s, struct err *err)
{
    cleanup_close int fd = store_blob_open(s->in->store, s->blob->digest, err);

    return fd < 0 ? fd : feed_file(s, fd, s->blob->size, err);
}

static int feed_download(struct stream *s, uint64_t have, struct err *err)
{
    const struct descriptor *blob = s->blob;
    int r;

    if (have > blob->size) { /* not of this blob: nothing else writes here */
        if (ftruncate(s->fd, 0) < 0)
            return err_errno(err, "cannot empty the partial blob '%s'", blob->digest);
        have = 0;
    }
    r = feed_file(s, s->fd, have, err);
    if (r < 0)
        return r;
    return registry_blob(s->pull->registry, blob->digest, blob->size, have, take, s, err);
}

/* Everything that makes the content what the manifest and the config say. */
static int verify(const struct stream *s, const struct layer_result *result, struct err *err)
{
    if (result->blob_size != s->blob->size)
        return err_set(err, EBADMSG, "layer '%s' has %llu bytes, the manifest says %llu",
                       s->blob->digest, (unsigned long long)result->blob_size,
                       (unsigned long long)s->blob->size);
    if (strcmp(result->blob_digest, s->blob->digest))
        return err_set(
            err, EBADMSG,
            "filesystem layer verification failed for digest %s: the content has digest %s",
            s->blob->digest, result->blob_digest);
    if (strcmp(result->diff_id, s->layer->diff_id))
        return err_set(
            err, EBADMSG,
            "wrong diff id calculated on extraction of layer '%s': '%s', the config says '%s'",
            s->blob->digest, result->diff_id, s->layer->diff_id);
    return 0;
}

/* Ends the pipe and checks what went through; on success the tree is the layer's. */
static int finish(struct stream *s, struct err *err)
{
    struct layer_result result = {0};
    struct intake_layer *l = s->layer;
    int r;

    intake_status(s->in, l, "Verifying Checksum", 0, 0);
    r = layer_unpack_finish(steal_ptr(&s->unpack), &result, err);
    if (r < 0)
        return r;
    r = verify(s, &result, err);
    if (r < 0) {
        layer_fixups_free(result.fixups);
        return r;
    }
    l->size = result.size;
    l->fixups = result.fixups;
    return 0;
}

static int publish_blob(struct stream *s, struct err *err)
{
    int r = s->fd < 0 ? 0 : store_partial_publish(s->in->store, s->blob->digest, s->fd, err);

    if (!r)
        intake_status(s->in, s->layer, "Download complete", 0, 0);
    return r;
}

/* Bytes that proved wrong must not be what the next attempt starts with. Those that merely are not
 * all yet may be resumed. */
static void drop_bad_partial(struct stream *s, bool all_came)
{
    struct err ignored;

    if (s->fd >= 0 && (all_came || s->consumer_failed || !s->done))
        store_partial_drop(s->in->store, s->blob->digest, &ignored);
}

static int run_stream(struct stream *s, struct err *err)
{
    struct store *store = s->in->store;
    const char *digest = s->blob->digest;
    uint64_t have = 0;
    int r = store_partial_open(store, digest, &s->fd, &have, err);

    if (r == -EEXIST)
        r = feed_blob(s, err);
    else if (!r)
        r = feed_download(s, have, err);
    if (r < 0) {
        drop_bad_partial(s, false);
        return r;
    }
    r = finish(s, err);
    if (!r)
        r = publish_blob(s, err);
    if (r < 0)
        drop_bad_partial(s, true);
    return r;
}

int pull_layer_fetch(struct intake *in, struct intake_layer *l, struct err *err)
{
    struct stream s = {.pull = in->context, .in = in, .layer = l, .blob = l->source, .fd = -1};
    int r;

    intake_status(in, l, "Downloading", 0, s.blob->size);
    l->stage_fd = store_stage(in->store, l->stage, err);
    if (l->stage_fd < 0)
        return l->stage_fd;
    /* By magic number: registries hold layers whose media type says gzip and whose content is zstd
     * or plain tar. Nothing is taken on trust by that, the digests decide. */
    r = layer_unpack_begin(l->stage_fd, NULL, NULL, &s.unpack, err);
    if (!r)
        r = run_stream(&s, err);
    layer_unpack_abort(s.unpack);
    close_fd(&s.fd);
    if (r < 0)
        intake_drop_stage(in, l);
    return r < 0 && err->code != ECANCELED ? err_wrap(err, "layer %s", l->short_id) : r;
}
