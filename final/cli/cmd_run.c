/* run and create. `run` is create + start + attach + (with --rm) remove, each of them a call to the
 * engine. The socket to the shim is there before the process runs, so not a byte of its output is
 * lost, and nobody waits for anything by sleeping. The order: everything that can be wrong with the
 * command line first, then the image, the record, the process. What the user waits for is the
 * start, so nothing is looked up that is not needed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/forward.h"
#include "cli/run_options.h"
#include "cli/values.h"
#include "image/image.h"

struct creation {
    struct cli *cli;
    json_t *config, *host, *networks;
    const char *image;
    int cid_fd; /* of --cidfile, or -1 */
    bool run;   /* `run`, not `create` */
    char id[65];
};

static void creation_free(struct creation *c)
{
    json_decref(c->config);
    json_decref(c->host);
    json_decref(c->networks);
    close_fd(&c->cid_fd);
}

static int check_pull_policy(const char *policy, struct err *err)
{
    if (!strcmp(policy, "always") || !strcmp(policy, "missing") || !strcmp(policy, "never"))
        return 0;
    return err_set(err, EINVAL,
                   "invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"",
                   policy);
}

static int check_platform(const struct options *o, struct err *err)
{
    const char *text = options_platform(o);
    struct platform unused;

    return text ? platform_parse(text, &unused, err) : 0;
}

/* The file must not be there: another container's id may be in it, and somebody may rely on that.
 */
static int open_cidfile(struct creation *c, const char *path, struct err *err)
{
    if (!path)
        return 0;
    c->cid_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (c->cid_fd < 0 && errno == EEXIST)
        return err_set(
            err, EEXIST,
            "container ID file found, make sure the other container isn't running or delete %s",
            path);
    return c->cid_fd < 0 ? err_errno(err, "failed to create the container ID file: open %s", path)
                         : 0;
}

/* An empty file of a container that was not created goes again. */
static int close_cidfile(struct creation *c, const char *path, bool created, struct err *err)
{
    int r = 0;

    if (c->cid_fd < 0)
        return 0;
    if (!created)
        unlink(path);
    else if (file_write(c->cid_fd, c->id, 64) < 0)
        r = err_errno(err, "cannot write the container ID to %s", path);
    close_fd(&c->cid_fd);
    return r;
}

static void say_missing(const char *image)
{
    struct reference ref = {0};
    struct err err = {0};
    cleanup_free char *canonical = NULL, *familiar = NULL;

    if (!reference_parse(image, &ref, &err)) {
        canonical = reference_canonical(&ref);
        familiar = reference_familiar(canonical);
        reference_free(&ref);
    }
    fprintf(stderr, "Unable to find image '%s' locally\n", familiar ? familiar : image);
}

static int pull(struct creation *c)
{
    const struct options *o = &c->cli->options;

    return forward_pull(c->cli, c->image, options_platform(o), options_flag(o, "quiet"));
}

static void print_warnings(const struct cli *cli, struct strv *warnings)
{
    for (size_t i = 0; i < warnings->len && !cli->quiet_warnings; i++)
        fprintf(stderr, "WARNING: %s\n", warnings->items[i]);
    strv_free(warnings);
}

static int try_create(struct creation *c, struct err *err)
{
    struct create_request request = {.name = options_one(&c->cli->options, "name"),
                                     .image = c->image,
                                     .platform = options_platform(&c->cli->options),
                                     .config = c->config,
                                     .host = c->host,
                                     .networks = c->networks,
                                     .start_follows = c->run};
    struct strv warnings = {0};
    int r;

    if (request.name && !*request.name)
        request.name = NULL;
    r = engine_create(c->cli->engine, &request, c->id, &warnings, err);
    print_warnings(c->cli, &warnings);
    return r;
}

