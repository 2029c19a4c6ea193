/* What the exercises of chapter 1 ask for. */
#include "grade/grade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define ANSWERS "tutorial/answers/01-chroot/hints.md"

static void no_capability_is_left(void)
{
    static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
    struct keg k;

    PROBE(&k, "--no-caps");
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (fact_capabilities(k.inside, sets[i]))
            explain("with --no-caps all five sets are empty", ANSWERS ", exercise 1",
                    "%s in /proc/PID/status is %s", sets[i], fact_status(k.inside, sets[i]));
    keg_end(&k);
}

static void it_is_still_user_0(void)
{
    struct keg k;

    PROBE(&k, "--no-caps");
    if (atoi(fact_status(k.inside, "Uid")) != 0)
        explain("user 0, with no power but that", ANSWERS ", exercise 1",
                "the process has the user %s", fact_status(k.inside, "Uid"));
    keg_end(&k);
}

/* All four numbers of a line like "Uid: 1234 1234 1234 1234". */
static void expect_ids(pid_t pid, const char *line, int expected)
{
    int ids[4] = {-1, -1, -1, -1};

    sscanf(fact_status(pid, line), "%d %d %d %d", &ids[0], &ids[1], &ids[2], &ids[3]);
    for (int i = 0; i < 4; i++)
        if (ids[i] != expected)
            explain("real, effective, saved and file system ID are all the one of --user",
                    ANSWERS ", exercise 2", "%s in /proc/PID/status is %s", line,
                    fact_status(pid, line));
}

static void user_and_group_are_that_number(void)
{
    struct keg k;

    PROBE(&k, "--user", "1234");
    expect_ids(k.inside, "Uid", 1234);
    expect_ids(k.inside, "Gid", 1234);
    keg_end(&k);
}

static void there_is_no_other_group(void)
{
    struct keg k;

    PROBE(&k, "--user", "1234");
    if (strspn(fact_status(k.inside, "Groups"), " \t") != strlen(fact_status(k.inside, "Groups")))
        explain("no supplementary groups: the caller's would open the caller's files",
                ANSWERS ", exercise 2", "Groups: %s", fact_status(k.inside, "Groups"));
    keg_end(&k);
}

static void another_user_has_no_capability(void)
{
    struct keg k;

    PROBE(&k, "--user", "1234");
    if (fact_capabilities(k.inside, "CapEff") || fact_capabilities(k.inside, "CapPrm"))
        explain("a user other than 0 has no capability", ANSWERS ", exercise 2", "CapEff is %s",
                fact_status(k.inside, "CapEff"));
    keg_end(&k);
}

static void a_bad_user_is_an_error(void)
{
    static const char *const bad[] = {"", "x", "12x", "-1", "4294967296"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *options[] = {"--user", bad[i], NULL}, *command[] = {"/bin/probe", NULL};
        struct keg k;
        int code;

        keg_run(&k, options, grade.root, command);
        code = keg_wait(&k);
        if (code == 0)
            explain("a user that is no number below 2^31 is an error", ANSWERS ", exercise 2",
                    "--user '%s' ran the command", bad[i]);
    }
}

const struct exercise exercises_1[] = {
    {1, {"--no-caps leaves no capability in any set", no_capability_is_left, true}},
    {1, {"--no-caps leaves the user 0", it_is_still_user_0, true}},
    {2, {"--user sets user and group", user_and_group_are_that_number, true}},
    {2, {"--user leaves no other group", there_is_no_other_group, true}},
    {2, {"--user leaves no capability", another_user_has_no_capability, true}},
    {2, {"--user refuses what is no user", a_bad_user_is_an_error, true}},
    {0, {0}},
};
