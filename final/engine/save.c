/* save: images into one archive, which is two things at once: docker's archive (manifest.json,
 * repositories) and an OCI archive (oci-layout, index.json), over the same blobs. Docker has
 * written it so since version 25; every docker, podman, skopeo and containerd finds a form it
 * knows.
 *
 *     blobs/sha256/<hex>   configs, layers and manifests, as they are in the store
 *     index.json           a manifest for each name
 *     manifest.json        docker's: config, layers and names of each image
 *     oci-layout
 *     repositories         docker's of old: {"name": {"tag": "<hex of the top layer>"}}
 *
 * In that order, blobs by digest, all of 1970: the same images make the same bytes. Each blob is
 * hashed on its way out, so that a disk's error is found here and not by whoever loads it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"
#include "engine/pack.h"

#define PIECE (256u << 10)

struct saved {
    struct image image;
    struct packed_image packed;
    struct strv tags; /* canonical, as they were asked for */
};

struct saving {
    struct engine *e;
    const struct save_options *options;
    struct saved *items;
    size_t len;
    struct strv blobs; /* digests, sorted, each once */
    struct tar_writer *tar;
};

static void saving_free(struct saving *s)
{
    for (size_t i = 0; i < s->len; i++) {
        image_free(&s->items[i].image);
        packed_image_free(&s->items[i].packed);
        strv_free(&s->items[i].tags);
    }
    free(s->items);
    strv_free(&s->blobs);
    tar_writer_free(s->tar);
}

/* --- which images ----------------------------------------------------------------------------- */

/* The entry of this image, which is the caller's no more. */
static struct saved *add_image(struct saving *s, struct image *image)
{
    for (size_t i = 0; i < s->len; i++)
        if (!strcmp(s->items[i].image.id, image->id)) {
            image_free(image);
            return &s->items[i];
        }
    s->items = mem_grow(s->items, s->len + 1, sizeof *s->items);
    s->items[s->len] = (struct saved){.image = *image};
    return &s->items[s->len++];
}

static void add_tag(struct saved *item, const char *canonical)
{
    if (!strv_contains(&item->tags, canonical))
        strv_add(&item->tags, canonical);
}

/* "busybox" means every tag of that repository that is here. How many were found, or an error. */
static int add_repository(struct saving *s, const struct reference *ref, struct err *err)
{
    cleanup_free char *prefix = str_format("%s/%s:", ref->domain, ref->path);
    struct image_list list;
    int found = 0, r = store_images(s->e->store, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len && r >= 0; i++)
        for (size_t k = 0; k < list.items[i].references.len && r >= 0; k++) {
            const char *name = list.items[i].references.items[k];
            struct image image;

            if (!str_starts(name, prefix))
                continue;
            r = store_image_by_reference(s->e->store, name, &image, err);
            if (r >= 0)
                add_tag(add_image(s, &image), name);
            found++;
        }
    image_list_free(&list);
    return r < 0 ? r : found;
}

