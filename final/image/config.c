/* The image's config: OCI image spec, config.md. How to run it, and the diffIDs its layers must
 * have.
 *
 * Only shape is checked here: what a wrong type would make quietly disappear ("Env": "A=b") is an
 * error. What the values mean is the runtime's business. */
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "image/image.h"

enum shape { STRING, STRINGS, OBJECT, OBJECTS };

struct member {
    const char *name;
    enum shape shape;
};

static const struct member top[] = {
    {"created", STRING}, {"author", STRING},  {"architecture", STRING}, {"variant", STRING},
    {"os", STRING},      {"comment", STRING}, {"history", OBJECTS},     {"config", OBJECT},
};

/* What the engine reads of `config`; members it does not know are kept as they are. */
static const struct member members[] = {
    {"User", STRING},     {"WorkingDir", STRING},  {"StopSignal", STRING},
    {"Env", STRINGS},     {"Entrypoint", STRINGS}, {"Cmd", STRINGS},
    {"OnBuild", STRINGS}, {"Shell", STRINGS},      {"ExposedPorts", OBJECT},
    {"Volumes", OBJECT},  {"Labels", OBJECT},      {"Healthcheck", OBJECT},
};

static bool all_are(const json_t *array, json_type type)
{
    json_t *item;
    size_t i;

    if (!json_is_array(array))
        return false;
    json_array_foreach(array, i, item) if (json_typeof(item) != type) return false;
    return true;
}

/* Go writes null for an empty list or map, so null is any shape. */
static bool has_shape(const json_t *value, enum shape shape)
{
    if (!value || json_is_null(value))
        return true;
    switch (shape) {
    case STRING:
        return json_is_string(value);
    case STRINGS:
        return all_are(value, JSON_STRING);
    case OBJECTS:
        return all_are(value, JSON_OBJECT);
    default:
        return json_is_object(value);
    }
}

static int check_members(const json_t *json, const struct member *list, size_t count,
                         struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (!has_shape(json_object_get(json, list[i].name), list[i].shape))
            return err_set(err, EINVAL, "the image's config has a '%s' of the wrong type",
                           list[i].name);
    return 0;
}

static int check_shapes(const json_t *json, struct err *err)
{
    int r;

    if (!json_is_object(json))
        return err_set(err, EINVAL, "the image's config is not a JSON object");
    r = check_members(json, top, sizeof top / sizeof *top, err);
    return r < 0 ? r
                 : check_members(json_object_get(json, "config"), members,
                                 sizeof members / sizeof *members, err);
}

/* These digests are what the unpacked layers are held against: a config without them could not be
 * checked. */
static int parse_diff_ids(const json_t *json, struct strv *ret, struct err *err)
{
    const json_t *ids = json_at(json, "rootfs.diff_ids");

    if (strcmp(json_str(json, "rootfs.type", ""), "layers") != 0)
        return err_set(err, EINVAL, "the image's config has no rootfs of type 'layers'");
    if (!has_shape(ids, STRINGS))
        return err_set(err, EINVAL, "the image's config has no array of diff_ids");
    json_strings(ids, ret);
    for (size_t i = 0; i < ret->len; i++)
        if (!digest_valid(ret->items[i]))
            return err_set(err, EINVAL, "the image's config has an invalid diff_id: '%.100s'",
                           ret->items[i]);
    return 0;
}

int image_config_parse(const char *text, size_t len, struct image_config *ret, struct err *err)
{
    struct image_config c = {0};
    int r;

    if (len > CONFIG_MAX)
        return err_set(err, EFBIG, "the image's config is larger than %u bytes", CONFIG_MAX);
    c.json = json_parse(text, len, "the image's config", err);
    if (!c.json)
        return -err->code;
    r = check_shapes(c.json, err);
    if (!r)
        r = parse_diff_ids(c.json, &c.diff_ids, err);
    if (r < 0) {
        image_config_free(&c);
        return r;
    }
    /* The time is for people: one that cannot be read is no reason to refuse the image. */
    if (clock_parse(json_str(c.json, "created", ""), &c.created_ns) < 0)
        c.created_ns = 0;
    c.os = str_copy(json_str(c.json, "os", "linux"));
    c.architecture = str_copy(json_str(c.json, "architecture", ""));
    *ret = c;
    return 0;
}

void image_config_free(struct image_config *c)
{
    json_decref(c->json);
    strv_free(&c->diff_ids);
    free(c->os);
    free(c->architecture);
    *c = (struct image_config){0};
}

/* `history` shows images by this; docker writes one entry for an import. */
static json_t *new_history(const char *created, const char *comment)
{
    json_t *history = json_array(), *entry = json_object();

    json_put_str(entry, "created", created);
    if (comment)
        json_put_str(entry, "comment", comment);
    json_push(history, entry);
    return history;
}

/* "rootfs" and the platform are what every engine needs to run it; the rest may be empty. */
json_t *image_config_new(const struct strv *diff_ids, const char *comment,
                         const struct platform *platform, const json_t *config)
{
    json_t *json = json_object(), *rootfs = json_object();
    char created[40];

    clock_format(clock_now(), created);
    json_put_str(json, "created", created);
    json_put_str(json, "architecture", platform->architecture);
    if (*platform->variant)
        json_put_str(json, "variant", platform->variant);
    json_put_str(json, "os", platform->os);
    json_put(json, "config", config ? json_deep_copy(config) : json_object());
    json_put_str(rootfs, "type", "layers");
    json_put(rootfs, "diff_ids", json_from_strings(diff_ids));
    json_put(json, "rootfs", rootfs);
    if (comment)
        json_put_str(json, "comment", comment);
    json_put(json, "history", new_history(created, comment));
    return json;
}
