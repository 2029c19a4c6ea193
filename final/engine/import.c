/* import: a root filesystem tar becomes an image of one layer. The config's digest is the image's
 * ID. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/engine.h"
#include "engine/internal.h"
#include "engine/taker.h"
#include "registry/registry.h"

#define PIECE (256u << 10)

static int feed_file(struct taker *t, int fd, const volatile bool *cancelled, struct err *err)
{
    cleanup_free char *piece = mem_alloc(PIECE);

    for (;;) {
        ssize_t n = read(fd, piece, PIECE); /* not file_read: a pipe's writer may be slow */
        int r;

        if (cancelled && *cancelled)
            return err_set(err, ECANCELED, "cancelled");
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "cannot read the tar");
        if (!n)
            return 0;
        r = taker_feed(t, piece, (size_t)n, err);
        if (r < 0)
            return r;
    }
}

static bool is_url(const char *source)
{
    return str_starts(source, "http://") || str_starts(source, "https://");
}

static bool is_cancelled(void *context)
{
    const volatile bool *const *cancelled = context;

    return *cancelled && **cancelled;
}

static int feed_taker(void *context, const void *data, size_t len, struct err *err)
{
    return taker_feed(context, data, len, err);
}

static int feed_all(struct taker *t, const struct import_request *request, struct err *err)
{
    const volatile bool *cancelled = request->cancelled;
    const struct registry_options options = {.cancelled = is_cancelled, .context = &cancelled};

    return is_url(request->source) ? registry_fetch(request->source, &options, feed_taker, t, err)
                                   : feed_file(t, request->fd, cancelled, err);
}

static int unpack(struct taker *t, int stage_fd, const struct import_request *request,
                  struct layer *layer, struct layer_blob *ret_blob, struct err *err)
{
    struct layer_result result = {0};
    int r = feed_all(t, request, err);

    if (!r)
        r = taker_finish(t, &result, ret_blob, err);
    /* No layer below: what the tar did not name gets its defaults, a hard link into nowhere is an
     * error. */
    if (!r)
        r = layer_complete(stage_fd, result.fixups, NULL, 0, err);
    layer_fixups_free(result.fixups);
    if (!r)
        r = taker_keep(t, err);
    if (r < 0)
        return r;
    strcpy(layer->diff_id, result.diff_id);
    chain_id("", result.diff_id, layer->chain_id);
    layer->size = result.size;
    return 0;
}

/* Unpacks in staging and publishes. The layer is the only one, so its chain ID is its diffID. */
static int import_layer(struct store *store, const struct import_request *request,
                        struct layer_blob *ret_blob, struct err *err)
{
    struct layer layer = {0};
    struct taker *t = NULL;
    struct err ignored;
    char stage[64];
    cleanup_close int stage_fd = store_stage(store, stage, err);
    int r;

    if (stage_fd < 0)
        return stage_fd;
    r = taker_new(store, stage_fd, &t, err);
    if (!r)
        r = unpack(t, stage_fd, request, &layer, ret_blob, err);
    taker_free(t);
    if (!r)
        r = store_layer_publish(store, stage, &layer, err);
    if (r < 0)
        store_stage_drop(store, stage, &ignored);
    return r;
}

static int record(struct store *store, const struct layer_blob *blob, const char *canonical,
                  const char *comment, const struct import_request *request,
                  const struct platform *platform, char ret_id[DIGEST_LEN + 1], struct err *err)
{
    struct image_record image = {
        .manifest = "", .packed = blob, .packed_count = 1, .reference = canonical};
    cleanup_strv struct strv diff_ids = {0};
    cleanup_json json_t *config = NULL;
    cleanup_free char *text = NULL;
    char id[DIGEST_LEN + 1], chain[DIGEST_LEN + 1];
    struct image_config parsed = {0};
    int r;

    strv_add(&diff_ids, blob->diff_id);
    config = image_config_new(&diff_ids, comment, platform, request->config);
    text = json_text(config, JSON_COMPACT);
    digest_of(text, strlen(text), id);
    chain_id("", blob->diff_id, chain);
    r = image_config_parse(text, strlen(text), &parsed, err);
    if (!r)
        r = store_blob_put(store, id, text, strlen(text), err);
    if (!r) {
        image.id = id;
        image.created_ns = parsed.created_ns;
        strv_add(&image.chain_ids, chain);
        strv_add(&image.blobs, id);
        strv_add(&image.blobs, blob->digest);
        r = store_image_add(store, &image, err);
    }
    image_config_free(&parsed);
    strv_free(&image.chain_ids);
    strv_free(&image.blobs);
    if (!r)
        strcpy(ret_id, id);
    return r;
}

int engine_import(struct engine *e, const struct import_request *request,
                  char ret_id[DIGEST_LEN + 1], struct err *err)
{
    const char *message = request->message, *reference = request->reference;
    cleanup_free char *comment =
        message && *message
            ? str_copy(message)
            : str_format("Imported from %s", is_url(request->source) ? request->source : "-");
    cleanup_with(reference_free) struct reference ref = {0};
    cleanup_free char *canonical = NULL;
    cleanup_close int hold = -1;
    struct platform platform;
    struct layer_blob blob;
    int r;

    if (reference && reference_parse(reference, &ref, err) < 0) /* before the work, not after it */
        return -err->code;
    if (ref.digest)
        return err_set(err, EINVAL,
                       "cannot import digest reference '%s': a digest follows from content",
                       reference);
    canonical = reference ? reference_canonical(&ref) : NULL;
    platform_host(&platform);
    if (request->platform && platform_parse(request->platform, &platform, err) < 0)
        return -err->code;
    hold = store_hold(e->store, err);
    if (hold < 0 || store_collect_stages(e->store, err) < 0)
        return -err->code;
    r = import_layer(e->store, request, &blob, err);
    if (r < 0)
        return r == -ECANCELED ? r : err_wrap(err, "cannot import '%s'", request->source);
    r = record(e->store, &blob, canonical, comment, request, &platform, ret_id, err);
    if (r < 0)
        return r;
    if (canonical) {
        cleanup_free char *familiar = reference_familiar(canonical);

        image_event(e, "tag", ret_id, familiar);
    }
    image_event(e, "import", ret_id, NULL);
    return 0;
}
