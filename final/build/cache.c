/* Has this step been done before? Its key is the digest of everything that decides what it gives:
 * the files it starts from (the chain id of the layers below), the command with its environment and
 * arguments or the content that is copied, and whatever else the step reads. What only describes
 * the image (LABEL, CMD, ...) is no part of it, and neither are the steps before: if they gave the
 * same files this time, what lies on them is the same, too.
 *
 * Two builds at once may both find nothing and do the step twice; the one that records it last
 * counts. Layers are published before they are recorded, so a killed build leaves no wrong row. */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/stage.h"

/* Changes when what a key is made of does. */
#define CACHE_VERSION 1
#define LAYERS_MAX    127 /* what one overlay mount takes */

static void key_of(struct stage *s, json_t *inputs, char ret[DIGEST_LEN + 1])
{
    cleanup_free char *text = NULL;

    json_put(inputs, "version", json_integer(CACHE_VERSION));
    json_put_str(inputs, "below", layers_top(&s->layers));
    json_put(inputs, "epoch", json_integer(s->epoch));
    text = json_text(inputs, JSON_COMPACT | JSON_SORT_KEYS);
    digest_of(text, strlen(text), ret);
}

static bool is_refused(const struct stage *s)
{
    const struct strv *names = s->build->request->no_cache_filter;
    bool refused = s->build->request->no_cache;

    for (size_t i = 0; names && i < names->len; i++)
        refused |= plan_find(s->build, names->items[i], s->build->stage_count) == s;
    return refused;
}

/* 1; 0 when it is not known, or was removed a moment ago. */
static int ask_store(struct stage *s, const char *key, char **ret_description, struct err *err)
{
    struct build_step step;
    struct layer layer;
    int r = store_build_find(s->engine->store, key, &step, err);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (*step.chain_id)
        r = store_layer_find(s->engine->store, step.chain_id, &layer, err);
    if (!r && *step.chain_id)
        layers_add(&s->layers, &layer);
    if (!r && ret_description)
        *ret_description = str_copy(step.description);
    if (!r)
        strv_add(&s->used, key);
    build_step_free(&step);
    return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int cache_ask(struct stage *s, json_t *inputs, const char *description, char **ret_description,
              struct err *err)
{
    char key[DIGEST_LEN + 1];
    struct layer layer;
    int r;

    key_of(s, inputs, key);
    if (is_refused(s))
        return 0;
    r = ask_store(s, key, ret_description, err);
    if (r || !description)
        return r;
    r = cache_from(s, description, &layer, err);
    if (r <= 0)
        return r;
    if (ret_description)
        *ret_description = str_copy(description);
    r = cache_tell(s, inputs, NULL, description, &layer, err);
    return r < 0 ? r : 1;
}

static int record(struct stage *s, const char *slot, const json_t *inputs, const json_t *files,
                  const char *description, const char *parent, const struct layer *layer,
                  struct err *err)
{
    cleanup_free char *key = json_text(inputs, JSON_COMPACT | JSON_SORT_KEYS), *text = NULL;
    cleanup_json json_t *all = json_copy((json_t *)inputs);
    struct build_step step = {
        .slot = (char *)slot, .description = (char *)description, .size = layer->size};

    if (files)
        json_object_set(all, "files", (json_t *)files);
    step.inputs = text = json_text(all, JSON_COMPACT | JSON_SORT_KEYS);
    digest_of(key, strlen(key), step.key);
    strcpy(step.parent, parent);
    strcpy(step.chain_id, layer->chain_id);
    return s->build->request->rehearsal ? 0 : store_build_add(s->engine->store, &step, err);
}

static int check_depth(const struct stage *s, struct err *err)
{
    if (s->layers.dirs.len < LAYERS_MAX)
        return 0;
    return err_set(err, EOVERFLOW,
                   "max depth exceeded: with this step the image has %zu layers, an overlay takes "
                   "%d: join some RUN or COPY, or begin a new stage",
                   s->layers.dirs.len + 1, LAYERS_MAX);
}

int cache_tell(struct stage *s, const json_t *inputs, const json_t *files, const char *description,
               const struct layer *layer, struct err *err)
{
    cleanup_free char *slot = why_slot(s);
    int r = *layer->chain_id ? check_depth(s, err) : 0;

    if (r >= 0)
        r = record(s, slot, inputs, files, description, layers_top(&s->layers), layer, err);
    if (r >= 0 && *layer->chain_id)
        layers_add(&s->layers, layer);
    return r;
}

/* The layer that the stage has on top now was found under another key. In a place of its own: --why
 * is about what the other key is made of. */
int cache_alias(struct stage *s, const json_t *inputs, const char *parent, const char *description,
                struct err *err)
{
    struct layer layer = {0};
    int r = 0;

    if (strcmp(parent, layers_top(&s->layers)) != 0)
        r = store_layer_find(s->engine->store, layers_top(&s->layers), &layer, err);
    return r < 0 ? r : record(s, "", inputs, NULL, description, parent, &layer, err);
}
