/* A control group is a directory. Whoever is listed in its cgroup.procs is held to the limits
 * written into its other files, and so is every process they start. Version 2 is one tree with all
 * controllers in it; version 1 is a tree for each controller, and older hosts still mount those
 * ("hybrid"). Beyond the names of the files little differs. */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "die.h"

enum { MEMORY, CPU, PIDS, LIMITS, PERIOD_US = 100000 };

static struct limit {
    const char *controller, *v2_file, *v1_file;
    const char *option; /* as given */
    char value[40];     /* as the kernel wants it; "" when there is no limit */
} limits[LIMITS] = {
    [MEMORY] = {"memory", "memory.max", "memory.limit_in_bytes", NULL, ""},
    [CPU] = {"cpu", "cpu.max", "cpu.cfs_quota_us", NULL, ""},
    [PIDS] = {"pids", "pids.max", "pids.max", NULL, ""},
};

const struct option_row cgroup_options[] = {
    {"memory", "BYTES[k|m|g]", &limits[MEMORY].option},
    {"cpus", "NUMBER", &limits[CPU].option},
    {"pids", "NUMBER", &limits[PIDS].option},
    {NULL, NULL, NULL},
};

static const char *root = "/sys/fs/cgroup";
static pid_t keg;

static int is_v2;

/* On a hybrid host /sys/fs/cgroup is a tmpfs with a tree for each controller in it. */
static void find_version(void)
{
    struct statfs fs;

    if (getenv("KEG_CGROUP"))
        root = getenv("KEG_CGROUP");
    if (statfs(root, &fs) < 0)
        die(getenv("KEG_CGROUP") ? "KEG_CGROUP says so"
                                 : "mount it: mount -t cgroup2 none /sys/fs/cgroup",
            "there are no control groups at '%s': %m", root);
    is_v2 = fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* "1.5g" is 1.5 times 2^30; `units` lists the letters allowed, each 1024 times the one before. */
static double parse(const struct limit *limit, const char *units)
{
    char *end, *unit;
    double number = strtod(limit->option, &end), least = limit == &limits[CPU] ? 0.01 : 1;

    for (unit = *end ? strchr(units, *end) : NULL; unit && unit >= units; unit--)
        number *= 1024;
    if (end == limit->option || (*end && (!strchr(units, *end) || end[1])) ||
        !(number >= least && number < 1e15))
        die("for example --memory 64m --cpus 0.5 --pids 20", "'%s' is no limit for %s",
            limit->option, limit->controller);
    return number;
}

void cgroup_plan(void)
{
    keg = getpid();
    if (limits[MEMORY].option || limits[PIDS].option || limits[CPU].option)
        find_version();
    if (limits[MEMORY].option)
        sprintf(limits[MEMORY].value, "%.0f", parse(&limits[MEMORY], "kmg"));
    if (limits[PIDS].option)
        sprintf(limits[PIDS].value, "%.0f", parse(&limits[PIDS], ""));
    if (limits[CPU].option)
        sprintf(limits[CPU].value, is_v2 ? "%.0f %d" : "%.0f", parse(&limits[CPU], "") * PERIOD_US,
                PERIOD_US);
}

static void directory(char path[PATH_MAX], const struct limit *limit)
{
    if (is_v2)
        snprintf(path, PATH_MAX, "%s/keg-%d", root, keg);
    else
        snprintf(path, PATH_MAX, "%s/%s/keg-%d", root, limit->controller, keg);
}

static const char *write_hint(void)
{
    switch (errno) {
    case EACCES:
    case EPERM:
        return "limits need root, or a part of the tree that was handed to you: KEG_CGROUP names "
               "it";
    case ENOENT:
        return "this controller is not switched on here: compare cgroup.controllers and the "
               "cgroup.subtree_control above it";
    case EBUSY:
    case EOPNOTSUPP:
        return "processes sit in the parent group itself; version 2 wants them in the leaves";
    case EINVAL:
        return "the kernel takes no such number here";
    default:
        return NULL;
    }
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[PATH_MAX + 64];
    int fd;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        die(write_hint(), "cannot write '%s' to '%s': %m", text, path);
    close(fd);
}

/* A kernel without swap has no files about it. */
static int has_file(const char *directory, const char *name)
{
    char path[PATH_MAX + 64];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

static void enter_one(const struct limit *limit)
{
    char path[PATH_MAX], enable[16];

    snprintf(enable, sizeof enable, "+%s", limit->controller);
    if (is_v2)
        write_file(root, "cgroup.subtree_control", enable); /* for the groups below */
    directory(path, limit);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        die(write_hint(), "cannot make the control group '%s': %m", path);
    write_file(path, is_v2 ? limit->v2_file : limit->v1_file, limit->value);
    /* Without this the limit on memory would only move the rest to the disk. */
    if (is_v2 && limit == &limits[MEMORY] && has_file(path, "memory.swap.max"))
        write_file(path, "memory.swap.max", "0");
    write_file(path, "cgroup.procs", "0"); /* 0: whoever writes */
}

void cgroup_enter(void)
{
    for (const struct limit *limit = limits; limit < limits + LIMITS; limit++)
        if (*limit->value)
            enter_one(limit);
    /* /proc/self/cgroup names the group as seen from the place we are in now: "/". */
    if (unshare(CLONE_NEWCGROUP) < 0)
        die(NULL, "cannot make a cgroup namespace: %m");
}

void cgroup_remove(void)
{
    char path[PATH_MAX];

    for (const struct limit *limit = limits; limit < limits + LIMITS; limit++) {
        if (!*limit->value)
            continue;
        directory(path, limit);
        if (rmdir(path) < 0 && errno != ENOENT) /* in version 2 all three are one */
            die(NULL, "cannot remove the control group '%s': %m", path);
    }
}
