/* FROM: what a stage begins with. The image's triggers (ONBUILD) are done at once, as if they stood
 * behind the FROM line; they are not inherited further. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "build/stage.h"

/* Of a stage's base, in seconds; files and the image itself get no later time. */
static int64_t epoch_of(const struct stage *s)
{
    int64_t ns = 0;

    if (s->build->request->epoch != BUILD_NO_EPOCH)
        return s->build->request->epoch;
    if (clock_parse(json_str(s->document, "created", ""), &ns) < 0 || ns < 0)
        return 0;
    return ns / 1000000000;
}

static void begin_empty(struct stage *s)
{
    s->document = json_object();
    s->config = json_object();
    s->history = json_array();
}

/* Programs expect one, and docker's images have it: the default, where the image has none. */
static void add_path(struct stage *s)
{
    static const char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    json_t *env = json_object_get(s->config, "Env"), *item;
    size_t i;

    json_array_foreach(env, i, item) if (str_starts(json_string_value(item), "PATH=")) return;
    if (!json_is_array(env)) {
        env = json_array();
        json_put(s->config, "Env", env);
    }
    json_array_insert_new(env, 0, json_string(path));
}

static void begin_on_stage(struct stage *s)
{
    const struct stage *base = s->base;

    layers_copy(&base->layers, &s->layers);
    strcpy(s->base_image, base->base_image);
    s->base_layers = base->base_layers;
    s->document = json_deep_copy(base->document);
    s->config = json_deep_copy(base->config);
    s->history = json_deep_copy(base->history);
    s->author = str_copy(base->author);
    s->epoch = base->epoch;
}

/* --- images ----------------------------------------------------------------------------------- */

static void pull_line(void *context, const char *text)
{
    stage_tell(context, BUILD_PULL, "%s", text);
}

static void pull_layer(void *context, const char *id, const char *status, uint64_t done,
                       uint64_t total)
{
    if (!done && !total)
        stage_tell(context, BUILD_PULL, "%s: %s", id, status);
}

static int pull(struct stage *s, const char *name, struct err *err)
{
    const struct pull_progress progress = {pull_line, pull_layer, s};
    const struct pull_options options = {.platform = s->platform,
                                         .cancelled = s->build->request->cancelled};

    err_clear(err);
    return engine_pull(s->engine, name, &options, &progress, err);
}

static int find_here(struct stage *s, const char *name, struct image *ret, struct err *err)
{
    int r = engine_find_image(s->engine, name, ret, err);

    if (r < 0 || !s->platform)
        return r;
    r = engine_check_platform(s->engine, ret, name, s->platform, err);
    if (r < 0)
        image_free(ret);
    return r;
}

/* An image for another platform that has this name is as if there were none. When there is none
 * elsewhere either, that it is here is told, too. */
static int find_image(struct stage *s, const char *name, struct image *ret, struct err *err)
{
    bool always = s->build->request->pull;
    char other[ERR_MESSAGE_MAX] = "";
    struct image here;
    int r = always ? -ENOENT : find_here(s, name, ret, err);

    if (r != -ENOENT)
        return r;
    if (!always && !engine_find_image(s->engine, name, &here, &(struct err){0})) {
        strcpy(other, err->message);
        image_free(&here);
    }
    r = pull(s, name, err);
    if (r < 0)
        return *other ? err_wrap(err, "%s, and no other can be pulled", other) : r;
    return find_here(s, name, ret, err);
}

/* Its document, and its layers with their digests. */
static int load_image(struct stage *s, const struct image *image, json_t **ret_document,
                      struct layers *ret, struct err *err)
{
    json_t *document = store_image_config(s->engine->store, image->id, err);
    int r = document
                ? store_image_layers(s->engine->store, image->id, &ret->dirs, &ret->chain_ids, err)
                : -err->code;

    if (r >= 0)
        json_strings(json_at(document, "rootfs.diff_ids"), &ret->diff_ids);
    if (r < 0)
        json_decref(document);
    else
        *ret_document = document;
    return r;
}

