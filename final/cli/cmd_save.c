/* save and load, in the program cooper-image. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/draft.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/values.h"

/* --- save ------------------------------------------------------------------------------------- */

static int check_format(const struct options *o, bool *ret_oci, struct err *err)
{
    const char *format = options_one(o, "format");

    *ret_oci = format && !strcmp(format, "oci-archive");
    if (format && !*ret_oci && strcmp(format, "docker-archive"))
        return err_set(err, EINVAL, "unknown format \"%s\": docker-archive or oci-archive", format);
    return 0;
}

static int save_to_file(struct cli *cli, const struct save_options *options, const char *path,
                        struct err *err)
{
    struct draft draft;
    int r = draft_begin(path, &draft, err);

    if (r < 0)
        return r;
    r = engine_save(cli->engine, cli->options.args, options, draft.fd, err);
    if (r >= 0)
        return draft_keep(&draft, err);
    draft_drop(&draft);
    return r;
}

int cmd_save(struct cli *cli)
{
    const struct options *o = &cli->options;
    const char *output = options_one(o, "output");
    struct save_options options = {.platform = options_one(o, "platform")};
    struct err err = {0};
    int r;

    if (check_format(o, &options.oci_only, &err) < 0)
        return cli_fail(cli, &err);
    if (!output && isatty(STDOUT_FILENO)) {
        err_set(&err, EINVAL,
                "cowardly refusing to save to a terminal. Use the -o flag or redirect");
        return cli_fail(cli, &err);
    }
    if (output && value_check_output(output, &err) < 0) {
        err_wrap(&err, "failed to save image");
        return cli_fail(cli, &err);
    }
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = output ? save_to_file(cli, &options, output, &err)
               : engine_save(cli->engine, o->args, &options, STDOUT_FILENO, &err);
    return r < 0 ? cli_engine_fail(cli, &err) : 0;
}

/* --- load ------------------------------------------------------------------------------------- */

static int open_input(const char *path, struct err *err)
{
    int fd;

    if (!path && isatty(STDIN_FILENO))
        return err_set(err, EINVAL, "requested load from stdin, but stdin is empty");
    fd = path ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
    if (fd < 0)
        return err_set(err, errno, "open %s: %s", path ? path : "/dev/stdin",
                       errno == ENOENT ? "no such file or directory" : strerror(errno));
    return fd;
}

int cmd_load(struct cli *cli)
{
    const struct options *o = &cli->options;
    const char *input = options_one(o, "input");
    struct load_options options = {.platform = options_one(o, "platform"),
                                   .cancelled = signals_catch()};
    cleanup_strv struct strv lines = {0};
    cleanup_close int fd = -1;
    struct pull_progress calls;
    struct progress *progress;
    struct err err = {0};
    int r;

    fd = open_input(input, &err);
    if (fd < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    progress = progress_new(options_flag(o, "quiet"), false);
    calls = progress_calls(progress);
    r = engine_load(cli->engine, fd, &options, &calls, &lines, &err);
    progress_end(progress, false);
    for (size_t i = 0; i < lines.len; i++)
        puts(lines.items[i]);
    if (r >= 0)
        return 0;
    if (input && r != -ECANCELED)
        err_wrap(&err, "%s", input);
    cli_engine_fail(cli, &err);
    return *options.cancelled ? 128 + SIGINT : EXIT_FAILURE;
}
