/* commit CONTAINER, in order:
 *
 *     hold     nobody collects what no image refers to yet
 *     freeze   the container, while its files are being copied
 *     copy     what it wrote into a staged directory, as a layer has it
 *     thaw
 *     digest   of the tar the layer stands for; only from here on its name is known
 *     publish  the layer
 *     record   config, then the image in one transaction
 *
 * The copy is read twice, once to be written and once to be hashed, but the second time from the
 * page cache; the container stands still for the first only. The tar itself is not kept: packing
 * the layer again gives the same bytes (layer_pack).
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/internal.h"

#define LAYERS_MAX 127 /* what one overlay mount takes */

/* On the way from a container to an image; freed in one place. */
struct commission {
    struct store *store;
    const struct container *c;
    const struct commit_request *request;
    char *canonical;         /* NULL: the image gets no name */
    json_t *parent;          /* the config of the container's image */
    struct strv diff_ids;    /* of the parent's layers, then the new one's */
    struct strv chain_ids;   /* likewise */
    struct strv blobs;       /* that the new image keeps alive */
    bool empty;              /* the container wrote nothing: no layer */
    char id[DIGEST_LEN + 1]; /* the result */
};

static void commission_free(struct commission *m)
{
    free(m->canonical);
    json_decref(m->parent);
    strv_free(&m->diff_ids);
    strv_free(&m->chain_ids);
    strv_free(&m->blobs);
}
#define cleanup_commission cleanup_with(commission_free)

/* --- the layer ----------------------------------------------------------------------------------
 */

static int copy_still(struct engine *e, struct commission *m, int stage_fd, struct err *err)
{
    struct container_tree tree;
    struct err thaw_err = {0};
    int lock = -1, r = container_tree_open(e, m->c, &tree, err), thawed;

    if (r < 0)
        return r;
    if (m->request->pause)
        r = container_freeze(e, m->c, &lock, err);
    if (!r)
        r = layer_copy(tree.upper, container_tree_below(&tree), stage_fd, err);
    thawed = container_thaw(e, m->c, &lock, &thaw_err);
    if (r >= 0 && thawed < 0) {
        *err = thaw_err;
        r = thawed;
    }
    container_tree_close(&tree);
    return r;
}

static bool has_entries(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *list = copy < 0 ? NULL : fdopendir(copy);

    return !list || file_next_entry(list) || errno; /* in doubt there are some */
}

/* Nothing but the root, and that as the layers below have it: such a layer would say nothing. */
static bool is_empty(const struct commission *m, int stage_fd)
{
    cleanup_strv struct strv dirs = {0};
    struct err ignored;
    struct stat mine, below = {.st_mode = S_IFDIR | 0755};

    if (has_entries(stage_fd) || fstat(stage_fd, &mine) < 0)
        return false;
    if (store_image_layers(m->store, m->c->image_id, &dirs, NULL, &ignored) < 0)
        return false;
    if (dirs.len && fstatat(m->store->layers_fd, dirs.items[dirs.len - 1], &below, 0) < 0)
        return false;
    return mine.st_mode == below.st_mode && mine.st_uid == below.st_uid &&
           mine.st_gid == below.st_gid;
}

static int publish(struct commission *m, const char *stage, int stage_fd, struct err *err)
{
    const char *below = m->chain_ids.len ? m->chain_ids.items[m->chain_ids.len - 1] : "";
    struct layer layer = {0};
    int r = layer_digest(stage_fd, layer.diff_id, &layer.size, err);

    if (r < 0)
        return r;
    strcpy(layer.parent, below);
    chain_id(below, layer.diff_id, layer.chain_id);
    r = store_layer_publish(m->store, stage, &layer, err);
    if (r < 0)
        return r;
    strv_add(&m->diff_ids, layer.diff_id);
    strv_add(&m->chain_ids, layer.chain_id);
    return 0;
}

static int make_layer(struct engine *e, struct commission *m, struct err *err)
{
    char stage[64];
    struct err ignored;
    cleanup_close int stage_fd = store_stage(m->store, stage, err);
    int r = stage_fd < 0 ? stage_fd : copy_still(e, m, stage_fd, err);

    if (stage_fd < 0)
        return r;
    m->empty = r >= 0 && is_empty(m, stage_fd);
    if (r >= 0 && !m->empty)
        r = publish(m, stage, stage_fd, err);
    if (r < 0 || m->empty)
        store_stage_drop(m->store, stage, &ignored);
    return r;
}

/* --- the config ---------------------------------------------------------------------------------
 */

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

static json_t *image_config_members(const json_t *config)
{
    json_t *kept = json_object();

    for (size_t i = 0; i < sizeof image_members / sizeof *image_members; i++) {
        json_t *value = json_object_get(config, image_members[i]);

        if (!says_nothing(value))
            json_put(kept, image_members[i], json_deep_copy(value));
    }
    return kept;
}

