/* system df: how much disk images, containers and volumes take, and how much of it prune would give
 * back. Counting walks directories, so nothing is counted twice: -v asks for more, not for the same
 * again. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/df.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/human.h"

static const struct flag df_flags[] = {
    FORMAT_TABLE_FLAG,
    {'v', "verbose", .help = "Show detailed information on space usage"},
    FLAGS_END,
};

static const struct column columns[] = {
    {"Type", "TYPE"}, {"TotalCount", "TOTAL"},        {"Active", "ACTIVE"},
    {"Size", "SIZE"}, {"Reclaimable", "RECLAIMABLE"}, COLUMNS_END,
};

#define PRESET "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}"

/* "1.984MB (100%)"; of nothing there is no share, and docker shows none of the cache's. */
static char *reclaimable(const struct usage_part *part, bool share)
{
    char size[HUMAN_MAX];

    human_size((double)part->unused, 4, size);
    if (!part->bytes || !share)
        return str_copy(size);
    return str_format("%s (%d%%)", size, (int)((double)part->unused * 100 / (double)part->bytes));
}

static void add_row(json_t *rows, const char *type, const struct usage_part *part)
{
    cleanup_free char *unused = reclaimable(part, strcmp(type, "Build Cache") != 0);
    char text[HUMAN_MAX];
    json_t *row = json_object();

    json_put_str(row, "Type", type);
    snprintf(text, sizeof text, "%zu", part->total);
    json_put_str(row, "TotalCount", text);
    snprintf(text, sizeof text, "%zu", part->active);
    json_put_str(row, "Active", text);
    human_size((double)part->bytes, 4, text);
    json_put_str(row, "Size", text);
    json_put_str(row, "Reclaimable", unused);
    json_put(row, "Label", json_object()); /* marks a row: see format.h */
    json_push(rows, row);
}

static int print_summary(struct cli *cli, const char *format)
{
    cleanup_json json_t *rows = json_array();
    struct engine_usage usage;
    struct err err = {0};

    if (engine_usage(cli->engine, &usage, &err) < 0)
        return cli_engine_fail(cli, &err);
    add_row(rows, "Images", &usage.images);
    add_row(rows, "Containers", &usage.containers);
    add_row(rows, "Local Volumes", &usage.volumes);
    add_row(rows, "Build Cache", &usage.cache);
    return format_rows(columns, PRESET, format, rows, &err) < 0 ? cli_fail(cli, &err) : 0;
}

static int cmd_df(struct cli *cli)
{
    const char *format = options_one(&cli->options, "format");
    struct err err = {0};

    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (!options_flag(&cli->options, "verbose"))
        return print_summary(cli, format);
    return df_print_verbose(cli->engine, format, &err) < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_system_df = {
    .paths = {"system df"},
    .arguments = "[OPTIONS]",
    .summary = "Show disk usage",
    .flags = df_flags,
    .max_args = 0,
    .run = cmd_df,
};
