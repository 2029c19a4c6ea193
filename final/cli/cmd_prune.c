/* container prune. */
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/prune.h"
#include "cli/values.h"

static const struct flag prune_flags[] = {
    {0, "filter", FLAG_LIST, "filter", value_check_filter, NULL,
     .help = "Provide filter values (e.g. \"until=<timestamp>\")"},
    {'f', "force", .help = "Do not prompt for confirmation"},
    FLAGS_END,
};

static int cmd_container_prune(struct cli *cli)
{
    struct prune_filter filter;
    cleanup_strv struct strv ids = {0};
    struct err err = {0};
    uint64_t bytes = 0;
    int r;

    if (prune_read_filter(&cli->options, &filter, &err) < 0)
        return cli_fail(cli, &err);
    if (!options_flag(&cli->options, "force") &&
        !confirm("This will remove all stopped containers.")) {
        prune_filter_free(&filter);
        return 0;
    }
    r = cli_engine(cli, &err);
    if (!r)
        r = engine_prune_containers(cli->engine, &filter, &ids, &bytes, &err);
    prune_filter_free(&filter);
    prune_print("Deleted Containers:", &ids);
    if (r < 0)
        return cli_engine_fail(cli, &err);
    prune_print_total(bytes);
    return 0;
}

const struct command command_container_prune = {
    .paths = {"container prune"},
    .arguments = "[OPTIONS]",
    .summary = "Remove all stopped containers",
    .flags = prune_flags,
    .max_args = 0,
    .run = cmd_container_prune,
};
