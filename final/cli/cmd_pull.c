/* pull, in the program cooper-image. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/values.h"
#include "image/image.h"

/* As a part of `run` or `create`, errors are theirs. */
static void borrow_command(struct cli *cli)
{
    const char *whole = options_one(&cli->options, "part-of");

    if (!whole)
        return;
    cli->plain_errors = strstr(whole, "create");
    cli->command = cli->plain_errors ? &command_create : &command_run;
    cli->path = whole;
}

static int check_all_tags(const struct options *o, struct err *err)
{
    struct reference ref;
    int r = options_flag(o, "all-tags") ? reference_parse(o->args[0], &ref, err) : 1;

    if (r)
        return r < 0 ? r : 0;
    if (!ref.defaulted_tag)
        r = err_set(err, EINVAL, "tag can't be used with --all-tags/-a");
    reference_free(&ref);
    return r;
}

int cmd_pull(struct cli *cli)
{
    const struct options *o = &cli->options;
    struct pull_options options = {.platform = options_platform(o),
                                   .all_tags = options_flag(o, "all-tags"),
                                   .cancelled = signals_catch()};
    struct pull_progress calls;
    struct progress *progress;
    struct err err = {0};
    int r;

    borrow_command(cli);
    if (value_check_image(o->args[0], &err) < 0 || check_all_tags(o, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    progress = progress_new(options_flag(o, "quiet"), options_given(o, "part-of"));
    calls = progress_calls(progress);
    r = engine_pull(cli->engine, o->args[0], &options, &calls, &err);
    progress_end(progress, r >= 0);
    if (r >= 0)
        return 0;
    cli_engine_fail(cli, &err);
    if (*options.cancelled)
        return 128 + SIGINT;
    return cli->command->starts_container && !cli->plain_errors ? EXIT_ENGINE : EXIT_FAILURE;
}
