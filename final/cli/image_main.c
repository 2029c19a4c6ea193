/* cooper-image: the commands that need libcurl, libarchive or libcrypto. cooper executes it with
 * its own argv, so that no other command pays for loading them. */
#include <stddef.h>

#include "cli/cli.h"
#include "cli/commands.h"

#define COUNT 13

int main(int argc, char **argv)
{
    static const struct {
        const struct command *row;
        command_function *run;
    } carried[COUNT] = {
        {&command_pull, cmd_pull},     {&command_push, cmd_push},
        {&command_import, cmd_import}, {&command_insert, cmd_insert},
        {&command_commit, cmd_commit}, {&command_save, cmd_save},
        {&command_load, cmd_load},     {&command_login, cmd_login},
        {&command_logout, cmd_logout}, {&command_search, cmd_search},
        {&command_build, cmd_build},   {&command_builder_prune, cmd_builder_prune},
        {&command_cp, cmd_cp_tar},
    };
    struct command commands[COUNT];
    const struct command *own[COUNT + 1] = {NULL};

    for (size_t i = 0; i < COUNT; i++) {
        commands[i] = *carried[i].row;
        commands[i].run = carried[i].run;
        own[i] = &commands[i];
    }
    return cli_main(argc, argv, own);
}
