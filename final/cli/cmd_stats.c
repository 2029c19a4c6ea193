/* stats: two looks at each container, and what happened in between; again and again. On a terminal
 * the table is drawn over the last one; elsewhere tables follow each other. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/rows.h"

#define BEAT_MS  1000
#define FIRST_MS 500 /* the first answer need not be that exact */

static const struct flag stats_flags[] = {
    {'a', "all", .help = "Show all containers (default shows just running)"},
    FORMAT_TABLE_FLAG,
    {0, "no-stream", .help = "Disable streaming stats and only pull the first result"},
    {0, "no-trunc", .help = "Do not truncate output"},
    FLAGS_END,
};

static const struct column columns[] = {
    {"Container", "CONTAINER"},
    {"ID", "CONTAINER ID"},
    {"Name", "NAME"},
    {"CPUPerc", "CPU %"},
    {"MemUsage", "MEM USAGE / LIMIT"},
    {"MemPerc", "MEM %"},
    {"NetIO", "NET I/O"},
    {"BlockIO", "BLOCK I/O"},
    {"PIDs", "PIDS"},
    COLUMNS_END,
};
#define PRESET                                                                                     \
    "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t"    \
    "{{.PIDs}}"

/* One container as it was at the last look and as it is now. */
struct subject {
    char *asked; /* as the user named it, or its id */
    char id[65];
    char *name;
    bool gone;
    struct engine_stats before, now;
};
struct subjects {
    struct subject *items;
    size_t len;
};

static void subjects_free(struct subjects *s)
{
    for (size_t i = 0; i < s->len; i++) {
        free(s->items[i].asked);
        free(s->items[i].name);
    }
    free(s->items);
    *s = (struct subjects){0};
}

static struct subject *add(struct subjects *s, const char *asked, const struct container *c)
{
    struct subject *subject;

    s->items = mem_grow(s->items, s->len + 1, sizeof *s->items);
    subject = &s->items[s->len++];
    *subject = (struct subject){.asked = str_copy(asked), .name = str_copy(c->name)};
    strcpy(subject->id, c->id);
    return subject;
}

/* --- looking
 * ------------------------------------------------------------------------------------ */

static int look_at_named(struct cli *cli, struct subjects *s, struct err *err)
{
    for (size_t i = 0; i < s->len; i++) {
        struct subject *subject = &s->items[i];
        struct container c;
        int r = engine_find(cli->engine, subject->id, &c, err);

        subject->before = subject->now;
        subject->gone = r == -ENOENT;
        if (!r) {
            r = engine_stats(cli->engine, &c, &subject->now, err);
            container_free(&c);
        }
        if (r < 0 && r != -ENOENT)
            return r;
        err_clear(err);
    }
    return 0;
}

static struct subject *find(const struct subjects *s, const char *id)
{
    for (size_t i = 0; i < s->len; i++)
        if (!strcmp(s->items[i].id, id))
            return &s->items[i];
    return NULL;
}

/* Containers come and go: what was known of those that stay is taken over. */
static int look_at_all(struct cli *cli, struct subjects *s, struct err *err)
{
    bool all = options_flag(&cli->options, "all");
    struct container_list list;
    struct subjects next = {0};
    int r = engine_list(cli->engine, &list, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < list.len && r >= 0; i++) {
        const struct container *c = &list.items[i];
        const struct subject *known = find(s, c->id);
        struct subject *subject;

        if (!all && !rows_running(c))
            continue;
        subject = add(&next, c->id, c);
        if (known)
            subject->before = known->now;
        r = engine_stats(cli->engine, c, &subject->now, err);
    }
    container_list_free(&list);
    subjects_free(s);
    *s = next;
    return r;
}

static int look(struct cli *cli, struct subjects *s, struct err *err)
{
    return cli->options.arg_count ? look_at_named(cli, s, err) : look_at_all(cli, s, err);
}

/* --- rows
 * --------------------------------------------------------------------------------------- */

/* docker's arithmetic: of one CPU's time, so that two busy ones are 200%. */
static double cpu_percent(const struct subject *s)
{
    double used = (double)s->now.cpu_ns - (double)s->before.cpu_ns;
    double passed = (double)s->now.system_ns - (double)s->before.system_ns;

    if (!s->before.running || used <= 0 || passed <= 0)
        return 0;
    return used / passed * s->now.cpus * 100;
}

static double memory_percent(const struct subject *s)
{
    return s->now.memory_limit ? (double)s->now.memory / (double)s->now.memory_limit * 100 : 0;
}

