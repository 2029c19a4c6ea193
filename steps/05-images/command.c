/* The last step of every run. A variable or an open file that slips in with the command is a hole:
 * a secret in the environment can be read, and an open directory of the host leads out of any root.
 */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "die.h"

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

static char terminal[64] = "TERM=dumb";

char *command_environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    terminal,
    NULL,
};

void command_exec(char **command, char **environment)
{
    if (getenv("TERM"))
        snprintf(terminal, sizeof terminal, "TERM=%s", getenv("TERM"));
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0) /* since Linux 5.11 */
        die(NULL, "cannot keep our open files from the command: %m");
    environ = environment; /* execvp(3) searches the PATH it finds here */
    execvp(command[0], command);
    if (errno == ENOENT)
        die_with(NOT_FOUND, "there is no such file in the keg, or its loader is missing there",
                 "cannot run '%s': %m", command[0]);
    die_with(NOT_EXECUTABLE, NULL, "cannot run '%s': %m", command[0]);
}
