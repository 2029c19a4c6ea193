/* info and version: a document with docker's names, shown as blocks of "label: value" or by a
 * template. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/format.h"
#include "cli/human.h"

static const struct flag system_flags[] = {
    FORMAT_DOCUMENT_FLAG('f'),
    FLAGS_END,
};

/* The version of docker's API whose objects and texts we follow. */
#define API_VERSION     "1.41"
#define API_MIN_VERSION "1.12"

static json_t *version_document(void)
{
    struct utsname host;
    json_t *both = json_object(), *side = NULL;

    uname(&host);
    for (int server = 0; server < 2; server++) {
        side = json_object();
        json_put_str(side, "Version", COOPER_VERSION);
        json_put_str(side, "ApiVersion", API_VERSION);
        if (server)
            json_put_str(side, "MinAPIVersion", API_MIN_VERSION);
        json_put_str(side, "GitCommit", COOPER_COMMIT);
        json_put_str(side, "Os", "linux");
        json_put_str(side, "Arch",
                     !strcmp(host.machine, "x86_64")    ? "amd64"
                     : !strcmp(host.machine, "aarch64") ? "arm64"
                                                        : host.machine);
        if (server)
            json_put_str(side, "KernelVersion", host.release);
        json_put(both, server ? "Server" : "Client", side);
    }
    return both;
}

static void print_version_side(const json_t *side, const char *indent, int width)
{
    static const struct {
        const char *label, *member;
    } lines[] = {
        {"Version:", "Version"}, {"API version:", "ApiVersion"}, {"Git commit:", "GitCommit"}};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        printf("%s%-*s%s", indent, width, lines[i].label, json_str(side, lines[i].member, ""));
        if (i == 1 && json_str(side, "MinAPIVersion", NULL))
            printf(" (minimum version %s)", json_str(side, "MinAPIVersion", ""));
        printf("\n");
    }
    printf("%s%-*s%s/%s\n", indent, width, "OS/Arch:", json_str(side, "Os", ""),
           json_str(side, "Arch", ""));
}

/* There is no server: the "server" is this same program, and the engine needs not even be set up
 * for it. */
static int cmd_version(struct cli *cli)
{
    const char *format = options_one(&cli->options, "format");
    cleanup_json json_t *document = version_document();
    struct err err = {0};

    if (format)
        return format_document(format, document, &err) < 0 ? cli_fail(cli, &err) : 0;
    printf("Client:\n");
    print_version_side(json_at(document, "Client"), " ", 19);
    printf("\nServer: Cooper (no daemon)\n Engine:\n");
    print_version_side(json_at(document, "Server"), "  ", 18);
    return 0;
}

/* --- info
 * ------------------------------------------------------------------------------------------- */

enum line_kind {
    LINE_TEXT,
    LINE_NUMBER,
    LINE_MEMORY,
    LINE_BOOL,
    LINE_PAIRS,
    LINE_LIST,
    LINE_PLUGINS,
    LINE_NAMES,
    LINE_WARNINGS
};

/* The lines of `info` in docker's order; the label's blanks are its place in the tree. A member
 * that the engine does not report is left out. */
static const struct {
    const char *label, *member;
    enum line_kind kind;
} info_lines[] = {
    {" Containers", "Containers", LINE_NUMBER},
    {"  Running", "ContainersRunning", LINE_NUMBER},
    {"  Paused", "ContainersPaused", LINE_NUMBER},
    {"  Stopped", "ContainersStopped", LINE_NUMBER},
    {" Images", "Images", LINE_NUMBER},
    {" Server Version", "ServerVersion", LINE_TEXT},
    {" Storage Driver", "Driver", LINE_TEXT},
    {"  ", "DriverStatus", LINE_PAIRS},
    {" Logging Driver", "LoggingDriver", LINE_TEXT},
    {" Cgroup Driver", "CgroupDriver", LINE_TEXT},
    {" Cgroup Version", "CgroupVersion", LINE_TEXT},
    {" Plugins", "Plugins", LINE_PLUGINS},
    {" Runtimes", "Runtimes", LINE_NAMES},
    {" Default Runtime", "DefaultRuntime", LINE_TEXT},
    {" Init Binary", "InitBinary", LINE_TEXT},
    {" Security Options", "SecurityOptions", LINE_LIST},
    {" Kernel Version", "KernelVersion", LINE_TEXT},
    {" Operating System", "OperatingSystem", LINE_TEXT},
    {" OSType", "OSType", LINE_TEXT},
    {" Architecture", "Architecture", LINE_TEXT},
    {" CPUs", "NCPU", LINE_NUMBER},
    {" Total Memory", "MemTotal", LINE_MEMORY},
    {" Name", "Name", LINE_TEXT},
    {" ID", "ID", LINE_TEXT},
    {" Cooper Root Dir", "DockerRootDir", LINE_TEXT},
    {" Debug Mode", "Debug", LINE_BOOL},
    {NULL, "Warnings", LINE_WARNINGS},
};