static int begin_on_image(struct stage *s, struct err *err)
{
    struct image image;
    const json_t *config, *history;
    int r = find_image(s, s->base_name, &image, err);

    if (r < 0)
        return r;
    r = load_image(s, &image, &s->document, &s->layers, err);
    strcpy(s->base_image, image.id);
    s->base_layers = s->layers.dirs.len;
    image_free(&image);
    if (r < 0)
        return r;
    config = json_object_get(s->document, "config");
    history = json_object_get(s->document, "history");
    s->config = json_is_object(config) ? json_deep_copy(config) : json_object();
    s->history = json_is_array(history) ? json_deep_copy(history) : json_array();
    s->author = str_copy(json_str(s->document, "author", NULL));
    return 0;
}

/* A number is always a stage's, and no image's id; nor can a stage copy from what it becomes. */
static int check_source(const struct stage *s, const char *name, struct err *err)
{
    unsigned long long number;
    bool counts = str_to_u64(name, &number) == 0;

    if ((counts && number == s->index) || (s->name && !strcasecmp(s->name, name)))
        return err_set(err, EINVAL, "invalid from flag value %s: refers to current build stage",
                       name);
    if (counts)
        return err_set(err, EINVAL, "invalid from flag value %s: index out of bounds", name);
    return 0;
}

static int find_source_image(struct stage *s, const char *name, struct image *ret, struct err *err)
{
    struct stage *later = plan_find(s->build, name, s->build->stage_count);
    int r = check_source(s, name, err);

    if (r < 0)
        return r;
    r = find_image(s, name, ret, err);
    if (r < 0 && later)
        err_wrap(err, "stage \"%s\" comes later, and as an image", name);
    return r;
}

int step_find_source(struct stage *s, const char *name, struct layers *ret, struct err *err)
{
    struct stage *other = plan_find(s->build, name, s->index);
    cleanup_json json_t *document = NULL;
    struct image image;
    int r;

    if (other) {
        r = plan_await(other, err);
        if (!r)
            layers_copy(&other->layers, ret);
        return r;
    }
    r = find_source_image(s, name, &image, err);
    if (r < 0)
        return r;
    r = load_image(s, &image, &document, ret, err);
    image_free(&image);
    return r;
}

/* --- triggers --------------------------------------------------------------------------------- */

static int parse_triggers(struct stage *s, const struct strv *triggers, struct err *err)
{
    cleanup_free char *text = strv_join(triggers, "\n");
    cleanup_free char *name = str_format("ONBUILD of %s", s->base_name);
    struct place place;

    return dockerfile_parse_part(name, text, '\\', &s->triggers, &place, err);
}

static int run_triggers(struct stage *s, struct err *err)
{
    cleanup_strv struct strv triggers = {0};
    const struct instruction *from = s->at;
    int r;

    json_strings(json_object_get(s->config, "OnBuild"), &triggers);
    json_object_del(s->config, "OnBuild");
    if (!triggers.len)
        return 0;
    stage_tell(s, BUILD_NOTE, "# Executing %zu build trigger%s", triggers.len,
               triggers.len > 1 ? "s" : "");
    r = parse_triggers(s, &triggers, err);
    s->file = &s->triggers;
    if (r >= 0)
        r = stage_do(s, s->triggers.items, s->triggers.count, false, err);
    s->file = &s->build->file;
    s->at = from;
    return r < 0 ? err_wrap(err, "a trigger of %s", s->base_name) : 0;
}

int step_from(struct stage *s, struct err *err)
{
    int r = 0;

    if (s->base)
        begin_on_stage(s);
    else if (s->scratch)
        begin_empty(s);
    else
        r = begin_on_image(s, err);
    if (r < 0)
        return r;
    add_path(s);
    if (!s->base || s->build->request->epoch != BUILD_NO_EPOCH)
        s->epoch = epoch_of(s);
    if (*s->base_image && !s->base)
        stage_tell(s, BUILD_MADE, "%.12s", digest_hex(s->base_image));
    else
        stage_tell(s, BUILD_MADE, "%s", "");
    return run_triggers(s, err);
}
