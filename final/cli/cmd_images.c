/* images and rmi. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/rows.h"
#include "image/image.h"

static const struct flag images_flags[] = {
    {'a', "all", .help = "Show all images (default hides intermediate images)"},
    {0, "digests", .help = "Show digests"},
    {'f', "filter", FLAG_LIST, "filter", NULL, NULL,
     .help = "Filter output based on conditions provided"},
    {0, "format", FLAG_ONE, "string", NULL, NULL,
     .help = "Format output using a custom template:\n"
             "'table':            Print output in table format with column headers (default)\n"
             "'table TEMPLATE':   Print output in table format using the given Go template\n"
             "'json':             Print in JSON format\n"
             "'TEMPLATE':         Print output using the given Go template."},
    {0, "no-trunc", .help = "Don't truncate output"},
    {'q', "quiet", .help = "Only show image IDs"},
    FLAGS_END,
};

static const struct flag rmi_flags[] = {
    {'f', "force", .help = "Force removal of the image"},
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

/* --- filters
 * ---------------------------------------------------------------------------------------- */

static const char *const known_filters[] = {"dangling", "label",     "before",
                                            "since",    "reference", NULL};

static const char *const booleans[] = {"true", "1", "false", "0", NULL};

struct candidate {
    struct cli *cli;
    const struct image *image;
    const char *familiar; /* the row's own name, or "" */
};

static bool match_dangling(void *context, const char *value)
{
    bool dangling = !((struct candidate *)context)->image->references.len;

    return dangling == (!strcmp(value, "true") || !strcmp(value, "1"));
}

static bool match_label(void *context, const char *value)
{
    const struct candidate *k = context;
    struct err err = {0};
    cleanup_json json_t *config = store_image_config(k->cli->engine->store, k->image->id, &err);
    size_t n = strcspn(value, "=");
    cleanup_free char *name = str_copy_n(value, n);
    const char *found = json_string_value(json_object_get(json_at(config, "config.Labels"), name));

    return found && (!value[n] || !strcmp(found, value + n + 1));
}

/* -1, 0, 1: this image was created before, with, after the one named; 0 too when there is none. */
static int age_against(const struct candidate *k, const char *name)
{
    struct image other;
    struct err err = {0};
    int order;

    if (engine_find_image(k->cli->engine, name, &other, &err) < 0)
        return 0;
    order = (k->image->created_ns > other.created_ns) - (k->image->created_ns < other.created_ns);
    image_free(&other);
    return order;
}

static bool match_before(void *context, const char *value)
{
    return age_against(context, value) < 0;
}

static bool match_since(void *context, const char *value)
{
    return age_against(context, value) > 0;
}

/* A glob over "repository:tag" or "repository". */
static bool match_reference(void *context, const char *value)
{
    const struct candidate *k = context;
    cleanup_free char *repository = str_copy_n(k->familiar, strcspn(k->familiar, ":@"));
    const char *colon = strrchr(k->familiar, ':'), *slash = strrchr(k->familiar, '/');

    if (colon && (!slash || colon > slash)) {
        free(repository);
        repository = str_copy_n(k->familiar, (size_t)(colon - k->familiar));
    }
    return !fnmatch(value, k->familiar, FNM_PATHNAME) || !fnmatch(value, repository, FNM_PATHNAME);
}

static const struct filter_rule filters[] = {{"dangling", match_dangling},   {"label", match_label},
                                             {"before", match_before},       {"since", match_since},
                                             {"reference", match_reference}, {NULL, NULL}};

static bool passes(struct candidate *k)
{
    if (!filter_all_hold(options_list(&k->cli->options, "filter"), filters, k))
        return false;
    /* `images NAME[:TAG]` is the filter "reference" in another dress. */
    return !k->cli->options.arg_count || match_reference(k, k->cli->options.args[0]);
}

/* --- rows
 * ------------------------------------------------------------------------------------------- */

