/* top and diff: what a container does, and what it did to its files. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/table.h"

#define TOP_COLUMN 20 /* docker's least width here */

static const struct flag no_flags[] = {FLAGS_END};

static int find(struct cli *cli, struct container *ret, struct err *err)
{
    int r = cli_engine(cli, err);

    return r < 0 ? r : engine_find(cli->engine, cli->options.args[0], ret, err);
}

static void add_row(const json_t *row, struct buf *text)
{
    json_t *cell;
    size_t i;

    json_array_foreach(row, i, cell)
        buf_printf(text, "%s%s", i ? "\t" : "", json_string_value(cell));
    buf_add_char(text, '\n');
}

static void print_processes(const json_t *table)
{
    cleanup_buf struct buf text = {0};
    json_t *row;
    size_t i;

    add_row(json_object_get(table, "Titles"), &text);
    json_array_foreach(json_object_get(table, "Processes"), i, row) add_row(row, &text);
    table_print_wide(stdout, text.data, TOP_COLUMN);
}

static int cmd_top(struct cli *cli)
{
    cleanup_strv struct strv ps_options = {0};
    cleanup_json json_t *table = NULL;
    struct container c;
    struct err err = {0};

    for (size_t i = 1; i < cli->options.arg_count; i++)
        strv_add(&ps_options, cli->options.args[i]);
    if (find(cli, &c, &err) < 0)
        return cli_engine_fail(cli, &err);
    table = engine_top(cli->engine, &c, &ps_options, &err);
    container_free(&c);
    if (!table)
        return cli_engine_fail(cli, &err);
    print_processes(table);
    return 0;
}

static int print_change(void *context, char kind, const char *path)
{
    (void)context;
    return printf("%c /%s\n", kind, path) < 0 ? -EPIPE : 0;
}

static int cmd_diff(struct cli *cli)
{
    struct container c;
    struct err err = {0};
    int r = find(cli, &c, &err);

    if (!r) {
        r = engine_diff(cli->engine, &c, print_change, NULL, &err);
        container_free(&c);
    }
    return r < 0 && r != -EPIPE ? cli_engine_fail(cli, &err) : r < 0;
}

const struct command command_top = {
    .paths = {"container top", "top"},
    .arguments = "CONTAINER [ps OPTIONS]",
    .summary = "Display the running processes of a container",
    .flags = no_flags,
    .min_args = 1,
    .max_args = -1,
    .stop_at_first = true,
    .run = cmd_top,
};

const struct command command_diff = {
    .paths = {"container diff", "diff"},
    .arguments = "CONTAINER",
    .summary = "Inspect changes to files or directories on a container's filesystem",
    .flags = no_flags,
    .min_args = 1,
    .max_args = 1,
    .run = cmd_diff,
};