/* [["Backing Filesystem", "extfs"], ...] */
static void print_pairs(const char *indent, const json_t *pairs)
{
    json_t *pair;
    size_t i;

    json_array_foreach(pairs, i, pair)
        printf("%s%s: %s\n", indent, json_string_value(json_array_get(pair, 0)),
               json_string_value(json_array_get(pair, 1)));
}

/* ["name=seccomp,profile=builtin"]: the name, then each of the others below it. */
static void print_security(const json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        cleanup_strv struct strv words = {0};

        strv_split(&words, json_is_string(item) ? json_string_value(item) : "", ',');
        for (size_t k = 0; k < words.len; k++) {
            const char *equals = strchr(words.items[k], '=');

            if (k == 0)
                printf("  %s\n", equals ? equals + 1 : words.items[k]);
            else if (equals)
                printf("   %c%.*s: %s\n", words.items[k][0] - 32 * (words.items[k][0] >= 'a'),
                       (int)(equals - words.items[k] - 1), words.items[k] + 1, equals + 1);
        }
    }
}

/* {"Log": ["json-file", ...]}: a line a kind. */
static void print_plugins(const json_t *plugins)
{
    const char *kind;
    json_t *list;

    json_object_foreach((json_t *)plugins, kind, list)
    {
        cleanup_strv struct strv names = {0};
        cleanup_free char *text = NULL;

        json_strings(list, &names);
        text = strv_join(&names, " ");
        if (names.len)
            printf("  %s: %s\n", kind, text);
    }
}

static void print_names(const char *label, const json_t *object)
{
    const char *name;
    json_t *unused;

    printf("%s:", label);
    json_object_foreach((json_t *)object, name, unused) printf(" %s", name);
    puts("");
}

static void print_warnings(const json_t *list)
{
    json_t *item;
    size_t i;

    fflush(stdout);
    json_array_foreach(list, i, item) if (json_is_string(item))
        fprintf(stderr, "%s\n", json_string_value(item));
}

static void print_info_line(const char *label, const json_t *value, enum line_kind kind)
{
    char memory[HUMAN_MAX];

    switch (kind) {
    case LINE_TEXT:
        printf("%s: %s\n", label, json_is_string(value) ? json_string_value(value) : "");
        break;
    case LINE_NUMBER:
        printf("%s: %lld\n", label, (long long)json_integer_value(value));
        break;
    case LINE_MEMORY:
        human_memory((double)json_integer_value(value), memory);
        printf("%s: %s\n", label, memory);
        break;
    case LINE_BOOL:
        printf("%s: %s\n", label, json_is_true(value) ? "true" : "false");
        break;
    case LINE_PAIRS:
        print_pairs(label, value);
        break;
    case LINE_LIST:
        printf("%s:\n", label);
        print_security(value);
        break;
    case LINE_PLUGINS:
        printf("%s:\n", label);
        print_plugins(value);
        break;
    case LINE_NAMES:
        print_names(label, value);
        break;
    case LINE_WARNINGS:
        print_warnings(value);
        break;
    }
}

static void print_info(const json_t *info, bool debug)
{
    printf("Client:\n Version:    " COOPER_VERSION "\n Debug Mode: %s\n\nServer:\n",
           debug ? "true" : "false");
    for (size_t i = 0; i < sizeof info_lines / sizeof *info_lines; i++) {
        const json_t *value = json_object_get(info, info_lines[i].member);

        if (value)
            print_info_line(info_lines[i].label, value, info_lines[i].kind);
    }
}

static int cmd_info(struct cli *cli)
{
    const char *format = options_one(&cli->options, "format");
    cleanup_json json_t *info = NULL;
    struct err err = {0};

    if (format_check(format, &err) < 0)
        return cli_fail(cli, &err);
    if (cli_engine(cli, &err) < 0 || !(info = engine_info(cli->engine, &err)))
        return cli_engine_fail(cli, &err);
    if (format)
        return format_document(format, info, &err) < 0 ? cli_fail(cli, &err) : 0;
    print_info(info, cli->debug);
    return 0;
}

const struct command command_version = {
    .paths = {"version"},
    .arguments = "[OPTIONS]",
    .summary = "Show the Cooper version information",
    .flags = system_flags,
    .max_args = 0,
    .common = true,
    .run = cmd_version,
};

const struct command command_info = {
    .paths = {"system info", "info"},
    .arguments = "[OPTIONS]",
    .summary = "Display system-wide information",
    .flags = system_flags,
    .max_args = 0,
    .common = true,
    .run = cmd_info,
};
