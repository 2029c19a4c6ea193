/* The main() of every test program: all registered suites in one run, in the order of their names.
 * Usage: PROGRAM [SUITE...]; CK_FORK=no, CK_TIMEOUT_MULTIPLIER and the like are Check's own. */
#include "support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static struct {
    const char *name;
    suite_fill *fill;
} suites[128];
static size_t suite_count;

static struct {
    const char *name;
    tag_probe *probe;
} tags[64];
static size_t tag_count;

void suite_register(const char *name, suite_fill *fill)
{
    if (suite_count == sizeof suites / sizeof *suites)
        abort();
    suites[suite_count].name = name;
    suites[suite_count++].fill = fill;
}

void tag_register(const char *tag, tag_probe *probe)
{
    if (tag_count == sizeof tags / sizeof *tags)
        abort();
    tags[tag_count].name = tag;
    tags[tag_count++].probe = probe;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(name, argv[i]))
            return 1;
    return argc < 2;
}

/* Probes every tag; those that cannot run here go into one space-separated string. */
static void excluded_tags(char *ret, size_t size)
{
    ret[0] = 0;
    for (size_t i = 0; i < tag_count; i++) {
        const char *reason = tags[i].probe();

        if (!reason)
            continue;
        printf("left out: tests tagged '%s': %s\n", tags[i].name, reason);
        strncat(ret, tags[i].name, size - strlen(ret) - 2);
        strcat(ret, " ");
    }
}

/* A failed test skips its teardown: what temp_dir() gave it goes with the directory of this run. */
static char *make_directory(void)
{
    const char *base = getenv("TMPDIR");
    char *path = str_format("%s/ct-XXXXXX", base && *base ? base : "/tmp");

    if (!mkdtemp(path)) {
        perror(path);
        exit(2);
    }
    setenv("TMPDIR", path, 1);
    return path;
}

static void remove_directory(char *path)
{
    struct err err = {0};

    if (file_remove_tree(AT_FDCWD, path, &err) < 0)
        printf("left behind: '%s': %s\n", path, err.message);
    free(path);
}

/* A make that runs us lends its flags, its job server and the variables of its command line to every
 * child. A make that a test starts is another user's: `make BUILD=... SANITIZE=...` is not meant for it. */
static void forget_the_make_around_us(void)
{
    static const char *const lent[] = {"MAKEFLAGS", "MFLAGS",   "MAKELEVEL", "MAKEOVERRIDES",
                                       "BUILD",     "SANITIZE", "STATIC"};

    for (size_t i = 0; i < sizeof lent / sizeof *lent; i++)
        unsetenv(lent[i]);
}

int main(int argc, char **argv)
{
    static char exclude[4096];
    SRunner *runner = NULL;
    char *directory;
    int failed;

    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    forget_the_make_around_us();
    if (suite_command && argc > 1 && !strncmp(argv[1], "--", 2))
        return suite_command(argc, argv);
    qsort(suites, suite_count, sizeof *suites, by_name);
    for (size_t i = 0; i < suite_count; i++) {
        Suite *suite;

        if (!wanted(suites[i].name, argc, argv))
            continue;
        suite = suite_create(suites[i].name);
        suites[i].fill(suite);
        if (runner)
            srunner_add_suite(runner, suite);
        else
            runner = srunner_create(suite);
    }
    if (!runner) {
        fprintf(stderr, "no such suite\n");
        return 2;
    }
    excluded_tags(exclude, sizeof exclude);
    directory = make_directory();
    srunner_run_tagged(runner, NULL, NULL, NULL, *exclude ? exclude : NULL, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove_directory(directory);
    return failed ? 1 : 0;
}
