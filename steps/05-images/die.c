/* How keg gives up. The line goes out in one write(2), so that a parent and a child that fail
 * together do not mix their words; and it ends with _exit(2), because a cloned child must not run
 * what its parent registered. */
#include "die.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void die_with(int code, const char *hint, const char *what, ...)
{
    char cause[4096];
    va_list list;

    va_start(list, what);
    vsnprintf(cause, sizeof cause, what, list);
    va_end(list);
    dprintf(STDERR_FILENO, hint ? "keg: %s (hint: %s)\n" : "keg: %s\n", cause, hint);
    _exit(code);
}
