/* commands.h - the rows of the table of commands, by the file that holds them. */
#pragma once

#include "cli/cli.h"

extern const struct command command_run, command_create;   /* cmd_run.c */
extern const struct command command_exec;                  /* cmd_exec.c */
extern const struct command command_start, command_attach; /* cmd_start.c */
extern const struct command command_stop, command_restart, command_kill, command_pause,
    command_unpause, command_rm, command_wait;              /* cmd_life.c */
extern const struct command command_top, command_diff;      /* cmd_look.c */
extern const struct command command_cp, command_export;     /* cmd_cp.c */
int cmd_cp_tar(struct cli *cli);                            /* in cooper-image: a tar from stdin */
extern const struct command command_stats;                  /* cmd_stats.c */
extern const struct command command_container_prune;        /* cmd_prune.c */
extern const struct command command_rename, command_update; /* cmd_change.c */
extern const struct command command_ps;                     /* cmd_ps.c */
extern const struct command command_images;                 /* cmd_images.c */
extern const struct command command_rmi, command_tag, command_image_prune; /* cmd_image_rm.c */
extern const struct command command_history;                               /* cmd_history.c */
extern const struct command command_inspect, command_container_inspect, command_image_inspect,
    command_volume_inspect; /* cmd_inspect.c */
extern const struct command command_volume_create, command_volume_ls, command_volume_rm,
    command_volume_prune;                                              /* cmd_volume.c */
extern const struct command command_events;                            /* cmd_events.c */
extern const struct command command_logs;                              /* cmd_logs.c */
extern const struct command command_info, command_version;             /* cmd_system.c */
extern const struct command command_system_df;                         /* cmd_df.c */
extern const struct command command_system_prune;                      /* cmd_system_prune.c */
extern const struct command command_system_start, command_system_stop; /* cmd_boot.c */

extern const struct command command_network_create, command_network_ls, command_network_inspect,
    command_network_rm, command_network_prune; /* cmd_network.c */
extern const struct command command_network_connect, command_network_disconnect,
    command_port; /* cmd_connect.c */

/* cmd_forward.c: run by the program cooper-image, which links what is slow to load. */
extern const struct command command_pull, command_push, command_import, command_insert,
    command_commit, command_save, command_load, command_login, command_logout, command_search;
/* Their functions there: cmd_pull.c, cmd_push.c, cmd_import.c, cmd_commit.c, cmd_save.c,
 * cmd_login.c, cmd_search.c. */
extern const struct command command_build, command_builder_prune; /* build_flags.c */
int cmd_build(struct cli *cli);                                   /* cmd_build.c */
int cmd_builder_prune(struct cli *cli);                           /* cmd_builder.c */
int cmd_pull(struct cli *cli);
int cmd_push(struct cli *cli);
int cmd_import(struct cli *cli);
int cmd_insert(struct cli *cli);
int cmd_commit(struct cli *cli);
int cmd_save(struct cli *cli);
int cmd_load(struct cli *cli);
int cmd_login(struct cli *cli);
int cmd_logout(struct cli *cli);
int cmd_search(struct cli *cli);
