/* cooper-image: the commands that need libcurl and libarchive. cooper executes it with its own
 * argv, so that no other command pays for loading them. */
#include <stddef.h>

#include "cli/cli.h"
#include "cli/commands.h"

int main(int argc, char **argv)
{
    struct command pull = command_pull, import = command_import, commit = command_commit;
    const struct command *const own[] = {&pull, &import, &commit, NULL};

    pull.run = cmd_pull;
    import.run = cmd_import;
    commit.run = cmd_commit;
    return cli_main(argc, argv, own);
}
