/* What was pulled or loaded has all its blobs and goes out as it came, to the byte. What was made
 * here has layers that are directories only; they become blobs when the image first leaves, and the
 * blobs stay: another compressor, or the same one in its next version, would give other bytes for
 * the same layer, and the registry would take it for a new one.
 *
 * That a directory packs to the tar its diffID was computed from is not believed but checked. */
#include "engine/pack.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

void packed_image_free(struct packed_image *p)
{
    buf_free(&p->text);
    manifest_free(&p->manifest);
    strv_free(&p->diff_ids);
}

/* --- one layer -------------------------------------------------------------------------------- */

/* The tar on its way: hashed, compressed, hashed, written. */
struct packing {
    struct hasher *tar, *blob;
    struct gzip_writer *gzip;
    int fd;
    uint64_t size;
};

static int take_tar(void *context, const void *data, size_t len, struct err *err)
{
    struct packing *p = context;

    hasher_add(p->tar, data, len);
    return gzip_writer_add(p->gzip, data, len, err);
}

static int take_packed(void *context, const void *data, size_t len, struct err *err)
{
    struct packing *p = context;

    hasher_add(p->blob, data, len);
    p->size += len;
    return store_blob_write(p->fd, data, len, err);
}

static int pack_tree(int tree, int fd, struct layer_blob *ret, struct err *err)
{
    struct packing p = {.tar = hasher_new(), .blob = hasher_new(), .fd = fd};
    int r;

    p.gzip = gzip_writer_new(take_packed, &p);
    r = layer_pack(tree, take_tar, &p, err);
    if (!r)
        r = gzip_writer_end(p.gzip, err);
    gzip_writer_free(p.gzip);
    hasher_finish(p.tar, ret->diff_id);
    hasher_finish(p.blob, ret->digest);
    strcpy(ret->media_type, MEDIA_OCI_LAYER_GZIP);
    ret->size = p.size;
    return r;
}

