#include "cli/confirm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

bool confirm(const char *what)
{
    cleanup_free char *line = NULL;
    size_t room = 0;

    printf("WARNING! %s\nAre you sure you want to continue? [y/N] ", what);
    fflush(stdout);
    if (getline(&line, &room, stdin) < 0)
        return false;
    line[strcspn(line, "\r\n")] = 0;
    return !strcasecmp(line, "y");
}
