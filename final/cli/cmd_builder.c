/* builder prune: what the steps of builds gave and no image has, and what RUN --mount=type=cache
 * keeps. */
#include "build/build.h"
#include "cli/commands.h"
#include "cli/prune.h"
#include "cli/values.h"

static int run(struct cli *cli, const struct prune_filter *filter, struct strv *ret_gone,
               uint64_t *ret_bytes, struct err *err)
{
    const struct options *o = &cli->options;
    struct build_prune what = {.all = options_flag(o, "all"), .until_ns = filter->until_ns};

    if (options_given(o, "keep-storage")) {
        int64_t keep;

        value_parse_bytes(options_one(o, "keep-storage"), &keep, err);
        what.keep_bytes = (uint64_t)keep;
    }
    return build_prune(cli->engine, &what, ret_gone, ret_bytes, err);
}

int cmd_builder_prune(struct cli *cli)
{
    static const struct prune_kind cache = {"Deleted build cache objects:", run, false};

    return prune_command(cli, &cache,
                         options_flag(&cli->options, "all")
                             ? "This will remove all build cache."
                             : "This will remove all dangling build cache.");
}
