/* Manifests and indexes: OCI image spec 1.1, manifest.md and image-index.md, and docker's schema 2.
 *
 * The same bytes must mean the same to everybody who checked their digest. Two attacks live in that
 * sentence: a document that is a manifest to one reader and an index to another (CVE-2021-41190),
 * and a digest that one reader takes for a path (CVE-2024-3727). So a document has exactly one
 * shape, the server's Content-Type and its own mediaType agree, and a digest is
 * ^sha256:[0-9a-f]{64}$. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "image/image.h"
#include "image/platform.h"

#define DOCKER "application/vnd.docker."
#define OCI    "application/vnd.oci.image."

/* What a layer's media type says about its bytes. NULL: not fetched from where its `urls` point. */
static const struct {
    const char *media_type, *compression;
} layer_types[] = {
    {DOCKER "image.rootfs.diff.tar.gzip", "gzip"},
    {DOCKER "image.rootfs.diff.tar.zstd", "zstd"},
    {DOCKER "image.rootfs.diff.tar", "none"},
    {OCI "layer.v1.tar+gzip", "gzip"},
    {OCI "layer.v1.tar+zstd", "zstd"},
    {OCI "layer.v1.tar", "none"},
    {DOCKER "image.rootfs.foreign.diff.tar.gzip", NULL},
    {DOCKER "image.rootfs.foreign.diff.tar", NULL},
    {DOCKER "image.rootfs.diff.tar.foreign.gzip", NULL},
    {OCI "layer.nondistributable.v1.tar+gzip", NULL},
    {OCI "layer.nondistributable.v1.tar+zstd", NULL},
    {OCI "layer.nondistributable.v1.tar", NULL},
};

static const char *const config_types[] = {
    DOCKER "container.image.v1+json", OCI "config.v1+json",
    "application/octet-stream", /* registries of 2016 and earlier */
};

const char *layer_compression(const char *media_type)
{
    for (size_t i = 0; i < sizeof layer_types / sizeof *layer_types; i++)
        if (str_equal(media_type, layer_types[i].media_type))
            return layer_types[i].compression;
    return NULL;
}

/* --- what kind of document -------------------------------------------------------------------- */

enum kind { KIND_UNKNOWN, KIND_MANIFEST, KIND_INDEX, KIND_SCHEMA1 };

static const struct {
    const char *media_type;
    enum kind kind;
} kinds[] = {
    {MEDIA_DOCKER_MANIFEST, KIND_MANIFEST},
    {MEDIA_OCI_MANIFEST, KIND_MANIFEST},
    {MEDIA_DOCKER_LIST, KIND_INDEX},
    {MEDIA_OCI_INDEX, KIND_INDEX},
    {DOCKER "distribution.manifest.v1+json", KIND_SCHEMA1},
    {DOCKER "distribution.manifest.v1+prettyjws", KIND_SCHEMA1},
};

/* Parameters ("; charset=utf-8") do not count. A type nobody knows, as "application/json", tells
 * nothing. */
static enum kind kind_of_type(const char *media_type)
{
    size_t n = media_type ? strcspn(media_type, "; ") : 0;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (n && n == strlen(kinds[i].media_type) && !strncmp(media_type, kinds[i].media_type, n))
            return kinds[i].kind;
    return KIND_UNKNOWN;
}

