/* measure - times commands from start to exit, side by side.
 *
 *     measure ROUNDS FILE
 *
 * FILE has one command a line, three fields separated by tabs: a name, a shell command to run
 * before each run (not timed; may be empty), and the command itself, split at spaces and executed
 * directly. Rounds go over all commands in turn, so that whatever else the machine does in between
 * falls on all of them alike. Prints per command the median, the fastest run, the median as a
 * multiple of the first command's, and the largest resident size of the command's own process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COMMANDS = 16, MAX_WORDS = 64, WARM_UP = 1 };

static struct command {
    char *line, *name, *prepare, *words[MAX_WORDS];
    double *seconds; /* one a round */
    long peak_kib;
} commands[MAX_COMMANDS];
static int command_count;
static int null_fd; /* where the commands' output goes */

static void die(const char *what, const char *why)
{
    fprintf(stderr, "measure: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Runs argv with its output thrown away; it must succeed. */
static void run(char *const argv[], struct rusage *ret_usage)
{
    int status;
    pid_t pid = vfork(); /* no copy of our page tables in the time measured */

    if (pid < 0)
        die("vfork", strerror(errno));
    if (pid == 0) {
        dup2(null_fd, STDOUT_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    if (wait4(pid, &status, 0, ret_usage) != pid)
        die(argv[0], strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die(argv[0], "did not succeed");
}

static void run_once(struct command *c, int round)
{
    char *shell[] = {"/bin/sh", "-c", c->prepare, NULL};
    struct rusage usage;
    double start;

    if (*c->prepare)
        run(shell, &usage);
    start = now();
    run(c->words, &usage);
    if (round < 0)
        return;
    c->seconds[round] = now() - start;
    if (usage.ru_maxrss > c->peak_kib)
        c->peak_kib = usage.ru_maxrss;
}

static void add_command(char *line, int rounds)
{
    struct command *c = &commands[command_count];
    int words = 0;

    if (command_count++ == MAX_COMMANDS)
        die("too many commands", line);
    c->line = line;
    line[strcspn(line, "\n")] = 0;
    c->name = strsep(&line, "\t");
    c->prepare = strsep(&line, "\t");
    if (!c->prepare || !line)
        die(c->name, "a line has three fields: name, prepare, command");
    for (char *word; (word = strsep(&line, " ")) && words < MAX_WORDS - 1;)
        if (*word)
            c->words[words++] = word;
    c->seconds = calloc((size_t)rounds, sizeof *c->seconds);
    if (!c->seconds)
        die("calloc", strerror(errno));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_results(int rounds)
{
    double base = 0;

    printf("%-38s %11s %11s %8s %10s\n", "", "median", "fastest", "ratio", "peak");
    for (int i = 0; i < command_count; i++) {
        struct command *c = &commands[i];
        double median;

        qsort(c->seconds, (size_t)rounds, sizeof *c->seconds, by_value);
        median = c->seconds[rounds / 2];
        if (i == 0)
            base = median;
        printf("%-38s %8.2f ms %8.2f ms %8.2f %6.1f MiB\n", c->name, median * 1e3,
               c->seconds[0] * 1e3, median / base, (double)c->peak_kib / 1024);
        free(c->seconds);
        free(c->line);
    }
}

int main(int argc, char **argv)
{
    int rounds = argc == 3 ? atoi(argv[1]) : 0;
    FILE *f = rounds > 0 ? fopen(argv[2], "re") : NULL;
    char *line = NULL;
    size_t room = 0;

    if (!f)
        die("usage: measure ROUNDS FILE", argc == 3 ? strerror(errno) : "two arguments");
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0)
        die("/dev/null", strerror(errno));
    for (; getline(&line, &room, f) >= 0; line = NULL, room = 0)
        add_command(line, rounds);
    free(line);
    for (int round = -WARM_UP; round < rounds; round++)
        for (int i = 0; i < command_count; i++)
            run_once(&commands[i], round);
    print_results(rounds);
    return 0;
}
