/* Step 2: namespaces, mounts of its own, and the duties of PID 1. */
#include "grade/grade.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CHAPTER "tutorial/02-namespaces.md: "

static void expect_new_namespace(pid_t pid, const char *kind)
{
    if (fact_namespace(pid, kind) == fact_namespace(0, kind))
        explain("the command is in a namespace of its own of each kind: mnt, pid, uts, ipc (and "
                "user, when "
                "keg is not run by root)",
                CHAPTER "Tables of names", "/proc/PID/ns/%s is the same as the judge's: %s:[%llu]",
                kind, kind, fact_namespace(pid, kind));
}

static void namespaces_are_new(void)
{
    struct keg k;

    PROBE(&k);
    expect_new_namespace(k.inside, "mnt");
    expect_new_namespace(k.inside, "pid");
    expect_new_namespace(k.inside, "uts");
    expect_new_namespace(k.inside, "ipc");
    if (!grade.is_root)
        expect_new_namespace(k.inside, "user");
}

static const char *name_inside(struct keg *k)
{
    const char *name = keg_ask(k, "hostname");

    return name ? name : "nothing";
}

/* The option comes with step 3, where options begin. */
static void hostname_is_its_own(void)
{
    char before[256] = "", after[256] = "";
    struct keg k;

    gethostname(before, sizeof before - 1);
    if (grade.step >= 3)
        PROBE(&k, "--hostname", "judges-keg");
    else
        PROBE(&k);
    if (grade.step >= 3 && !str_equal(name_inside(&k), "judges-keg"))
        explain("--hostname NAME is the name inside", CHAPTER "Tables of names",
                "gethostname gave '%s'", name_inside(&k));
    if (str_equal(name_inside(&k), before))
        explain("the name inside is not the host's", CHAPTER "Tables of names", "both are '%s'",
                before);
    gethostname(after, sizeof after - 1);
    if (!str_equal(before, after))
        explain("the host keeps its name", CHAPTER "Tables of names", "the host is now called '%s'",
                after);
}

/* The attack of chapter 2, for real; then the judge looks where the process has got to. */
static void chroot_escape_fails(void)
{
    struct keg k;

    PROBE(&k);
    keg_ask(&k, "escape");
    if (fact_sees(k.inside, grade.secret))
        explain("the chroot escape leads nowhere, because the host's tree is no longer mounted",
                CHAPTER "A root that cannot be left",
                "after it /proc/PID/root is the host's root: %s is there", grade.secret);
}

static char *mounts_of(pid_t pid)
{
    cleanup_free char *path = str_format("/proc/%d/mountinfo", (int)pid);

    return fact_file(path);
}

static void mounts_are_private(void)
{
    cleanup_free char *mounts = NULL;
    struct keg k;

    PROBE(&k);
    mounts = mounts_of(k.inside);
    if (!strstr(mounts, " / "))
        explain("the command's root is a mount of its own", CHAPTER "A root that cannot be left",
                "/proc/PID/mountinfo has no line for it");
    if (strstr(mounts, " shared:") || strstr(mounts, " master:"))
        explain("no mount of the command's is shared with the host or follows it",
                CHAPTER "Mounts that stay inside", "/proc/PID/mountinfo says %s",
                strstr(mounts, " shared:") ? "shared" : "master");
}

static void no_mount_comes_out(void)
{
    cleanup_free char *mounts = NULL;
    struct keg k;

    PROBE(&k);
    mounts = mounts_of(getpid());
    if (strstr(mounts, grade.directory))
        explain("what keg mounts stays inside", CHAPTER "Mounts that stay inside",
                "the host has a mount below %s: see /proc/self/mountinfo", grade.directory);
}

static void no_mount_comes_in(void)
{
    cleanup_free char *at = str_format("%s/tmp", grade.root), *mounts = NULL;
    struct keg k;

    PROBE(&k);
    if (mount("judge", at, "tmpfs", 0, NULL) < 0)
        broken("cannot mount on %s: %m", at);
    mounts = mounts_of(k.inside);
    umount2(at, MNT_DETACH);
    if (strstr(mounts, " - tmpfs judge "))
        explain("what the host mounts after the start stays outside",
                CHAPTER "Mounts that stay inside",
                "a new mount of the host's is in /proc/PID/mountinfo");
}

static bool is_number(const char *name)
{
    return name[strspn(name, "0123456789")] == 0;
}

static void proc_shows_its_own(void)
{
    cleanup_free char *path = NULL;
    int count = 0;
    struct dirent *entry;
    struct keg k;
    DIR *dir;

    PROBE(&k);
    path = fact_path(k.inside, "/proc");
    dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        count += is_number(entry->d_name);
    if (dir)
        closedir(dir);
    /* PID 1 and the command; a helper more is a matter of taste. */
    if (count < 1 || count > 4)
        explain("/proc inside is mounted anew and shows the processes of the keg only",
                CHAPTER "/proc", "it shows %d processes", count);
}