/* Decides by mediaType, and where there is none (OCI made it optional) by shape. */
static int classify(const json_t *json, const char *served, enum kind *ret, struct err *err)
{
    const char *own = json_str(json, "mediaType", NULL);
    enum kind by_server = kind_of_type(served), by_document = kind_of_type(own);
    bool manifests = json_object_get(json, "manifests") != NULL;
    bool layers =
        json_object_get(json, "layers") != NULL || json_object_get(json, "config") != NULL;

    if (!json_is_object(json))
        return err_set(err, EINVAL, "the manifest is not a JSON object");
    if (by_server == KIND_SCHEMA1 || by_document == KIND_SCHEMA1 ||
        json_int(json, "schemaVersion", 0) == 1)
        return err_set(err, ENOTSUP,
                       "the image has a schema 1 manifest, which has been obsolete since 2017: "
                       "push it again with a current tool");
    if (json_int(json, "schemaVersion", 0) != 2)
        return err_set(err, EINVAL, "the manifest's schemaVersion is not 2");
    if (manifests && layers)
        return err_set(err, EINVAL,
                       "the manifest has both 'manifests' and 'layers' or 'config': refused, "
                       "because it means different images to different readers");
    if (!manifests && !layers)
        return err_set(err, EINVAL, "the document is neither a manifest nor an index");
    if (own && by_server && strncmp(own, served, strlen(own)) != 0)
        return err_set(err, EINVAL, "the server calls the manifest '%s', the manifest itself '%s'",
                       served, own);
    if (own && !by_document)
        return err_set(err, ENOTSUP, "manifests of type '%s' are not supported", own);
    *ret = manifests ? KIND_INDEX : KIND_MANIFEST;
    if ((by_server && by_server != *ret) || (by_document && by_document != *ret))
        return err_set(err, EINVAL, "the manifest has not the content its type '%s' says",
                       by_document ? own : served);
    return 0;
}

/* The length before the parser: what cannot be a manifest is not worth its memory. */
static json_t *load(const char *text, size_t len, const char *media_type, enum kind *ret,
                    struct err *err)
{
    cleanup_json json_t *json = NULL;

    if (len > MANIFEST_MAX) {
        err_set(err, EFBIG, "the manifest is larger than %u bytes", MANIFEST_MAX);
        return NULL;
    }
    json = json_parse(text, len, "the manifest", err);
    if (!json || classify(json, media_type, ret, err) < 0)
        return NULL;
    return steal_ptr(&json);
}

int manifest_is_index(const char *text, size_t len, const char *media_type, bool *ret,
                      struct err *err)
{
    enum kind kind;
    cleanup_json json_t *json = load(text, len, media_type, &kind, err);

    if (!json)
        return -err->code;
    *ret = kind == KIND_INDEX;
    return 0;
}

/* --- descriptors ------------------------------------------------------------------------------ */

static int parse_descriptor(const json_t *json, const char *what, struct descriptor *ret,
                            struct err *err)
{
    const char *media_type = json_str(json, "mediaType", NULL);
    const char *digest = json_str(json, "digest", NULL);
    const json_t *size = json_object_get(json, "size");

    if (!media_type)
        return err_set(err, EINVAL, "%s has no mediaType", what);
    if (!digest_valid(digest))
        return err_set(err, EINVAL, "%s has no valid digest: '%.100s'", what, digest ? digest : "");
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return err_set(err, EINVAL, "%s (%s) has no valid size", what, digest);
    ret->media_type = str_copy(media_type);
    strcpy(ret->digest, digest);
    ret->size = (uint64_t)json_integer_value(size);
    return 0;
}

void descriptor_free(struct descriptor *d)
{
    free(d->media_type);
    *d = (struct descriptor){0};
}

/* --- manifests -------------------------------------------------------------------------------- */

static int check_config(const struct descriptor *config, struct err *err)
{
    bool known = false;

    for (size_t i = 0; i < sizeof config_types / sizeof *config_types; i++)
        known |= !strcmp(config->media_type, config_types[i]);
    if (!known)
        return err_set(err, ENOTSUP, "this is no container image: its config is of type '%s'",
                       config->media_type);
    if (config->size > CONFIG_MAX)
        return err_set(err, EFBIG, "the config is larger than %u bytes", CONFIG_MAX);
    return 0;
}

static int check_layer(const struct descriptor *layer, struct err *err)
{
    for (size_t i = 0; i < sizeof layer_types / sizeof *layer_types; i++) {
        if (strcmp(layer->media_type, layer_types[i].media_type) != 0)
            continue;
        if (layer_types[i].compression)
            return 0;
        return err_set(err, ENOTSUP,
                       "layer %s is foreign ('%s'): its content lies elsewhere and is not fetched",
                       layer->digest, layer->media_type);
    }
    return err_set(err, ENOTSUP, "layer %s is of unknown type '%s'", layer->digest,
                   layer->media_type);
}

