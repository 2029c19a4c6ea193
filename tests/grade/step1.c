/* Step 1: a root of its own, fewer capabilities, no more privileges, and a clean hand-over. */
#include "grade/grade.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CHAPTER "tutorial/01-chroot.md: "

static void expect_code(int code, int wanted, const char *expected)
{
    if (code != wanted)
        explain(expected, CHAPTER "What comes with the command",
                "exit code %d (-1: it did not end)", code);
}

static void exit_code_comes_back(void)
{
    struct keg k;

    PROBE(&k);
    keg_ask(&k, "exit 42");
    expect_code(keg_wait(&k), 42, "the command ended with 42, so keg ends with 42");
}

static void killed_is_128_and_the_signal(void)
{
    struct keg k;

    PROBE(&k);
    keg_ask(&k, "kill 9");
    expect_code(keg_wait(&k), 137, "the command was killed by signal 9, so keg ends with 128 + 9");
}

static void missing_command_is_127(void)
{
    expect_code(keg_code(grade.root, "/bin/no-such-program"), 127,
                "the command does not exist: keg ends with 127");
}

static void data_is_126(void)
{
    expect_code(keg_code(grade.root, "/etc/data"), 126,
                "the command is a file without the x permission: keg ends with 126");
}

static void missing_root_is_125(void)
{
    cleanup_free char *nowhere = str_format("%s/nowhere", grade.directory);

    expect_code(keg_code(nowhere, "/bin/probe"), 125,
                "the root directory does not exist, keg itself cannot go on: it ends with 125");
}

static void arguments_arrive(void)
{
    static const char *const command[] = {"/bin/probe", "two words", "", "--memory", "last", NULL};
    static const char wanted[] = "/bin/probe\0two words\0\0--memory\0last";
    cleanup_free char *path = NULL;
    char seen[256] = "";
    struct keg k;
    size_t n;
    FILE *f;

    keg_run(&k, NULL, grade.root, command);
    keg_await(&k);
    path = str_format("/proc/%d/cmdline", (int)k.inside);
    f = fopen(path, "re");
    n = f ? fread(seen, 1, sizeof seen, f) : 0;
    if (f)
        fclose(f);
    if (n != sizeof wanted || memcmp(seen, wanted, n))
        explain("the command's arguments as they were given: blanks, an empty one, and options "
                "behind the command belong to the command",
                CHAPTER "What comes with the command", "/proc/PID/cmdline holds %zu bytes, not %zu",
                n, sizeof wanted);
}

static void only_its_own_tree(void)
{
    struct keg k;

    PROBE(&k);
    if (!fact_sees(k.inside, "/etc/data"))
        explain("/etc/data of ROOTFS is /etc/data of the command", CHAPTER "Where a path begins",
                "it is not there in /proc/PID/root");
    if (fact_sees(k.inside, grade.secret))
        explain("no file of the host can be reached", CHAPTER "Where a path begins",
                "the host's %s is there in /proc/PID/root", grade.secret);
}

static void starts_at_its_root(void)
{
    cleanup_free char *cwd = NULL, *root = NULL;
    struct stat a, b;
    struct keg k;

    PROBE(&k);
    cwd = str_format("/proc/%d/cwd", (int)k.inside);
    root = str_format("/proc/%d/root", (int)k.inside);
    if (stat(cwd, &a) < 0 || stat(root, &b) < 0)
        broken("cannot look at %s: %m", cwd);
    if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
        explain("the working directory is the new root", CHAPTER "Where a path begins",
                "/proc/PID/cwd is another directory: whoever stays outside walks out with \"..\"");
}

/* The fourteen that docker leaves to root in a container. */
static unsigned long long docker_set(void)
{
    static const int kept[] = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31};
    unsigned long long set = 0;

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        set |= 1ULL << kept[i];
    return set;
}

