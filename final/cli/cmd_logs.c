/* logs: the engine reads the files and follows them; here lines get their timestamps and their
 * stream. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/values.h"

static const struct flag logs_flags[] = {
    {0, "details", .help = "Show extra details provided to logs"},
    {'f', "follow", .help = "Follow log output"},
    {0, "since", FLAG_ONE, "string", NULL, NULL,
     .help = "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" "
             "for 42 "
             "minutes)"},
    {'n', "tail", FLAG_ONE, "string", NULL, "all",
     .help = "Number of lines to show from the end of the logs"},
    {'t', "timestamps", .help = "Show timestamps"},
    {0, "until", FLAG_ONE, "string", NULL, NULL,
     .help = "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. "
             "\"42m\" for "
             "42 minutes)"},
    FLAGS_END,
};

static int read_moment(const struct options *o, const char *flag, int64_t *ret, struct err *err)
{
    const char *value = options_one(o, flag);

    *ret = 0;
    if (!value || !*value)
        return 0;
    if (value_parse_moment(value, clock_now(), ret, err) < 0)
        return err_wrap(err, "invalid value for \"%s\"", flag);
    return 0;
}

static int read_options(const struct options *o, struct log_options *ret, struct err *err)
{
    const char *tail = options_one(o, "tail");
    long long number;

    *ret = (struct log_options){.follow = options_flag(o, "follow"),
                                .timestamps = options_flag(o, "timestamps"),
                                .want_stdout = true,
                                .want_stderr = true,
                                .tail = -1};
    if (strcmp(tail, "all") && *tail) {
        if (str_to_i64(tail, &number) < 0)
            return err_set(err, EINVAL,
                           "invalid value for \"tail\": '%s' is neither a number nor all", tail);
        ret->tail = number < 0 ? -1 : number;
    }
    if (read_moment(o, "since", &ret->since_ns, err) < 0)
        return -err->code;
    return read_moment(o, "until", &ret->until_ns, err);
}

/* As in a URL's query, which is how docker shows them. */
static void add_escaped(struct buf *out, const char *text)
{
    static const char plain[] = "-_.~";

    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr(plain, *text))
            buf_add_char(out, *text);
        else if (*text == ' ')
            buf_add_char(out, '+');
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "A=1,b=x%2Fy" */
static char *details_text(const json_t *attrs)
{
    cleanup_strv struct strv pairs = {0};
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)attrs, name, value)
    {
        struct buf pair = {0};

        add_escaped(&pair, name);
        buf_add_char(&pair, '=');
        add_escaped(&pair, json_is_string(value) ? json_string_value(value) : "");
        strv_take(&pairs, buf_steal(&pair));
    }
    if (pairs.len)
        qsort(pairs.items, pairs.len, sizeof *pairs.items, by_text);
    return strv_join(&pairs, ",");
}

struct printing {
    struct log_options log;
    bool details;
};

/* stderr of the container goes to ours. A reader that has gone away ends it. */
static int print_line(void *context, int stream, int64_t time_ns, const char *text, size_t len,
                      const json_t *attrs)
{
    const struct printing *printing = context;
    FILE *out = stream == 2 ? stderr : stdout;
    char stamp[40];

    /* stderr is not buffered: what came before it must not come out behind it. */
    if (stream == 2)
        fflush(stdout);
    if (printing->log.timestamps) {
        clock_format_fixed(time_ns, stamp);
        fprintf(out, "%s ", stamp);
    }
    if (printing->details) {
        cleanup_free char *details = details_text(attrs);

        fprintf(out, "%s ", details);
    }
    fwrite(text, 1, len, out);
    if (printing->log.follow && fflush(out) != 0)
        return -EPIPE;
    return ferror(out) ? -EPIPE : 0;
}

static int print_logs(struct cli *cli, struct printing *printing)
{
    struct container c;
    struct err err = {0};
    int r;

    if (cli_engine(cli, &err) < 0 || engine_find(cli->engine, cli->options.args[0], &c, &err) < 0)
        return cli_engine_fail(cli, &err);
    r = engine_logs(cli->engine, &c, &printing->log, print_line, printing, &err);
    container_free(&c);
    if (r < 0 && r != -EPIPE)
        return cli_engine_fail(cli, &err);
    return r < 0 ? EXIT_FAILURE : 0;
}

/* The engine opens all files of a log at once, and max-file may be more than 1024. */
static void allow_many_files(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int cmd_logs(struct cli *cli)
{
    struct printing printing = {.details = options_flag(&cli->options, "details")};
    struct err err = {0};

    if (read_options(&cli->options, &printing.log, &err) < 0)
        return cli_fail(cli, &err);
    allow_many_files();
    return print_logs(cli, &printing);
}

const struct command command_logs = {
    .paths = {"container logs", "logs"},
    .arguments = "[OPTIONS] CONTAINER",
    .summary = "Fetch the logs of a container",
    .flags = logs_flags,
    .min_args = 1,
    .max_args = 1,
    .run = cmd_logs,
};
