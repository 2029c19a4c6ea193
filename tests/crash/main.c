/* The command line: build/tests/crash --sweep [OPTION...] [SCENARIO...]. Without "--sweep" the
 * program is a test program like the others. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash/scenario.h"
#include "crash/sweep.h"
#include "support/suite.h"

static const char usage[] =
    "crash --sweep [OPTION...] [SCENARIO...]: kill and fail at every point of every scenario\n"
    "  --jobs N         processes (default: one a CPU)\n"
    "  --sample N       so many attempts a scenario, spread over all\n"
    "  --seed N         of the sample (default: the time, printed)\n"
    "  --point TEXT     only points whose name has TEXT\n"
    "  --injury NAME    only kill-all, kill-before, kill-after, ENOSPC, ENOMEM, EMFILE, EINTR, EIO "
    "or "
    "EAGAIN\n"
    "  --all            print every attempt, not only those that failed\n"
    "  --list           what there is to do, without doing it\n"
    "  --runtime NAME   the program that the oci- scenarios sweep, instead of cooper-runtime\n";

static const struct option long_options[] = {
    {"sweep", no_argument, NULL, 'S'},         {"jobs", required_argument, NULL, 'j'},
    {"sample", required_argument, NULL, 'n'},  {"seed", required_argument, NULL, 's'},
    {"point", required_argument, NULL, 'p'},   {"injury", required_argument, NULL, 'i'},
    {"list", no_argument, NULL, 'l'},          {"all", no_argument, NULL, 'a'},
    {"runtime", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0},
};

static int parse(int argc, char **argv, struct sweep_options *ret)
{
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        switch (option) {
        case 'S':
            break;
        case 'j':
            ret->jobs = atoi(optarg);
            break;
        case 'n':
            ret->sample = (unsigned)atoi(optarg);
            break;
        case 's':
            ret->seed = (unsigned)atoi(optarg);
            break;
        case 'p':
            ret->point = optarg;
            break;
        case 'i':
            ret->injury = optarg;
            break;
        case 'l':
            ret->list = true;
            break;
        case 'a':
            ret->quiet = false;
            break;
        case 'r':
            scenario_use_runtime(optarg);
            break;
        default:
            fputs(usage, stderr);
            return -1;
        }
    return 0;
}

static void add(struct sweep_result *sum, const struct sweep_result *one)
{
    sum->points += one->points;
    sum->attempts += one->attempts;
    sum->failed += one->failed;
    sum->unreached += one->unreached;
    sum->ms += one->ms;
}

static void print_result(const char *name, const struct sweep_result *r)
{
    printf("# %-12s %5u points %6u attempts %4u failed %4u unreached %7.1f s %5.1f/s\n", name,
           r->points, r->attempts, r->failed, r->unreached, (double)r->ms / 1000,
           r->ms ? r->attempts * 1000.0 / (double)r->ms : 0.0);
}

static int sweep_one(const struct scenario *s, const struct sweep_options *options,
                     struct sweep_result *sum)
{
    struct sweep_result result;
    struct err err = {0};
    const char *why;

    if (!scenario_possible(s, &why)) {
        printf("# %s: left out: %s\n", s->name, why);
        return 0;
    }
    if (sweep_scenario(s, options, &result, &err) < 0) {
        fprintf(stderr, "%s: %s\n", s->name, err.message);
        return -1;
    }
    print_result(s->name, &result);
    add(sum, &result);
    return 0;
}

static struct {
    struct sweep_options options;
    char **names;
    int count, status;
} work;

static int sweep_wanted(struct sweep_result *sum)
{
    const struct scenario *s;
    int r = 0;

    for (int i = 0; i < work.count && !r; i++) {
        s = scenario_find(work.names[i]);
        if (!s)
            fprintf(stderr, "no such scenario: '%s'\n", work.names[i]);
        r = s ? sweep_one(s, &work.options, sum) : -1;
    }
    for (size_t i = 0; !work.count && !r && (s = scenario_at(i)); i++)
        r = sweep_one(s, &work.options, sum);
    return r;
}

START_TEST(sweep)
{
    struct sweep_result sum = {0};
    int r = sweep_wanted(&sum);

    print_result("all", &sum);
    work.status = r < 0 ? 2 : sum.failed ? 1 : 0;
}
END_TEST

/* What furnishes a place asserts that it can, and only a test may fail an assertion. */
static int work_in_a_test(void)
{
    Suite *suite = suite_create("sweep");
    TCase *t = tcase_create("sweep");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(t, sweep);
    suite_add_tcase(suite, t);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    if (failed)
        srunner_print(runner, CK_NORMAL);
    srunner_free(runner);
    return failed ? 2 : work.status;
}

int suite_command(int argc, char **argv)
{
    work.options = (struct sweep_options){.out = stdout, .quiet = true, .seed = (unsigned)getpid()};
    if (parse(argc, argv, &work.options) < 0)
        return 2;
    work.names = argv + optind;
    work.count = argc - optind;
    if (work.options.sample)
        printf("# --sample %u --seed %u\n", work.options.sample, work.options.seed);
    return work_in_a_test();
}
