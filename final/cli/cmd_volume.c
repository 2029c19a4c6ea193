/* volume create, ls, rm, prune. (volume inspect: cmd_inspect.c) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/prune.h"
#include "cli/rows.h"
#include "cli/values.h"

static const struct flag create_flags[] = {
    {'d', "driver", FLAG_ONE, "string", NULL, "local", .help = "Specify volume driver name"},
    {0, "label", FLAG_LIST, "list", value_check_label, NULL, .help = "Set metadata for a volume"},
    {0, "name", FLAG_ONE, "string", NULL, NULL, .help = "Specify volume name (an older way)"},
    {'o', "opt", FLAG_LIST, "map", NULL, NULL, .help = "Set driver specific options"},
    FLAGS_END,
};

static const struct flag ls_flags[] = {
    {'f', "filter", FLAG_LIST, "filter", value_check_filter, NULL,
     .help = "Provide filter values (e.g. \"dangling=true\")"},
    FORMAT_TABLE_FLAG,
    {'q', "quiet", .help = "Only display volume names"},
    FLAGS_END,
};

static const struct flag rm_flags[] = {
    {'f', "force", .help = "Force the removal of one or more volumes"},
    FLAGS_END,
};

static const struct flag prune_flags[] = {
    {'a', "all", .help = "Remove all unused volumes, not just anonymous ones"},
    PRUNE_FLAGS("Provide filter values (e.g. \"label=<label>\")"),
    FLAGS_END,
};

/* --- create ---------------------------------------------------------------------------------- */

static json_t *pairs(const struct strv *given)
{
    json_t *object = json_object();

    for (size_t i = 0; i < given->len; i++)
        value_add_pair(object, given->items[i]);
    return object;
}

static int cmd_create(struct cli *cli)
{
    const struct options *o = &cli->options;
    const char *argument = o->arg_count ? o->args[0] : NULL, *flag = options_one(o, "name");
    const char *wanted = argument ? argument : flag;
    cleanup_json json_t *labels = pairs(options_list(o, "label"));
    cleanup_json json_t *options = pairs(options_list(o, "opt"));
    cleanup_free char *name = NULL;
    struct err err = {0};

    if (argument && flag) {
        err_set(&err, EINVAL,
                "conflicting options: cannot specify a volume-name through both --name and as a "
                "positional arg");
        return cli_fail(cli, &err);
    }
    if (cli_engine(cli, &err) < 0 ||
        engine_volume_create(cli->engine, wanted && *wanted ? wanted : NULL,
                             options_one(o, "driver"), labels, options, &name, &err) < 0)
        return cli_engine_fail(cli, &err);
    puts(name);
    return 0;
}

/* --- ls -------------------------------------------------------------------------------------- */

static const struct column columns[] = {
    {"Name", "VOLUME NAME"},
    {"Driver", "DRIVER"},
    {"Scope", "SCOPE"},
    {"Mountpoint", "MOUNTPOINT"},
    {"Labels", "LABELS"},
    {"Links", "LINKS"},
    {"Size", "SIZE"},
    {"Group", "GROUP"},
    {"Status", "STATUS"},
    {"Availability", "AVAILABILITY"},
    COLUMNS_END,
};

struct candidate {
    struct cli *cli;
    const struct volume *v;
};

static bool match_name(void *context, const char *value)
{
    return filter_matches(((struct candidate *)context)->v->name, value);
}

static bool match_driver(void *context, const char *value)
{
    (void)context;
    return !strcmp(value, "local");
}

static bool match_label(void *context, const char *value)
{
    size_t n = strcspn(value, "=");
    cleanup_free char *name = str_copy_n(value, n);
    const json_t *labels = ((struct candidate *)context)->v->labels;
    const char *found = json_string_value(json_object_get(labels, name));

    return found && (!value[n] || !strcmp(found, value + n + 1));
}