/* --platform names another platform than the image's that is here under this name. */
static bool platform_differs(const struct creation *c)
{
    const char *text = options_platform(&c->cli->options);
    cleanup_json json_t *document = NULL;
    struct platform wanted;
    struct image image;
    struct err err = {0};

    if (!text || platform_parse(text, &wanted, &err) < 0 ||
        engine_find_image(c->cli->engine, c->image, &image, &err) < 0)
        return false;
    document = engine_inspect_image(c->cli->engine, &image, &err);
    image_free(&image);
    return document && (strcmp(wanted.os, json_str(document, "Os", "linux")) ||
                        strcmp(wanted.architecture, json_str(document, "Architecture", "")));
}

static bool image_missing(int r, const struct err *err)
{
    return r == -ENOENT && str_starts(err->message, "No such image");
}

/* The exit code; 0 and c->id when the container is there. */
static int create_with_image(struct creation *c, const char *policy)
{
    struct err err = {0};
    int r, code = 0;

    if (!strcmp(policy, "always") || (!strcmp(policy, "missing") && platform_differs(c)))
        code = pull(c);
    if (code)
        return code;
    r = try_create(c, &err);
    if (image_missing(r, &err) && !strcmp(policy, "missing")) {
        say_missing(c->image);
        code = pull(c);
        if (code)
            return code;
        err_clear(&err);
        r = try_create(c, &err);
    }
    return r < 0 ? cli_engine_fail(c->cli, &err) : 0;
}

/* Which of the container's streams are ours: those of -a, else all; none of a detached run. */
struct streams {
    bool in, out, err;
};

static bool is_attached(const struct options *o, const char *stream)
{
    const struct strv *given = options_list(o, "attach");

    for (size_t i = 0; i < given->len; i++)
        if (!strcasecmp(given->items[i], stream))
            return true;
    return false;
}

static struct streams choose_streams(const struct options *o, bool attached)
{
    if (!attached)
        return (struct streams){0};
    if (!options_list(o, "attach")->len)
        return (struct streams){options_flag(o, "interactive"), true, true};
    return (struct streams){is_attached(o, "stdin"), is_attached(o, "stdout"),
                            is_attached(o, "stderr")};
}

static void put_attached(struct creation *c, const struct streams *attached)
{
    bool interactive = options_flag(&c->cli->options, "interactive");

    json_put(c->config, "AttachStdin", json_boolean(attached->in));
    json_put(c->config, "AttachStdout", json_boolean(attached->out));
    json_put(c->config, "AttachStderr", json_boolean(attached->err));
    json_put(c->config, "StdinOnce", json_boolean(attached->in && interactive));
}

/* Everything up to the created container. */
static int create(struct creation *c, const struct streams *attached)
{
    const struct options *o = &c->cli->options;
    const char *policy = options_one(o, "pull"), *cidfile = options_one(o, "cidfile");
    struct err err = {0};
    int code;

    c->image = o->args[0];
    c->cid_fd = -1;
    if (check_pull_policy(policy, &err) < 0 || check_platform(o, &err) < 0 ||
        run_options_build(o, o->args, &c->config, &c->host, &c->networks, &err) < 0)
        return cli_fail(c->cli, &err);
    put_attached(c, attached);
    c->cli->plain_errors = !c->run;
    if (value_check_image(c->image, &err) < 0 || open_cidfile(c, cidfile, &err) < 0)
        return cli_fail(c->cli, &err);
    if (cli_engine(c->cli, &err) < 0) {
        code = cli_engine_fail(c->cli, &err);
        close_cidfile(c, cidfile, false, &err);
        return code;
    }
    if (c->run && engine_prepare_run(c->cli->engine, &err) < 0)
        code = cli_engine_fail(c->cli, &err);
    else
        code = create_with_image(c, policy);
    if (close_cidfile(c, cidfile, code == 0, &err) < 0)
        return cli_fail(c->cli, &err);
    return code;
}

static int cmd_create(struct cli *cli)
{
    struct creation c = {.cli = cli, .cid_fd = -1};
    struct streams streams = choose_streams(&cli->options, true);
    int code = create(&c, &streams);

    if (!code)
        puts(c.id);
    creation_free(&c);
    return code;
}

