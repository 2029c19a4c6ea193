/* push, in the program cooper-image. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "image/image.h"

/* With --quiet the last thing said is the name, not the digest. */
static void print_name(const char *name)
{
    cleanup_with(reference_free) struct reference ref = {0};
    cleanup_free char *canonical = NULL;
    struct err ignored;

    if (reference_parse(name, &ref, &ignored) < 0)
        return;
    canonical = reference_canonical(&ref);
    puts(canonical);
}

/* Docker's errors of a push come from its stream: nothing stands before them. */
int cmd_push(struct cli *cli)
{
    const struct options *o = &cli->options;
    bool quiet = options_flag(o, "quiet");
    struct push_options options = {.all_tags = options_flag(o, "all-tags"),
                                   .platform = options_one(o, "platform"),
                                   .cancelled = signals_catch()};
    struct pull_progress calls;
    struct progress *progress;
    struct err err = {0};
    int r;

    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    progress = progress_new(quiet, false);
    calls = progress_calls(progress);
    r = engine_push(cli->engine, o->args[0], &options, &calls, &err);
    progress_end(progress, false);
    if (r >= 0 && quiet)
        print_name(o->args[0]);
    if (r >= 0)
        return 0;
    cli_fail(cli, &err);
    return *options.cancelled ? 128 + SIGINT : EXIT_FAILURE;
}