static bool match_dangling(void *context, const char *value)
{
    const struct candidate *k = context;
    cleanup_strv struct strv users = {0};
    struct err ignored = {0};

    engine_volume_users(k->cli->engine, k->v->name, &users, &ignored);
    return !users.len == value_bool(value);
}

static const struct filter_rule rules[] = {
    {"name", match_name}, {"driver", match_driver}, {"dangling", match_dangling}, {NULL, NULL}};
static const char *const known[] = {"name", "driver", "label", "dangling", NULL};
static const char *const dangling[] = {"true", "false", "1", "0", NULL};

/* "v9" before "v10", as docker. */
static int compare(const void *a, const void *b)
{
    return strverscmp(((const struct volume *)a)->name, ((const struct volume *)b)->name);
}

static int cmd_ls(struct cli *cli)
{
    const struct options *o = &cli->options;
    const struct strv *given = options_list(o, "filter");
    const char *format = options_one(o, "format");
    cleanup_json json_t *rows = json_array();
    struct volume_list list;
    struct err err = {0};

    if (filter_check(given, known, &err) < 0 ||
        filter_check_values(given, "dangling", dangling, true, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 || engine_volumes(cli->engine, &list, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (list.len)
        qsort(list.items, list.len, sizeof *list.items, compare);
    for (size_t i = 0; i < list.len; i++) {
        struct candidate k = {cli, &list.items[i]};

        if (filter_all_hold(given, rules, &k) && filter_each_holds(given, "label", match_label, &k))
            json_push(rows, rows_volume(cli->engine, k.v));
    }
    volume_list_free(&list);
    if (!format && options_flag(o, "quiet"))
        format = "{{.Name}}";
    if (format_rows(columns, "{{.Driver}}\t{{.Name}}", format, rows, &err) < 0)
        return cli_fail(cli, &err);
    return 0;
}

/* --- rm, prune ------------------------------------------------------------------------------- */

static int cmd_rm(struct cli *cli)
{
    bool force = options_flag(&cli->options, "force");
    struct err err = {0};
    int code = 0;

    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    for (size_t i = 0; i < cli->options.arg_count; i++) {
        const char *name = cli->options.args[i];
        int r = engine_volume_remove(cli->engine, name, &err);

        if (r < 0 && !(r == -ENOENT && force))
            code = cli_engine_fail(cli, &err);
        else
            puts(name);
        err_clear(&err);
    }
    return code;
}

static int run_prune(struct cli *cli, const struct prune_filter *filter, struct strv *ret_gone,
                     uint64_t *ret_bytes, struct err *err)
{
    return engine_prune_volumes(cli->engine, filter, options_flag(&cli->options, "all"), ret_gone,
                                ret_bytes, err);
}

static int cmd_prune(struct cli *cli)
{
    static const struct prune_kind volumes = {"Deleted Volumes:", run_prune, false};

    return prune_command(
        cli, &volumes,
        options_flag(&cli->options, "all")
            ? "This will remove all local volumes not used by at least one container."
            : "This will remove anonymous local volumes not used by at least one container.");
}

const struct command command_volume_create = {
    .paths = {"volume create"},
    .arguments = "[OPTIONS] [VOLUME]",
    .summary = "Create a volume",
    .flags = create_flags,
    .max_args = 1,
    .run = cmd_create,
};

const struct command command_volume_ls = {
    .paths = {"volume ls", "volume list"},
    .arguments = "[OPTIONS]",
    .summary = "List volumes",
    .flags = ls_flags,
    .max_args = 0,
    .run = cmd_ls,
};

const struct command command_volume_rm = {
    .paths = {"volume rm", "volume remove"},
    .arguments = "[OPTIONS] VOLUME [VOLUME...]",
    .summary = "Remove one or more volumes",
    .flags = rm_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_rm,
};

const struct command command_volume_prune = {
    .paths = {"volume prune"},
    .arguments = "[OPTIONS]",
    .summary = "Remove unused local volumes",
    .flags = prune_flags,
    .max_args = 0,
    .run = cmd_prune,
};
