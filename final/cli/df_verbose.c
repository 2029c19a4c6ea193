/* The rows are those of images, ps and volume ls, with what those do not count. */
#include "cli/df.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/rows.h"
#include "cli/rows_container.h"
#include "cli/rows_image.h"

/* One of the lists: what it is called, and its table. */
struct section {
    const char *member, *title, *preset;
    const struct column *columns;
    int (*rows)(struct engine *e, bool whole, json_t *rows, struct err *err);
};

static void put_size(json_t *row, const char *member, uint64_t bytes, int digits)
{
    char text[HUMAN_MAX];

    human_size((double)bytes, digits, text);
    json_put_str(row, member, text);
}

static void put_count(json_t *row, const char *member, size_t count)
{
    cleanup_free char *text = str_format("%zu", count);

    json_put_str(row, member, text);
}

/* --- images ----------------------------------------------------------------------------------- */

static const struct column image_columns[] = {
    {"Repository", "REPOSITORY"},
    {"Tag", "TAG"},
    {"ID", "IMAGE ID"},
    {"CreatedSince", "CREATED"},
    {"CreatedAt", "CREATED AT"},
    {"Digest", "DIGEST"},
    {"Size", "SIZE"},
    {"SharedSize", "SHARED SIZE"},
    {"UniqueSize", "UNIQUE SIZE"},
    {"Containers", "CONTAINERS"},
    {"VirtualSize", "VIRTUAL SIZE"},
    COLUMNS_END,
};

/* By its first name only: what an image takes it takes once. */
static int image_row(struct engine *e, const struct image *image, bool whole, json_t *rows,
                     struct err *err)
{
    const struct strv *names = image->references.len ? &image->references : &image->digests;
    struct image_row how = {.now_ns = clock_now(), .whole = whole};
    uint64_t shared, unique;
    json_t *row;
    int r = store_image_shares(e->store, image->id, &shared, &unique, err);

    if (r < 0)
        return r;
    row = rows_image(image, names->len ? names->items[0] : NULL, &how);
    put_size(row, "SharedSize", shared, 4);
    put_size(row, "UniqueSize", unique, 4);
    put_size(row, "VirtualSize", image->size, 4);
    put_count(row, "Containers", image->containers);
    json_push(rows, row);
    return 0;
}

static int image_rows(struct engine *e, bool whole, json_t *rows, struct err *err)
{
    struct image_list list;
    int r = store_images(e->store, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len && !r; i++)
        r = image_row(e, &list.items[i], whole, rows, err);
    image_list_free(&list);
    return r;
}

/* --- containers ------------------------------------------------------------------------------- */

static const struct column container_columns[] = {
    {"ID", "CONTAINER ID"},
    {"Image", "IMAGE"},
    {"Command", "COMMAND"},
    {"LocalVolumes", "LOCAL VOLUMES"},
    {"Size", "SIZE"},
    {"RunningFor", "CREATED"},
    {"Status", "STATUS"},
    {"Names", "NAMES"},
    COLUMNS_END,
};

static int container_rows(struct engine *e, bool whole, json_t *rows, struct err *err)
{
    cleanup_json json_t *images = json_object();
    struct container_row how = {
        .now_ns = clock_now(), .images = images, .whole = whole, .ports = whole};
    struct container_list list;
    int r = engine_list(e, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len; i++) {
        json_t *row = rows_container(e, &list.items[i], &how);

        put_size(row, "Size", engine_container_size(e, &list.items[i]), 3);
        json_push(rows, row);
    }
    container_list_free(&list);
    return 0;
}

/* --- volumes ---------------------------------------------------------------------------------- */

static const struct column volume_columns[] = {
    {"Name", "VOLUME NAME"}, {"Links", "LINKS"}, {"Size", "SIZE"}, COLUMNS_END};

static int volume_rows(struct engine *e, bool whole, json_t *rows, struct err *err)
{
    struct volume_list list;
    int r = engine_volumes(e, &list, err);

    (void)whole;
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len && !r; i++) {
        cleanup_strv struct strv users = {0};
        json_t *row = rows_volume(e, &list.items[i]);

        r = engine_volume_users(e, list.items[i].name, &users, err);
        put_count(row, "Links", users.len);
        put_size(row, "Size", engine_volume_size(e, list.items[i].name), 4);
        json_push(rows, row);
    }
    volume_list_free(&list);
    return r;
}

/* --- build cache ------------------------------------------------------------------------------ */