/* What the container ran, as docker writes it: its arguments, not its entrypoint. */
static char *created_by(const struct container *c)
{
    cleanup_strv struct strv words = {0};

    json_strings(json_at(c->config, "Config.Cmd"), &words);
    return strv_join(&words, " ");
}

static void put_if(json_t *object, const char *name, const char *value)
{
    if (value && *value)
        json_put_str(object, name, value);
}

static json_t *history(const struct commission *m, const char *created)
{
    json_t *list = json_deep_copy(json_object_get(m->parent, "history")), *entry = json_object();
    cleanup_free char *command = created_by(m->c);

    json_put_str(entry, "created", created);
    put_if(entry, "created_by", command);
    put_if(entry, "author", m->request->author);
    put_if(entry, "comment", m->request->message);
    if (m->empty)
        json_put(entry, "empty_layer", json_true());
    if (!json_is_array(list)) {
        json_decref(list);
        list = json_array();
    }
    json_push(list, entry);
    return list;
}

/* Platform members come from the parent: what it runs on has not changed. */
static json_t *make_config(const struct commission *m)
{
    static const char *const platform[] = {"architecture", "variant", "os", "os.version",
                                           "os.features"};
    json_t *config = json_object(), *rootfs = json_object();
    char created[40];

    clock_format(clock_now(), created);
    json_put_str(config, "created", created);
    put_if(config, "author", m->request->author);
    for (size_t i = 0; i < sizeof platform / sizeof *platform; i++)
        if (json_object_get(m->parent, platform[i]))
            json_object_set(config, platform[i], json_object_get(m->parent, platform[i]));
    json_put(config, "config", image_config_members(m->request->config));
    json_put_str(rootfs, "type", "layers");
    json_put(rootfs, "diff_ids", json_from_strings(&m->diff_ids));
    json_put(config, "rootfs", rootfs);
    put_if(config, "comment", m->request->message);
    json_put(config, "history", history(m, created));
    return config;
}

/* --- the record ---------------------------------------------------------------------------------
 */

static int record(struct commission *m, struct err *err)
{
    cleanup_json json_t *config = make_config(m);
    cleanup_free char *text = json_text(config, JSON_COMPACT);
    struct image_record image = {.id = m->id,
                                 .manifest = "",
                                 .parent = m->c->image_id,
                                 .chain_ids = m->chain_ids,
                                 .reference = m->canonical};
    struct image_config parsed = {0};
    int r = image_config_parse(text, strlen(text), &parsed, err); /* as everybody will read it */

    if (r < 0)
        return r;
    image.created_ns = parsed.created_ns;
    image_config_free(&parsed);
    digest_of(text, strlen(text), m->id);
    r = store_blob_put(m->store, m->id, text, strlen(text), err);
    if (r < 0)
        return r;
    strv_add(&m->blobs, m->id);
    image.blobs = m->blobs;
    return store_image_add(m->store, &image, err);
}

static int begin(struct commission *m, struct err *err)
{
    struct reference ref = {0};
    int r = 0;

    if (m->request->reference) {
        r = reference_parse(m->request->reference, &ref, err);
        if (!r && ref.digest)
            r = err_set(err, EINVAL, "refusing to create a tag with a digest reference");
        if (!r)
            m->canonical = reference_canonical(&ref);
        reference_free(&ref);
    }
    if (r < 0)
        return r;
    m->parent = store_image_config(m->store, m->c->image_id, err);
    if (!m->parent)
        return -err->code;
    json_strings(json_at(m->parent, "rootfs.diff_ids"), &m->diff_ids);
    r = store_image_layers(m->store, m->c->image_id, NULL, &m->chain_ids, err);
    if (r >= 0) /* the layers' tars are packed in them */
        r = store_image_blobs(m->store, m->c->image_id, &m->blobs, err);
    if (r >= 0 && m->chain_ids.len >= LAYERS_MAX)
        r = err_set(err, EOVERFLOW,
                    "max depth exceeded: the image has %zu layers, an overlay takes %d",
                    m->chain_ids.len, LAYERS_MAX);
    return r < 0 ? r : 0;
}

int engine_commit(struct engine *e, const struct container *c, const struct commit_request *request,
                  char ret_id[DIGEST_LEN + 1], struct err *err)
{
    cleanup_commission struct commission m = {.store = e->store, .c = c, .request = request};
    cleanup_close int hold = store_hold(e->store, err);
    int r = hold < 0 ? hold : store_collect_stages(e->store, err);

    if (r >= 0)
        r = begin(&m, err);
    if (r >= 0)
        r = make_layer(e, &m, err);
    if (r >= 0)
        r = record(&m, err);
    if (r < 0)
        return r;
    container_event(e, c, "commit", "comment", request->message ? request->message : "", "imageID",
                    m.id, "imageRef", m.canonical ? m.canonical : "", NULL);
    strcpy(ret_id, m.id);
    return 0;
}
