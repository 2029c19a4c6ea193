/* container prune. */
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/prune.h"

static const struct flag prune_flags[] = {
    PRUNE_FLAGS("Provide filter values (e.g. \"until=<timestamp>\")"),
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
