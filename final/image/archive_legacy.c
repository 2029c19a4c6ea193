/* Archives as docker wrote them before version 1.10, and beside the newer form until 24: a
 * directory for each layer, named after an id that was drawn, not computed.
 *
 *     repositories     {"box":{"1":"<id>"}}: what the names stand for
 *     <id>/json        how to run what ends with this layer, and the "parent" it lies on
 *     <id>/layer.tar   its files
 *
 * Nothing in there says what the layers must be. So they are hashed, and a config is made of the
 * JSON of the last one, as docker makes it: to the byte, so that the image gets the id it has there
 * (moby, image/v1, MakeConfigFromV1Config). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "image/archive_list.h"
#include "image/image.h"

#define CHAIN_MAX 1000 /* parents: more than any overlay takes, and the end of those in a circle   \
                        */
#define PIECE (256u << 10)

/* An image's layers, base last: that is the way parents lead. */
struct chain {
    char ids[CHAIN_MAX][65];
    json_t *json[CHAIN_MAX];
    size_t len;
};

static void chain_free(struct chain *c)
{
    for (size_t i = 0; c && i < c->len; i++)
        json_decref(c->json[i]);
    free(c);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_chain(struct image_archive *a, const char *top, struct chain *c, struct err *err)
{
    for (const char *id = top; *id; id = json_str(c->json[c->len - 1], "parent", "")) {
        cleanup_free char *name = str_format("%s/json", id);
        json_t *json;
        int r;

        if (strlen(id) != 64 || strspn(id, "0123456789abcdef") != 64)
            return err_set(err, EINVAL, "the archive has an image '%.80s': that is no id", id);
        if (c->len == CHAIN_MAX)
            return err_set(err, ELOOP, "image %s of the archive has more than %d parents", top,
                           CHAIN_MAX);
        r = archive_json(a, name, &json, err);
        if (r <= 0)
            return r < 0 ? r : err_set(err, ENOENT, "the archive has no member '%s'", name);
        strcpy(c->ids[c->len], id);
        c->json[c->len++] = json;
        if (!json_is_object(json))
            return err_set(err, EINVAL, "'%s' is not a JSON object", name);
    }
    return 0;
}

static int hash_layer(struct image_archive *a, const char *name, char ret[DIGEST_LEN + 1],
                      struct err *err)
{
    cleanup_free char *piece = mem_alloc(PIECE);
    struct hasher *hasher = hasher_new();
    struct archive_member m = {0};
    int r = image_archive_find(a, name, &m, err);

    if (r == -ENOENT)
        r = err_set(err, ENOENT, "the archive has no member '%s'", name);
    for (uint64_t done = 0; done < m.size && !r;) {
        size_t want = m.size - done < PIECE ? (size_t)(m.size - done) : PIECE;
        ssize_t n = pread(m.fd, piece, want, (off_t)(m.offset + done));

        if (n <= 0)
            r = err_set(err, n < 0 ? errno : EIO, "cannot read member '%s' of the archive", name);
        else
            hasher_add(hasher, piece, (size_t)n);
        done += n > 0 ? (uint64_t)n : 0;
    }
    if (r < 0)
        hasher_free(hasher);
    else
        hasher_finish(hasher, ret);
    return r;
}

/* --- the config ------------------------------------------------------------------------------- */

static void put_if(json_t *json, const char *name, const char *value)
{
    if (*value)
        json_put_str(json, name, value);
}

/* The members in the order of docker's structure; what is empty is left out. */
static json_t *history_entry(const json_t *v1)
{
    cleanup_strv struct strv command = {0};
    cleanup_buf struct buf created_by = {0};
    json_t *entry = json_object();

    buf_add_str(&created_by, "");
    json_strings(json_at(v1, "container_config.Cmd"), &command);
    for (size_t i = 0; i < command.len; i++)
        buf_printf(&created_by, "%s%s", i ? " " : "", command.items[i]);
    json_put_str(entry, "created", json_str(v1, "created", "0001-01-01T00:00:00Z"));
    put_if(entry, "author", json_str(v1, "author", ""));
    put_if(entry, "created_by", created_by.data);
    put_if(entry, "comment", json_str(v1, "comment", ""));
    return entry;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A map of Go's is written in the order of its keys; what is below keeps the order it came in. */
static json_t *sorted(const json_t *json)
{
    cleanup_strv struct strv keys = {0};
    json_t *ret = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)(size_t)json, key, value) strv_add(&keys, key);
    if (keys.len)
        qsort(keys.items, keys.len, sizeof *keys.items, by_text);
    for (size_t i = 0; i < keys.len; i++)
        json_object_set(ret, keys.items[i], json_object_get(json, keys.items[i]));
    return ret;
}

