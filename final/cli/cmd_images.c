/* images: one row a name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/image_filter.h"
#include "cli/image_tree.h"
#include "cli/rows_image.h"
#include "image/image.h"

static const struct flag images_flags[] = {
    {'a', "all", .help = "Show all images (default hides intermediate images)"},
    {0, "digests", .help = "Show digests"},
    FILTER_FLAG,
    FORMAT_TABLE_FLAG,
    {0, "no-trunc", .help = "Don't truncate output"},
    {'q', "quiet", .help = "Only show image IDs"},
    {0, "tree", .help = "List images below those they were made from"},
    FLAGS_END,
};

static const struct column columns[] = {
    {"Repository", "REPOSITORY"},
    {"Tag", "TAG"},
    {"Digest", "DIGEST"},
    {"ID", "IMAGE ID"},
    {"CreatedSince", "CREATED"},
    {"CreatedAt", "CREATED AT"},
    {"Size", "SIZE"},
    {"Containers", "CONTAINERS"},
    {"SharedSize", "SHARED SIZE"},
    {"UniqueSize", "UNIQUE SIZE"},
    COLUMNS_END,
};

#define PRESET "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
#define PRESET_DIGESTS                                                                             \
    "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"

/* --- rows ------------------------------------------------------------------------------------- */

/* One row a tag; without tags one by digest, with neither one without a name. */
static void add_rows(struct image_filter *f, const struct image *image, json_t *rows)
{
    const struct options *o = &f->cli->options;
    struct image_row how = {.now_ns = clock_now(),
                            .whole = options_flag(o, "no-trunc"),
                            .digests = options_flag(o, "digests") || options_given(o, "format")};
    const struct strv *names = image->references.len ? &image->references : &image->digests;

    for (size_t i = 0; i < (names->len ? names->len : 1); i++) {
        const char *canonical = names->len ? names->items[i] : NULL;
        cleanup_free char *familiar = canonical ? reference_familiar(canonical) : str_copy("");

        if (image_filter_holds(f, image, familiar))
            json_push(rows, rows_image(image, canonical, &how));
    }
}

/* What has no name and was built upon is a step on the way to another image. */
static bool is_intermediate(const struct image *image)
{
    return !image->references.len && !image->digests.len && image->children;
}

/* -q prints an image once, however many names it has. */
static int print_ids(const json_t *rows)
{
    cleanup_strv struct strv seen = {0};
    json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        const char *id = json_str(row, "ID", "");

        if (strv_contains(&seen, id))
            continue;
        strv_add(&seen, id);
        puts(id);
    }
    return 0;
}

static int print_rows(struct cli *cli, const json_t *rows, struct err *err)
{
    const struct options *o = &cli->options;

    if (options_flag(o, "quiet"))
        return print_ids(rows);
    return format_rows(columns, options_flag(o, "digests") ? PRESET_DIGESTS : PRESET,
                       options_one(o, "format"), rows, err);
}

static const char *const not_with_tree[] = {"quiet", "no-trunc", "digests", "format", NULL};

static int check_tree(const struct options *o, struct err *err)
{
    for (size_t i = 0; options_flag(o, "tree") && not_with_tree[i]; i++)
        if (options_given(o, not_with_tree[i]))
            return err_set(err, EINVAL, "--%s is not yet supported with --tree", not_with_tree[i]);
    return 0;
}

static int cmd_images(struct cli *cli)
{
    const struct options *o = &cli->options;
    cleanup_json json_t *rows = json_array();
    struct image_list list = {0};
    struct image_filter filter;
    struct err err = {0};
    int code = 0, r;

    if (check_tree(o, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (image_filter_prepare(cli, o->arg_count ? o->args[0] : NULL, &filter, &code) < 0)
        return code;
    if (store_images(cli->engine->store, &list, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (options_flag(o, "tree")) {
        r = image_tree_print(&filter, &list, &err);
    } else {
        for (size_t i = 0; i < list.len; i++)
            if (options_flag(o, "all") || !is_intermediate(&list.items[i]))
                add_rows(&filter, &list.items[i], rows);
        r = print_rows(cli, rows, &err);
    }
    image_list_free(&list);
    return r < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_images = {
    .paths = {"image ls", "image list", "images"},
    .arguments = "[OPTIONS] [REPOSITORY[:TAG]]",
    .summary = "List images",
    .flags = images_flags,
    .max_args = 1,
    .common = true,
    .run = cmd_images,
};
