/* start and attach: a container that is there already. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/rows.h"

static const struct flag start_flags[] = {
    {0, "again", .help = NULL}, /* said by a shim whose restart policy wants it */
    {'a', "attach", .help = "Attach STDOUT/STDERR and forward signals"},
    DETACH_KEYS_FLAG,
    {'i', "interactive", .help = "Attach container's STDIN"},
    FLAGS_END,
};

static const struct flag attach_flags[] = {
    DETACH_KEYS_FLAG,
    {0, "no-stdin", .help = "Do not attach STDIN"},
    {0, "sig-proxy", FLAG_BOOL, NULL, NULL, "true",
     .help = "Proxy all received signals to the process"},
    FLAGS_END,
};

/* 0 when our stdin can be the terminal the container wants, else the exit code. */
static int check_terminal(struct cli *cli, const struct client_options *client)
{
    struct err err = {0};

    if (client_check(client, &err) < 0)
        return cli_fail(cli, &err);
    if (!client->tty || !client->stdin_too || isatty(STDIN_FILENO))
        return 0;
    fprintf(stderr, "the input device is not a TTY\n");
    return EXIT_FAILURE;
}

static int follow(struct cli *cli, int fd, const struct client_options *client,
                  const struct container *c)
{
    struct err err = {0};
    enum client_end end;
    int code;

    if (client_run(fd, client, &end, &code, &err) < 0)
        return cli_fail(cli, &err);
    if (end == CLIENT_DETACHED)
        return client_detached(client);
    if (c && c->auto_remove && engine_remove(cli->engine, c, true, true, &err) < 0 &&
        err.code != ENOENT)
        cli_engine_fail(cli, &err);
    return code;
}

static int start_failed(struct cli *cli, const char *name, const struct err *err)
{
    cli_engine_fail(cli, err);
    fprintf(stderr, "Error: failed to start containers: %s\n", name);
    return EXIT_FAILURE;
}

static int start_attached(struct cli *cli, const char *name)
{
    struct start_options options = {0};
    struct client_options client = {.stdin_too = options_flag(&cli->options, "interactive"),
                                    .proxy_signals = true,
                                    .detach_keys = options_one(&cli->options, "detach-keys"),
                                    .engine = cli->engine};
    struct container c;
    struct err err = {0};
    int fd = -1, code;

    if (engine_find(cli->engine, name, &c, &err) < 0)
        return start_failed(cli, name, &err);
    client.container = c.id;
    client.tty = json_flag(c.config, "Config.Tty", false);
    client.stdin_too = client.stdin_too && json_flag(c.config, "Config.OpenStdin", false);
    if (client.tty)
        client_terminal_size(&options.rows, &options.columns);
    code = check_terminal(cli, &client);
    if (!code && engine_start(cli->engine, c.id, &options, &fd, &err) < 0)
        code = start_failed(cli, name, &err);
    else if (!code)
        code = follow(cli, fd, &client, &c);
    container_free(&c);
    return code;
}

static int start_detached(struct cli *cli, const char *name)
{
    struct start_options options = {0};
    struct container c;
    struct err err = {0};
    int r = engine_find(cli->engine, name, &c, &err);

    if (r < 0)
        return start_failed(cli, name, &err);
    /* Starting what runs is no mistake. */
    if (!rows_running(&c) || !strcmp(c.state, "paused"))
        r = engine_start(cli->engine, c.id, &options, NULL, &err);
    container_free(&c);
    if (r < 0)
        return start_failed(cli, name, &err);
    puts(name);
    return 0;
}

static int cmd_start(struct cli *cli)
{
    const struct options *o = &cli->options;
    bool attached = options_flag(o, "attach") || options_flag(o, "interactive");
    struct err err = {0};
    int code = 0;

    if (attached && o->arg_count > 1) {
        err_set(&err, EINVAL, "you cannot start and attach multiple containers at once");
        return cli_fail(cli, &err);
    }
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (options_flag(o, "again"))
        return engine_start_again(cli->engine, o->args[0], &err) < 0 ? EXIT_FAILURE : 0;
    if (attached)
        return start_attached(cli, o->args[0]);
    for (size_t i = 0; i < o->arg_count; i++)
        code |= start_detached(cli, o->args[i]);
    return code;
}

static int attach_to(struct cli *cli, const struct container *c)
{
    struct client_options client = {.tty = json_flag(c->config, "Config.Tty", false),
                                    .stdin_too = !options_flag(&cli->options, "no-stdin") &&
                                                 json_flag(c->config, "Config.OpenStdin", false),
                                    .proxy_signals = options_flag(&cli->options, "sig-proxy"),
                                    .detach_keys = options_one(&cli->options, "detach-keys"),
                                    .engine = cli->engine,
                                    .container = c->id};
    struct err err = {0};
    int fd, code;

    code = engine_check_attach(c, &err) < 0 ? cli_fail(cli, &err) : check_terminal(cli, &client);
    if (code)
        return code;
    fd = engine_attach(cli->engine, c, &err);
    return fd < 0 ? cli_engine_fail(cli, &err) : follow(cli, fd, &client, NULL);
}

static int cmd_attach(struct cli *cli)
{
    struct container c;
    struct err err = {0};
    int code;

    if (cli_engine(cli, &err) < 0 || engine_find(cli->engine, cli->options.args[0], &c, &err) < 0)
        return cli_engine_fail(cli, &err);
    code = attach_to(cli, &c);
    container_free(&c);
    return code;
}

const struct command command_start = {
    .paths = {"container start", "start"},
    .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Start one or more stopped containers",
    .flags = start_flags,
    .min_args = 1,
    .max_args = -1,
    .run = cmd_start,
};

const struct command command_attach = {
    .paths = {"container attach", "attach"},
    .arguments = "[OPTIONS] CONTAINER",
    .summary = "Attach local standard input, output, and error streams to a running container",
    .flags = attach_flags,
    .min_args = 1,
    .max_args = 1,
    .run = cmd_attach,
};
