/* builder prune: what the steps of builds gave and no image has, and what RUN --mount=type=cache
 * keeps. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "build/build.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/filter.h"
#include "cli/prune.h"
#include "cli/values.h"

#define WARNING_DANGLING "This will remove all dangling build cache."
#define WARNING_ALL      "This will remove all build cache."

int cmd_builder_prune(struct cli *cli)
{
    const struct options *o = &cli->options;
    struct build_prune what = {.all = options_flag(o, "all")};
    cleanup_strv struct strv gone = {0};
    struct prune_filter filter = {0};
    struct err err = {0};
    uint64_t bytes = 0;
    int r = prune_read_filter(o, &filter, &err);

    what.until_ns = filter.until_ns;
    prune_filter_free(&filter);
    if (r < 0)
        return cli_fail(cli, &err);
    if (options_given(o, "keep-storage")) {
        int64_t keep;

        value_parse_bytes(options_one(o, "keep-storage"), &keep, &err);
        what.keep_bytes = (uint64_t)keep;
    }
    if (!options_flag(o, "force") && !confirm(what.all ? WARNING_ALL : WARNING_DANGLING))
        return 0;
    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = build_prune(cli->engine, &what, &gone, &bytes, &err);
    prune_print("Deleted build cache objects:", &gone);
    if (r < 0)
        return cli_engine_fail(cli, &err);
    prune_print_total(bytes);
    return 0;
}
