/* container prune. */
#include "cli/commands.h"
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
    return prune_command(cli, &prune_containers, "This will remove all stopped containers.");
}

const struct command command_container_prune = {
    .paths = {"container prune"},
    .arguments = "[OPTIONS]",
    .summary = "Remove all stopped containers",
    .flags = prune_flags,
    .max_args = 0,
    .run = cmd_container_prune,
};
