#include "runtime/cli/commands.h"

const struct command *const commands[] = {
    &command_create, &command_delete, &command_exec,  &command_kill, &command_list,
    &command_run,    &command_start,  &command_state, NULL,
};
