/* --help, from the same tables that the parser reads. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "runtime/cli/cli.h"

static char *label(const struct flag *flag)
{
    const char *value = flag->kind == FLAG_BOOL ? "" : " value";

    return flag->letter ? str_format("--%s%s, -%c%s", flag->name, value, flag->letter, value)
                        : str_format("--%s%s", flag->name, value);
}

static void print_flags(const struct flag *flags)
{
    int widest = 0;

    for (const struct flag *flag = flags; flag->name; flag++) {
        cleanup_free char *text = label(flag);

        if (flag->help && (int)strlen(text) > widest)
            widest = (int)strlen(text);
    }
    for (const struct flag *flag = flags; flag->name; flag++) {
        cleanup_free char *text = label(flag);

        if (!flag->help)
            continue;
        printf("   %-*s  %s", widest, text, flag->help);
        if (flag->preset)
            printf(" (default: %s%s%s)", flag->kind == FLAG_TEXT ? "\"" : "", flag->preset,
                   flag->kind == FLAG_TEXT ? "\"" : "");
        printf("\n");
    }
}

void help_command(const struct command *command)
{
    printf("NAME:\n   " PROGRAM " %s - %s\n\nUSAGE:\n   " PROGRAM " %s%s %s\n", command->name,
           command->summary, command->name, command->flags->name ? " [command options]" : "",
           command->arguments);
    if (command->details)
        printf("\nDESCRIPTION:\n%s", command->details);
    if (command->flags->name) {
        printf("\nOPTIONS:\n");
        print_flags(command->flags);
    }
}

void help_program(void)
{
    printf("NAME:\n   " PROGRAM " - Open Container Initiative runtime\n\n"
           "A container is made from a bundle: a directory with a config.json and a root file "
           "system.\n\n    # " PROGRAM " run [ -b bundle ] <container-id>\n\n"
           "USAGE:\n   " PROGRAM " [global options] command [command options] [arguments...]\n\n"
           "COMMANDS:\n");
    for (const struct command *const *c = commands; *c; c++)
        printf("   %-9s %s\n", (*c)->name, (*c)->summary);
    printf("\nGLOBAL OPTIONS:\n");
    print_flags(global_flags);
    printf("   --help, -h  show help, also behind a command\n");
}
