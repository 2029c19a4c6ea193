/* cooper: the command. All of it is in cli.c; a test program has a main() of its own. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv, NULL);
}
