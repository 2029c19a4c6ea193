/* cli.h - cooper-runtime: an OCI runtime with runc's command line.
 *
 * One table of commands, one file a command group; help is printed from the same tables the parser
 * reads. A command's function returns the exit code; it reports errors through cli_fail(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/cli/args.h"
#include "runtime/runtime.h"

#define PROGRAM "cooper-runtime"

struct cli {
    const char *root; /* the directory of all containers' states */
    enum runtime_cgroup_manager cgroup_manager;
    struct args global; /* flags before the command */
    struct args args;   /* those behind it */
    char *default_root;
};

struct command {
    const char *name;
    const char *arguments; /* "<container-id> [signal]" */
    const char *summary;   /* one line */
    const char *details;   /* paragraphs for --help, or NULL */
    const struct flag *flags;
    size_t min, max;   /* how many arguments; max SIZE_MAX: any */
    size_t stop_after; /* flags end behind so many arguments; 0: they do not */
    int (*run)(struct cli *cli);
};

extern const struct command *const commands[]; /* NULL-terminated, in help's order */
extern const struct flag global_flags[];

/* Logs the error, with "what: " before it unless `what` is NULL; returns the exit code: that of the
 * error if it has one (126, 127), else 1. */
int cli_fail(const char *what, const struct err *err);

void help_program(void);
void help_command(const struct command *command);
