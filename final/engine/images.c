#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/internal.h"

/* The tag form is tried before the id: an image called "cafe" hides the prefix cafe..., as with
 * docker. */
static int find_by_reference(struct engine *e, const char *name, struct image *ret, struct err *err)
{
    struct reference reference;
    cleanup_free char *canonical = NULL;
    int r = reference_parse(name, &reference, err);

    if (r < 0)
        return r;
    canonical = reference_canonical(&reference);
    reference_free(&reference);
    return store_image_by_reference(e->store, canonical, ret, err);
}

/* As docker spells it: "docker.io/library/x" is "x:latest". */
static int no_such_image(const char *name, struct err *err)
{
    cleanup_free char *canonical = NULL, *familiar = NULL;
    struct reference ref;
    struct err ignored = {0};

    if (!strchr(name, '@') && reference_parse(name, &ref, &ignored) == 0) {
        canonical = reference_canonical(&ref);
        familiar = reference_familiar(canonical);
        reference_free(&ref);
    }
    return err_set(err, ENOENT, "No such image: %s", familiar ? familiar : name);
}

int engine_find_image(struct engine *e, const char *name, struct image *ret, struct err *err)
{
    struct err as_reference = {0};
    int parsed =
        str_starts(name, "sha256:") ? -EINVAL : find_by_reference(e, name, ret, &as_reference);
    int r;

    if (!parsed)
        return 0;
    r = store_image_by_prefix(e->store, name, ret, err);
    if (r == -ENOTUNIQ)
        return err_set(err, ENOTUNIQ, "Multiple IDs found with provided prefix: %s", name);
    if (r != -ENOENT)
        return r;
    if (parsed == -EINVAL && as_reference.code) {
        *err = as_reference;
        err->exit_status = 125;
        return parsed;
    }
    return no_such_image(name, err);
}

int engine_check_platform(struct engine *e, const struct image *image, const char *name,
                          const char *platform, struct err *err)
{
    cleanup_json json_t *config = store_image_config(e->store, image->id, err);
    struct platform wanted;
    int r = config ? platform_parse(platform, &wanted, err) : -err->code;

    if (r < 0 ||
        platform_rank(&wanted, json_str(config, "os", "linux"),
                      json_str(config, "architecture", ""), json_str(config, "variant", "")))
        return r;
    return err_set(err, ENOENT,
                   "image with reference %s was found but does not provide the specified platform "
                   "(%s)",
                   name, platform);
}

/* It may run all the same: by an emulator that binfmt_misc(5) knows. An amd64 machine runs 386's.
 */
char *image_foreign(const json_t *config)
{
    const char *os = json_str(config, "os", "linux"),
               *architecture = json_str(config, "architecture", ""),
               *variant = json_str(config, "variant", "");
    struct platform host;

    platform_host(&host);
    if (!*architecture || platform_rank(&host, os, architecture, variant) ||
        (str_equal(architecture, "386") && !strcmp(host.architecture, "amd64")))
        return NULL;
    return str_format("The requested image's platform (%s/%s%s%s) does not match the detected host "
                      "platform (%s/%s) and no specific platform was requested",
                      os, architecture, *variant ? "/" : "", variant, host.os, host.architecture);
}

void image_event(struct engine *e, const char *action, const char *id, const char *name)
{
    json_t *attributes = json_object();

    json_put_str(attributes, "name", name ? name : id);
    engine_event(e, "image", action, id, attributes);
}

int engine_tag(struct engine *e, const char *source, const char *target, struct err *err)
{
    cleanup_with(reference_free) struct reference ref = {0};
    cleanup_free char *canonical = NULL, *familiar = NULL;
    struct image image;
    int r = reference_parse(target, &ref, err);

    if (!r && ref.digest)
        r = err_set(err, EINVAL, "refusing to create a tag with a digest reference");
    if (!r)
        r = engine_find_image(e, source, &image, err);
    if (r < 0)
        return r;
    canonical = reference_canonical(&ref);
    familiar = reference_familiar(canonical);
    r = store_reference_set(e->store, canonical, image.id, err);
    if (r >= 0)
        image_event(e, "tag", image.id, familiar);
    image_free(&image);
    return r < 0 ? r : 0;
}

/* --- history ---------------------------------------------------------------------------------- */

/* Sizes of the layers, base first. */
static int layer_sizes(struct engine *e, const char *image_id, json_t *ret, struct err *err)
{
    cleanup_strv struct strv chain_ids = {0};
    int r = store_image_layers(e->store, image_id, NULL, &chain_ids, err);

    for (size_t i = 0; i < chain_ids.len && r >= 0; i++) {
        struct layer layer;

        r = store_layer_find(e->store, chain_ids.items[i], &layer, err);
        json_push(ret, json_integer(r < 0 ? 0 : (json_int_t)layer.size));
        if (r == -ENOENT)
            r = 0;
    }
    return r;
}

static json_t *history_row(const json_t *entry, json_t *size)
{
    json_t *row = json_object();

    json_put_str(row, "Id", "<missing>");
    json_put_str(row, "Created", json_str(entry, "created", ""));
    json_put_str(row, "CreatedBy", json_str(entry, "created_by", ""));
    json_put_str(row, "Comment", json_str(entry, "comment", ""));
    json_put(row, "Size", size ? json_incref(size) : json_integer(0));
    return row;
}

/* The image itself made the last step, its parent the one before, as far as parents are here. */
static void name_rows(struct engine *e, const struct image *image, json_t *rows)
{
    char id[DIGEST_LEN + 1];
    struct err ignored;
    json_t *row;
    size_t i;

    strcpy(id, image->id);
    json_array_foreach(rows, i, row)
    {
        struct image parent;

        json_put_str(row, "Id", id);
        if (store_image_by_prefix(e->store, id, &parent, &ignored) < 0)
            return;
        strcpy(id, parent.parent);
        image_free(&parent);
        if (!*id)
            return;
    }
}

json_t *engine_image_history(struct engine *e, const struct image *image, struct err *err)
{
    cleanup_json json_t *config = store_image_config(e->store, image->id, err);
    cleanup_json json_t *sizes = json_array(), *rows = json_array();
    json_t *entry;
    size_t i, layer = 0;

    if (!config || layer_sizes(e, image->id, sizes, err) < 0)
        return NULL;
    json_array_foreach(json_object_get(config, "history"), i, entry)
    {
        json_t *size =
            json_flag(entry, "empty_layer", false) ? NULL : json_array_get(sizes, layer++);

        json_array_insert_new(rows, 0, history_row(entry, size));
    }
    name_rows(e, image, rows);
    return json_incref(rows);
}
