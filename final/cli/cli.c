/* The way of every command, in this order: global flags (they stop at the first word), the
 * command's name of one or two words, its own flags, the number of its arguments; only then its
 * function, which opens the engine when it needs it. So a mistake in the command line never touches
 * the disk, and --help works for everybody. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

static int check_log_level(const char *value, struct err *err)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", "fatal"};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(value, levels[i]))
            return 0;
    return err_set(err, EINVAL,
                   "unknown level, one of debug, info, warn, error, fatal is expected");
}

/* An unset variable in a script must not mean everybody's containers. */
static int check_root(const char *value, struct err *err)
{
    return *value ? 0 : err_set(err, EINVAL, "no directory: leave the flag out for the default");
}

const struct flag cli_global_flags[] = {
    {'D', "debug", .help = "Enable debug mode"},
    {'l', "log-level", FLAG_ONE, "string", check_log_level, "info",
     .help = "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")"},
    {0, "root", FLAG_ONE, "string", check_root, NULL,
     .help = "Directory of everything the engine keeps (COOPER_ROOT; " STORE_DEFAULT_ROOT ")"},
    {'v', "version", .help = "Print version information and quit"},
    FLAGS_END,
};

int cli_engine(struct cli *cli, struct err *err)
{
    int r;

    if (cli->engine)
        return 0;
    r = engine_open(cli->root, &cli->engine, err);
    if (!r)
        cli->engine->debug = cli->debug;
    return r;
}

/* `status`: what a command that starts a container exits with. */
static int report(const struct cli *cli, const char *before, const struct err *err, int status)
{
    /* What was printed must come before the complaint, also when both go to one file. */
    fflush(stdout);
    if (!cli->command || !cli->command->starts_container || cli->plain_errors) {
        fprintf(stderr, "%s%s\n", before, err->message);
        return err->exit_status && !cli->plain_errors ? err->exit_status : EXIT_FAILURE;
    }
    fprintf(stderr, PROGRAM ": %s%s\n\nRun '" PROGRAM " %s --help' for more information\n", before,
            err->message, cli->path);
    return status;
}

int cli_fail(const struct cli *cli, const struct err *err)
{
    return report(cli, "", err, err->exit_status ? err->exit_status : EXIT_ENGINE);
}

/* What `run` exits with: docker's client reads it out of the engine's words. */
static int status_of(const struct err *err)
{
    if (err->exit_status)
        return err->exit_status;
    if (strcasestr(err->message, "no such file or directory"))
        return EXIT_NOT_FOUND;
    if (strcasestr(err->message, "permission denied") || strcasestr(err->message, "is a directory"))
        return EXIT_NOT_STARTED;
    return EXIT_ENGINE;
}

int cli_engine_fail(const struct cli *cli, const struct err *err)
{
    return report(cli, "Error response from daemon: ", err, status_of(err));
}

/* A bad flag: docker answers with 125 whatever the command. */
static int fail_usage(const struct err *err, const char *path, const char *arguments)
{
    fprintf(stderr,
            "%s\n\nUsage:  " PROGRAM "%s%s %s\n\nRun '" PROGRAM
            "%s%s --help' for more information\n",
            err->message, *path ? " " : "", path, arguments, *path ? " " : "", path);
    return EXIT_ENGINE;
}

static int fail_unknown(const struct command_group *group, const char *word)
{
    const char *name = group ? group->name : "", *blank = group ? " " : "";

    fprintf(stderr, PROGRAM ": unknown command: " PROGRAM "%s%s %s\n\n", blank, name, word);
    if (group)
        fprintf(stderr, "Usage:  " PROGRAM " %s\n\n", name);
    fprintf(stderr, "Run '" PROGRAM "%s%s --help' for more information\n", blank, name);
    return EXIT_FAILURE;
}

/* "at least 1 and at most 2 arguments": docker's words for the number a command takes. */
static void print_wanted_arguments(const struct command *c)
{
    bool some = c->min_args > 0 && c->max_args != c->min_args, bounded = c->max_args >= 0;
    int last = bounded ? c->max_args : c->min_args;

    if (some)
        fprintf(stderr, "at least %d", c->min_args);
    if (some && bounded)
        fprintf(stderr, " and ");
    if (bounded)
        fprintf(stderr, "%s%d", c->max_args == c->min_args ? "" : "at most ", c->max_args);
    fprintf(stderr, " argument%s\n", last == 1 ? "" : "s");
}