static int pack_layer(struct store *store, const struct layer *layer, struct layer_blob *ret,
                      struct err *err)
{
    cleanup_close int tree =
        openat(store->layers_fd, layer->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int fd = -1;
    char name[64];
    struct err ignored;
    int r;

    if (tree < 0)
        return err_errno(err, "cannot open layer '%s'", layer->chain_id);
    fd = store_blob_begin(store, name, err);
    if (fd < 0)
        return fd;
    r = pack_tree(tree, fd, ret, err);
    if (!r && strcmp(ret->diff_id, layer->diff_id))
        r = err_set(err, EBADMSG,
                    "layer %s is not what it was: its files give diffID %s; somebody has changed "
                    "'%s/layers/%s'",
                    layer->diff_id, ret->diff_id, store->root, layer->dir);
    if (!r)
        r = store_blob_commit(store, name, fd, ret->digest, err);
    if (r < 0)
        store_stage_drop(store, name, &ignored);
    return r;
}

/* --- the manifest ----------------------------------------------------------------------------- */

static json_t *descriptor(const char *media_type, const char *digest, uint64_t size)
{
    json_t *d = json_object();

    json_put_str(d, "mediaType", media_type);
    json_put_str(d, "digest", digest);
    json_put(d, "size", json_integer((json_int_t)size));
    return d;
}

/* Docker's names of the same things mean nothing in an OCI manifest. */
static const char *oci_type(const char *media_type)
{
    const char *compression = layer_compression(media_type);

    return !str_equal(compression, "zstd") && !str_equal(compression, "none") ? MEDIA_OCI_LAYER_GZIP
           : str_equal(compression, "zstd")                                   ? MEDIA_OCI_LAYER_ZSTD
                                                                              : MEDIA_OCI_LAYER;
}

static char *make_manifest(const char *id, uint64_t config_size, const struct layer_blob *blobs,
                           size_t count)
{
    cleanup_json json_t *m = json_object();
    json_t *layers = json_array();

    json_put(m, "schemaVersion", json_integer(2));
    json_put_str(m, "mediaType", MEDIA_OCI_MANIFEST);
    json_put(m, "config", descriptor(MEDIA_OCI_CONFIG, id, config_size));
    for (size_t i = 0; i < count; i++)
        json_push(layers,
                  descriptor(oci_type(blobs[i].media_type), blobs[i].digest, blobs[i].size));
    json_put(m, "layers", layers);
    return json_text(m, JSON_COMPACT);
}

/* --- the image -------------------------------------------------------------------------------- */

/* One blob for each layer, packed now where there is none. */
static int get_blobs(struct store *store, const struct strv *chain_ids, struct layer_blob *blobs,
                     struct err *err)
{
    for (size_t i = 0; i < chain_ids->len; i++) {
        struct layer layer;
        int r = store_layer_find(store, chain_ids->items[i], &layer, err);

        if (r == -ENOENT)
            return err_set(err, ENOENT, "layer '%s' is missing", chain_ids->items[i]);
        if (!r)
            r = store_layer_blob(store, layer.diff_id, &blobs[i], err);
        if (r == -ENOENT)
            r = pack_layer(store, &layer, &blobs[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int record(struct store *store, const struct image *image, const char *manifest,
                  const struct strv *chain_ids, const struct layer_blob *blobs, struct err *err)
{
    struct image_record record = {.id = image->id,
                                  .manifest = manifest,
                                  .created_ns = image->created_ns,
                                  .chain_ids = *chain_ids,
                                  .packed = blobs,
                                  .packed_count = chain_ids->len,
                                  .known = true};
    int r;

    strv_add(&record.blobs, manifest);
    for (size_t i = 0; i < chain_ids->len; i++)
        strv_add(&record.blobs, blobs[i].digest);
    r = store_image_add(store, &record, err);
    strv_free(&record.blobs);
    return r;
}

static int make(struct store *store, const struct image *image, struct packed_image *p,
                struct err *err)
{
    cleanup_strv struct strv chain_ids = {0};
    cleanup_free struct layer_blob *blobs = NULL;
    uint64_t config_size = 0;
    int r = store_image_layers(store, image->id, NULL, &chain_ids, err);

    if (r < 0)
        return r;
    blobs = mem_alloc((chain_ids.len + 1) * sizeof *blobs);
    store_has_blob(store, image->id, &config_size);
    r = get_blobs(store, &chain_ids, blobs, err);
    if (r < 0)
        return r;
    buf_free(&p->text);
    p->text.data = make_manifest(image->id, config_size, blobs, chain_ids.len);
    p->text.len = strlen(p->text.data);
    digest_of(p->text.data, p->text.len, p->digest);
    r = store_blob_put(store, p->digest, p->text.data, p->text.len, err);
    return r < 0 ? r : record(store, image, p->digest, &chain_ids, blobs, err);
}

/* The manifest it came with, if all it lists is here. 1: it will do. */
static int load_own(struct store *store, const struct image *image, struct packed_image *p,
                    struct err *err)
{
    bool whole;

    if (!*image->manifest || !store_has_blob(store, image->manifest, NULL))
        return 0;
    if (store_blob_load(store, image->manifest, MANIFEST_MAX, &p->text, err) < 0 ||
        manifest_parse(p->text.data, p->text.len, NULL, &p->manifest, err) < 0)
        return -err->code;
    strcpy(p->digest, image->manifest);
    whole = store_has_blob(store, p->manifest.config.digest, NULL);
    for (size_t i = 0; i < p->manifest.layer_count; i++)
        whole = whole && store_has_blob(store, p->manifest.layers[i].digest, NULL);
    if (!whole)
        manifest_free(&p->manifest);
    return whole;
}

int image_pack(struct engine *e, const struct image *image, struct packed_image *ret,
               struct err *err)
{
    struct packed_image p = {0};
    cleanup_json json_t *config = store_image_config(e->store, image->id, err);
    int r = config ? load_own(e->store, image, &p, err) : -err->code;

    if (!r) {
        r = make(e->store, image, &p, err);
        if (!r)
            r = manifest_parse(p.text.data, p.text.len, NULL, &p.manifest, err);
    }
    if (r < 0) {
        packed_image_free(&p);
        return err_wrap(err, "image %.12s", digest_hex(image->id));
    }
    strcpy(p.id, image->id);
    json_strings(json_at(config, "rootfs.diff_ids"), &p.diff_ids);
    *ret = p;
    return 0;
}
