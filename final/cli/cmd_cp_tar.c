/* cp from stdin: in cooper-image. */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/copy.h"

int cmd_cp_tar(struct cli *cli)
{
    cleanup_free char *container = NULL;
    const char *to;
    struct copy_options options = {0};
    struct copy_display display;
    struct container c;
    struct err err = {0};
    uint64_t bytes;
    int r;

    copy_split(cli->options.args[1], &container, &to);
    copy_display_init(cli, "Copying to container", &display);
    options.asked = container;
    options.archive = options_flag(&cli->options, "archive");
    if (cli_engine(cli, &err) < 0 || engine_find(cli->engine, container, &c, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = engine_copy_in_tar(cli->engine, &c, STDIN_FILENO, to, &options, &bytes, &err);
    container_free(&c);
    if (r < 0)
        return copy_fail(cli, &err);
    copy_display_end(&display, bytes, cli->options.args[1]);
    return 0;
}
