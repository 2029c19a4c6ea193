#include "cli/prune.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/confirm.h"
#include "cli/filter.h"
#include "cli/human.h"
#include "cli/values.h"

static const char *const known[] = {"until", "label", "label!", NULL};

int prune_read_filter(const struct options *o, struct prune_filter *ret, struct err *err)
{
    const struct strv *given = options_list(o, "filter");
    cleanup_with(prune_filter_free) struct prune_filter read = {0};

    if (filter_check(given, known, err) < 0)
        return -err->code;
    for (size_t i = 0; i < given->len; i++) {
        const char *filter = given->items[i];

        if (str_starts(filter, "label="))
            strv_add(&read.labels, filter + strlen("label="));
        else if (str_starts(filter, "label!="))
            strv_add(&read.not_labels, filter + strlen("label!="));
        else if (value_parse_moment(filter + strlen("until="), clock_now(), &read.until_ns, err) <
                 0)
            return -err->code;
    }
    *ret = read;
    read = (struct prune_filter){0};
    return 0;
}

static void print_list(const char *title, const struct strv *names)
{
    if (!names->len)
        return;
    puts(title);
    for (size_t i = 0; i < names->len; i++)
        puts(names->items[i]);
    putchar('\n');
}

void prune_print_images(const struct removed *removed)
{
    cleanup_strv struct strv lines = {0};

    for (size_t i = 0; i < removed->lines.len; i++) {
        char *line = str_copy(removed->lines.items[i]);

        *line = (char)tolower((unsigned char)*line);
        strv_take(&lines, line);
    }
    print_list("Deleted Images:", &lines);
}

void prune_print_total(uint64_t bytes)
{
    char size[HUMAN_MAX];

    human_size((double)bytes, 4, size);
    printf("Total reclaimed space: %s\n", size);
}

int prune_run(struct cli *cli, const struct prune_kind *kind, const struct prune_filter *filter,
              uint64_t *total, struct err *err)
{
    cleanup_strv struct strv gone = {0};
    uint64_t bytes = 0;
    int r = kind->run(cli, filter, &gone, &bytes, err);

    print_list(kind->heading, &gone);
    *total += bytes;
    return r;
}

bool prune_is_wanted(const struct options *o, const char *warning)
{
    return options_flag(o, "force") || confirm(warning);
}

int prune_command(struct cli *cli, const struct prune_kind *kind, const char *warning)
{
    cleanup_with(prune_filter_free) struct prune_filter filter = {0};
    struct err err = {0};
    uint64_t bytes = 0;

    if (prune_read_filter(&cli->options, &filter, &err) < 0)
        return cli_fail(cli, &err);
    if (!prune_is_wanted(&cli->options, warning))
        return 0;
    if (cli_engine(cli, &err) < 0 || prune_run(cli, kind, &filter, &bytes, &err) < 0)
        return cli_engine_fail(cli, &err);
    if (!kind->weightless)
        prune_print_total(bytes);
    return 0;
}

/* --- what more than one command removes ------------------------------------------------------- */

static int run_containers(struct cli *cli, const struct prune_filter *filter, struct strv *ret_gone,
                          uint64_t *ret_bytes, struct err *err)
{
    return engine_prune_containers(cli->engine, filter, ret_gone, ret_bytes, err);
}

static int run_networks(struct cli *cli, const struct prune_filter *filter, struct strv *ret_gone,
                        uint64_t *ret_bytes, struct err *err)
{
    (void)ret_bytes;
    return engine_prune_networks(cli->engine, filter, ret_gone, err);
}

const struct prune_kind prune_containers = {"Deleted Containers:", run_containers, false};
const struct prune_kind prune_networks = {"Deleted Networks:", run_networks, true};
