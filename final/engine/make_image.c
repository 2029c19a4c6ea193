/* A new image: one that is here, or nothing, and a layer of differences over it. commit, insert and
 * every step of a build end here.
 *
 *     digest   of the tar the layer stands for; only from here on its name is known
 *     publish  the layer
 *     record   config, then the image in one transaction
 *
 * The tar itself is not kept: packing the layer again gives the same bytes (layer_pack).
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/internal.h"

#define LAYERS_MAX 127 /* what one overlay mount takes */

/* On the way to an image; freed in one place. */
struct making {
    struct store *store;
    const struct image_step *step;
    char *canonical;         /* NULL: the image gets no name */
    json_t *parent;          /* the config of the parent, or an empty object */
    struct strv diff_ids;    /* of the parent's layers, then the new one's */
    struct strv chain_ids;   /* likewise */
    struct strv blobs;       /* that the new image keeps alive */
    bool empty;              /* no layer */
    char id[DIGEST_LEN + 1]; /* the result */
};

static void making_free(struct making *m)
{
    free(m->canonical);
    json_decref(m->parent);
    strv_free(&m->diff_ids);
    strv_free(&m->chain_ids);
    strv_free(&m->blobs);
}

/* --- the layer -------------------------------------------------------------------------------- */

bool directory_has_entries(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *list = copy < 0 ? NULL : fdopendir(copy);

    return !list || file_next_entry(list) || errno; /* in doubt there are some */
}

/* Nothing but the root, and that as the layers below have it: such a layer would say nothing. */
static bool is_empty(const struct making *m, int stage_fd)
{
    cleanup_strv struct strv dirs = {0};
    struct err ignored;
    struct stat mine, below = {.st_mode = S_IFDIR | 0755};

    if (stage_fd < 0)
        return true;
    if (directory_has_entries(stage_fd) || fstat(stage_fd, &mine) < 0)
        return false;
    if (m->step->parent && store_image_layers(m->store, m->step->parent, &dirs, NULL, &ignored) < 0)
        return false;
    if (dirs.len && fstatat(m->store->layers_fd, dirs.items[dirs.len - 1], &below, 0) < 0)
        return false;
    return mine.st_mode == below.st_mode && mine.st_uid == below.st_uid &&
           mine.st_gid == below.st_gid;
}

int engine_publish_tree(struct engine *e, const char *stage, int stage_fd, const char *parent,
                        struct layer *ret, struct err *err)
{
    struct layer layer = {0};
    int r = layer_digest(stage_fd, layer.diff_id, &layer.size, err);

    if (r < 0)
        return r;
    snprintf(layer.parent, sizeof layer.parent, "%s", parent);
    chain_id(parent, layer.diff_id, layer.chain_id);
    r = store_layer_publish(e->store, stage, &layer, err);
    if (r >= 0)
        *ret = layer;
    return r < 0 ? r : 0;
}

static int publish(struct engine *e, struct making *m, const char *stage, int stage_fd,
                   struct err *err)
{
    const char *below = m->chain_ids.len ? m->chain_ids.items[m->chain_ids.len - 1] : "";
    struct layer layer;
    int r;

    if (m->chain_ids.len >= LAYERS_MAX)
        return err_set(err, EOVERFLOW,
                       "max depth exceeded: the image has %zu layers, an overlay takes %d",
                       m->chain_ids.len, LAYERS_MAX);
    r = engine_publish_tree(e, stage, stage_fd, below, &layer, err);
    if (r < 0)
        return r;
    strv_add(&m->diff_ids, layer.diff_id);
    strv_add(&m->chain_ids, layer.chain_id);
    return 0;
}

/* --- the config ------------------------------------------------------------------------------- */

/* The members of docker's Config that say how an image is to be run. The others belong to the
 * container: its host name, its terminal. */
static const char *const image_members[] = {
    "User",   "ExposedPorts", "Env",   "Entrypoint", "Cmd",         "Volumes",     "WorkingDir",
    "Labels", "StopSignal",   "Shell", "OnBuild",    "Healthcheck", "ArgsEscaped",
};

