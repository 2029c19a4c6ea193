#include "cli/prune.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/filter.h"
#include "cli/human.h"
#include "cli/values.h"

static const char *const known[] = {"until", "label", "label!", NULL};

int prune_read_filter(const struct options *o, struct prune_filter *ret, struct err *err)
{
    const struct strv *given = options_list(o, "filter");

    *ret = (struct prune_filter){0};
    if (filter_check(given, known, err) < 0)
        return -err->code;
    for (size_t i = 0; i < given->len; i++) {
        const char *filter = given->items[i];

        if (str_starts(filter, "label="))
            strv_add(&ret->labels, filter + strlen("label="));
        else if (str_starts(filter, "label!="))
            strv_add(&ret->not_labels, filter + strlen("label!="));
        else if (value_parse_moment(filter + strlen("until="), clock_now(), &ret->until_ns, err) <
                 0)
            return -err->code;
    }
    return 0;
}

void prune_print(const char *title, const struct strv *names)
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
    prune_print("Deleted Images:", &lines);
}

void prune_print_total(uint64_t bytes)
{
    char size[HUMAN_MAX];

    human_size((double)bytes, 4, size);
    printf("Total reclaimed space: %s\n", size);
}
