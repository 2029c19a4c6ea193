/* rmi, tag and image prune. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/human.h"
#include "cli/image_filter.h"
#include "cli/prune.h"
#include "image/image.h"

static const struct flag rmi_flags[] = {
    {'f', "force", .help = "Force removal of the image"},
    {0, "no-prune", .help = "Do not delete untagged parents"},
    {0, "platform", FLAG_LIST, "strings", NULL, NULL,
     .help = "Remove only images for these platforms: \"os[/arch[/variant]]\""},
    FLAGS_END,
};

static const struct flag prune_flags[] = {
    {'a', "all", .help = "Remove all unused images, not just dangling ones"},
    PRUNE_FLAGS("Provide filter values (e.g. \"until=<timestamp>\")"),
    FLAGS_END,
};

static const struct flag tag_flags[] = {FLAGS_END};

/* --- rmi -------------------------------------------------------------------------------------- */

/* An image here is for one platform: it is one of those asked for, or stays. */
static int check_platforms(struct cli *cli, const char *name, struct err *err)
{
    const struct strv *platforms = options_list(&cli->options, "platform");
    struct image image;
    int r = platforms->len ? engine_find_image(cli->engine, name, &image, err) : 0;

    if (r < 0 || !platforms->len)
        return r;
    for (size_t i = 0; i < platforms->len; i++) {
        err_clear(err);
        r = engine_check_platform(cli->engine, &image, name, platforms->items[i], err);
        if (r != -ENOENT)
            break;
    }
    image_free(&image);
    return r;
}

/* Whatever can go goes; what could not is told behind all that did. */
static int rmi_one(struct cli *cli, const char *name, uint64_t *freed, struct strv *errors)
{
    const struct options *o = &cli->options;
    cleanup_with(removed_free) struct removed removed = {0};
    struct err err = {0};
    int r = check_platforms(cli, name, &err);

    if (r >= 0)
        r = engine_remove_image(cli->engine, name, options_flag(o, "force"),
                                options_flag(o, "no-prune"), &removed, &err);
    for (size_t i = 0; i < removed.lines.len; i++)
        puts(removed.lines.items[i]);
    *freed += removed.bytes;
    if (r >= 0)
        return 0;
    strv_add(errors, err.message);
    return options_flag(o, "force") && r == -ENOENT ? 0 : EXIT_FAILURE;
}

/* For people only: scripts know docker's lines, and docker has none for this. */
static void print_freed(uint64_t bytes)
{
    char size[HUMAN_MAX];

    if (!bytes || !isatty(STDERR_FILENO))
        return;
    fflush(stdout);
    human_size((double)bytes, 4, size);
    fprintf(stderr, "Total reclaimed space: %s\n", size);
}

static int cmd_rmi(struct cli *cli)
{
    cleanup_strv struct strv errors = {0};
    struct err err = {0};
    uint64_t freed = 0;
    int code = 0;

    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    for (size_t i = 0; i < cli->options.arg_count; i++)
        code |= rmi_one(cli, cli->options.args[i], &freed, &errors);
    print_freed(freed);
    for (size_t i = 0; i < errors.len; i++) {
        err_set(&err, EIO, "%s", errors.items[i]);
        cli_engine_fail(cli, &err);
    }
    return code;
}

/* --- prune ------------------------------------------------------------------------------------ */

/* "dangling=false" is another spelling of --all, from the API. */
static bool wants_all(const struct options *o)
{
    const struct strv *filters = options_list(o, "filter");

    return options_flag(o, "all") || strv_contains(filters, "dangling=false") ||
           strv_contains(filters, "dangling=0");
}

static int cmd_prune(struct cli *cli)
{
    bool all = wants_all(&cli->options);
    cleanup_with(removed_free) struct removed removed = {0};
    struct image_filter filter;
    struct err err = {0};
    int code = 0, r;

    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (image_filter_prepare(cli, NULL, &filter, &code) < 0)
        return code;
    if (!prune_is_wanted(
            &cli->options,
            all ? "This will remove all images without at least one container associated to "
                  "them."
                : "This will remove all dangling images."))
        return 0;
    r = engine_prune_images(cli->engine, all,
                            options_list(&cli->options, "filter")->len ? image_filter_passes : NULL,
                            &filter, &removed, &err);
    prune_print_images(&removed);
    prune_print_total(removed.bytes);
    return r < 0 ? cli_engine_fail(cli, &err) : 0;
}

/* --- tag -------------------------------------------------------------------------------------- */

static int check_name(const char *name, bool is_target, struct err *err)
{
    struct reference ref = {0};
    int r = reference_parse(name, &ref, err);

    if (!r && is_target && ref.digest)
        r = err_set(err, EINVAL, "refusing to create a tag with a digest reference");
    else if (r < 0)
        err_wrap(err, "Error parsing reference: \"%s\" is not a valid repository/tag", name);
    reference_free(&ref);
    return r;
}

static int cmd_tag(struct cli *cli)
{
    const char *source = cli->options.args[0], *target = cli->options.args[1];
    bool by_id = str_starts(source, "sha256:");
    struct err err = {0};

    if ((!by_id && strspn(source, "0123456789abcdef") != 64 &&
         check_name(source, false, &err) < 0) ||
        check_name(target, true, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 || engine_tag(cli->engine, source, target, &err) < 0)
        return cli_engine_fail(cli, &err);
    return 0;
}

const struct command command_rmi = {
    .paths = {"image rm", "image remove", "rmi"},
    .arguments = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "Remove one or more images",
    .flags = rmi_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_rmi,
};

const struct command command_image_prune = {
    .paths = {"image prune"},
    .arguments = "[OPTIONS]",
    .summary = "Remove unused images",
    .flags = prune_flags,
    .run = cmd_prune,
};

const struct command command_tag = {
    .paths = {"image tag", "tag"},
    .arguments = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    .summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    .flags = tag_flags,
    .min_args = 2,
    .max_args = 2,
    .run = cmd_tag,
};