static bool says_nothing(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
           (json_is_object(value) && !json_object_size(value)) ||
           (json_is_array(value) && !json_array_size(value));
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Ports, volumes and labels are sorted, as every engine written in Go writes them: two Dockerfiles
 * that say the same give the same image. Healthcheck has an order of its own, by which it came. */
static json_t *in_order(const char *name, json_t *value)
{
    cleanup_strv struct strv keys = {0};
    json_t *sorted = NULL, *member;
    const char *key;

    if (!json_is_object(value) || !strcmp(name, "Healthcheck"))
        return json_deep_copy(value);
    json_object_foreach(value, key, member) strv_add(&keys, key);
    if (keys.len)
        qsort(keys.items, keys.len, sizeof *keys.items, by_bytes);
    sorted = json_object();
    for (size_t i = 0; i < keys.len; i++)
        json_object_set(sorted, keys.items[i], json_object_get(value, keys.items[i]));
    return sorted;
}

json_t *engine_image_members(const json_t *config)
{
    json_t *kept = json_object();

    for (size_t i = 0; i < sizeof image_members / sizeof *image_members; i++) {
        json_t *value = json_object_get(config, image_members[i]);

        if (!says_nothing(value))
            json_put(kept, image_members[i], in_order(image_members[i], value));
    }
    return kept;
}

static void put_if(json_t *object, const char *name, const char *value)
{
    if (value && *value)
        json_put_str(object, name, value);
}

static json_t *history(const struct making *m, const char *created)
{
    json_t *list = json_deep_copy(json_object_get(m->parent, "history")), *entry = json_object();

    json_put_str(entry, "created", created);
    put_if(entry, "created_by", m->step->created_by);
    put_if(entry, "author", m->step->author);
    put_if(entry, "comment", m->step->comment);
    if (m->empty)
        json_put(entry, "empty_layer", json_true());
    if (!json_is_array(list)) {
        json_decref(list);
        list = json_array();
    }
    json_push(list, entry);
    return list;
}

/* The parent's: what it runs on has not changed. Without a parent, or for another platform than
 * its, what the step says, or this machine's. */
static void put_platform(const struct making *m, json_t *config)
{
    static const char *const members[] = {"architecture", "variant", "os", "os.version",
                                          "os.features"};
    struct platform host;

    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_object_get(m->parent, members[i]))
            json_object_set(config, members[i], json_object_get(m->parent, members[i]));
    if (m->step->parent)
        return;
    platform_host(&host);
    json_put_str(config, "architecture", host.architecture);
    put_if(config, "variant", host.variant);
    json_put_str(config, "os", host.os);
}

static json_t *make_config(const struct making *m)
{
    json_t *config = json_object(), *rootfs = json_object();
    char created[40];

    clock_format(m->step->created_ns ? m->step->created_ns : clock_now(), created);
    json_put_str(config, "created", created);
    put_if(config, "author", m->step->author);
    put_platform(m, config);
    json_put(config, "config", engine_image_members(m->step->config));
    json_put_str(rootfs, "type", "layers");
    json_put(rootfs, "diff_ids", json_from_strings(&m->diff_ids));
    json_put(config, "rootfs", rootfs);
    put_if(config, "comment", m->step->comment);
    json_put(config, "history", history(m, created));
    return config;
}

/* --- the record ------------------------------------------------------------------------------- */

/* A config's text becomes a blob, and `record` an image. record->blobs gets the config's, too. */
static int store_config(struct store *store, const json_t *document, struct image_record *record,
                        char ret_id[DIGEST_LEN + 1], struct err *err)
{
    cleanup_free char *text = json_text(document, JSON_COMPACT);
    struct image_config parsed = {0};
    int r = image_config_parse(text, strlen(text), &parsed, err); /* as everybody will read it */

    if (r < 0)
        return r;
    record->created_ns = parsed.created_ns;
    image_config_free(&parsed);
    digest_of(text, strlen(text), ret_id);
    record->id = ret_id;
    r = store_blob_put(store, ret_id, text, strlen(text), err);
    strv_add(&record->blobs, ret_id);
    return r < 0 ? r : store_image_add(store, record, err);
}

static int record(struct making *m, struct err *err)
{
    cleanup_json json_t *config = make_config(m);
    struct image_record image = {.manifest = "",
                                 .parent = m->step->parent,
                                 .chain_ids = m->chain_ids,
                                 .blobs = m->blobs,
                                 .reference = m->canonical};
    int r = store_config(m->store, config, &image, m->id, err);

    m->blobs = image.blobs; /* it has grown */
    return r;
}