static const struct column cache_columns[] = {{"ID", "CACHE ID"},
                                              {"CacheType", "CACHE TYPE"},
                                              {"Size", "SIZE"},
                                              {"CreatedSince", "CREATED"},
                                              {"LastUsedSince", "LAST USED"},
                                              {"UsageCount", "USAGE"},
                                              {"Shared", "SHARED"},
                                              COLUMNS_END};

/* A step's layer that an image has, too, is shared. */
static json_t *cache_row(const struct build_step *step, bool whole)
{
    const char *id = digest_hex(step->key);
    cleanup_free char *cut = whole ? str_copy(id) : rows_short_id(id);
    json_t *row = json_object();
    char text[64];

    json_put_str(row, "ID", cut);
    json_put_str(row, "CacheType", "regular");
    json_put_str(row, "Description", step->description);
    put_size(row, "Size", step->size, 3);
    rows_ago(step->created_ns, clock_now(), text);
    json_put_str(row, "CreatedSince", text);
    rows_ago(step->used_ns, clock_now(), text);
    json_put_str(row, "LastUsedSince", text);
    put_count(row, "UsageCount", step->uses);
    json_put_str(row, "InUse", step->in_use ? "true" : "false");
    json_put_str(row, "Shared", step->in_use ? "true" : "false");
    json_put(row, "Label", json_object()); /* marks a row: see format.h */
    return row;
}

static int cache_rows(struct engine *e, bool whole, json_t *rows, struct err *err)
{
    struct build_step_list list = {0};
    int r = store_build_list(e->store, &list, err);

    for (size_t i = 0; i < list.len && r >= 0; i++)
        json_push(rows, cache_row(&list.items[i], whole));
    build_step_list_free(&list);
    return r < 0 ? r : 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

static const struct section sections[] = {
    {"Images", "Images space usage:",
     "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t"
     "{{.UniqueSize}}\t{{.Containers}}",
     image_columns, image_rows},
    {"Containers", "Containers space usage:",
     "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t"
     "{{.Status}}\t{{.Names}}",
     container_columns, container_rows},
    {"Volumes", "Local Volumes space usage:", "{{.Name}}\t{{.Links}}\t{{.Size}}", volume_columns,
     volume_rows},
    {"BuildCache", NULL,
     "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t"
     "{{.UsageCount}}\t{{.Shared}}",
     cache_columns, cache_rows},
};
#define SECTIONS (sizeof sections / sizeof *sections)

/* The cache has no heading but its sum: what images have of it is theirs. */
static int print_title(struct engine *e, const struct section *s, struct err *err)
{
    struct usage_part cache = {0};
    char size[HUMAN_MAX];
    int r = s->title ? 0 : engine_cache_usage(e, &cache, err);

    human_size((double)cache.bytes, 4, size);
    if (s->title)
        printf("%s\n\n", s->title);
    else if (!r)
        printf("Build cache usage: %s\n\n", size);
    return r;
}

static int print_tables(struct engine *e, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < SECTIONS && !r; i++) {
        const struct section *s = &sections[i];
        cleanup_json json_t *rows = json_array();

        r = s->rows(e, false, rows, err);
        if (!r)
            r = print_title(e, s, err);
        if (!r)
            r = format_rows(s->columns, s->preset, NULL, rows, err);
        if (!r && i + 1 < SECTIONS)
            printf("\n");
    }
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Inside a document a row's members are sorted as on a line of their own, too. */
static json_t *sorted(json_t *row)
{
    cleanup_strv struct strv names = {0};
    json_t *copy = json_object(), *value;
    const char *name;

    json_object_foreach(row, name, value)
    {
        if (strcmp(name, "Label") != 0)
            strv_add(&names, name);
    }
    qsort(names.items, names.len, sizeof *names.items, by_name);
    for (size_t i = 0; i < names.len; i++)
        json_object_set(copy, names.items[i], json_object_get(row, names.items[i]));
    return copy;
}

static int print_document(struct engine *e, const char *format, struct err *err)
{
    cleanup_json json_t *document = json_object();

    for (size_t i = 0; i < SECTIONS; i++) {
        cleanup_json json_t *rows = json_array();
        json_t *list = json_array(), *row;
        size_t k;
        int r = sections[i].rows(e, true, rows, err);

        json_array_foreach(rows, k, row) json_push(list, sorted(row));
        json_put(document, sections[i].member, list);
        if (r < 0)
            return r;
    }
    return format_document(format, document, err);
}

int df_print_verbose(struct engine *e, const char *format, struct err *err)
{
    if (!format || !*format || !strcmp(format, "table"))
        return print_tables(e, err);
    return format_check(format, err) < 0 ? -err->code : print_document(e, format, err);
}
