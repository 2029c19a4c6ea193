/* traits - runs inside a container and tells what its process was given: clocks, scheduling,
 * limits. Static, as probe, and of the same manners:
 *
 *     traits COMMAND [ARGUMENT...] [+ COMMAND [ARGUMENT...]]...
 *
 * Each command prints a line "command arguments: answer"; an answer "E<NAME>" is an errno. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void clock_of(char **a)
{
    clockid_t id = !strcmp(a[0], "boottime") ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
    struct timespec now;

    clock_gettime(id, &now);
    printf("%lld\n", (long long)now.tv_sec);
}

static void domain(char **a)
{
    char name[256] = "?";

    (void)a;
    getdomainname(name, sizeof name);
    printf("%s\n", name);
}

static const struct {
    const char *name;
    int arguments;
    void (*run)(char **arguments);
} commands[] = {
    {"clock", 1, clock_of},
    {"domain", 0, domain},
};

static int run_one(char **words, int count)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(words[0], commands[i].name) || count - 1 < commands[i].arguments)
            continue;
        printf("%s", words[0]);
        for (int k = 1; k < count; k++)
            printf(" %s", words[k]);
        printf(": ");
        commands[i].run(words + 1);
        return 0;
    }
    printf("traits: no command '%s' with %d arguments\n", words[0], count - 1);
    return 2;
}

int main(int argc, char **argv)
{
    int r = 0;

    for (int i = 1; i < argc && !r; i++) {
        int first = i;

        while (i < argc && strcmp(argv[i], "+"))
            i++;
        r = run_one(argv + first, i - first);
        fflush(stdout);
    }
    return r;
}
