/* system start and system stop: for the unit that systemd runs when the machine comes up and goes
 * down, and for whoever has no systemd. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"

static const struct flag no_flags[] = {FLAGS_END};

struct telling {
    struct cli *cli;
    int code;
};

static void tell(void *context, const struct container *c, const struct err *err)
{
    struct telling *t = context;

    if (err->code) {
        cli_engine_fail(t->cli, err);
        t->code = EXIT_FAILURE;
    } else {
        puts(c->name);
    }
    fflush(stdout);
}

static int run(struct cli *cli,
               int (*all)(struct engine *e, engine_told *told, void *context, struct err *err))
{
    struct telling t = {.cli = cli};
    struct err err = {0};

    if (cli_engine(cli, &err) < 0 || all(cli->engine, tell, &t, &err) < 0)
        return cli_engine_fail(cli, &err);
    return t.code;
}

static int cmd_system_start(struct cli *cli)
{
    return run(cli, engine_start_all);
}

static int cmd_system_stop(struct cli *cli)
{
    return run(cli, engine_stop_all);
}

const struct command command_system_start = {
    .paths = {"system start"},
    .arguments = "",
    .summary = "Start the containers that should run after a boot, by their restart policies",
    .flags = no_flags,
    .max_args = 0,
    .run = cmd_system_start,
};

const struct command command_system_stop = {
    .paths = {"system stop"},
    .arguments = "",
    .summary = "Stop all containers before a shutdown; system start goes on with them",
    .flags = no_flags,
    .max_args = 0,
    .run = cmd_system_stop,
};
