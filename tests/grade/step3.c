/* Step 3: limits that bite. */
#include "grade/grade.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CHAPTER "tutorial/03-cgroups.md: "

static void expect_own_group(pid_t pid, const char *controller)
{
    cleanup_free char *theirs = group_path(pid, controller),
                      *ours = group_path(getpid(), controller);

    if (str_equal(theirs, ours))
        explain("a limit puts the command into a control group of its own", CHAPTER "Entering",
                "/proc/PID/cgroup names the judge's own group for %s: %s", controller, ours);
}

static void memory_is_written(void)
{
    cleanup_free char *value = NULL;
    struct keg k;

    PROBE(&k, "--memory", "64m");
    expect_own_group(k.inside, "memory");
    value = group_file(k.inside, "memory", "memory.max", "memory.limit_in_bytes");
    if (atoll(value) != 64 << 20)
        explain("--memory 64m: 67108864 in memory.max (version 1: memory.limit_in_bytes)",
                CHAPTER "Entering", "the file says '%s'", value);
}

static void memory_bites(void)
{
    const char *answer;
    long resident;
    int code;
    struct keg k;

    PROBE(&k, "--memory", "32m");
    answer = keg_ask(&k, "hog 128");
    if (!answer) {
        code = keg_wait(&k);
        if (code != 137)
            explain("the kernel kills the hog with signal 9, and keg ends with 137",
                    CHAPTER "Entering", "keg ended with %d", code);
        return;
    }
    /* It may have been swapped out instead. */
    resident = atol(fact_status(k.inside, "VmRSS"));
    if (resident > 33 * 1024)
        explain("with --memory 32m nobody inside uses 128 MiB", CHAPTER "Entering",
                "the command holds %ld kB and lives", resident);
}

static void pids_are_written(void)
{
    cleanup_free char *value = NULL;
    struct keg k;

    PROBE(&k, "--pids", "16");
    expect_own_group(k.inside, "pids");
    value = group_file(k.inside, "pids", "pids.max", "pids.max");
    if (atoi(value) != 16)
        explain("--pids 16: 16 in pids.max", CHAPTER "Entering", "the file says '%s'", value);
}

static void fork_bomb_stops(void)
{
    cleanup_free char *path = NULL, *children = NULL;
    int count = 0;
    struct keg k;

    PROBE(&k, "--pids", "16");
    keg_ask(&k, "fork 100");
    path = str_format("/proc/%d/task/%d/children", (int)k.inside, (int)k.inside);
    children = fact_file(path);
    for (char *at = children; (at = strchr(at, ' ')); at++)
        count++;
    if (count > 15 || count < 8)
        explain("with --pids 16 a command that forks a hundred times has at most 15 children",
                CHAPTER "Entering", "it has %d", count);
}

static void cpu_is_written(void)
{
    cleanup_free char *quota = NULL, *period = NULL;
    long q, p;
    struct keg k;

    PROBE(&k, "--cpus", "0.5");
    expect_own_group(k.inside, "cpu");
    quota = group_file(k.inside, "cpu", "cpu.max", "cpu.cfs_quota_us");
    period = group_file(k.inside, "cpu", "cpu.max", "cpu.cfs_period_us");
    q = atol(quota);
    p = group_is_v2() ? (strchr(period, ' ') ? atol(strchr(period, ' ')) : 0) : atol(period);
    if (q <= 0 || q * 2 != p)
        explain("--cpus 0.5: half of the period, for example 50000 of 100000", CHAPTER "Entering",
                "the group has a quota of %ld in a period of %ld", q, p);
}

/* User and system time so far, in clock ticks: fields 14 and 15 behind the name in brackets. */
static long cpu_ticks(pid_t pid)
{
    cleanup_free char *path = str_format("/proc/%d/stat", (int)pid), *all = fact_file(path);
    const char *at = strrchr(all, ')');
    long user = 0, kernel = 0;

    if (at)
        sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &kernel);
    return user + kernel;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long ticks_of_both(pid_t inside)
{
    cleanup_free char *path = str_format("/proc/%d/task/%d/children", (int)inside, (int)inside);
    cleanup_free char *children = fact_file(path);

    return cpu_ticks(inside) + cpu_ticks(atoi(children));
}

static void cpu_bites(void)
{
    double began, share;
    long ticks;
    struct keg k;

    PROBE(&k, "--cpus", "0.2");
    keg_ask(&k, "spin");
    began = now();
    ticks = ticks_of_both(k.inside);
    poll(NULL, 0, 1500); /* measuring, not waiting for something */
    ticks = ticks_of_both(k.inside) - ticks;
    share = (double)ticks / (double)sysconf(_SC_CLK_TCK) / (now() - began);
    keg_end_all();
    if (share > 0.35)
        explain("with --cpus 0.2 two busy processes together get a fifth of one CPU",
                CHAPTER "Entering", "they got %.2f CPUs", share);
}

static void groups_are_removed(void)
{
    static const char *const controllers[] = {"memory", "cpu", "pids"};
    char *directories[3];
    struct keg k;

    PROBE(&k, "--memory", "64m", "--cpus", "0.5", "--pids", "20");
    for (int i = 0; i < 3; i++)
        directories[i] = group_directory(k.inside, controllers[i]);
    keg_end(&k);
    for (int i = 0; i < 3; i++) {
        if (access(directories[i], F_OK) == 0)
            explain("the control group is removed when the command has ended", CHAPTER "Tidying up",
                    "%s is still there", directories[i]);
        free(directories[i]);
    }
}

static void two_have_two_groups(void)
{
    cleanup_free char *first = NULL, *second = NULL;
    struct keg k, l;

    PROBE(&k, "--pids", "20");
    PROBE(&l, "--pids", "20");
    first = group_path(k.inside, "pids");
    second = group_path(l.inside, "pids");
    if (str_equal(first, second))
        explain("two kegs at once have a group each", CHAPTER "Naming the group", "both are in %s",
                first);
    keg_end(&k);
    keg_end(&l);
}

static void hostname_can_be_chosen(void)
{
    const char *inside;
    struct keg k;

    PROBE(&k, "--hostname", "judges-keg");
    inside = keg_ask(&k, "hostname");
    if (!inside || !str_equal(inside, "judges-keg"))
        explain("--hostname NAME is the name inside", CHAPTER "Options", "gethostname gave '%s'",
                inside ? inside : "nothing");
}

static void nonsense_is_refused(void)
{
    static const char *const options[] = {"--memory", "lots", NULL};
    static const char *const command[] = {"/bin/probe", NULL};
    struct keg k;
    int code;

    keg_run(&k, options, grade.root, command);
    code = keg_end(&k);
    if (code != 125)
        explain("a limit that is no number ends keg with 125", CHAPTER "Options",
                "it ended with %d", code);
}

const struct check checks_3[] = {
    {"--hostname is the name inside", hostname_can_be_chosen, false},
    {"--memory is written into a group of its own", memory_is_written, true},
    {"--memory bites", memory_bites, true},
    {"--pids is written into a group of its own", pids_are_written, true},
    {"--pids stops a fork bomb", fork_bomb_stops, true},
    {"--cpus is written into a group of its own", cpu_is_written, true},
    {"--cpus bites", cpu_bites, true},
    {"the groups are removed", groups_are_removed, true},
    {"two kegs have two groups", two_have_two_groups, true},
    {"a limit that makes no sense gives 125", nonsense_is_refused, false},
    {0},
};
