/* exec: one more process in a running container. The shim of the container starts it and is its
 * parent, so this command may die without taking it along; while it lives it is a client as in
 * `run`. Signals are not passed on, as docker does not either: with -t the keys do what is needed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/values.h"

static const struct flag exec_flags[] = {
    {'d', "detach", .help = "Detached mode: run command in the background"},
    DETACH_KEYS_FLAG,
    {'e', "env", FLAG_LIST, "list", value_check_env, NULL, .help = "Set environment variables"},
    {0, "env-file", FLAG_LIST, "list", NULL, NULL,
     .help = "Read in a file of environment variables"},
    {'i', "interactive", .help = "Keep STDIN open even if not attached"},
    {0, "privileged", .help = "Give extended privileges to the command"},
    {'t', "tty", .help = "Allocate a pseudo-TTY"},
    {'u', "user", FLAG_ONE, "string", value_check_user, NULL,
     .help = "Username or UID (format: \"<name|uid>[:<group|gid>]\")"},
    {'w', "workdir", FLAG_ONE, "string", NULL, NULL,
     .help = "Working directory inside the container"},
    FLAGS_END,
};

static int fill_request(const struct options *o, struct exec_request *ret, struct err *err)
{
    const struct strv *files = options_list(o, "env-file"), *given = options_list(o, "env");

    for (size_t i = 0; i < files->len; i++)
        if (value_load_env_file(files->items[i], "env", &ret->env, err) < 0)
            return -err->code;
    for (size_t i = 0; i < given->len; i++)
        value_add_env(&ret->env, given->items[i]);
    for (size_t i = 0; i < ret->env.len; i++) { /* `-e NAME` took what our environment had */
        cleanup_json json_t *text = json_string(ret->env.items[i]);

        if (!text)
            return err_set(err, EILSEQ, "the environment variable '%.*s' is not valid UTF-8",
                           (int)strcspn(ret->env.items[i], "="), ret->env.items[i]);
    }
    for (char **word = o->args + 1; *word; word++)
        strv_add(&ret->argv, *word);
    ret->user = options_one(o, "user");
    ret->workdir = options_one(o, "workdir");
    ret->tty = options_flag(o, "tty");
    ret->interactive = options_flag(o, "interactive");
    ret->privileged = options_flag(o, "privileged");
    ret->detach = options_flag(o, "detach");
    if (ret->tty)
        client_terminal_size(&ret->rows, &ret->columns);
    return 0;
}

static int attach(struct cli *cli, int fd, const struct client_options *client)
{
    struct err err = {0};
    enum client_end end;
    int code;

    if (client_run(fd, client, &end, &code, &err) < 0)
        return cli_fail(cli, &err);
    if (end == CLIENT_DETACHED)
        fprintf(stderr, "read escape sequence\n");
    return end == CLIENT_DETACHED ? 0 : code;
}

static int run_in(struct cli *cli, const struct container *container,
                  const struct exec_request *request, const struct client_options *client)
{
    struct err err = {0};
    int fd = -1;

    if (engine_exec(cli->engine, container, request, &fd, &err) < 0) {
        if (err.exit_status ==
            EXIT_ENGINE) /* 125 is run's; a command that could not start is 126 */
            err.exit_status = EXIT_NOT_STARTED;
        return cli_engine_fail(cli, &err);
    }
    return request->detach ? 0 : attach(cli, fd, client);
}

static int find_and_run(struct cli *cli, const struct exec_request *request,
                        const struct client_options *client)
{
    struct container container;
    struct err err = {0};
    int code;

    if (cli_engine(cli, &err) < 0 ||
        engine_find(cli->engine, cli->options.args[0], &container, &err) < 0)
        return cli_engine_fail(cli, &err);
    code = run_in(cli, &container, request, client);
    container_free(&container);
    return code;
}

static int cmd_exec(struct cli *cli)
{
    struct exec_request request = {0};
    struct client_options client = {.detach_keys = options_one(&cli->options, "detach-keys")};
    struct err err = {0};
    int code;

    if (fill_request(&cli->options, &request, &err) < 0 || client_check(&client, &err) < 0) {
        code = cli_fail(cli, &err);
    } else if (request.tty && request.interactive && !request.detach && !isatty(STDIN_FILENO)) {
        fprintf(stderr, "the input device is not a TTY\n");
        code = EXIT_FAILURE;
    } else {
        client.tty = request.tty;
        client.stdin_too = request.interactive;
        code = find_and_run(cli, &request, &client);
    }
    strv_free(&request.env);
    strv_free(&request.argv);
    return code;
}

const struct command command_exec = {
    .paths = {"container exec", "exec"},
    .arguments = "[OPTIONS] CONTAINER COMMAND [ARG...]",
    .summary = "Execute a command in a running container",
    .flags = exec_flags,
    .min_args = 2,
    .max_args = -1,
    .stop_at_first = true,
    .common = true,
    .run = cmd_exec,
};
