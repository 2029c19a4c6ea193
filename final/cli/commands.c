/* The table of commands. Each command's own row stands in its file, beside its flags and its
 * function. */
#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"

const struct command *const cli_commands[] = {
    &command_run,
    &command_exec,
    &command_ps,
    &command_build,
    &command_pull,
    &command_push,
    &command_images,
    &command_login,
    &command_logout,
    &command_search,
    &command_version,
    &command_info,
    &command_attach,
    &command_builder_prune,
    &command_commit,
    &command_cp,
    &command_create,
    &command_container_prune,
    &command_diff,
    &command_events,
    &command_export,
    &command_history,
    &command_image_prune,
    &command_import,
    &command_insert,
    &command_inspect,
    &command_container_inspect,
    &command_image_inspect,
    &command_kill,
    &command_load,
    &command_logs,
    &command_network_connect,
    &command_network_create,
    &command_network_disconnect,
    &command_network_inspect,
    &command_network_ls,
    &command_network_prune,
    &command_network_rm,
    &command_pause,
    &command_port,
    &command_rename,
    &command_restart,
    &command_rm,
    &command_rmi,
    &command_save,
    &command_start,
    &command_stats,
    &command_stop,
    &command_system_df,
    &command_system_prune,
    &command_system_start,
    &command_system_stop,
    &command_tag,
    &command_top,
    &command_unpause,
    &command_update,
    &command_volume_create,
    &command_volume_inspect,
    &command_volume_ls,
    &command_volume_prune,
    &command_volume_rm,
    &command_wait,
    NULL,
};

const struct command_group cli_groups[] = {
    {"builder", "Manage builds"},
    {"container", "Manage containers"},
    {"image", "Manage images"},
    {"network", "Manage networks"},
    {"system", "Manage Cooper"},
    {"volume", "Manage volumes"},
    {NULL, NULL},
};

const struct command_group *cli_find_group(const char *name)
{
    for (const struct command_group *g = cli_groups; g->name; g++)
        if (!strcmp(g->name, name))
            return g;
    return NULL;
}

/* "container" "list" was said: errors and usage name it "container ls", its first name in that
 * group. */
static const char *group_path(const struct command *command, const char *group)
{
    size_t len = strlen(group);

    for (int i = 0; command->paths[i]; i++)
        if (!strncmp(command->paths[i], group, len) && command->paths[i][len] == ' ')
            return command->paths[i];
    return NULL;
}

static int path_words(const char *path, char **words)
{
    size_t len = strcspn(path, " ");

    if (strncmp(words[0], path, len) || words[0][len])
        return 0;
    if (!path[len])
        return 1;
    return words[1] && !strcmp(words[1], path + len + 1) ? 2 : 0;
}

int cli_find_command(char **words, const struct command **ret, const char **ret_path)
{
    for (int i = 0; cli_commands[i]; i++)
        for (int j = 0; cli_commands[i]->paths[j]; j++) {
            const char *path = cli_commands[i]->paths[j];
            int used = path_words(path, words);

            if (!used)
                continue;
            *ret = cli_commands[i];
            *ret_path = used == 2 ? group_path(*ret, words[0]) : path;
            return used;
        }
    return 0;
}
