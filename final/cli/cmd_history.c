/* history: the steps an image was made in, last one first. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/rows.h"
#include "image/image.h"

#define CREATED_BY_COLUMNS 45

static const struct flag flags[] = {
    FORMAT_TABLE_FLAG,
    {'H', "human", FLAG_BOOL, NULL, NULL, "true",
     .help = "Print sizes and dates in human readable format"},
    {0, "no-trunc", .help = "Don't truncate output"},
    {0, "platform", FLAG_ONE, "string", NULL, NULL,
     .help = "Show history for the given platform. Formatted as \"os[/arch[/variant]]\""},
    {'q', "quiet", .help = "Only show image IDs"},
    FLAGS_END,
};

static const struct column columns[] = {
    {"ID", "IMAGE"},
    {"CreatedSince", "CREATED"},
    {"CreatedAt", "CREATED AT"},
    {"CreatedBy", "CREATED BY"},
    {"Size", "SIZE"},
    {"Comment", "COMMENT"},
    COLUMNS_END,
};

#define PRESET         "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
#define PRESET_MACHINE "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"

/* Tabs would break the table. */
static char *one_line(const char *text)
{
    char *copy = str_copy(text);

    for (char *p = copy; *p; p++)
        if (*p == '\t')
            *p = ' ';
    return copy;
}

static void put_time(json_t *row, const json_t *step, bool human)
{
    int64_t created = 0;
    char since[64], at[64];

    if (clock_parse(json_str(step, "Created", ""), &created) < 0)
        created = 0;
    rows_ago(created, clock_now(), since);
    clock_format(created - created % 1000000000, at);
    json_put_str(row, "CreatedSince", human ? since : at);
    json_put_str(row, "CreatedAt", at);
}

static json_t *make_row(const struct options *o, const json_t *step)
{
    bool whole = options_flag(o, "no-trunc");
    const char *id = json_str(step, "Id", "");
    cleanup_free char *short_id = *id == '<' ? str_copy(id) : rows_short_id(id);
    cleanup_free char *by = one_line(json_str(step, "CreatedBy", ""));
    cleanup_free char *cut = human_ellipsis(by, CREATED_BY_COLUMNS);
    long long bytes = json_int(step, "Size", 0);
    char size[HUMAN_MAX];
    json_t *row = json_object();

    if (options_flag(o, "human"))
        human_size((double)bytes, 3, size);
    else
        snprintf(size, sizeof size, "%lld", bytes);
    json_put_str(row, "ID", whole ? id : short_id);
    put_time(row, step, options_flag(o, "human"));
    json_put_str(row, "CreatedBy", whole ? by : cut);
    json_put_str(row, "Size", size);
    json_put_str(row, "Comment", json_str(step, "Comment", ""));
    json_put(row, "Label", json_object()); /* marks a row: see format.h */
    return row;
}

static int print_steps(const struct options *o, const json_t *steps, struct err *err)
{
    const char *format = options_flag(o, "quiet") ? "{{.ID}}" : options_one(o, "format");
    cleanup_json json_t *rows = json_array();
    json_t *step;
    size_t i;

    json_array_foreach(steps, i, step) json_push(rows, make_row(o, step));
    return format_rows(columns, options_flag(o, "human") ? PRESET : PRESET_MACHINE, format, rows,
                       err);
}

static int cmd_history(struct cli *cli)
{
    const struct options *o = &cli->options;
    const char *platform = options_one(o, "platform");
    cleanup_json json_t *steps = NULL;
    struct err err = {0};
    struct image image;
    int r;

    if (cli_engine(cli, &err) < 0 || engine_find_image(cli->engine, o->args[0], &image, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = platform ? engine_check_platform(cli->engine, &image, o->args[0], platform, &err) : 0;
    if (!r)
        steps = engine_image_history(cli->engine, &image, &err);
    image_free(&image);
    if (!steps)
        return cli_engine_fail(cli, &err);
    return print_steps(o, steps, &err) < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_history = {
    .paths = {"image history", "history"},
    .arguments = "[OPTIONS] IMAGE",
    .summary = "Show the history of an image",
    .flags = flags,
    .min_args = 1,
    .max_args = 1,
    .run = cmd_history,
};
