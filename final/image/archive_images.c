/* Which images an archive holds, and which of its members they are made of.
 *
 * Docker's manifest.json names members directly: [{"Config", "RepoTags", "Layers", "Parent"}]. An
 * OCI index names them by digest, through a manifest each. Docker writes both since version 25: the
 * same image then has its names in the one and its manifest, with all digests, in the other. What
 * docker wrote before it had a manifest.json is in archive_legacy.c. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "image/archive_list.h"
#include "image/image.h"

#define DOCUMENT_MAX (16u << 20) /* manifest.json and index.json of very many images */
#define IMAGES_MAX   10000
#define NAMES_MAX    10000 /* of one image */
#define NESTED_MAX   4     /* indexes in indexes */

void archived_image_free(struct archived_image *image)
{
    free(image->config_text);
    free(image->config);
    free(image->manifest);
    for (size_t i = 0; i < image->layer_count; i++) {
        free(image->layers[i].name);
        free(image->layers[i].media_type);
    }
    free(image->layers);
    strv_free(&image->tags);
}

void archived_images_free(struct archived_images *images)
{
    for (size_t i = 0; i < images->len; i++)
        archived_image_free(&images->items[i]);
    free(images->items);
    *images = (struct archived_images){0};
}

int archive_list_add(struct archived_images *images, const struct archived_image *image,
                     struct err *err)
{
    if (images->len == IMAGES_MAX)
        return err_set(err, E2BIG, "the archive has more than %d images", IMAGES_MAX);
    images->items = mem_grow(images->items, images->len + 1, sizeof *images->items);
    images->items[images->len++] = *image;
    return 0;
}

int archive_json(struct image_archive *a, const char *name, json_t **ret, struct err *err)
{
    cleanup_buf struct buf text = {0};
    struct archive_member unused;
    int r = image_archive_find(a, name, &unused, err);

    *ret = NULL;
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (image_archive_load(a, name, DOCUMENT_MAX, &text, err) < 0)
        return -err->code;
    *ret = json_parse(text.data, text.len, name, err);
    return *ret ? 1 : -err->code;
}

int archived_image_tag(struct archived_image *image, const char *name, struct err *err)
{
    cleanup_with(reference_free) struct reference ref = {0};
    cleanup_free char *canonical = NULL;

    if (reference_parse(name, &ref, err) < 0)
        return err_wrap(err, "the archive's name '%.200s' for an image", name);
    if (ref.digest) /* no name that could be given here */
        return 0;
    if (image->tags.len == NAMES_MAX)
        return err_set(err, E2BIG, "the archive has more than %d names for an image", NAMES_MAX);
    canonical = reference_canonical(&ref);
    if (!strv_contains(&image->tags, canonical))
        strv_add(&image->tags, canonical);
    return 0;
}

/* --- manifest.json ---------------------------------------------------------------------------- */

/* "blobs/sha256/<hex>", "<hex>.json", "sha256:<hex>": a name that says what the content is. */
static void digest_of_name(const char *name, char ret[DIGEST_LEN + 1])
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    char digest[DIGEST_LEN + 1];

    base += str_starts(base, "sha256:") ? 7 : 0;
    snprintf(digest, sizeof digest, "sha256:%.64s", base);
    *ret = 0;
    if (digest_valid(digest) && (!base[64] || !strcmp(base + 64, ".json")))
        strcpy(ret, digest);
}

/* Digests in names are kept and checked later against the content; where names say nothing (the old
 * "<id>/layer.tar"), the diffIDs in the config are what the layers are held against. */