static char *pair_of(uint64_t one, uint64_t other, void human(double, char[HUMAN_MAX]))
{
    char first[HUMAN_MAX], second[HUMAN_MAX];

    human((double)one, first);
    human((double)other, second);
    return str_format("%s / %s", first, second);
}

static void bytes(double value, char ret[HUMAN_MAX])
{
    human_size(value, 3, ret);
}

static void put_owned(json_t *row, const char *name, char *value)
{
    json_put_str(row, name, value);
    free(value);
}

static void put_numbers(json_t *row, const struct subject *s)
{
    put_owned(row, "CPUPerc", str_format("%.2f%%", cpu_percent(s)));
    put_owned(row, "MemUsage", pair_of(s->now.memory, s->now.memory_limit, human_memory));
    put_owned(row, "MemPerc", str_format("%.2f%%", memory_percent(s)));
    put_owned(row, "NetIO", pair_of(s->now.received, s->now.sent, bytes));
    put_owned(row, "BlockIO", pair_of(s->now.block_read, s->now.block_written, bytes));
    put_owned(row, "PIDs", str_format("%llu", (unsigned long long)s->now.pids));
}

static void put_nothing(json_t *row)
{
    static const char *const single[] = {"CPUPerc", "MemPerc", "NetIO", "BlockIO", "PIDs"};

    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        json_put_str(row, single[i], "--");
    json_put_str(row, "MemUsage", "-- / --");
}

static json_t *rows_of(const struct cli *cli, const struct subjects *s)
{
    bool whole = options_flag(&cli->options, "no-trunc");
    json_t *rows = json_array();

    for (size_t i = 0; i < s->len; i++) {
        const struct subject *subject = &s->items[i];
        json_t *row = json_object();

        json_put_str(row, "Container", subject->asked);
        put_owned(row, "ID", whole ? str_copy(subject->id) : rows_short_id(subject->id));
        json_put_str(row, "Name", subject->name);
        if (subject->gone)
            put_nothing(row);
        else
            put_numbers(row, subject);
        json_put(row, "Label", json_object()); /* a row, for {{json .}} */
        json_push(rows, row);
    }
    return rows;
}

/* --- showing
 * ------------------------------------------------------------------------------------ */

/* Each line clears what is left of the longer one it is drawn over; so does the end. */
static void draw_over(const char *text)
{
    fputs("\033[H", stdout);
    for (; *text; text++) {
        if (*text == '\n')
            fputs("\033[K", stdout);
        putchar(*text);
    }
    fputs("\033[J", stdout);
}

static int show(struct cli *cli, const struct subjects *s, bool again, struct err *err)
{
    cleanup_json json_t *rows = rows_of(cli, s);
    cleanup_buf struct buf text = {0};

    if (format_text(columns, PRESET, options_one(&cli->options, "format"), rows, &text, err) < 0)
        return -err->code;
    buf_reserve(&text, 0);
    if (again && isatty(STDOUT_FILENO))
        draw_over(text.data);
    else
        fwrite(text.data, 1, text.len, stdout);
    return fflush(stdout) ? -EPIPE : 0;
}

static int resolve_names(struct cli *cli, struct subjects *s, struct err *err)
{
    for (size_t i = 0; i < cli->options.arg_count; i++) {
        struct container c;
        int r = engine_find(cli->engine, cli->options.args[i], &c, err);

        if (r < 0)
            return r;
        add(s, cli->options.args[i], &c);
        container_free(&c);
    }
    return 0;
}

static int watch(struct cli *cli, struct subjects *s, struct err *err)
{
    bool once = options_flag(&cli->options, "no-stream");
    int r = resolve_names(cli, s, err);

    if (!r)
        r = look(cli, s, err);
    if (!r && !once && isatty(STDOUT_FILENO))
        fputs("\033[2J", stdout);
    for (int beat = FIRST_MS; !r; beat = BEAT_MS) {
        poll(NULL, 0, beat); /* a rate needs time; a signal ends it all */
        r = look(cli, s, err);
        if (!r)
            r = show(cli, s, !once, err);
        if (once)
            break;
    }
    return r;
}

static int cmd_stats(struct cli *cli)
{
    struct subjects subjects = {0};
    struct err err = {0};
    int r;

    if (cli_engine(cli, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = watch(cli, &subjects, &err);
    subjects_free(&subjects);
    if (r == -EPIPE)
        return EXIT_FAILURE;
    return r < 0 ? cli_engine_fail(cli, &err) : 0;
}

const struct command command_stats = {
    .paths = {"container stats", "stats"},
    .arguments = "[OPTIONS] [CONTAINER...]",
    .summary = "Display a live stream of container(s) resource usage statistics",
    .flags = stats_flags,
    .max_args = -1,
    .run = cmd_stats,
};
