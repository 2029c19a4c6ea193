#include "runtime/cli/commands.h"

const struct command *const commands[] = {
    &command_create,
    &command_delete,
    &command_events,
    &command_exec,
    &command_features,
    &command_kill,
    &command_list,
    &command_mounts,
    &command_pause,
    &command_ps,
    &command_resume,
    &command_run,
    &command_spec,
    &command_start,
    &command_state,
    &command_update,
    NULL,
};
