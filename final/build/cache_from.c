/* build --cache-from: an image that was built from this Dockerfile somewhere else stands for its
 * steps. Its history says what each step was, its layers what they gave. A step is taken from there
 * when all history before it is this stage's, word for word, and the layers so far are, too: then
 * it was the same step on the same files. (A COPY's words have the digest of what is copied.)
 * Whoever names an image here trusts it, as he trusts a base image. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/stage.h"
#include "image/image.h"

static const char *created_by(const json_t *history, size_t i)
{
    return json_str(json_array_get(history, i), "created_by", "");
}

/* How many layers the first `count` steps gave. */
static size_t layers_of(const json_t *history, size_t count)
{
    size_t layers = 0;

    for (size_t i = 0; i < count; i++)
        layers += !json_flag(json_array_get(history, i), "empty_layer", false);
    return layers;
}

static bool begins_alike(const struct stage *s, const json_t *document, const char *description)
{
    const json_t *theirs = json_object_get(document, "history");
    const json_t *diff_ids = json_at(document, "rootfs.diff_ids");
    size_t done = json_array_size(s->history);

    if (json_array_size(theirs) <= done || strcmp(created_by(theirs, done), description) != 0 ||
        layers_of(theirs, done) != s->layers.diff_ids.len)
        return false;
    for (size_t i = 0; i < done; i++)
        if (strcmp(created_by(theirs, i), created_by(s->history, i)) != 0)
            return false;
    for (size_t i = 0; i < s->layers.diff_ids.len; i++)
        if (!str_equal(json_string_value(json_array_get(diff_ids, i)), s->layers.diff_ids.items[i]))
            return false;
    return true;
}

static int take_step(struct stage *s, const json_t *document, struct layer *ret, struct err *err)
{
    const json_t *entry =
        json_array_get(json_object_get(document, "history"), json_array_size(s->history));
    const char *diff_id;
    char chain[DIGEST_LEN + 1];

    *ret = (struct layer){0};
    if (json_flag(entry, "empty_layer", false))
        return 0;
    diff_id = json_string_value(
        json_array_get(json_at(document, "rootfs.diff_ids"), s->layers.diff_ids.len));
    if (!diff_id || !digest_valid(diff_id))
        return -ENOENT;
    chain_id(layers_top(&s->layers), diff_id, chain);
    return store_layer_find(s->engine->store, chain, ret, err);
}

/* "NAME", or as BuildKit has it "type=registry,ref=NAME". What is meant is the image that is here.
 */
static int find_named(struct engine *e, const char *given, struct image *ret)
{
    cleanup_strv struct strv fields = {0};
    const char *name = given;
    struct err ignored = {0};

    strv_split(&fields, given, ',');
    for (size_t i = 0; i < fields.len; i++)
        if (str_starts(fields.items[i], "ref="))
            name = fields.items[i] + strlen("ref=");
    return engine_find_image(e, name, ret, &ignored);
}

void cache_from_warn(struct build *b)
{
    const struct strv *names = b->request->cache_from;

    for (size_t i = 0; names && i < names->len; i++) {
        struct image image;

        if (find_named(b->engine, names->items[i], &image) < 0)
            stage_tell(b->target, BUILD_WARNING, "--cache-from %s: no such image is here",
                       names->items[i]);
        else
            image_free(&image);
    }
}

int cache_from(struct stage *s, const char *description, struct layer *ret, struct err *err)
{
    const struct strv *names = s->build->request->cache_from;

    for (size_t i = 0; names && i < names->len; i++) {
        cleanup_json json_t *document = NULL;
        struct image image;
        int r = find_named(s->engine, names->items[i], &image);

        if (r < 0) /* as with docker, one that is not there is of no use and no error */
            continue;
        document = store_image_config(s->engine->store, image.id, err);
        image_free(&image);
        if (!document)
            return -err->code;
        if (!begins_alike(s, document, description))
            continue;
        r = take_step(s, document, ret, err);
        if (r != -ENOENT)
            return r < 0 ? r : 1;
    }
    return 0;
}
