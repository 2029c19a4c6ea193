/* import: a root filesystem tar becomes an image of one layer. The config's digest is the image's
 * ID. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/engine.h"
#include "engine/taker.h"

#define PIECE (256u << 10)

static int feed_all(struct taker *t, int fd, struct err *err)
{
    cleanup_free char *piece = mem_alloc(PIECE);

    for (;;) {
        ssize_t n = read(fd, piece, PIECE); /* not file_read: a pipe's writer may be slow */
        int r;

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

static int unpack(struct taker *t, int stage_fd, int fd, struct layer *layer,
                  struct layer_blob *ret_blob, struct err *err)
{
    struct layer_result result = {0};
    int r = feed_all(t, fd, err);

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
static int import_layer(struct store *store, int fd, struct layer_blob *ret_blob, struct err *err)
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
        r = unpack(t, stage_fd, fd, &layer, ret_blob, err);
    taker_free(t);
    if (!r)
        r = store_layer_publish(store, stage, &layer, err);
    if (r < 0)
        store_stage_drop(store, stage, &ignored);
    return r;
}

static int record(struct store *store, const struct layer_blob *blob, const char *canonical,
                  const char *comment, const json_t *changes, char ret_id[DIGEST_LEN + 1],
                  struct err *err)
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
    config = image_config_new(&diff_ids, comment, changes);
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

int engine_import(struct engine *e, int fd, const char *source_name, const char *reference,
                  const json_t *changes, const char *message, char ret_id[DIGEST_LEN + 1],
                  struct err *err)
{
    cleanup_free char *comment =
        message && *message ? str_copy(message) : str_format("Imported from %s", source_name);
    cleanup_with(reference_free) struct reference ref = {0};
    cleanup_free char *canonical = NULL;
    cleanup_close int hold = -1;
    struct layer_blob blob;
    int r;

    if (reference && reference_parse(reference, &ref, err) < 0) /* before the work, not after it */
        return -err->code;
    if (ref.digest)
        return err_set(err, EINVAL,
                       "cannot import digest reference '%s': a digest follows from content",
                       reference);
    canonical = reference ? reference_canonical(&ref) : NULL;
    hold = store_hold(e->store, err);
    if (hold < 0 || store_collect_stages(e->store, err) < 0)
        return -err->code;
    r = import_layer(e->store, fd, &blob, err);
    if (r < 0)
        return err_wrap(err, "cannot import '%s'", source_name);
    return record(e->store, &blob, canonical, comment, changes, ret_id, err);
}