static int run_detached(struct creation *c)
{
    struct start_options options = {0};
    struct err err = {0};

    if (engine_start(c->cli->engine, c->id, &options, NULL, &err) < 0)
        return cli_engine_fail(c->cli, &err);
    puts(c->id);
    return 0;
}

/* Nobody reads our output any more (`cooper run ... | head`): the container goes on, as docker's
 * does. */
static int client_failed(const struct cli *cli, const struct err *err)
{
    if (err->code != EPIPE)
        return cli_fail(cli, err);
    fprintf(stderr, "%s\n", err->message);
    return EXIT_FAILURE;
}

static int run_attached(struct creation *c, const struct client_options *client)
{
    struct start_options options = {0};
    struct err err = {0};
    enum client_end end;
    int fd = -1, code = 0;

    if (client->tty)
        client_terminal_size(&options.rows, &options.columns);
    if (engine_start(c->cli->engine, c->id, &options, &fd, &err) < 0)
        return cli_engine_fail(c->cli, &err);
    cli_show_notes(c->cli);
    if (client_run(fd, client, &end, &code, &err) < 0)
        return client_failed(c->cli, &err);
    if (end == CLIENT_DETACHED)
        return client_detached(client);
    if (client->no_stdout && client->no_stderr)
        puts(c->id);
    if (end == CLIENT_FED)
        return 0;
    if (client->leave_at_exit && engine_remove_ended(c->cli->engine, c->id, fd, &err) < 0)
        cli_engine_fail(c->cli, &err);
    return code;
}

/* 0, or the exit code after a complaint: nothing has been created yet. */
static int check_terminal(struct cli *cli, const struct client_options *client)
{
    struct err err = {0};

    if (options_flag(&cli->options, "detach") && options_list(&cli->options, "attach")->len) {
        fprintf(stderr, "conflicting options: cannot specify both --attach and --detach\n");
        return EXIT_FAILURE;
    }
    if (client_check(client, &err) < 0)
        return cli_fail(cli, &err);
    if (client->tty && client->stdin_too && !isatty(STDIN_FILENO)) {
        fprintf(stderr, "the input device is not a TTY\n");
        return EXIT_FAILURE;
    }
    return 0;
}

static int cmd_run(struct cli *cli)
{
    const struct options *o = &cli->options;
    bool detach = options_flag(o, "detach");
    struct streams streams = choose_streams(o, !detach);
    struct creation c = {.cli = cli, .cid_fd = -1, .run = true};
    struct client_options client = {
        .tty = options_flag(o, "tty"),
        .stdin_too = options_flag(o, "interactive") && streams.in,
        .no_stdout = !streams.out,
        .no_stderr = !streams.err,
        .proxy_signals = options_flag(o, "sig-proxy"),
        .detach_keys = options_one(o, "detach-keys"),
        .container = c.id,
        .leave_at_exit = options_flag(o, "rm"),
    };
    int code = check_terminal(cli, &client);

    if (!code)
        code = create(&c, &streams);
    client.engine = cli->engine;
    if (!code)
        code = detach ? run_detached(&c) : run_attached(&c, &client);
    creation_free(&c);
    return code;
}

const struct command command_run = {
    .paths = {"container run", "run"},
    .arguments = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    .summary = "Create and run a new container from an image",
    .flags = run_flags,
    .min_args = 1,
    .max_args = -1,
    .stop_at_first = true,
    .starts_container = true,
    .common = true,
    .run = cmd_run,
};

const struct command command_create = {
    .paths = {"container create", "create"},
    .arguments = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    .summary = "Create a new container",
    .flags = run_flags + RUN_ONLY_FLAGS,
    .min_args = 1,
    .max_args = -1,
    .stop_at_first = true,
    .starts_container = true,
    .run = cmd_create,
};