static int read_item(const json_t *item, struct archived_image *image, struct err *err)
{
    const char *config = json_str(item, "Config", NULL), *parent = json_str(item, "Parent", "");
    const json_t *layers = json_object_get(item, "Layers"),
                 *tags = json_object_get(item, "RepoTags");
    json_t *value;
    size_t i;

    if (!config || !*config || !json_is_array(layers))
        return err_set(err, EINVAL, "manifest.json has an image without \"Config\" or \"Layers\"");
    image->config = str_copy(config);
    digest_of_name(config, image->config_digest);
    if (digest_valid(parent))
        strcpy(image->parent, parent);
    image->layers = mem_alloc((json_array_size(layers) + 1) * sizeof *image->layers);
    json_array_foreach(layers, i, value)
    {
        struct archived_layer *layer = &image->layers[image->layer_count];

        if (!json_is_string(value))
            return err_set(err, EINVAL, "manifest.json has a layer that is no name");
        image->layer_count++;
        layer->name = str_copy(json_string_value(value));
        if (str_starts(layer->name, "blobs/"))
            digest_of_name(layer->name, layer->digest);
    }
    json_array_foreach(tags, i, value) if (json_is_string(value) &&
                                           archived_image_tag(image, json_string_value(value),
                                                              err) < 0) return -err->code;
    return 0;
}

static int read_docker(struct image_archive *a, struct archived_images *images, struct err *err)
{
    cleanup_json json_t *list = NULL;
    int r = archive_json(a, "manifest.json", &list, err);
    json_t *item;
    size_t i;

    if (r <= 0)
        return r;
    if (!json_is_array(list))
        return err_set(err, EINVAL, "manifest.json is not a list of images");
    json_array_foreach(list, i, item)
    {
        struct archived_image image = {0};

        r = read_item(item, &image, err);
        if (r >= 0)
            r = archive_list_add(images, &image, err);
        if (r < 0) {
            archived_image_free(&image);
            return r;
        }
    }
    return 1;
}

/* --- index.json ------------------------------------------------------------------------------- */

static char *blob_name(const char *digest)
{
    return str_format("blobs/sha256/%s", digest_hex(digest));
}

/* A document that is named by its digest. */
static int load_blob(struct image_archive *a, const char *digest, uint64_t size, struct buf *ret,
                     struct err *err)
{
    cleanup_free char *name = blob_name(digest);
    char actual[DIGEST_LEN + 1];
    int r = image_archive_load(a, name, MANIFEST_MAX, ret, err);

    if (r < 0)
        return r;
    digest_of(ret->data, ret->len, actual);
    if (strcmp(actual, digest))
        return err_set(err, EBADMSG, "member '%s' of the archive has digest %s", name, actual);
    if (ret->len != size)
        return err_set(err, EBADMSG, "member '%s' of the archive has %zu bytes, not %llu", name,
                       ret->len, (unsigned long long)size);
    return 0;
}

static void fill_layers(struct archived_image *image, const struct manifest *m)
{
    image->layers = mem_alloc((m->layer_count + 1) * sizeof *image->layers);
    image->layer_count = m->layer_count;
    for (size_t i = 0; i < m->layer_count; i++) {
        image->layers[i].name = blob_name(m->layers[i].digest);
        strcpy(image->layers[i].digest, m->layers[i].digest);
        image->layers[i].size = m->layers[i].size;
        image->layers[i].media_type = str_copy(m->layers[i].media_type);
    }
}

/* A bare tag names nothing: which repository it is of only the writer knew. */
static int add_annotated_name(const json_t *annotations, struct archived_image *image,
                              struct err *err)
{
    const char *whole = json_string_value(json_object_get(annotations, "io.containerd.image.name"));
    const char *name =
        json_string_value(json_object_get(annotations, "org.opencontainers.image.ref.name"));

    if (whole)
        return archived_image_tag(image, whole, err);
    return name && strpbrk(name, ":/") ? archived_image_tag(image, name, err) : 0;
}

static int add_manifest(const char *digest, const struct buf *text, const json_t *annotations,
                        struct archived_images *images, struct err *err)
{
    struct archived_image image = {0};
    struct manifest m;
    int r = manifest_parse(text->data, text->len, NULL, &m, err);

    if (r < 0)
        return err_wrap(err, "manifest %s", digest);
    image.config = blob_name(m.config.digest);
    strcpy(image.config_digest, m.config.digest);
    image.manifest = blob_name(digest);
    strcpy(image.manifest_digest, digest);
    fill_layers(&image, &m);
    manifest_free(&m);
    r = add_annotated_name(annotations, &image, err);
    if (r >= 0)
        r = archive_list_add(images, &image, err);
    if (r < 0)
        archived_image_free(&image);
    return r;
}

