/* system prune: the prune commands one after the other, in the order in which each makes room for
 * the next: a container that went uses no volume, no network and no image. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "build/build.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/flags.h"
#include "cli/image_filter.h"
#include "cli/prune.h"

static const struct flag prune_flags[] = {
    {'a', "all", .help = "Remove all unused images not just dangling ones"},
    PRUNE_FLAGS("Provide filter values (e.g. \"label=<key>=<value>\")"),
    {0, "volumes", .help = "Prune anonymous volumes"},
    FLAGS_END,
};

struct pruning {
    struct cli *cli;
    struct prune_filter filter;
    struct image_filter image_filter;
    uint64_t bytes;
};

/* --- steps ------------------------------------------------------------------------------------ */

static int run_volumes(struct cli *cli, const struct prune_filter *filter, struct strv *ret_gone,
                       uint64_t *ret_bytes, struct err *err)
{
    return engine_prune_volumes(cli->engine, filter, false, ret_gone, ret_bytes, err);
}

/* A step of a build has no labels: whoever asks for some does not mean it. */
static int run_cache(struct cli *cli, const struct prune_filter *filter, struct strv *ret_gone,
                     uint64_t *ret_bytes, struct err *err)
{
    struct build_prune what = {.all = options_flag(&cli->options, "all"),
                               .until_ns = filter->until_ns};

    return filter->labels.len ? 0 : build_prune(cli->engine, &what, ret_gone, ret_bytes, err);
}

static const struct prune_kind volumes = {"Deleted Volumes:", run_volumes, false},
                               cache = {"Deleted build cache objects:", run_cache, false};

/* What each step says that it will remove, and with --all. */
static const struct step {
    const struct prune_kind *kind; /* NULL: images, which have a filter of their own */
    const char *usual, *all;
    bool volumes; /* it is only done with --volumes */
} steps[] = {
    {&prune_containers, "all stopped containers", "all stopped containers", false},
    {&prune_networks, "all networks not used by at least one container",
     "all networks not used by at least one container", false},
    {&volumes, "all anonymous volumes not used by at least one container",
     "all anonymous volumes not used by at least one container", true},
    {NULL, "all dangling images", "all images without at least one container associated to them",
     false},
    {&cache, "unused build cache", "all build cache", false},
};
#define STEPS (sizeof steps / sizeof *steps)

static bool is_wanted(const struct step *step, const struct options *o)
{
    return !step->volumes || options_flag(o, "volumes");
}

/* --- the command ------------------------------------------------------------------------------ */

static bool confirmed(const struct options *o)
{
    const struct strv *filters = options_list(o, "filter");
    struct buf text = {0};
    cleanup_free char *warning = NULL;

    buf_add_str(&text, "This will remove:\n");
    for (size_t i = 0; i < STEPS; i++)
        if (is_wanted(&steps[i], o))
            buf_printf(&text, "  - %s\n", options_flag(o, "all") ? steps[i].all : steps[i].usual);
    if (filters->len)
        buf_add_str(&text, "\n  Items to be pruned will be filtered with:\n");
    for (size_t i = 0; i < filters->len; i++)
        buf_printf(&text, "  - %s\n", filters->items[i]);
    warning = buf_steal(&text);
    return confirm(warning);
}

/* A volume has no age that says whether it is still wanted. */
static int check_until(const struct options *o, struct err *err)
{
    const struct strv *filters = options_list(o, "filter");

    for (size_t i = 0; options_flag(o, "volumes") && i < filters->len; i++)
        if (str_starts(filters->items[i], "until="))
            return err_set(err, EINVAL,
                           "ERROR: The \"until\" filter is not supported with \"--volumes\"");
    return 0;
}

static int prune_images(struct pruning *p, struct err *err)
{
    cleanup_with(removed_free) struct removed removed = {0};
    const struct options *o = &p->cli->options;
    int r = engine_prune_images(p->cli->engine, options_flag(o, "all"),
                                options_list(o, "filter")->len ? image_filter_passes : NULL,
                                &p->image_filter, &removed, err);

    prune_print_images(&removed);
    p->bytes += removed.bytes;
    return r;
}

static int run_step(struct pruning *p, const struct step *step, struct err *err)
{
    return step->kind ? prune_run(p->cli, step->kind, &p->filter, &p->bytes, err)
                      : prune_images(p, err);
}

static int prune(struct pruning *p, struct err *err)
{
    int r = 0;

    for (size_t i = 0; i < STEPS && r >= 0; i++)
        if (is_wanted(&steps[i], &p->cli->options))
            r = run_step(p, &steps[i], err);
    if (r >= 0)
        prune_print_total(p->bytes);
    return r;
}

static int cmd_system_prune(struct cli *cli)
{
    const struct options *o = &cli->options;
    struct pruning p = {.cli = cli};
    struct err err = {0};
    int code = 0;

    if (check_until(o, &err) < 0 || prune_read_filter(o, &p.filter, &err) < 0)
        return cli_fail(cli, &err);
    if (options_flag(o, "force") || confirmed(o)) {
        if (cli_engine(cli, &err) < 0)
            code = cli_engine_fail(cli, &err);
        else if (!image_filter_prepare(cli, NULL, &p.image_filter, &code) && prune(&p, &err) < 0)
            code = cli_engine_fail(cli, &err);
    }
    prune_filter_free(&p.filter);
    return code;
}

const struct command command_system_prune = {
    .paths = {"system prune"},
    .arguments = "[OPTIONS]",
    .summary = "Remove unused data",
    .flags = prune_flags,
    .max_args = 0,
    .run = cmd_system_prune,
};
