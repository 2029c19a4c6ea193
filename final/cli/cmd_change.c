/* rename and update: what is changed of a container that is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/resources.h"

static const struct flag rename_flags[] = {FLAGS_END};

static const struct flag update_flags[] = {
    RESOURCE_FLAGS,
    {0, "restart", FLAG_ONE, "string", NULL, NULL,
     .help = "Restart policy to apply when a container exits"},
    FLAGS_END,
};

static int cmd_rename(struct cli *cli)
{
    const char *from = cli->options.args[0], *to = cli->options.args[1];
    struct container c;
    struct err err = {0};
    int r;

    if (!*from || !*to) {
        err_set(&err, EINVAL, "Error: Neither old nor new names may be empty");
        return cli_fail(cli, &err);
    }
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = engine_find(cli->engine, from, &c, &err);
    if (!r) {
        r = engine_rename(cli->engine, &c, to, &err);
        container_free(&c);
    }
    if (!r)
        return 0;
    cli_engine_fail(cli, &err);
    fprintf(stderr, "Error: failed to rename container named %s\n", from);
    return EXIT_FAILURE;
}

static int read_changes(const struct options *o, json_t *host, struct err *err)
{
    json_t *policy;

    if (members_put_given(o, resource_members, host, err) < 0)
        return -err->code;
    if (!options_given(o, "restart"))
        return 0;
    if (value_parse_restart(options_one(o, "restart"), &policy, err) < 0)
        return -err->code;
    json_put(host, "RestartPolicy", policy);
    return 0;
}

static int update_one(struct cli *cli, const char *name, const json_t *host)
{
    struct container c;
    struct err err = {0};
    int r = engine_find(cli->engine, name, &c, &err);

    if (!r) {
        r = engine_update(cli->engine, &c, host, &err);
        container_free(&c);
    }
    if (r < 0) {
        cli_engine_fail(cli, &err);
        return EXIT_FAILURE;
    }
    puts(name);
    return 0;
}

static int cmd_update(struct cli *cli)
{
    const struct options *o = &cli->options;
    cleanup_json json_t *host = json_object();
    struct err err = {0};
    int code = 0;

    if (read_changes(o, host, &err) < 0)
        return cli_fail(cli, &err);
    if (!json_object_size(host)) {
        err_set(&err, EINVAL, "you must provide one or more flags when using this command");
        return cli_fail(cli, &err);
    }
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    for (size_t i = 0; i < o->arg_count; i++)
        code |= update_one(cli, o->args[i], host);
    return code;
}

const struct command command_rename = {
    .paths = {"container rename", "rename"},
    .arguments = "CONTAINER NEW_NAME",
    .summary = "Rename a container",
    .flags = rename_flags,
    .min_args = 2,
    .max_args = 2,
    .run = cmd_rename,
};

const struct command command_update = {
    .paths = {"container update", "update"},
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Update configuration of one or more containers",
    .flags = update_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_update,
};
