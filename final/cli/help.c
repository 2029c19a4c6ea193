/* --help, made from the same tables that the parser reads, so the two cannot disagree. The layout
 * is docker's (Go's cobra and pflag): options in two columns, the second wrapped to the terminal
 * and indented under itself. A test holds every flag against what is printed here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "cli/cli.h"

#define DEFAULT_WIDTH 80
#define SLOP          5 /* a last line may be this much longer, rather than one short word stand alone */

static int terminal_width(void)
{
    struct winsize size;

    if (!ioctl(STDIN_FILENO, TIOCGWINSZ, &size) && size.ws_col > 0)
        return size.ws_col;
    return DEFAULT_WIDTH;
}

/* Where to break `text` so that the line is at most `room` long: at a newline, else at the last
 * blank. */
static size_t line_length(const char *text, size_t room)
{
    size_t newline = strcspn(text, "\n"), n;

    if (newline <= room || newline <= room + SLOP)
        return newline;
    for (n = room; n > 0 && text[n] != ' '; n--)
        ;
    return n ? n : newline;
}

static void print_wrapped(const char *text, int indent, int width)
{
    size_t room = width - indent > 24 + SLOP ? (size_t)(width - indent - SLOP) : 10000;

    for (;;) {
        size_t n = line_length(text, room);

        printf("%.*s\n", (int)n, text);
        text += n;
        if (!*text)
            return;
        text++;
        printf("%*s", indent, "");
    }
}

/* "  -m, --memory bytes" */
static char *flag_label(const struct flag *flag)
{
    char letter[8] = "    ";

    if (flag->letter)
        snprintf(letter, sizeof letter, "-%c, ", flag->letter);
    return str_format("  %s--%s%s%s", letter, flag->name, flag->word ? " " : "",
                      flag->word ? flag->word : "");
}

static char *flag_text(const struct flag *flag)
{
    const char *quote = flag->word && !strcmp(flag->word, "string") ? "\"" : "";

    if (!flag->preset)
        return str_copy(flag->help);
    return str_format("%s (default %s%s%s)", flag->help, quote, flag->preset, quote);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct flag *const *)a)->name, (*(const struct flag *const *)b)->name);
}

/* The flags that have a help text, by name. The caller frees the array. */
static const struct flag **shown_flags(const struct flag *flags, size_t *ret_count)
{
    const struct flag **shown = NULL;

    *ret_count = 0;
    for (; flags && flags->name; flags++)
        if (flags->help) {
            shown = mem_grow(shown, *ret_count + 1, sizeof *shown);
            shown[(*ret_count)++] = flags;
        }
    if (shown)
        qsort(shown, *ret_count, sizeof *shown, by_name);
    return shown;
}

static void print_flags(const struct flag *const *flags, size_t count)
{
    int widest = 0, width = terminal_width() - 1;

    for (size_t i = 0; i < count; i++) {
        cleanup_free char *label = flag_label(flags[i]);

        if ((int)strlen(label) > widest)
            widest = (int)strlen(label);
    }
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *label = flag_label(flags[i]), *text = flag_text(flags[i]);

        printf("%-*s   ", widest, label);
        print_wrapped(text, widest + 3, width);
    }
}

static void print_options(const char *heading, const struct flag *flags)
{
    size_t count;
    cleanup_free const struct flag **shown = shown_flags(flags, &count);

    if (!count)
        return;
    printf("\n%s:\n", heading);
    print_flags(shown, count);
}

void help_command(const struct command *command, const char *path)
{
    printf("Usage:  " PROGRAM " %s %s\n\n%s\n", path, command->arguments, command->summary);
    if (command->paths[1]) {
        printf("\nAliases:\n  ");
        for (int i = 0; command->paths[i]; i++)
            printf("%s" PROGRAM " %s", i ? ", " : "", command->paths[i]);
        printf("\n");
    }
    print_options("Options", command->flags);
}

/* The name a command is listed by: in a group what follows its name, else the path without a blank;
 * NULL if it cannot be called there. */
static const char *listed_name(const struct command *command, const struct command_group *group)
{
    size_t len = group ? strlen(group->name) : 0;

    for (int i = 0; command->paths[i]; i++) {
        const char *path = command->paths[i], *blank = strchr(path, ' ');

        if (group && blank && (size_t)(blank - path) == len && !memcmp(path, group->name, len))
            return blank + 1;
        if (!group && !blank)
            return path;
    }
    return NULL;
}

struct listed {
    const char *name, *summary;
};

static int by_listed_name(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

/* A group's commands by name. At the top the table's own order: what people use first stands first.
 */
static void print_command_list(const struct command_group *group, int common)
{
    cleanup_free struct listed *list = NULL;
    size_t count = 0;

    for (int i = 0; cli_commands[i]; i++) {
        const char *name = listed_name(cli_commands[i], group);

        if (!name || (common >= 0 && cli_commands[i]->common != common))
            continue;
        list = mem_grow(list, count + 1, sizeof *list);
        list[count++] = (struct listed){name, cli_commands[i]->summary};
    }
    if (group && count)
        qsort(list, count, sizeof *list, by_listed_name);
    for (size_t i = 0; i < count; i++)
        printf("  %-11s %s\n", list[i].name, list[i].summary);
}

void help_group(const struct command_group *group)
{
    printf("Usage:  " PROGRAM " %s COMMAND\n\n%s\n\nCommands:\n", group->name, group->summary);
    print_command_list(group, -1);
    printf("\nRun '" PROGRAM " %s COMMAND --help' for more information on a command.\n",
           group->name);
}

void help_program(void)
{
    printf("Usage:  " PROGRAM " [OPTIONS] COMMAND\n\nA small container engine without a daemon\n\n"
           "Common Commands:\n");
    print_command_list(NULL, true);
    printf("\nManagement Commands:\n");
    for (const struct command_group *g = cli_groups; g->name; g++)
        printf("  %-11s %s\n", g->name, g->summary);
    printf("\nCommands:\n");
    print_command_list(NULL, false);
    print_options("Global Options", cli_global_flags);
    printf("\nRun '" PROGRAM " COMMAND --help' for more information on a command.\n");
}
