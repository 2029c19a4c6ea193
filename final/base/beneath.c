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

/* Opens `path` as far as it goes, one component more each round. The prefix is resolved from the
 * root every time, so that a symlink in the middle is taken as the container will take it. */
int beneath_make_dirs(int root, const char *path, mode_t mode, struct err *err)
{
    cleanup_free char *prefix = mem_alloc(strlen(path) + 1);
    cleanup_close int at = beneath_open(root, path, O_PATH | O_DIRECTORY, 0, 0);
    const char *rest = path;

    if (at >= 0)
        return steal_fd(&at);
    at = beneath_open(root, "/", O_PATH | O_DIRECTORY, 0, 0);
    for (;;) {
        char name[256];
        size_t n;
        int next;

        rest += strspn(rest, "/");
        n = strcspn(rest, "/");
        if (!n)
            return at < 0 ? err_set(err, -at, "cannot open the root of '%s'", path) : steal_fd(&at);
        if (n >= sizeof name)
            return err_set(err, ENAMETOOLONG, "a name in '%s' is too long", path);
        memcpy(name, rest, n);
        name[n] = 0;
        rest += n;
        memcpy(prefix, path, (size_t)(rest - path));
        prefix[rest - path] = 0;
        next = beneath_open(root, prefix, O_PATH | O_DIRECTORY, 0, 0);
        if (next == -ENOENT) {
            if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
                return err_errno(err, "cannot make directory '%s'", prefix);
            next = beneath_open(root, prefix, O_PATH | O_DIRECTORY, 0, 0);
        }
        if (next < 0)
            return err_set(err, -next, "cannot make directory '%s' inside the root: %s", prefix,
                           strerror(-next));
        close(at);
        at = next;
    }
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
