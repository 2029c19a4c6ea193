/* An option is a row of a table, so a mechanism brings one row for each of its knobs, and no code.
 * The first argument without dashes ends the options ("+" below): what follows belongs to the
 * command in the keg. */
#include "args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "die.h"

enum { MOST = 16 };

[[gnu::noreturn]] static void usage(const struct option_row *const tables[], const char *rest)
{
    printf("usage: keg");
    for (; *tables; tables++)
        for (const struct option_row *row = *tables; row->name; row++)
            printf(" [--%s %s]", row->name, row->value);
    printf(" %s\n", rest);
    exit(0);
}

char **args_parse(int argc, char **argv, const struct option_row *const tables[], const char *rest,
                  int least)
{
    struct option options[MOST + 2] = {{"help", no_argument, NULL, 'h'}};
    const char **rets[MOST + 1];
    int count = 1, which = 0, found;

    for (const struct option_row *const *table = tables; *table; table++)
        for (const struct option_row *row = *table; row->name && count <= MOST; row++) {
            options[count] = (struct option){row->name, required_argument, NULL, 0};
            rets[count++] = row->ret;
        }
    argv[0] = "keg"; /* getopt_long(3) begins its own complaints with it */
    while ((found = getopt_long(argc, argv, "+", options, &which)) == 0)
        *rets[which] = optarg;
    if (found == 'h')
        usage(tables, rest);
    if (found == '?')
        exit(EXIT_KEG);
    if (argc - optind < least)
        die("keg --help shows the options", "usage: keg [OPTION...] %s", rest);
    return argv + optind;
}