static void is_alone(void)
{
    int inner;
    struct keg k;

    PROBE(&k);
    inner = fact_inner_pid(k.inside);
    if (inner > 4)
        explain("process IDs begin anew inside", CHAPTER "Tables of names",
                "the command has PID %d there (NSpid in /proc/PID/status)", inner);
}

struct zombie {
    char *path;
};

static bool no_longer_there(void *context)
{
    return access(((struct zombie *)context)->path, F_OK) < 0;
}

static void orphans_are_reaped(void)
{
    struct zombie zombie = {0};
    const char *orphan;
    struct keg k;

    PROBE(&k);
    orphan = keg_ask(&k, "orphan");
    if (!orphan || atoi(orphan) < 1)
        explain("the command can fork", CHAPTER "What PID 1 has to do", "it could not: %s",
                orphan ? orphan : "it ended");
    zombie.path = str_format("/proc/%d/root/proc/%d", (int)k.inside, atoi(orphan));
    if (!fact_sees(k.inside, "/proc/1/status"))
        explain("/proc is mounted inside", CHAPTER "/proc", "there is no /proc/1 in it");
    if (!fact_becomes(no_longer_there, &zombie))
        explain("PID 1 waits for orphans too, so that no zombie stays",
                CHAPTER "What PID 1 has to do",
                "process %d inside ended after its parent, and is a zombie still", atoi(orphan));
    free(zombie.path);
}

static void expect_end(struct keg *k, int wanted, const char *expected)
{
    int code;

    kill(k->pid, SIGTERM);
    code = keg_wait(k);
    if (code != wanted)
        explain(expected, CHAPTER "What PID 1 has to do",
                "keg was sent SIGTERM and ended with %d (-1: it did not end)", code);
}

static void term_ends_the_command(void)
{
    struct keg k;
    int pidfd;

    PROBE(&k);
    pidfd = fact_pidfd(k.inside);
    expect_end(&k, 143, "SIGTERM to keg ends the command, and keg gives 128 + 15");
    if (!fact_gone(pidfd))
        explain("SIGTERM to keg reaches the command", CHAPTER "What PID 1 has to do",
                "keg ended, and the command runs on");
}

static void a_handler_gets_the_signal(void)
{
    struct keg k;

    PROBE(&k);
    keg_ask(&k, "trap 7");
    expect_end(&k, 7, "SIGTERM reaches the command's own handler, which ends with 7");
}

static void kill_ends_everything(void)
{
    struct keg k;
    int pidfd;

    PROBE(&k);
    keg_ask(&k, "trap 7");
    pidfd = fact_pidfd(k.inside);
    kill(k.pid, SIGKILL);
    if (!fact_gone(pidfd))
        explain("when keg is killed (-9) the kernel ends all that is inside",
                CHAPTER "Tables of names", "the command runs on without keg");
}

static void the_rest_ends_with_the_command(void)
{
    cleanup_free char *path = NULL, *children = NULL;
    int pidfd;
    struct keg k;

    PROBE(&k);
    keg_ask(&k, "fork 1");
    path = str_format("/proc/%d/task/%d/children", (int)k.inside, (int)k.inside);
    children = fact_file(path);
    if (!atoi(children))
        broken("%s is empty", path);
    pidfd = fact_pidfd(atoi(children));
    keg_end(&k);
    if (!fact_gone(pidfd))
        explain("when the command ends, PID 1 ends, and the kernel ends all others",
                CHAPTER "What PID 1 has to do", "a child of the command's runs on");
}

const struct check checks_2[] = {
    {"mount, PID, UTS and IPC namespaces are new", namespaces_are_new, false},
    {"the host name is its own", hostname_is_its_own, false},
    {"process IDs begin anew", is_alone, false},
    {"/proc shows the keg's processes only", proc_shows_its_own, false},
    {"the chroot escape leads nowhere", chroot_escape_fails, false},
    {"mounts are private", mounts_are_private, false},
    {"no mount comes out", no_mount_comes_out, false},
    {"no mount comes in", no_mount_comes_in, true},
    {"orphans are reaped", orphans_are_reaped, false},
    {"SIGTERM to keg ends the command", term_ends_the_command, false},
    {"a signal reaches the command's handler", a_handler_gets_the_signal, false},
    {"kill -9 of keg ends the command", kill_ends_everything, false},
    {"nothing runs on when the command ends", the_rest_ends_with_the_command, false},
    {0},
};