static int add_name(struct saving *s, const char *name, struct err *err)
{
    cleanup_with(reference_free) struct reference ref = {0};
    cleanup_free char *canonical = NULL;
    struct err not_a_name = {0};
    struct image image;
    struct saved *item;
    int r = reference_parse(name, &ref, &not_a_name);

    if (!r && ref.defaulted_tag) {
        r = add_repository(s, &ref, err);
        if (r)
            return r < 0 ? r : 0;
    }
    if (!r && ref.tag)
        canonical = reference_canonical(&ref);
    r = engine_find_image(s->e, name, &image, err);
    if (r == -ENOENT)
        return err_set(err, ENOENT, "No such image: %s", name);
    if (r < 0)
        return r;
    item = add_image(s, &image);
    if (canonical && strv_contains(&item->image.references, canonical))
        add_tag(item, canonical);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_blob(struct saving *s, const char *digest)
{
    if (!strv_contains(&s->blobs, digest))
        strv_add(&s->blobs, digest);
}

/* An image here is for one platform: another can only be asked for in vain. */
static int check_platform(struct saving *s, const struct saved *item, struct err *err)
{
    const char *platform = s->options ? s->options->platform : NULL;
    cleanup_free char *name = item->tags.len ? reference_familiar(item->tags.items[0]) : NULL;

    return platform ? engine_check_platform(s->e, &item->image, name ? name : item->image.id,
                                            platform, err)
                    : 0;
}

static int pack_all(struct saving *s, struct err *err)
{
    for (size_t i = 0; i < s->len; i++) {
        struct saved *item = &s->items[i];
        int r = check_platform(s, item, err);

        if (!r)
            r = image_pack(s->e, &item->image, &item->packed, err);
        if (r < 0)
            return r;
        add_blob(s, item->packed.digest);
        add_blob(s, item->packed.manifest.config.digest);
        for (size_t k = 0; k < item->packed.manifest.layer_count; k++)
            add_blob(s, item->packed.manifest.layers[k].digest);
    }
    qsort(s->blobs.items, s->blobs.len, sizeof *s->blobs.items, by_text);
    return 0;
}

/* --- documents -------------------------------------------------------------------------------- */

static int add_json(struct saving *s, const char *name, const json_t *json, struct err *err)
{
    cleanup_free char *text = json_text(json, JSON_COMPACT);

    return tar_writer_add_text(s->tar, name, text, strlen(text), 0, err);
}

static char *blob_path(const char *digest)
{
    return str_format("blobs/sha256/%s", digest_hex(digest));
}

/* `canonical` NULL: an image without a name. */
static json_t *index_entry(const struct saved *item, const char *canonical)
{
    json_t *entry = json_object(), *annotations;
    const char *colon = canonical ? strrchr(canonical, ':') : NULL;

    json_put_str(entry, "mediaType", item->packed.manifest.media_type);
    json_put_str(entry, "digest", item->packed.digest);
    json_put(entry, "size", json_integer((json_int_t)item->packed.text.len));
    if (!canonical)
        return entry;
    annotations = json_object();
    json_put_str(annotations, "io.containerd.image.name", canonical);
    json_put_str(annotations, "org.opencontainers.image.ref.name", colon + 1);
    json_put(entry, "annotations", annotations);
    return entry;
}

static json_t *make_index(const struct saving *s)
{
    json_t *index = json_object(), *manifests = json_array();

    json_put(index, "schemaVersion", json_integer(2));
    json_put_str(index, "mediaType", MEDIA_OCI_INDEX);
    for (size_t i = 0; i < s->len; i++)
        for (size_t k = 0; k < (s->items[i].tags.len ? s->items[i].tags.len : 1); k++)
            json_push(
                manifests,
                index_entry(&s->items[i], s->items[i].tags.len ? s->items[i].tags.items[k] : NULL));
    json_put(index, "manifests", manifests);
    return index;
}

static void push_path(json_t *array, const char *digest)
{
    cleanup_free char *path = blob_path(digest);

    json_push(array, json_string(path));
}

static json_t *familiar_tags(const struct strv *tags)
{
    json_t *list = json_array();

    for (size_t i = 0; i < tags->len; i++) {
        cleanup_free char *familiar = reference_familiar(tags->items[i]);

        json_push(list, json_string(familiar));
    }
    return list;
}

static bool is_saved(const struct saving *s, const char *id)
{
    for (size_t i = 0; i < s->len; i++)
        if (!strcmp(s->items[i].image.id, id))
            return true;
    return false;
}

static json_t *manifest_item(const struct saving *s, const struct saved *item)
{
    cleanup_free char *config = blob_path(item->packed.manifest.config.digest);
    json_t *json = json_object(), *layers = json_array();

    json_put_str(json, "Config", config);
    json_put(json, "RepoTags", item->tags.len ? familiar_tags(&item->tags) : json_null());
    for (size_t i = 0; i < item->packed.manifest.layer_count; i++)
        push_path(layers, item->packed.manifest.layers[i].digest);
    json_put(json, "Layers", layers);
    if (*item->image.parent && is_saved(s, item->image.parent))
        json_put_str(json, "Parent", item->image.parent);
    return json;
}

static json_t *make_manifest_list(const struct saving *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->len; i++)
        json_push(list, manifest_item(s, &s->items[i]));
    return list;
}

