/* cli.h - what every command shares: what it was given, where errors go, how the table of commands
 * looks.
 *
 * Errors look as docker's: what the engine says begins with "Error response from daemon: " (there
 * is no daemon, but scripts know these words), what the command line itself finds does not; `run`
 * puts "cooper: " before and a hint behind both, `create` too while it reads its options. Exit
 * codes are docker's too: 125 for a run that never ran, 125 for a bad flag of any command, 1 for
 * the rest.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "cli/options.h"
#include "engine/engine.h"

#define PROGRAM "cooper"

/* Exit codes with a meaning beyond 0 and 1. */
enum { EXIT_ENGINE = 125, EXIT_NOT_STARTED = 126, EXIT_NOT_FOUND = 127, EXIT_TEMPLATE = 64 };

struct cli;
typedef int command_function(struct cli *cli); /* returns the exit code */

struct command {
    const char *paths[6];  /* every way to say it: "container ls", "container ps", "ps" */
    const char *arguments; /* of the usage line */
    const char *summary;
    const struct flag *flags;
    int min_args, max_args; /* max -1: any number */
    bool stop_at_first;     /* what follows the first argument is not ours */
    bool starts_container;  /* errors as run and create print them */
    bool common;            /* listed first by `cooper --help` */
    command_function *run;
};
extern const struct command *const cli_commands[]; /* NULL-terminated */

struct command_group {
    const char *name, *summary;
};
extern const struct command_group cli_groups[]; /* ends with a NULL name */
extern const struct flag cli_global_flags[];

struct cli {
    const char *root; /* --root, or NULL */
    bool debug, quiet_warnings;
    bool plain_errors; /* `create` once its options are right: no hint behind an error, exit code 1
                        */
    char **argv;       /* as the program got it */
    const struct command *command;
    const char *path; /* the command as docker would name it: "container ls" */
    struct options options;
    struct engine *engine; /* cli_engine() opens it */
};

/* The whole program. `own` lists commands this program carries itself (cooper-image), NULL for
 * cooper. */
int cli_main(int argc, char **argv, const struct command *const *own);

/* Opens the engine when it is not open yet. */
int cli_engine(struct cli *cli, struct err *err);

/* What the engine did to this host that its owner should know, on standard error, once. */
void cli_show_notes(struct cli *cli);

/* Prints an error of the command line / of the engine. Return the exit code. */
int cli_fail(const struct cli *cli, const struct err *err);
int cli_engine_fail(const struct cli *cli, const struct err *err);

/* The command for words such as {"container", "ls"}; the number of words used, or 0. */
int cli_find_command(char **words, const struct command **ret, const char **ret_path);
const struct command_group *cli_find_group(const char *name);

/* help.c */
void help_command(const struct command *command, const char *path);
void help_group(const struct command_group *group);
void help_program(void);