/* The digest this image has in the repository of that name, or "<none>". The caller frees. */
static char *digest_of_repository(const struct image *image, const char *repository)
{
    for (size_t i = 0; i < image->digests.len; i++) {
        cleanup_free char *name = NULL, *digest = NULL;

        reference_split(image->digests.items[i], &name, &digest);
        if (!strcmp(name, repository))
            return steal_ptr(&digest);
    }
    return str_copy("<none>");
}

static void put_names(json_t *row, const struct image *image, const char *canonical, bool digests)
{
    cleanup_free char *repository = NULL, *tag = NULL, *digest = NULL;
    bool by_digest;

    if (canonical)
        reference_split(canonical, &repository, &tag);
    by_digest = tag && str_starts(tag, "sha256:");
    json_put_str(row, "Repository", repository ? repository : "<none>");
    json_put_str(row, "Tag", tag && !by_digest ? tag : "<none>");
    if (digests && repository)
        digest = by_digest ? str_copy(tag) : digest_of_repository(image, repository);
    json_put_str(row, "Digest", digest ? digest : "<none>");
}

static json_t *image_row(struct cli *cli, const struct image *image, const char *canonical)
{
    const struct options *o = &cli->options;
    cleanup_free char *id =
        options_flag(o, "no-trunc") ? str_copy(image->id) : rows_short_id(image->id);
    char text[64], size[HUMAN_MAX];
    json_t *row = json_object();

    put_names(row, image, canonical, options_flag(o, "digests") || options_given(o, "format"));
    json_put_str(row, "ID", id);
    rows_ago(image->created_ns, clock_now(), text);
    json_put_str(row, "CreatedSince", text);
    rows_time(image->created_ns, text);
    json_put_str(row, "CreatedAt", text);
    human_size((double)image->size, 3, size);
    json_put_str(row, "Size", size);
    json_put_str(row, "Containers", "N/A");
    json_put_str(row, "SharedSize", "N/A");
    json_put_str(row, "UniqueSize", "N/A");
    json_put(row, "Label", json_object()); /* marks a row: see format.h */
    return row;
}

/* One row a tag; without tags one by digest, with neither one without a name. */
static void add_rows(struct cli *cli, const struct image *image, json_t *rows)
{
    const struct strv *names = image->references.len ? &image->references : &image->digests;

    for (size_t i = 0; i < (names->len ? names->len : 1); i++) {
        const char *canonical = names->len ? names->items[i] : NULL;
        cleanup_free char *familiar = canonical ? reference_familiar(canonical) : str_copy("");
        struct candidate k = {cli, image, familiar};

        if (passes(&k))
            json_push(rows, image_row(cli, image, canonical));
    }
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

static int cmd_images(struct cli *cli)
{
    const struct strv *given = options_list(&cli->options, "filter");
    cleanup_json json_t *rows = json_array();
    struct image_list list = {0};
    struct err err = {0};

    if (filter_check(given, known_filters, &err) < 0 ||
        filter_check_values(given, "dangling", booleans, true, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 || store_images(cli->engine->store, &list, &err) < 0)
        return cli_engine_fail(cli, &err);
    for (size_t i = 0; i < list.len; i++)
        add_rows(cli, &list.items[i], rows);
    image_list_free(&list);
    return print_rows(cli, rows, &err) < 0 ? cli_fail(cli, &err) : 0;
}

static int rmi_one(struct cli *cli, const char *name)
{
    bool force = options_flag(&cli->options, "force");
    struct strv lines = {0};
    struct err err = {0};
    int r = engine_remove_image(cli->engine, name, force, &lines, &err);

    for (size_t i = 0; i < lines.len; i++)
        puts(lines.items[i]);
    strv_free(&lines);
    if (r >= 0)
        return 0;
    cli_engine_fail(cli, &err);
    return force && r == -ENOENT ? 0 : EXIT_FAILURE;
}

static int cmd_rmi(struct cli *cli)
{
    struct err err = {0};
    int code = 0;

    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    for (size_t i = 0; i < cli->options.arg_count; i++)
        code |= rmi_one(cli, cli->options.args[i]);
    return code;
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

const struct command command_rmi = {
    .paths = {"image rm", "image remove", "rmi"},
    .arguments = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Remove one or more images",
    .flags = rmi_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_rmi,
};