static json_t *make_repositories(const struct saving *s)
{
    json_t *json = json_object();

    for (size_t i = 0; i < s->len; i++)
        for (size_t k = 0; k < s->items[i].tags.len; k++) {
            const struct manifest *m = &s->items[i].packed.manifest;
            cleanup_free char *repository = NULL, *tag = NULL;

            if (!m->layer_count)
                continue;
            reference_split(s->items[i].tags.items[k], &repository, &tag);
            if (!json_object_get(json, repository))
                json_put(json, repository, json_object());
            json_put_str(json_object_get(json, repository), tag,
                         digest_hex(m->layers[m->layer_count - 1].digest));
        }
    return json;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int add_directory(struct saving *s, const char *name, struct err *err)
{
    struct tar_entry entry = {.name = name, .mode = S_IFDIR | 0755};

    return tar_writer_add(s->tar, &entry, err);
}

static int copy_blob(struct saving *s, int fd, uint64_t size, char ret_digest[DIGEST_LEN + 1],
                     struct err *err)
{
    cleanup_free char *piece = mem_alloc(PIECE);
    struct hasher *hasher = hasher_new();
    uint64_t left = size;
    int r = 0;

    while (left && r >= 0) {
        ssize_t n = file_read(fd, piece, left < PIECE ? (size_t)left : PIECE);

        if (n <= 0) {
            r = err_set(err, n < 0 ? (int)-n : EIO, "cannot read it");
            continue;
        }
        hasher_add(hasher, piece, (size_t)n);
        left -= (uint64_t)n;
        r = tar_writer_data(s->tar, piece, (size_t)n, err);
    }
    hasher_finish(hasher, ret_digest);
    return r;
}

static int add_blob_file(struct saving *s, const char *digest, struct err *err)
{
    cleanup_free char *path = blob_path(digest);
    cleanup_close int fd = store_blob_open(s->e->store, digest, err);
    struct tar_entry entry = {.name = path, .mode = S_IFREG | 0644};
    char actual[DIGEST_LEN + 1];
    struct stat st;
    int r;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return err_errno(err, "cannot stat blob '%s'", digest);
    entry.size = (uint64_t)st.st_size;
    r = tar_writer_add(s->tar, &entry, err);
    if (!r)
        r = copy_blob(s, fd, entry.size, actual, err);
    if (!r && strcmp(actual, digest))
        r = err_set(err, EBADMSG, "it is damaged on disk: its content has digest %s", actual);
    return r < 0 ? err_wrap(err, "blob '%s'", digest) : 0;
}

static int write_documents(struct saving *s, struct err *err)
{
    static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    bool docker = !s->options || !s->options->oci_only;
    cleanup_json json_t *index = make_index(s), *list = make_manifest_list(s);
    cleanup_json json_t *repositories = make_repositories(s);
    int r = add_json(s, "index.json", index, err);

    if (!r && docker)
        r = add_json(s, "manifest.json", list, err);
    if (!r)
        r = tar_writer_add_text(s->tar, "oci-layout", layout, strlen(layout), 0, err);
    if (!r && docker && json_object_size(repositories))
        r = add_json(s, "repositories", repositories, err);
    return r;
}

static int write_archive(struct saving *s, struct err *err)
{
    int r = add_directory(s, "blobs", err);

    if (!r)
        r = add_directory(s, "blobs/sha256", err);
    for (size_t i = 0; i < s->blobs.len && !r; i++)
        r = add_blob_file(s, s->blobs.items[i], err);
    if (!r)
        r = write_documents(s, err);
    return r ? r : tar_writer_end(s->tar, err);
}

static int to_descriptor(void *context, const void *data, size_t len, struct err *err)
{
    int r = file_write(*(int *)context, data, len);

    if (r == 0)
        return 0;
    errno = -r;
    return err_errno(err, "cannot write the archive");
}

int engine_save(struct engine *e, char *const *names, const struct save_options *options, int fd,
                struct err *err)
{
    cleanup_close int hold = store_hold(e->store, err);
    cleanup_with(saving_free) struct saving s = {.e = e, .options = options};
    int r = hold < 0 ? hold : store_collect_stages(e->store, err);

    for (size_t i = 0; names[i] && r >= 0; i++)
        r = add_name(&s, names[i], err);
    if (r >= 0)
        r = pack_all(&s, err);
    if (r < 0)
        return r;
    s.tar = tar_writer_new(to_descriptor, &fd);
    r = write_archive(&s, err);
    for (size_t i = 0; i < s.len && r >= 0; i++)
        image_event(e, "save", s.items[i].image.id, NULL);
    return r;
}