/* 0 when the number of arguments is right, else docker's complaint, printed, and 1. */
static int check_arguments(const struct cli *cli)
{
    const struct command *c = cli->command;
    int count = (int)cli->options.arg_count;

    if (count >= c->min_args && (c->max_args < 0 || count <= c->max_args))
        return 0;
    fprintf(stderr, PROGRAM ": '" PROGRAM " %s' ", cli->path);
    if (c->max_args == 0) {
        fprintf(stderr, "accepts no arguments\n");
    } else {
        fprintf(stderr, "requires ");
        print_wanted_arguments(c);
    }
    fprintf(stderr,
            "\nUsage:  " PROGRAM " %s %s\n\n%s '" PROGRAM " %s --help' for more information\n",
            cli->path, c->arguments, c->max_args < 0 ? "See" : "Run", cli->path);
    return EXIT_FAILURE;
}

static const struct command *carried(const struct command *command,
                                     const struct command *const *own)
{
    for (; own && *own; own++)
        if (!strcmp((*own)->paths[0], command->paths[0]))
            return *own;
    return command;
}

/* What is asked for is recorded as JSON, which has no other text. */
static int check_text(char *const *words, struct err *err)
{
    for (; *words; words++) {
        cleanup_json json_t *text = json_string(*words);

        if (!text)
            return err_set(err, EILSEQ, "the argument '%s' is not valid UTF-8", *words);
    }
    return 0;
}

static int run_command(struct cli *cli, char **words)
{
    struct err err = {0};
    int r;

    if (check_text(words, &err) < 0)
        return cli_fail(cli, &err);
    if (options_parse(cli->command->flags, words, cli->command->stop_at_first, &cli->options,
                      &err) < 0)
        return fail_usage(&err, cli->path, cli->command->arguments);
    if (cli->options.help) {
        help_command(cli->command, cli->path);
        r = 0;
    } else {
        r = check_arguments(cli);
    }
    if (!r && !cli->options.help)
        r = cli->command->run(cli);
    options_free(&cli->options);
    return r;
}

/* `cooper help run`, `cooper image --help`, `cooper image`: words that only ask. */
static int answer_group(const struct command_group *group, const char *next)
{
    if (next && *next != '-')
        return fail_unknown(group, next);
    help_group(group);
    return 0;
}

static int dispatch(struct cli *cli, char **words, const struct command *const *own)
{
    const struct command_group *group;
    bool asks = words[0] && !strcmp(words[0], "help");
    int used;

    words += asks;
    if (!words[0]) {
        help_program();
        return 0;
    }
    used = cli_find_command(words, &cli->command, &cli->path);
    if (used && asks) {
        help_command(cli->command, cli->path);
        return 0;
    }
    if (used) {
        cli->command = carried(cli->command, own);
        return run_command(cli, words + used);
    }
    group = cli_find_group(words[0]);
    return group ? answer_group(group, words[1]) : fail_unknown(NULL, words[0]);
}

static bool take_global_flags(struct cli *cli, const struct options *globals)
{
    const char *level = options_one(globals, "log-level");

    cli->root = options_one(globals, "root");
    cli->debug = options_flag(globals, "debug") || !strcmp(level, "debug");
    cli->quiet_warnings = !strcmp(level, "error") || !strcmp(level, "fatal");
    if (options_flag(globals, "version"))
        printf("Cooper version " COOPER_VERSION ", build " COOPER_COMMIT "\n");
    return options_flag(globals, "version");
}

/* Output that could not be written is a failure too: a full disk behind `cooper ps > file`. */
static int close_output(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    if (errno != EPIPE)
        perror(PROGRAM ": cannot write to stdout");
    return code ? code : EXIT_FAILURE;
}

void cli_show_notes(struct cli *cli)
{
    struct strv *notes = cli->engine ? &cli->engine->notes : NULL;

    for (size_t i = 0; notes && i < notes->len; i++)
        fprintf(stderr, PROGRAM ": %s\n", notes->items[i]);
    if (notes)
        strv_free(notes);
}

int cli_main(int argc, char **argv, const struct command *const *own)
{
    cleanup_free char **copy = mem_alloc(((size_t)argc + 1) * sizeof *copy);
    struct cli cli = {.argv = copy};
    struct options globals;
    struct err err = {0};
    int code = 0;

    memcpy(copy, argv, (size_t)argc * sizeof *copy);
    signal(SIGPIPE, SIG_IGN);
    if (options_parse(cli_global_flags, argv + (argc > 0), true, &globals, &err) < 0)
        return fail_usage(&err, "", "[OPTIONS] COMMAND [ARG...]");
    if (globals.help)
        help_program();
    else if (!take_global_flags(&cli, &globals))
        code = dispatch(&cli, globals.args, own);
    cli_show_notes(&cli);
    if (cli.engine)
        engine_close(cli.engine);
    options_free(&globals);
    return close_output(code);
}
