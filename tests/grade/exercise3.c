/* What the exercises of chapter 3 ask for. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "grade/grade.h"

#define CHAPTER "tutorial/03-cgroups.md: exercise "

/* --- 1: a default ----------------------------------------------------------------------------- */

static void pids_have_a_default(void)
{
    cleanup_free char *value = NULL, *ours = group_path(getpid(), "pids"), *theirs = NULL;
    struct keg k;

    PROBE(&k);
    theirs = group_path(k.inside, "pids");
    value = group_file(k.inside, "pids", "pids.max", "pids.max");
    if (str_equal(ours, theirs) || atoi(value) < 2 || atoi(value) > 4096)
        explain("without --pids: a group of its own with a number (at most 4096) in pids.max",
                CHAPTER "1", "the command is in the group '%s', where pids.max is '%s'", theirs,
                value);
}

static void the_option_wins(void)
{
    cleanup_free char *value = NULL;
    struct keg k;

    PROBE(&k, "--pids", "17");
    value = group_file(k.inside, "pids", "pids.max", "pids.max");
    if (atoi(value) != 17)
        explain("--pids 17 still means 17", CHAPTER "1", "pids.max is '%s'", value);
}

/* --- 2: why it was killed --------------------------------------------------------------------- */

/* What keg printed when the probe, under a limit on memory, was asked for `request`. */
static char *words_after(const char *request)
{
    struct keg k;
    int code;

    PROBE(&k, "--memory", "32m");
    if (keg_ask(&k, request))
        explain("the command ends of signal 9", CHAPTER "2", "it lives on after '%s'", request);
    code = keg_wait(&k);
    if (code != 137)
        explain("the exit code stays 137", CHAPTER "2", "keg ended with %d", code);
    return fact_file(k.output);
}

static void a_kill_for_memory_is_told(void)
{
    cleanup_free char *words = words_after("hog 128");

    if (!*words)
        explain("a line on standard error that says why the command was killed", CHAPTER "2",
                "keg said nothing when the limit on memory killed it");
}

static void another_kill_is_not(void)
{
    cleanup_free char *words = words_after("kill 9");

    if (*words)
        explain("no such line when somebody else sent signal 9", CHAPTER "2", "keg said: %.*s",
                (int)strcspn(words, "\n"), words);
}

/* --- 3: what a killed keg left ---------------------------------------------------------------- */

static char *left_by(pid_t pid)
{
    cleanup_free char *path =
        str_format("/sys/fs/cgroup/%skeg-%d", group_is_v2() ? "" : "pids/", (int)pid);

    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        broken("mkdir %s: %s", path, strerror(errno));
    return str_copy(path);
}

/* A process ID that was somebody's and is nobody's now. */
static pid_t dead_pid(void)
{
    pid_t pid = fork();

    if (!pid)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

static void leftovers_go(void)
{
    pid_t alive = fork(), dead;
    cleanup_free char *theirs = NULL, *nobodys = NULL;
    struct keg k;
    bool kept, gone;

    if (!alive)
        for (;;)
            pause();
    dead = dead_pid();
    theirs = left_by(alive);
    nobodys = left_by(dead);
    PROBE(&k, "--pids", "20");
    keg_end(&k);
    gone = access(nobodys, F_OK) < 0;
    kept = access(theirs, F_OK) == 0;
    rmdir(nobodys);
    rmdir(theirs);
    kill(alive, SIGKILL);
    waitpid(alive, NULL, 0);
    if (!gone)
        explain("a keg that starts removes the groups of kegs that are gone", CHAPTER "3",
                "%s is there, and process %d is not", nobodys, (int)dead);
    if (!kept)
        explain("the group of a keg that lives is left alone, even when it is empty yet",
                CHAPTER "3", "%s was removed, and process %d lives", theirs, (int)alive);
}

/* --- 4: which CPUs ---------------------------------------------------------------------------- */

static void cpuset_is_written(void)
{
    cleanup_free char *ours = group_path(getpid(), "cpuset"), *theirs = NULL, *value = NULL;
    const char *allowed;
    struct keg k;

    PROBE(&k, "--cpuset", "0");
    allowed = fact_status(k.inside, "Cpus_allowed_list");
    if (!str_equal(allowed, "0"))
        explain("--cpuset 0: the kernel lets the command run on CPU 0 only", CHAPTER "4",
                "Cpus_allowed_list in /proc/PID/status is '%s'", allowed);
    theirs = group_path(k.inside, "cpuset");
    value = group_file(k.inside, "cpuset", "cpuset.cpus", "cpuset.cpus");
    if (str_equal(ours, theirs) || strcmp(value, "0\n") != 0)
        explain("it is the group that holds the command there, not a wish of the process",
                CHAPTER "4", "the group is '%s', and its cpuset.cpus is '%s'", theirs, value);
}

static void cpuset_is_removed(void)
{
    cleanup_free char *directory = NULL;
    struct keg k;

    PROBE(&k, "--cpuset", "0", "--pids", "20");
    directory = group_directory(k.inside, "cpuset");
    keg_end(&k);
    if (access(directory, F_OK) == 0)
        explain("this group is removed like the others", CHAPTER "4", "%s is still there",
                directory);
}

const struct exercise exercises_3[] = {
    {1, {"there is a limit on processes without --pids", pids_have_a_default, true}},
    {1, {"--pids is stronger than the default", the_option_wins, true}},
    {2, {"a kill by the memory limit is told", a_kill_for_memory_is_told, true}},
    {2, {"another kill is not", another_kill_is_not, true}},
    {3, {"groups of kegs that are gone are removed", leftovers_go, true}},
    {4, {"--cpuset is written into a group of its own", cpuset_is_written, true}},
    {4, {"the cpuset's group is removed", cpuset_is_removed, true}},
    {0, {0}},
};
