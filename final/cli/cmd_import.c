/* import and insert, in the program cooper-image. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/build.h"
#include "cli/commands.h"
#include "cli/signals.h"
#include "cli/values.h"

static bool is_url(const char *source)
{
    return str_starts(source, "http://") || str_starts(source, "https://");
}

/* -1 for an address, which the engine fetches. */
static int open_source(const char *source, int *ret_fd, struct err *err)
{
    if (is_url(source))
        return 0;
    if (!strcmp(source, "-")) {
        if (isatty(STDIN_FILENO))
            return err_set(err, EINVAL,
                           "refusing to read a tar from a terminal: give a file, or a pipe");
        *ret_fd = dup(STDIN_FILENO);
    } else {
        *ret_fd = open(source, O_RDONLY | O_CLOEXEC);
    }
    if (*ret_fd < 0)
        return err_set(err, errno, "open %s: %s", source,
                       errno == ENOENT ? "no such file or directory" : strerror(errno));
    return 0;
}

static int print_result(const struct cli *cli, int r, const char *id,
                        const volatile bool *cancelled, const struct err *err)
{
    if (r >= 0) {
        puts(id);
        return 0;
    }
    cli_engine_fail(cli, err);
    return *cancelled ? 128 + SIGINT : EXIT_FAILURE;
}

int cmd_import(struct cli *cli)
{
    const struct options *o = &cli->options;
    cleanup_json json_t *config = json_object();
    cleanup_close int fd = -1;
    struct import_request request = {.source = o->args[0],
                                     .reference = o->args[1] && *o->args[1] ? o->args[1] : NULL,
                                     .platform = options_platform(o),
                                     .message = options_one(o, "message"),
                                     .config = config,
                                     .cancelled = signals_catch()};
    char id[DIGEST_LEN + 1] = "";
    struct err err = {0};
    int r;

    if (request.reference && value_check_image(request.reference, &err) < 0)
        return cli_fail(cli, &err);
    if (changes_apply(config, options_list(o, "change"), &err) < 0)
        return cli_engine_fail(cli, &err);
    if (open_source(request.source, &fd, &err) < 0)
        return cli_fail(cli, &err);
    request.fd = fd;
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = engine_import(cli->engine, &request, id, &err);
    return print_result(cli, r, id, request.cancelled, &err);
}

int cmd_insert(struct cli *cli)
{
    char *const *args = cli->options.args;
    const volatile bool *cancelled = signals_catch();
    char id[DIGEST_LEN + 1] = "";
    struct err err = {0};
    int r;

    if (!is_url(args[1])) {
        err_set(&err, EINVAL, "'%s' is not an http or https address", args[1]);
        return cli_fail(cli, &err);
    }
    if (*args[2] != '/') {
        err_set(&err, EINVAL, "'%s' is not an absolute path in the image", args[2]);
        return cli_fail(cli, &err);
    }
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = engine_insert(cli->engine, args[0], args[1], args[2], cancelled, id, &err);
    return print_result(cli, r, id, cancelled, &err);
}
