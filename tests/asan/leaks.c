/* Linked into every program of `make asan`. At its end LeakSanitizer traces its own process with a
 * thread of its own; when somebody else traces it already, that thread never starts and the process waits
 * for it for ever. So what the crash sweep runs is searched for bad memory accesses, not for leaks.
 * The environment cannot say so: the shim has none. */
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* proc(5): TracerPid is the pid of whoever traces us, 0 if nobody does. In doubt (the sweep makes this
 * read fail, too) somebody does. */
static int traced(void)
{
    char line[128];
    FILE *status = fopen("/proc/self/status", "re");
    int ret = 1;

    while (status && fgets(line, sizeof line, status))
        if (!strncmp(line, "TracerPid:", 10))
            ret = strtol(line + 10, NULL, 10) != 0;
    if (status)
        fclose(status);
    return ret;
}

/* Weak: the judge of the exercises answers for itself. */
__attribute__((weak)) int __lsan_is_turned_off(void)
{
    return traced();
}
