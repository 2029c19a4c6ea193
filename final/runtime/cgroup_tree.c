/* Groups as directories: made, walked, removed.
 *
 * Two engines may have containers below one parent, /cooper. The parent goes with the last
 * container, so one engine may remove it between another's mkdir(2) of the parent and of the group:
 * then the whole path is made again. No lock: rmdir(2) refuses a directory that is in use, and that
 * is lock enough.
 *
 * Inside its group a container may have made groups of its own, a million of them or a thousand
 * deep. So the walk is not recursive and holds one descriptor: it goes down by name and up by "..",
 * which in this file system is where it came from (there are no links, and version 1's rename(2)
 * stays inside one parent). */
#include "runtime/cgroup_parts.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define MAKE_TRIES 100

int cgroup_make_dir(const char *full)
{
    if (!mkdir(full, 0755))
        return 0;
    return errno == EEXIST ? 1 : -errno;
}

/* The directories above it, some of which may be there. */
static int make_above(char *full, size_t start, struct err *err)
{
    for (char *slash = strchr(full + start, '/'); slash; slash = strchr(slash + 1, '/')) {
        int r;

        *slash = 0;
        r = cgroup_make_dir(full);
        if (r < 0 && r != -ENOENT)
            return err_set(err, -r, "cannot make the control group '%s': %s", full, strerror(-r));
        *slash = '/';
    }
    return 0;
}

int cgroup_make_dirs(const char *base, const char *path, struct err *err)
{
    cleanup_free char *full = str_format("%s%s", base, path);
    int r = -ENOENT;

    for (int tries = 0; tries < MAKE_TRIES; tries++) {
        r = cgroup_make_dir(full); /* mostly the parent is there */
        if (r != -ENOENT)
            break;
        if (make_above(full, strlen(base) + 1, err) < 0)
            return -err->code;
    }
    return r < 0 ? err_set(err, -r, "cannot make the control group '%s': %s", full, strerror(-r))
                 : r;
}

/* --- the walk --------------------------------------------------------------------------------- */

struct level {
    struct strv groups; /* in this group, still to be visited; the last one is next */
};

struct walk {
    int dir; /* of the group we are in */
    struct level *levels;
    size_t depth, room;
};

static void list_groups(int dir, struct strv *ret)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    while (entries && (entry = readdir(entries)))
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            strv_add(ret, entry->d_name);
}

static void enter(struct walk *walk, int dir)
{
    if (walk->depth == walk->room) {
        walk->room = walk->room ? 2 * walk->room : 8;
        walk->levels = mem_grow(walk->levels, walk->room, sizeof *walk->levels);
    }
    close_fd(&walk->dir);
    walk->dir = dir;
    walk->levels[walk->depth] = (struct level){0};
    list_groups(dir, &walk->levels[walk->depth++].groups);
}

static void drop_last(struct strv *names)
{
    free(names->items[--names->len]);
    names->items[names->len] = NULL;
}

