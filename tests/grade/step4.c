/* Step 4: a root of layers. What is written goes to the upper directory, the lower ones never
 * change. */
#include "grade/grade.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define CHAPTER "tutorial/04-unionfs.md: "

/* A directory beside the root, made anew for each check. */
static char *new_directory(const char *name)
{
    char *path = str_format("%s/%s-%d", grade.directory, name, (int)getpid());

    if (mkdir(path, 0755) < 0)
        broken("cannot make %s: %m", path);
    return path;
}

static void put(const char *directory, const char *name, const char *text)
{
    cleanup_free char *path = str_format("%s/%s", directory, name);
    struct err err = {0};

    if (file_create(AT_FDCWD, path, text, strlen(text), 0644, &err) < 0)
        broken("%s", err.message);
}

static bool there(const char *directory, const char *name)
{
    cleanup_free char *path = str_format("%s/%s", directory, name);
    struct stat st;

    return lstat(path, &st) == 0;
}

static void expect_lower_unchanged(void)
{
    if (there(grade.root, "etc/new"))
        explain("nothing is ever written to a lower directory", CHAPTER "Layers",
                "a file that the command wrote is in ROOTFS");
    if (!there(grade.root, "etc/data"))
        explain("nothing is ever deleted from a lower directory", CHAPTER "Layers",
                "a file that the command deleted is gone from ROOTFS");
}

/* The command writes one file and deletes another; both must work. */
static void change(struct keg *k)
{
    const char *written = keg_ask(k, "write /etc/new"), *deleted;

    if (!written || !str_equal(written, "done") || !fact_sees(k->inside, "/etc/new"))
        explain("the command can write anywhere in its root", CHAPTER "Layers",
                "writing /etc/new: %s", written ? written : "it ended");
    deleted = keg_ask(k, "unlink /etc/data");
    if (!deleted || !str_equal(deleted, "done") || fact_sees(k->inside, "/etc/data"))
        explain("the command can delete a file that comes from a lower directory", CHAPTER "Layers",
                "deleting /etc/data: %s", deleted ? deleted : "it ended");
}

static void writes_vanish(void)
{
    struct keg first, second;

    PROBE(&first);
    change(&first);
    expect_lower_unchanged();
    keg_end(&first);
    expect_lower_unchanged();
    PROBE(&second);
    if (fact_sees(second.inside, "/etc/new") || !fact_sees(second.inside, "/etc/data"))
        explain("without --upper the next run begins with an unchanged root",
                CHAPTER "Where the changes go", "the second run sees what the first one did");
}

static void neighbours_do_not_see_it(void)
{
    struct keg writer, other;

    PROBE(&writer);
    PROBE(&other);
    change(&writer);
    if (fact_sees(other.inside, "/etc/new") || !fact_sees(other.inside, "/etc/data"))
        explain("two kegs share a lower directory, and not their changes", CHAPTER "Layers",
                "one sees what the other did");
}

/* The line of /proc/PID/mountinfo whose mount point, the fifth field, is "/". */
static char *root_line(const char *mounts)
{
    cleanup_strv struct strv lines = {0};
    char at[4096];

    strv_split(&lines, mounts, '\n');
    for (size_t i = 0; i < lines.len; i++)
        if (sscanf(lines.items[i], "%*s %*s %*s %*s %4095s", at) == 1 && str_equal(at, "/"))
            return str_copy(lines.items[i]);
    return str_copy("none");
}

static void root_is_an_overlay(void)
{
    cleanup_free char *path = NULL, *mounts = NULL, *line = NULL;
    struct keg k;

    PROBE(&k);
    path = str_format("/proc/%d/mountinfo", (int)k.inside);
    mounts = fact_file(path);
    line = root_line(mounts);
    if (!strstr(line, " - overlay "))
        explain("the root is mounted with overlayfs: copying a tree at each start is slow and "
                "wastes space",
                CHAPTER "Layers", "the line for \"/\" in /proc/PID/mountinfo is: %s", line);
}