static int parse_layers(const json_t *layers, struct manifest *m, struct err *err)
{
    json_t *item;
    size_t i;

    if (!json_is_array(layers))
        return err_set(err, EINVAL, "the manifest has no array 'layers'");
    m->layers = mem_alloc(json_array_size(layers) * sizeof *m->layers);
    json_array_foreach(layers, i, item)
    {
        int r = parse_descriptor(item, "a layer of the manifest", &m->layers[i], err);

        if (r < 0)
            return r;
        m->layer_count++;
        r = check_layer(&m->layers[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int parse_manifest(const json_t *json, struct manifest *m, struct err *err)
{
    int r =
        parse_descriptor(json_object_get(json, "config"), "the manifest's config", &m->config, err);

    if (!r)
        r = check_config(&m->config, err);
    return r ? r : parse_layers(json_object_get(json, "layers"), m, err);
}

int manifest_parse(const char *text, size_t len, const char *media_type, struct manifest *ret,
                   struct err *err)
{
    struct manifest m = {0};
    enum kind kind;
    cleanup_json json_t *json = load(text, len, media_type, &kind, err);
    const char *type;
    int r;

    if (!json)
        return -err->code;
    if (kind != KIND_MANIFEST)
        return err_set(err, EINVAL,
                       "the document is an index of manifests, where one manifest was expected");
    r = parse_manifest(json, &m, err);
    if (r < 0) {
        manifest_free(&m);
        return r;
    }
    type = json_str(json, "mediaType", kind_of_type(media_type) ? media_type : MEDIA_OCI_MANIFEST);
    m.media_type = str_copy_n(type, strcspn(type, "; "));
    *ret = m;
    return 0;
}

void manifest_free(struct manifest *m)
{
    for (size_t i = 0; i < m->layer_count; i++)
        descriptor_free(&m->layers[i]);
    free(m->layers);
    free(m->media_type);
    descriptor_free(&m->config);
    *m = (struct manifest){0};
}

/* --- indexes ---------------------------------------------------------------------------------- */

/* An entry without a platform is taken when nothing better is there: its config will tell.
 * Attestations are marked "unknown/unknown" so that nobody runs them. */
static int rank_entry(const json_t *entry, const struct platform *wanted)
{
    const json_t *platform = json_object_get(entry, "platform");
    int rank;

    if (!json_is_object(platform))
        return 1;
    rank = platform_rank(wanted, json_str(platform, "os", ""),
                         json_str(platform, "architecture", ""), json_str(platform, "variant", ""));
    return rank ? rank + 1 : 0;
}

/* The first of equals, as docker takes it: builders put the plain image before its variations. */
static const json_t *best_entry(const json_t *entries, const struct platform *wanted)
{
    const json_t *best = NULL;
    int best_rank = 0;
    json_t *entry;
    size_t i;

    json_array_foreach(entries, i, entry)
    {
        int rank = rank_entry(entry, wanted);

        if (rank > best_rank) {
            best = entry;
            best_rank = rank;
        }
    }
    return best;
}

int index_pick(const char *text, size_t len, const struct platform *wanted, struct descriptor *ret,
               struct err *err)
{
    enum kind kind;
    cleanup_json json_t *json = load(text, len, NULL, &kind, err);
    struct descriptor found = {0};
    const json_t *entry;
    char name[PLATFORM_TEXT];
    int r;

    if (!json)
        return -err->code;
    if (kind != KIND_INDEX || !json_is_array(json_object_get(json, "manifests")))
        return err_set(err, EINVAL, "the document is no index of manifests");
    entry = best_entry(json_object_get(json, "manifests"), wanted);
    platform_text(wanted, name);
    if (!entry)
        return err_set(err, ENOENT, "no matching manifest for %s in the manifest list entries",
                       name);
    r = parse_descriptor(entry, "the index's entry", &found, err);
    if (r < 0)
        return r;
    if (found.size > MANIFEST_MAX) {
        descriptor_free(&found);
        return err_set(err, EFBIG, "the manifest for %s is larger than %u bytes", name,
                       MANIFEST_MAX);
    }
    *ret = found;
    return 0;
}
