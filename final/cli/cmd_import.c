/* import, in the program cooper-image. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/build.h"
#include "cli/commands.h"
#include "cli/values.h"

static int open_source(const char *source, struct err *err)
{
    int fd;

    if (!strcmp(source, "-")) {
        if (isatty(STDIN_FILENO))
            return err_set(err, EINVAL,
                           "refusing to read a tar from a terminal: give a file, or a pipe");
        return dup(STDIN_FILENO);
    }
    if (str_starts(source, "http://") || str_starts(source, "https://"))
        return err_set(err, EINVAL,
                       "cannot import from a URL: `curl -L %s | cooper import -` does it", source);
    fd = open(source, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "open %s: %s", source,
                       errno == ENOENT ? "no such file or directory" : strerror(errno));
    return fd;
}

int cmd_import(struct cli *cli)
{
    const struct options *o = &cli->options;
    cleanup_json json_t *config = json_object();
    cleanup_close int fd = -1;
    char id[DIGEST_LEN + 1];
    struct err err = {0};

    if (o->args[1] && *o->args[1] && value_check_image(o->args[1], &err) < 0)
        return cli_fail(cli, &err);
    if (changes_apply(config, options_list(o, "change"), &err) < 0)
        return cli_engine_fail(cli, &err);
    fd = open_source(o->args[0], &err);
    if (fd < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 || engine_import(cli->engine, fd, o->args[0], o->args[1], config,
                                                   options_one(o, "message"), id, &err) < 0)
        return cli_engine_fail(cli, &err);
    puts(id);
    return 0;
}
