#include "base/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

int beneath_open(int root, const char *path, int flags, mode_t mode, uint64_t more_resolve)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more_resolve,
    };
    int fd, tries = 0;

    /* EAGAIN: a rename raced the resolution of a ".."; the kernel asks us to try again. */
    do
        fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
    while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 128)));
    return fd < 0 ? -errno : fd;
}

/* --- making what is missing ---------------------------------------------------------------------
 *
 * From the end backwards: mostly only the last name is missing, and then that is one mkdirat(2).
 * The whole path is resolved from the root again after each step, so that a symlink in the middle
 * is taken as the container will take it, and a name that somebody exchanges meanwhile leads
 * elsewhere inside, never out. */

/* Names made for one path. A hostile image's symlinks can make a short path long, and each name is
 * a function call deep. */
#define MAX_MADE 1024

/* "/a/b//" -> "/a" and "b". The parent of "b" is "/". */
static void split(const char *path, char **ret_parent, char **ret_name)
{
    size_t end = strlen(path), start;

    while (end > 1 && path[end - 1] == '/')
        end--;
    for (start = end; start && path[start - 1] != '/';)
        start--;
    *ret_name = str_copy_n(path + start, end - start);
    *ret_parent = start ? str_copy_n(path, start) : str_copy("/");
}

/* A name that is there and yet leads to nothing is a symlink whose target is missing: images have
 * "/var/run -> /run" without a /run. Returns the path it means, or NULL. */
static char *dangling_target(int parent, const char *parent_path, const char *name)
{
    char target[4096];
    ssize_t n = readlinkat(parent, name, target, sizeof target - 1);

    if (n < 0)
        return NULL;
    target[n] = 0;
    return *target == '/' ? str_copy(target) : str_format("%s/%s", parent_path, target);
}

static int make(int root, const char *path, mode_t mode, int *budget, struct err *err);

/* mknodat(2) makes a regular file without opening it, and neither call follows a symlink. */
static int make_entry(int parent, const char *name, mode_t mode)
{
    return S_ISDIR(mode) ? mkdirat(parent, name, mode & 07777) : mknodat(parent, name, mode, 0);
}

static int open_entry(int root, const char *path, mode_t mode)
{
    return beneath_open(root, path, O_PATH | (S_ISDIR(mode) ? O_DIRECTORY : 0), 0, 0);
}

static int cannot_make(const char *path, mode_t mode, int code, struct err *err)
{
    return err_set(err, code, "cannot make the %s '%s' inside the root: %s",
                   S_ISDIR(mode) ? "directory" : "file", path, strerror(code));
}

static int make_missing(int root, const char *path, mode_t mode, int *budget, struct err *err)
{
    cleanup_free char *parent_path = NULL, *name = NULL, *target = NULL;
    cleanup_close int parent = -1;
    int fd;

    if (--*budget < 0)
        return cannot_make(path, mode, ELOOP, err);
    split(path, &parent_path, &name);
    parent = make(root, parent_path, S_IFDIR | (S_ISDIR(mode) ? mode : 0755), budget, err);
    if (parent < 0)
        return parent;
    if (make_entry(parent, name, mode) < 0 && errno != EEXIST)
        return cannot_make(path, mode, errno, err);
    fd = open_entry(root, path, mode);
    if (fd >= 0)
        return fd;
    target = fd == -ENOENT ? dangling_target(parent, parent_path, name) : NULL;
    return target ? make(root, target, mode, budget, err) : cannot_make(path, mode, -fd, err);
}

/* `mode` with its type: S_IFDIR or S_IFREG. */
static int make(int root, const char *path, mode_t mode, int *budget, struct err *err)
{
    int fd = open_entry(root, path, mode);

    if (fd == -ENOENT && strspn(path, "/") < strlen(path))
        return make_missing(root, path, mode, budget, err);
    return fd < 0 ? cannot_make(path, mode, -fd, err) : fd;
}

int beneath_make_dirs(int root, const char *path, mode_t mode, struct err *err)
{
    int budget = MAX_MADE;

    return make(root, path, S_IFDIR | mode, &budget, err);
}

int beneath_make_file(int root, const char *path, mode_t mode, struct err *err)
{
    int budget = MAX_MADE;

    return make(root, path, S_IFREG | mode, &budget, err);
}

int beneath_parent(int root, const char *path, int make_parents, char ret_name[256],
                   struct err *err)
{
    cleanup_free char *parent = str_copy(path);
    char *slash, *name;
    size_t n = strlen(parent);
    int fd;

    while (n > 1 && parent[n - 1] == '/')
        parent[--n] = 0;
    slash = strrchr(parent, '/');
    name = slash ? slash + 1 : parent;
    if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
        return err_set(err, EINVAL, "'%s' does not name an entry of a directory", path);
    if (strlen(name) >= 256)
        return err_set(err, ENAMETOOLONG, "a name in '%s' is too long", path);
    strcpy(ret_name, name);
    if (slash)
        *slash = 0;
    else
        *parent = 0;
    if (make_parents)
        return beneath_make_dirs(root, *parent ? parent : "/", 0755, err);
    fd = beneath_open(root, *parent ? parent : "/", O_PATH | O_DIRECTORY, 0, 0);
    if (fd < 0)
        return err_set(err, -fd, "cannot open the directory of '%s': %s", path, strerror(-fd));
    return fd;
}
