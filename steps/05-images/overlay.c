/* overlayfs shows several directories as one. A name is looked up from the top down, the first hit
 * counts. Nothing is ever written to a lower directory: a file that is changed is first copied to
 * the upper one; a deletion is recorded there as a "whiteout", a character device with the number
 * 0:0. So many kegs can share one root file system.
 *
 * mount(2) gets the directories as /proc/self/fd/N, because in its options a colon or a comma in a
 * name would be read as a separator. */
#include "overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "die.h"

enum { MOST_LOWERS = 64 };

static const char *changes;

const struct option_row overlay_options[] = {{"upper", "DIR", &changes}, {NULL, NULL, NULL}};

static int open_directory(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        die("each must exist; 'make rootfs' makes build/rootfs",
            "cannot open the directory '%s': %m", path);
    return fd;
}

/* Opens each directory of "DIR[:DIR...]"; -1 ends the list. */
static void open_lowers(const char *list, int ret_lowers[MOST_LOWERS + 1])
{
    char *copy = strdup(list), *rest = copy;
    int count = 0;

    for (char *path; (path = strsep(&rest, ":"));) {
        if (count == MOST_LOWERS)
            die("lay fewer on top of each other", "'%s' is more than %d directories", list,
                MOST_LOWERS);
        ret_lowers[count++] = open_directory(path);
    }
    ret_lowers[count] = -1;
    free(copy);
}

/* The first user namespace has all IDs. In any other, overlayfs must keep its notes about
 * directories in attributes that begin with "user." instead of "trusted." */
static int is_host_root(void)
{
    unsigned count = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");

    if (!map || fscanf(map, "%*u %*u %u", &count) != 1)
        die(NULL, "cannot read '/proc/self/uid_map': %m");
    fclose(map);
    return count == UINT_MAX;
}

static int make_directory(int parent, const char *name)
{
    int fd = -1;

    if (mkdirat(parent, name, 0755) == 0 || errno == EEXIST)
        fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        die(NULL, "cannot make the directory '%s' for the changes: %m", name);
    return fd;
}

static const char *overlay_hint(void)
{
    switch (errno) {
    case EINVAL:
        return "dmesg knows more; changes cannot go to a directory on an overlay";
    case ELOOP:
        return "each directory only once, and none inside of another";
    case EPERM:
        return "this needs root";
    default:
        return NULL;
    }
}

/* `work` is overlayfs's own workshop: an empty directory on the same file system as `upper`. */
static void mount_overlay(const int lowers[], int upper, int work, const char *target)
{
    char options[4000];
    int n =
        snprintf(options, sizeof options, "upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d%s",
                 upper, work, is_host_root() ? "" : ",userxattr");

    for (int i = 0; lowers[i] >= 0; i++)
        n += snprintf(options + n, sizeof options - n, "%s/proc/self/fd/%d",
                      i ? ":" : ",lowerdir=", lowers[i]);
    if (mount("overlay", target, "overlay", MS_NODEV, options) < 0)
        die(overlay_hint(), "cannot mount the overlay on '%s': %m", target);
}

char *overlay_mount(const char *lowers)
{
    char *target = strndup(lowers, strcspn(lowers, ":"));
    int fds[MOST_LOWERS + 1], top;

    open_lowers(lowers, fds);
    /* This hides the first directory, but we hold it open; and nobody else sees the mount. */
    if (!changes && mount("tmpfs", target, "tmpfs", 0, "mode=755") < 0)
        die(NULL, "cannot mount memory for the changes on '%s': %m", target);
    top = open_directory(changes ? changes : target);
    mount_overlay(fds, make_directory(top, "upper"), make_directory(top, "work"), target);
    return target;
}

/* What aufs called branches: the first directory takes the changes, the rest stay as they are. */
static void mount_union(const char *branches, const char *target)
{
    int fds[MOST_LOWERS + 1], len = strcspn(branches, ":");
    char work[PATH_MAX];

    open_lowers(branches, fds);
    if (fds[1] < 0)
        die("for example: keg union fruits:vegetables food", "'%s' is only one directory",
            branches);
    close(open_directory(target)); /* else we would make the workshop and then fail */
    while (len > 1 && branches[len - 1] == '/')
        len--;
    snprintf(work, sizeof work, "%.*s.work", len, branches);
    mount_overlay(fds + 1, fds[0], make_directory(AT_FDCWD, work), target);
}

/* Whether the lowers show `path`: the topmost that has the name decides, and a whiteout says no. */
static int was_there(const int lowers[], const char *path)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS};
    struct stat st;

    for (; *lowers >= 0; lowers++) {
        int fd = syscall(SYS_openat2, *lowers, path, &how, sizeof how);
        int found = fd >= 0 && fstat(fd, &st) == 0;

        close(fd);
        if (found)
            return !(S_ISCHR(st.st_mode) && st.st_rdev == 0);
    }
    return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Added, changed or deleted. */
static char kind_of(const FTSENT *entry, const int lowers[], const char *path)
{
    if (S_ISCHR(entry->fts_statp->st_mode) && entry->fts_statp->st_rdev == 0)
        return 'D';
    return was_there(lowers, path) ? 'C' : 'A';
}

static void print_diff(const char *directory, const char *list)
{
    char *upper[] = {NULL, NULL};
    int lowers[MOST_LOWERS + 1];
    FTSENT *entry;
    FTS *walk;

    open_lowers(list, lowers);
    if (asprintf(&upper[0], "%s/upper", directory) < 0 ||
        !(walk = fts_open(upper, FTS_PHYSICAL, by_name)))
        die(NULL, "cannot read '%s': %m", directory);
    while ((entry = fts_read(walk))) {
        const char *path = entry->fts_path + strlen(upper[0]) + 1;

        if (entry->fts_errno)
            die("a directory that keg --upper has filled?", "cannot read '%s': %s", entry->fts_path,
                strerror(entry->fts_errno));
        if (entry->fts_info != FTS_DP && entry->fts_level > 0)
            printf("%c /%s\n", kind_of(entry, lowers, path), path);
    }
    fts_close(walk);
    free(upper[0]);
}

int overlay_command(char **args)
{
    int diff = !strcmp(args[0], "diff");

    if (!diff && strcmp(args[0], "union") != 0)
        return 0;
    if (!args[1] || !args[2] || args[3])
        die("a root file system of this name is written ./diff or ./union", "usage: keg %s",
            diff ? "diff DIR ROOTFS[:ROOTFS...]" : "union DIR:DIR[:DIR...] MOUNTPOINT");
    (diff ? print_diff : mount_union)(args[1], args[2]);
    return 1;
}