static void upper_keeps_changes(void)
{
    cleanup_free char *directory = new_directory("upper"), *whiteout = NULL;
    struct stat st;
    struct keg k;

    PROBE(&k, "--upper", directory);
    change(&k);
    keg_end(&k);
    expect_lower_unchanged();
    if (!there(directory, "upper/etc/new"))
        explain("--upper DIR keeps what was written in DIR/upper", CHAPTER "Where the changes go",
                "there is no DIR/upper/etc/new");
    whiteout = str_format("%s/upper/etc/data", directory);
    if (lstat(whiteout, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != 0)
        explain("a deletion is recorded in DIR/upper as a whiteout: a character device 0:0",
                CHAPTER "Layers", "DIR/upper/etc/data is no such device");
    PROBE(&k, "--upper", directory);
    if (!fact_sees(k.inside, "/etc/new") || fact_sees(k.inside, "/etc/data"))
        explain("the next run with the same --upper goes on where the last one ended",
                CHAPTER "Where the changes go", "it does not see what the first one did");
}

static void first_lower_is_topmost(void)
{
    cleanup_free char *top = new_directory("top"), *lowers = NULL, *data = NULL, *seen = NULL;
    cleanup_free char *etc = str_format("%s/etc", top);
    struct keg k;

    if (mkdir(etc, 0755) < 0)
        broken("cannot make %s: %m", etc);
    put(top, "etc/data", "of the topmost\n");
    put(top, "etc/more", "only there\n");
    lowers = str_format("%s:%s", top, grade.root);
    keg_run(&k, NULL, lowers, (const char *const[]){"/bin/probe", NULL});
    keg_await(&k);
    if (!fact_sees(k.inside, "/etc/more") || !fact_sees(k.inside, "/etc/passwd"))
        explain("LOWER:LOWER shows the files of both directories", CHAPTER "Layers",
                "some are missing");
    data = fact_path(k.inside, "/etc/data");
    seen = fact_file(data);
    if (!str_equal(seen, "of the topmost\n"))
        explain("where two lower directories have the same name, the first one counts",
                CHAPTER "Layers", "the file of the second one is shown");
}

/* `keg diff DIR LOWER` prints to its stdout. */
static char *diff_of(const char *directory)
{
    struct keg k;
    int code;

    keg_run(&k, (const char *const[]){"diff", directory, NULL}, grade.root, NULL);
    code = keg_wait(&k);
    if (code != 0)
        explain("keg diff DIR LOWER ends with 0", CHAPTER "What has changed",
                "it ended with %d: %s", code, keg_words(&k));
    return fact_file(k.output);
}

static void diff_tells_the_changes(void)
{
    cleanup_free char *directory = new_directory("diff"), *seen = NULL, *wanted = NULL;
    cleanup_free char *request = str_format("write /etc/n%d", (int)getpid());
    struct keg k;

    PROBE(&k, "--upper", directory);
    keg_ask(&k, request);
    keg_ask(&k, "write /etc/group");
    keg_ask(&k, "unlink /etc/data");
    keg_end(&k);
    wanted = str_format("C /etc\nD /etc/data\nC /etc/group\nA /etc/n%d\n", (int)getpid());
    seen = diff_of(directory);
    if (!str_equal(seen, wanted))
        explain("keg diff prints a line for each path that was added (A), changed (C) or deleted "
                "(D), as "
                "docker diff does, in the order of their names",
                CHAPTER "What has changed", "it printed:\n%sand not:\n%s", seen, wanted);
}

static void union_of_two(void)
{
    cleanup_free char *upper = new_directory("one"), *lower = new_directory("two");
    cleanup_free char *target = new_directory("union"), *branches = NULL;
    bool both, kept, clean;
    struct keg k;
    int code;

    put(upper, "first", "");
    put(lower, "second", "");
    branches = str_format("%s:%s", upper, lower);
    keg_run(&k, (const char *const[]){"union", branches, NULL}, target, NULL);
    code = keg_wait(&k);
    if (code != 0)
        explain("keg union DIR1:DIR2 MOUNTPOINT mounts and ends with 0",
                CHAPTER "A union for everybody to see", "it ended with %d: %s", code,
                keg_words(&k));
    both = there(target, "first") && there(target, "second");
    if (both)
        put(target, "third", "");
    kept = there(upper, "third");
    clean = !there(lower, "third");
    umount2(target, MNT_DETACH);
    if (!both || !kept || !clean)
        explain(
            "the mount point shows both directories, and what is written there goes to the first",
            CHAPTER "A union for everybody to see", "%s",
            !both   ? "a file is missing"
            : !kept ? "a new file is not in DIR1"
                    : "a new file is in DIR2");
}

/* /dev may be a mount of its own, with other flags. */
static void devices_do_not_open(void)
{
    static const char *const requests[] = {"device /tmp/judge-device", "device /dev/judge-device"};
    const char *opened;
    struct keg k;

    PROBE(&k);
    for (int i = 0; i < 2; i++) {
        opened = keg_ask(&k, requests[i]);
        if (!opened || str_equal(opened, "done"))
            explain("a device file that the command makes does not open: its number could be that "
                    "of the host's disk",
                    CHAPTER "The devices", "'%s': %s", requests[i],
                    opened ? "it was made and opened" : "it ended");
    }
}

static void null_device_works(void)
{
    cleanup_free char *path = NULL;
    cleanup_close int fd = -1;
    struct stat st;
    struct keg k;

    PROBE(&k);
    path = fact_path(k.inside, "/dev/null");
    fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        explain("/dev/null is there, opens, and is the device 1:3: nearly every script needs it",
                CHAPTER "The devices", "it is not");
}

const struct check checks_4[] = {
    {"what is written vanishes", writes_vanish, false},
    {"two kegs do not see each other's changes", neighbours_do_not_see_it, false},
    {"the root is an overlay", root_is_an_overlay, false},
    {"--upper keeps the changes", upper_keeps_changes, false},
    {"of several lower directories the first is topmost", first_lower_is_topmost, false},
    {"keg diff tells the changes", diff_tells_the_changes, false},
    {"a device file made inside does not open", devices_do_not_open, false},
    {"/dev/null works", null_device_works, false},
    {"keg union shows two directories as one", union_of_two, true},
    {0},
};