static void fourteen_capabilities(void)
{
    static const char expected[] =
        "exactly docker's fourteen capabilities, as far as the caller has them";
    /* In a user namespace of its own keg has them all. */
    unsigned long long have = grade.is_root ? fact_capabilities(getpid(), "CapBnd") : ~0ULL;
    static const char *const sets[] = {"CapEff", "CapPrm", "CapBnd"};
    struct keg k;

    PROBE(&k);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        unsigned long long is = fact_capabilities(k.inside, sets[i]), wanted = docker_set() & have;

        if (is != wanted)
            explain(expected, CHAPTER "What root may do (capsh --decode=... shows names)",
                    "%s in /proc/PID/status is %016llx, not %016llx: too many %llx, too few %llx",
                    sets[i], is, wanted, is & ~wanted, wanted & ~is);
    }
    if (fact_capabilities(k.inside, "CapAmb"))
        explain("no ambient capability: they would come back in every program",
                CHAPTER "What root may do", "CapAmb in /proc/PID/status is %s",
                fact_status(k.inside, "CapAmb"));
}

static void no_new_privileges(void)
{
    struct keg k;

    PROBE(&k);
    if (strcmp(fact_status(k.inside, "NoNewPrivs"), "1") != 0)
        explain("no program can add privileges (prctl PR_SET_NO_NEW_PRIVS)",
                CHAPTER "What root may do", "NoNewPrivs in /proc/PID/status is %s",
                fact_status(k.inside, "NoNewPrivs"));
}

static void no_open_files_of_the_host(void)
{
    cleanup_free char *path = NULL;
    struct dirent *entry;
    struct keg k;
    DIR *dir;

    PROBE(&k);
    path = str_format("/proc/%d/fd", (int)k.inside);
    dir = opendir(path);
    if (!dir)
        broken("cannot open %s: %m", path);
    while ((entry = readdir(dir)))
        if (*entry->d_name != '.' && atoi(entry->d_name) > 2)
            explain("the command starts with descriptors 0, 1 and 2 only: an open directory of the "
                    "host "
                    "leads out of any root",
                    CHAPTER "What comes with the command", "descriptor %s is open in /proc/PID/fd",
                    entry->d_name);
    closedir(dir);
}

static void clean_environment(void)
{
    cleanup_free char *path = NULL;
    char all[8192] = "";
    size_t n;
    struct keg k;
    FILE *f;

    PROBE(&k);
    path = str_format("/proc/%d/environ", (int)k.inside);
    f = fopen(path, "re");
    n = f ? fread(all, 1, sizeof all, f) : 0;
    if (f)
        fclose(f);
    if (memmem(all, n, "JUDGE_SECRET", strlen("JUDGE_SECRET")))
        explain("the caller's variables stay outside: they hold tokens and passwords",
                CHAPTER "What comes with the command",
                "JUDGE_SECRET, set by the judge, is in /proc/PID/environ");
    if (!memmem(all, n, "PATH=", strlen("PATH=")))
        explain("the command has a PATH", CHAPTER "What comes with the command",
                "there is none in /proc/PID/environ");
}

const struct check checks_1[] = {
    {"the command's exit code comes back", exit_code_comes_back, false},
    {"a command killed by signal N gives 128 + N", killed_is_128_and_the_signal, false},
    {"a missing command gives 127", missing_command_is_127, false},
    {"a command that cannot be executed gives 126", data_is_126, false},
    {"when keg itself fails it gives 125", missing_root_is_125, false},
    {"the arguments arrive as given", arguments_arrive, false},
    {"the command sees its own tree only", only_its_own_tree, false},
    {"the command starts in its root directory", starts_at_its_root, false},
    {"docker's fourteen capabilities and no more", fourteen_capabilities, false},
    {"no program can gain privileges", no_new_privileges, false},
    {"no open file of the host slips in", no_open_files_of_the_host, false},
    {"no variable of the caller slips in", clean_environment, false},
    {0},
};
