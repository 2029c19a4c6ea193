#include "crash/groups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define PREFIX "cooper-sweep-"

/* Where control groups are mounted. */
static void find_hierarchies(struct strv *ret)
{
    cleanup_fclose FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[8192], where[4096];

    while (f && fgets(line, sizeof line, f)) {
        const char *type = strstr(line, " - cgroup");

        if (type && sscanf(line, "%*s %*s %*s %*s %4095s", where) == 1 &&
            !strv_contains(ret, where))
            strv_add(ret, where);
    }
}

/* --- making ----------------------------------------------------------------------------------- */

static void copy_value(const char *from, const char *to, const char *file)
{
    cleanup_free char *source = str_format("%s/%s", from, file);
    cleanup_free char *target = str_format("%s/%s", to, file);
    cleanup_buf struct buf value = {0};
    struct err ignored;

    if (!file_load(AT_FDCWD, source, 4096, &value, &ignored))
        file_poke(AT_FDCWD, target, value.data, &ignored);
}

/* Version 2: what is given to us is not given on by itself. */
static void hand_on_controllers(const char *root, const char *group)
{
    static const char *const names[] = {"+cpuset", "+cpu", "+io", "+memory", "+pids", "+hugetlb"};
    cleanup_free char *above = str_format("%s/cgroup.subtree_control", root);
    cleanup_free char *below = str_format("%s/cgroup.subtree_control", group);
    struct err ignored;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        file_poke(AT_FDCWD, above, names[i], &ignored);
        file_poke(AT_FDCWD, below, names[i], &ignored);
    }
}

static int take(const char *root, struct err *err)
{
    cleanup_free char *group = str_format("%s/" PREFIX "%d", root, (int)getpid());

    if (mkdir(group, 0755) < 0)
        return err_errno(err, "cannot make the control group '%s'", group);
    /* Version 1: nobody can be in a cpuset that has no CPUs. */
    copy_value(root, group, "cpuset.cpus");
    copy_value(root, group, "cpuset.mems");
    hand_on_controllers(root, group);
    if (mount(group, root, NULL, MS_BIND, NULL) < 0)
        return err_errno(err, "cannot mount '%s' over its hierarchy", group);
    return 0;
}

int groups_enter(struct err *err)
{
    cleanup_strv struct strv roots = {0};

    find_hierarchies(&roots);
    for (size_t i = 0; i < roots.len; i++)
        if (take(roots.items[i], err) < 0)
            return -err->code;
    return 0;
}

/* --- looking and removing --------------------------------------------------------------------- */

typedef void visit_group(const char *path, void *context);

/* Children before their parents. */
static void visit_groups(const char *path, visit_group *visit, void *context)
{
    cleanup_closedir DIR *dir = opendir(path);

    for (struct dirent *e; dir && (e = readdir(dir));) {
        cleanup_free char *child = NULL;

        if (e->d_type != DT_DIR || *e->d_name == '.')
            continue;
        child = str_format("%s/%s", path, e->d_name);
        visit_groups(child, visit, context);
        visit(child, context);
    }
}

static void visit_all(visit_group *visit, void *context)
{
    cleanup_strv struct strv roots = {0};

    find_hierarchies(&roots);
    for (size_t i = 0; i < roots.len; i++)
        visit_groups(roots.items[i], visit, context);
}

static void note(const char *path, void *context)
{
    strv_take(context, str_format("cgroup %s", path));
}

void groups_list(struct strv *ret)
{
    visit_all(note, ret);
}

static void remove_group(const char *path, void *context)
{
    (void)context;
    rmdir(path);
}

static void thaw(const char *path, void *context)
{
    cleanup_free char *v1 = str_format("%s/freezer.state", path);
    cleanup_free char *v2 = str_format("%s/cgroup.freeze", path);
    struct err ignored;

    (void)context;
    file_poke(AT_FDCWD, v1, "THAWED", &ignored);
    file_poke(AT_FDCWD, v2, "0", &ignored);
}

void groups_thaw(void)
{
    visit_all(thaw, NULL);
}

void groups_clear(void)
{
    visit_all(remove_group, NULL);
}

/* True for a group of `pid`, or of a process that is no more. */
static bool is_ours_to_remove(const char *name, pid_t pid)
{
    int owner = str_starts(name, PREFIX) ? atoi(name + strlen(PREFIX)) : 0;

    return owner && (owner == pid || (kill(owner, 0) < 0 && errno == ESRCH));
}

/* Who was killed in it leaves it only when he is taken apart. */
static void remove_tree(const char *path)
{
    for (int tries = 0; tries < 500; tries++) {
        visit_groups(path, remove_group, NULL);
        if (!rmdir(path) || errno != EBUSY)
            return;
        poll(NULL, 0, 10);
    }
}

void groups_release(pid_t pid)
{
    cleanup_strv struct strv roots = {0};

    find_hierarchies(&roots);
    for (size_t i = 0; i < roots.len; i++) {
        cleanup_closedir DIR *dir = opendir(roots.items[i]);

        for (struct dirent *e; dir && (e = readdir(dir));) {
            cleanup_free char *path = str_format("%s/%s", roots.items[i], e->d_name);

            if (!is_ours_to_remove(e->d_name, pid))
                continue;
            visit_groups(path, thaw, NULL);
            remove_tree(path);
        }
    }
}
