/* What the exercises of chapter 2 ask for. */
#include "grade/grade.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define HINTS "tutorial/answers/02-namespaces/hints.md, exercise "

/* --- 2: a name -------------------------------------------------------------------------------- */

static void a_name_can_be_given(void)
{
    char before[256] = "", after[256] = "";
    const char *inside;
    struct keg k;

    gethostname(before, sizeof before - 1);
    PROBE(&k, "--hostname", "judges-keg");
    inside = keg_ask(&k, "hostname");
    if (!inside || !str_equal(inside, "judges-keg"))
        explain("--hostname NAME is the name inside", HINTS "2", "gethostname gave '%s'",
                inside ? inside : "nothing");
    gethostname(after, sizeof after - 1);
    if (!str_equal(before, after))
        explain("the host keeps its name", HINTS "2", "the host is now called '%s'", after);
}

static void a_name_too_long_is_an_error(void)
{
    static const char *const command[] = {"/bin/probe", NULL};
    cleanup_free char *name = str_format("%065d", 7);
    const char *const options[] = {"--hostname", name, NULL};
    struct keg k;
    int code;

    keg_run(&k, options, grade.root, command);
    code = keg_end(&k);
    if (code != 125)
        explain("a name of 65 bytes ends keg with 125", HINTS "2", "it ended with %d", code);
}

/* --- 3: a clock ------------------------------------------------------------------------------- */

static void time_is_its_own(void)
{
    struct keg k;

    PROBE(&k);
    if (fact_namespace(k.inside, "time") == fact_namespace(0, "time"))
        explain("the command is in a time namespace of its own", HINTS "3",
                "/proc/PID/ns/time is the judge's: time:[%llu]", fact_namespace(0, "time"));
}

static void the_machine_has_just_started(void)
{
    cleanup_free char *path = NULL, *offsets = NULL;
    const char *line;
    long long offset = 0;
    struct timespec up;
    struct keg k;

    PROBE(&k);
    path = str_format("/proc/%d/timens_offsets", (int)k.inside);
    offsets = fact_file(path);
    line = strstr(offsets, "boottime");
    if (line)
        sscanf(line, "boottime %lld", &offset);
    clock_gettime(CLOCK_BOOTTIME, &up);
    if (up.tv_sec + offset < 0 || up.tv_sec + offset > 30)
        explain("inside, the machine was started a moment ago", HINTS "3",
                "/proc/PID/timens_offsets says %lld for boottime, and the machine runs for %lld "
                "seconds",
                offset, (long long)up.tv_sec);
}

/* --- 5: enter --------------------------------------------------------------------------------- */

/* Runs the probe a second time, by "keg enter PID", in the keg that the first one is in. */
static void enter(struct keg *ret_first, struct keg *ret_second)
{
    static const char *const options[] = {"enter", NULL}, *const command[] = {"/bin/probe", NULL};
    cleanup_free char *pid = NULL;

    PROBE(ret_first);
    pid = str_format("%d", (int)ret_first->inside);
    keg_run(ret_second, options, pid, command);
    keg_await(ret_second);
}

static void enters_all_namespaces(void)
{
    static const char *const kinds[] = {"mnt", "pid", "uts", "ipc", "user"};
    struct keg k, l;

    enter(&k, &l);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (fact_namespace(k.inside, kinds[i]) != fact_namespace(l.inside, kinds[i]))
            explain("the second command is in every namespace of the first", HINTS "5",
                    "/proc/PID/ns/%s differs", kinds[i]);
}

static void has_the_same_root(void)
{
    cleanup_free char *first = NULL, *second = NULL;
    struct stat a, b;
    struct keg k, l;

    enter(&k, &l);
    first = fact_path(k.inside, "/");
    second = fact_path(l.inside, "/");
    if (stat(first, &a) < 0 || stat(second, &b) < 0 || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
        explain("both have the same root directory", HINTS "5", "/proc/PID/root differs");
    keg_ask(&l, "escape");
    if (fact_sees(l.inside, grade.secret))
        explain("the chroot escape leads nowhere, in the second command too", HINTS "5",
                "after it the host's %s is there", grade.secret);
}

static void has_no_more_power(void)
{
    static const char *const lines[] = {"CapPrm", "CapEff", "CapBnd", "NoNewPrivs"};
    struct keg k, l;

    enter(&k, &l);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        cleanup_free char *first = str_copy(fact_status(k.inside, lines[i]));

        if (!str_equal(first, fact_status(l.inside, lines[i])))
            explain("the second command has the capabilities of the first", HINTS "5",
                    "%s in /proc/PID/status is %s, not %s", lines[i],
                    fact_status(l.inside, lines[i]), first);
    }
}

static void its_end_is_its_own(void)
{
    struct keg k, l;
    int code;

    enter(&k, &l);
    keg_ask(&l, "exit 7");
    code = keg_wait(&l);
    if (code != 7)
        explain("the exit code of the second command comes back", HINTS "5", "it was 7, keg's %d",
                code);
    if (!keg_ask(&k, "hostname"))
        explain("the first command goes on", HINTS "5", "it has ended with the second");
}

const struct exercise exercises_2[] = {
    {2, {"--hostname NAME is the name inside", a_name_can_be_given, false}},
    {2, {"a name that is too long is an error", a_name_too_long_is_an_error, false}},
    {3, {"the time namespace is new", time_is_its_own, false}},
    {3, {"the machine has just started", the_machine_has_just_started, false}},
    {5, {"enter: all namespaces are those of the first", enters_all_namespaces, false}},
    {5, {"enter: the root is the same, and no way out", has_the_same_root, false}},
    {5, {"enter: no more power than the first", has_no_more_power, false}},
    {5, {"enter: the end is its own", its_end_is_its_own, false}},
    {0, {0}},
};