/* A descriptor of the index: a manifest, or an index of several platforms, of which one is taken as
 * from a registry. Indexes may hold indexes; to a small depth, or a loop of two would not end. */
static int follow(struct image_archive *a, const struct platform *wanted, const char *digest,
                  uint64_t size, const json_t *annotations, int depth,
                  struct archived_images *images, struct err *err)
{
    cleanup_with(descriptor_free) struct descriptor picked = {0};
    cleanup_buf struct buf text = {0};
    bool index;
    int r = load_blob(a, digest, size, &text, err);

    if (!r)
        r = manifest_is_index(text.data, text.len, NULL, &index, err);
    if (r < 0)
        return err_wrap(err, "index.json");
    if (!index)
        return add_manifest(digest, &text, annotations, images, err);
    if (depth == NESTED_MAX)
        return err_set(err, ELOOP, "the archive's indexes are nested too deep");
    r = index_pick(text.data, text.len, wanted, &picked, err);
    if (r < 0)
        return r;
    return follow(a, wanted, picked.digest, picked.size, annotations, depth + 1, images, err);
}

static bool is_attestation(const json_t *entry)
{
    return json_object_get(json_object_get(entry, "annotations"), "vnd.docker.reference.type") ||
           !strcmp(json_str(entry, "platform.os", ""), "unknown");
}

static int read_oci(struct image_archive *a, const struct platform *wanted,
                    struct archived_images *images, struct err *err)
{
    cleanup_json json_t *index = NULL;
    int r = archive_json(a, "index.json", &index, err);
    json_t *entry;
    size_t i;

    if (r <= 0)
        return r;
    if (!json_is_array(json_object_get(index, "manifests")))
        return err_set(err, EINVAL, "index.json has no list \"manifests\"");
    json_array_foreach(json_object_get(index, "manifests"), i, entry)
    {
        const char *digest = json_str(entry, "digest", NULL);

        if (is_attestation(entry))
            continue;
        if (!digest_valid(digest))
            return err_set(err, EINVAL, "index.json has an invalid digest: '%.100s'",
                           digest ? digest : "");
        r = follow(a, wanted, digest, (uint64_t)json_int(entry, "size", 0),
                   json_object_get(entry, "annotations"), 0, images, err);
        if (r < 0)
            return r;
    }
    return 1;
}

/* --- together --------------------------------------------------------------------------------- */

/* The OCI entry was read first and has the digests, docker's has the names people gave. */
static void merge_names(struct archived_image *into, const struct archived_image *from)
{
    for (size_t i = 0; i < from->tags.len; i++)
        if (!strv_contains(&into->tags, from->tags.items[i]))
            strv_add(&into->tags, from->tags.items[i]);
    if (!*into->parent)
        strcpy(into->parent, from->parent);
}

/* Several entries of index.json for one manifest, one a name; and docker's entry for it. */
static void merge(struct archived_images *images)
{
    size_t kept = 0;

    for (size_t i = 0; i < images->len; i++) {
        struct archived_image *image = &images->items[i], *same = NULL;

        for (size_t k = 0; k < kept && !same; k++)
            if (*image->config_digest &&
                !strcmp(images->items[k].config_digest, image->config_digest))
                same = &images->items[k];
        if (same) {
            merge_names(same, image);
            archived_image_free(image);
        } else {
            images->items[kept++] = *image;
        }
    }
    images->len = kept;
}

int image_archive_images(struct image_archive *a, const struct platform *wanted,
                         struct archived_images *ret, struct err *err)
{
    struct archived_images images = {0};
    int oci = read_oci(a, wanted, &images, err);
    int docker = oci < 0 ? oci : read_docker(a, &images, err);

    if (!oci && !docker) /* the newer forms hold the old one as well, for docker's own use */
        docker = archive_legacy(a, &images, err);
    if (!oci && !docker)
        docker = err_set(
            err, EINVAL,
            "the archive has no manifest.json, index.json or repositories: it holds no image "
            "(a root file system is for `import`)");
    if (docker < 0) {
        archived_images_free(&images);
        return docker;
    }
    merge(&images);
    if (!images.len)
        return err_set(err, EINVAL, "the archive lists no image");
    *ret = images;
    return 0;
}