/* Go writes JSON so that it may stand in a web page. */
static char *escape_html(const char *text)
{
    struct buf out = {0};

    buf_add_str(&out, "");
    for (; *text; text++)
        if (strchr("<>&", *text))
            buf_printf(&out, "\\u%04x", (unsigned char)*text);
        else
            buf_add_char(&out, *text);
    return buf_steal(&out);
}

/* `diff_ids` base first. What belonged to the drawn id goes, what is known now comes. */
static char *make_config(const struct chain *c, const struct strv *diff_ids)
{
    static const char *const gone[] = {"id",        "parent",   "Size",
                                       "parent_id", "layer_id", "throwaway"};
    cleanup_json json_t *config = json_copy(c->json[0]), *in_order = NULL;
    json_t *rootfs = json_object(), *history = json_array();
    cleanup_free char *text = NULL;

    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        json_object_del(config, gone[i]);
    json_put_str(rootfs, "type", "layers");
    json_put(rootfs, "diff_ids", json_from_strings(diff_ids));
    json_put(config, "rootfs", rootfs);
    for (size_t i = c->len; i-- > 0;)
        json_push(history, history_entry(c->json[i]));
    json_put(config, "history", history);
    in_order = sorted(config);
    text = json_text(in_order, JSON_COMPACT);
    return escape_html(text);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int read_layers(struct image_archive *a, const struct chain *c, struct archived_image *image,
                       struct strv *diff_ids, struct err *err)
{
    image->layers = mem_alloc((c->len + 1) * sizeof *image->layers);
    for (size_t i = c->len; i-- > 0;) {
        struct archived_layer *layer = &image->layers[image->layer_count++];
        int r;

        layer->name = str_format("%s/layer.tar", c->ids[i]);
        r = hash_layer(a, layer->name, layer->digest, err);
        if (r < 0)
            return r;
        strv_add(diff_ids, layer->digest);
    }
    return 0;
}

/* The image whose last layer has this id. */
static int read_image(struct image_archive *a, const char *top, struct archived_image *image,
                      struct err *err)
{
    cleanup_strv struct strv diff_ids = {0};
    struct chain *c = mem_alloc(sizeof *c);
    int r = read_chain(a, top, c, err);

    if (!r && !c->len)
        r = err_set(err, EINVAL, "repositories names an image without an id");
    if (!r)
        r = read_layers(a, c, image, &diff_ids, err);
    if (!r) {
        image->config = str_format("%s/json", top);
        image->config_text = make_config(c, &diff_ids);
        digest_of(image->config_text, strlen(image->config_text), image->config_digest);
    }
    chain_free(c);
    return r;
}

/* The one that ends with this id; a second name of it means no second reading. */
static struct archived_image *find_image(struct archived_images *images, const char *top)
{
    cleanup_free char *config = str_format("%s/json", top);

    for (size_t i = 0; i < images->len; i++)
        if (!strcmp(images->items[i].config, config))
            return &images->items[i];
    return NULL;
}

static int add_name(struct image_archive *a, const char *repository, const char *tag,
                    const char *top, struct archived_images *images, struct err *err)
{
    cleanup_free char *name = str_format("%s:%s", repository, tag);
    struct archived_image *found = find_image(images, top), image = {0};
    int r;

    if (found)
        return archived_image_tag(found, name, err);
    r = read_image(a, top, &image, err);
    if (!r)
        r = archived_image_tag(&image, name, err);
    if (!r)
        r = archive_list_add(images, &image, err);
    if (r < 0)
        archived_image_free(&image);
    return r;
}

int archive_legacy(struct image_archive *a, struct archived_images *images, struct err *err)
{
    cleanup_json json_t *repositories = NULL;
    json_t *tags, *top;
    const char *repository, *tag;
    int r = archive_json(a, "repositories", &repositories, err);

    if (r <= 0)
        return r;
    json_object_foreach(repositories, repository, tags) json_object_foreach(tags, tag, top)
    {
        const char *id = json_string_value(top);

        r = add_name(a, repository, tag, id ? id : "", images, err);
        if (r < 0)
            return r;
    }
    return 1;
}