/* Another's references, each canonical. */
static int canonical_names(const struct strv *names, struct strv *ret, struct err *err)
{
    for (size_t i = 0; names && i < names->len; i++) {
        struct reference ref = {0};
        int r = reference_parse(names->items[i], &ref, err);

        if (!r && ref.digest)
            r = err_set(err, EINVAL, "refusing to create a tag with a digest reference");
        if (!r)
            strv_take(ret, reference_canonical(&ref));
        reference_free(&ref);
        if (r < 0)
            return r;
    }
    return 0;
}

/* An image that is here already under these names is not written again: a build that found
 * everything in its cache waits for no disk. */
static bool is_recorded(struct engine *e, const char *id, const struct strv *names)
{
    struct err ignored;
    struct image image;
    size_t have = 0;

    if (store_image_by_prefix(e->store, id, &image, &ignored) < 0)
        return false;
    for (size_t i = 0; i < names->len; i++)
        have += strv_contains(&image.references, names->items[i]);
    image_free(&image);
    return have == names->len;
}

static void tell_names(struct engine *e, const char *id, const struct strv *names)
{
    for (size_t i = 0; i < names->len; i++) {
        cleanup_free char *familiar = reference_familiar(names->items[i]);
        json_t *attributes = json_object();

        json_put_str(attributes, "name", familiar);
        engine_event(e, "image", "tag", id, attributes);
    }
}

int engine_record_image(struct engine *e, const struct finished_image *image,
                        char ret_id[DIGEST_LEN + 1], struct err *err)
{
    cleanup_free char *text = json_text(image->document, JSON_COMPACT);
    cleanup_strv struct strv names = {0};
    struct image_record record = {
        .manifest = "", .chain_ids = *image->chain_ids, .references = &names};
    int r = canonical_names(image->references, &names, err);

    digest_of(text, strlen(text), ret_id);
    if (r < 0 || is_recorded(e, ret_id, &names))
        return r;
    if (image->base) /* the layers' tars are packed in its blobs */
        r = store_image_blobs(e->store, image->base, &record.blobs, err);
    if (r >= 0)
        r = store_config(e->store, image->document, &record, ret_id, err);
    strv_free(&record.blobs);
    if (r >= 0)
        tell_names(e, ret_id, &names);
    return r < 0 ? r : 0;
}

static int name(struct making *m, struct err *err)
{
    struct reference ref = {0};
    int r;

    if (!m->step->reference)
        return 0;
    r = reference_parse(m->step->reference, &ref, err);
    if (!r && ref.digest)
        r = err_set(err, EINVAL, "refusing to create a tag with a digest reference");
    if (!r)
        m->canonical = reference_canonical(&ref);
    reference_free(&ref);
    return r;
}

/* Everything of the parent that goes on in its child. */
static int inherit(struct making *m, struct err *err)
{
    const char *parent = m->step->parent;
    int r;

    if (!parent) {
        m->parent = json_object();
        return 0;
    }
    m->parent = store_image_config(m->store, parent, err);
    if (!m->parent)
        return -err->code;
    json_strings(json_at(m->parent, "rootfs.diff_ids"), &m->diff_ids);
    r = store_image_layers(m->store, parent, NULL, &m->chain_ids, err);
    if (r >= 0) /* the layers' tars are packed in them */
        r = store_image_blobs(m->store, parent, &m->blobs, err);
    return r;
}

int engine_make_image(struct engine *e, const struct image_step *step, const char *stage,
                      int stage_fd, char ret_id[DIGEST_LEN + 1], struct err *err)
{
    cleanup_with(making_free) struct making m = {.store = e->store, .step = step};
    struct err ignored;
    int r = name(&m, err);

    if (r >= 0)
        r = inherit(&m, err);
    m.empty = r >= 0 && is_empty(&m, stage ? stage_fd : -1);
    if (r >= 0 && !m.empty)
        r = publish(e, &m, stage, stage_fd, err);
    if (stage && (r < 0 || m.empty))
        store_stage_drop(e->store, stage, &ignored);
    if (r >= 0)
        r = record(&m, err);
    if (r < 0)
        return r;
    strcpy(ret_id, m.id);
    if (m.canonical) {
        cleanup_free char *familiar = reference_familiar(m.canonical);

        image_event(e, "tag", m.id, familiar);
    }
    return 0;
}