/* Up again; the group just left is the last name of the level above. False at the top. */
static bool leave(struct walk *walk)
{
    int above;

    strv_free(&walk->levels[--walk->depth].groups);
    if (!walk->depth)
        return false;
    above = openat(walk->dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    close_fd(&walk->dir);
    walk->dir = above;
    return above >= 0;
}

static void end_walk(struct walk *walk)
{
    close_fd(&walk->dir);
    while (walk->depth)
        strv_free(&walk->levels[--walk->depth].groups);
    free(walk->levels);
}

/* Calls `seen` in every group below `top` (taken) when it is entered and `done` when it is left,
 * with the directory it is in and its name. Either may be NULL. A negative answer ends the walk. */
static int walk_groups(int top, int (*seen)(int dir, void *context),
                       int (*done)(int above, const char *name), void *context)
{
    cleanup_with(end_walk) struct walk walk = {.dir = -1};
    int r = 0;

    enter(&walk, top);
    while (r >= 0) {
        struct strv *groups = &walk.levels[walk.depth - 1].groups;
        int dir = groups->len ? openat(walk.dir, groups->items[groups->len - 1],
                                       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                              : -1;

        if (dir >= 0) {
            enter(&walk, dir);
            r = seen ? seen(dir, context) : 0;
            continue;
        }
        if (groups->len) { /* gone, or renamed by a container that plays with us */
            drop_last(groups);
            continue;
        }
        if (!leave(&walk))
            break;
        groups = &walk.levels[walk.depth - 1].groups;
        r = done ? done(walk.dir, groups->items[groups->len - 1]) : 0;
        drop_last(groups);
    }
    return r;
}

/* --- removing --------------------------------------------------------------------------------- */

static int remove_group(int above, const char *name)
{
    return unlinkat(above, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_below(const char *path)
{
    int top = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

    if (top < 0)
        return errno == ENOENT ? 0 : -errno;
    r = walk_groups(top, NULL, remove_group, NULL);
    if (r < 0)
        return r;
    return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* Parents of ours only: who put "/kubepods/..." there keeps it. */
static void remove_parents(char *full, size_t base_len)
{
    if (strncmp(full + base_len, "/cooper", 7) || !strchr("/-", full[base_len + 7]))
        return;
    for (char *slash = strrchr(full, '/'); slash > full + base_len; slash = strrchr(full, '/')) {
        *slash = 0;
        if (rmdir(full) < 0)
            return; /* in use by another container, or gone */
    }
}

int cgroup_remove_dirs(const char *base, const char *path, struct err *err)
{
    cleanup_free char *full = str_format("%s%s", base, path);

    if (rmdir(full) < 0 && errno != ENOENT) {
        int r = errno == EBUSY ? remove_below(full) : -errno;

        /* A read-only mount says so before it says that there is no such group. */
        if (r < 0 && access(full, F_OK) < 0 && errno == ENOENT)
            r = 0;
        if (r < 0)
            return err_set(err, -r, "cannot remove the control group '%s': %s", full, strerror(-r));
    }
    remove_parents(full, strlen(base));
    return 0;
}

/* --- processes -------------------------------------------------------------------------------- */

void runtime_pids_free(struct runtime_pids *pids)
{
    free(pids->items);
    *pids = (struct runtime_pids){0};
}

static void add_pids(char *text, struct runtime_pids *ret)
{
    char *rest;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int pid = (int)strtol(line, NULL, 10);

        if (pid <= 0)
            continue; /* 0 is a process that our PID namespace does not see */
        if (ret->len == ret->room) {
            ret->room = ret->room ? 2 * ret->room : 64;
            ret->items = mem_grow(ret->items, ret->room, sizeof *ret->items);
        }
        ret->items[ret->len++] = pid;
    }
}

static int read_at(int dir, const char *file, struct buf *ret)
{
    cleanup_close int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
    struct err ignored = {0};

    return fd < 0 ? -errno : file_load_fd(fd, 64 << 20, ret, &ignored);
}

/* The processes whose threads are in a threaded group (cgroup.procs says EOPNOTSUPP there). */
static int add_threads(int dir, struct runtime_pids *ret)
{
    struct runtime_pids threads = {0};
    cleanup_buf struct buf text = {0};
    int r = read_at(dir, "cgroup.threads", &text);

    if (r < 0)
        return r;
    add_pids(text.data, &threads);
    for (size_t i = 0; i < threads.len; i++) {
        cleanup_free char *path = str_format("/proc/%d/status", threads.items[i]);
        cleanup_buf struct buf status = {0};
        char *group = NULL;

        if (!read_at(AT_FDCWD, path, &status))
            group = strstr(status.data, "\nTgid:");
        if (group) {
            group[strcspn(group + 1, "\n") + 1] = 0;
            add_pids(group + strlen("\nTgid:"), ret);
        }
    }
    runtime_pids_free(&threads);
    return 0;
}

static int add_group(int dir, void *context)
{
    struct runtime_pids *ret = context;
    cleanup_buf struct buf text = {0};
    int r = read_at(dir, "cgroup.procs", &text);

    if (!r)
        add_pids(text.data, ret);
    else if (r == -EOPNOTSUPP)
        r = add_threads(dir, ret);
    return r == -ENOENT || r == -ENODEV ? 0 : r; /* removed meanwhile */
}

int cgroup_tree_pids(const char *base, const char *path, bool below, struct runtime_pids *ret)
{
    cleanup_free char *full = str_format("%s%s", base, path);
    int top = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = top < 0 ? -errno : add_group(top, ret);

    if (r < 0 || !below) {
        close_fd(&top);
        return r;
    }
    return walk_groups(top, add_group, NULL, ret);
}

static int by_number(const void *a, const void *b)
{
    const pid_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

void cgroup_sort_pids(struct runtime_pids *pids)
{
    size_t kept = 0;

    if (pids->len)
        qsort(pids->items, pids->len, sizeof *pids->items, by_number);
    for (size_t i = 0; i < pids->len; i++)
        if (!kept || pids->items[i] != pids->items[kept - 1])
            pids->items[kept++] = pids->items[i];
    pids->len = kept;
}
