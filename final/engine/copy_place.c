#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "engine/copy.h"

#define SYMLINKS_MAX 40 /* as the kernel's own limit */

/* "/a//b/./../c/" -> "/a/c". By the text alone, as docker does it on both sides. */
static char *clean(const char *path)
{
    cleanup_strv struct strv parts = {0}, kept = {0};
    cleanup_free char *joined = NULL;

    strv_split(&parts, path, '/');
    for (size_t i = 0; i < parts.len; i++) {
        const char *part = parts.items[i];

        if (!strcmp(part, "..")) {
            if (kept.len)
                free(kept.items[--kept.len]);
        } else if (*part && strcmp(part, ".")) {
            strv_add(&kept, part);
        }
    }
    joined = strv_join(&kept, "/");
    return str_format("/%s", joined);
}

static int open_directory(int root, const char *path)
{
    int fd;

    if (root >= 0)
        return beneath_open(root, path, O_PATH | O_DIRECTORY, 0, 0);
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

bool copy_is_kernel_fs(int fd)
{
    static const long kinds[] = {PROC_SUPER_MAGIC,    SYSFS_MAGIC,        CGROUP_SUPER_MAGIC,
                                 CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
                                 TRACEFS_MAGIC,       SECURITYFS_MAGIC,   BPF_FS_MAGIC,
                                 0x19800202 /* mqueue */};
    struct statfs fs;

    for (size_t i = 0; !fstatfs(fd, &fs) && i < sizeof kinds / sizeof *kinds; i++)
        if ((long)fs.f_type == kinds[i])
            return true;
    return false;
}

/* The directory itself: a root, or "x/.". */
static int find_contents(int root, struct copy_place *p, struct err *err)
{
    p->dir = open_directory(root, p->path);
    strcpy(p->name, ".");
    if (p->dir < 0)
        return p->dir == -ENOENT
                   ? -ENOENT
                   : err_set(err, -p->dir, "cannot open '%s': %s", p->path, strerror(-p->dir));
    if (fstat(p->dir, &p->st) < 0)
        return err_errno(err, "cannot stat '%s'", p->path);
    p->exists = true;
    return 0;
}

static int find_entry(int root, struct copy_place *p, struct err *err)
{
    char *slash = strrchr(p->path, '/');
    cleanup_free char *parent = str_copy_n(p->path, (size_t)(slash - p->path));

    if (strlen(slash + 1) >= sizeof p->name)
        return err_set(err, ENAMETOOLONG, "the name '%.64s...' is too long", slash + 1);
    strcpy(p->name, slash + 1);
    p->dir = open_directory(root, *parent ? parent : "/");
    if (p->dir == -ENOENT || p->dir == -ENOTDIR)
        return -ENOENT;
    if (p->dir < 0)
        return err_set(err, -p->dir, "cannot open '%s': %s", parent, strerror(-p->dir));
    p->exists = !fstatat(p->dir, p->name, &p->st, AT_SYMLINK_NOFOLLOW);
    return p->exists || errno == ENOENT ? 0 : err_errno(err, "cannot stat '%s'", p->path);
}

/* Where the symlink that the place is leads: a path of the same side. NULL when it is none. */
static char *link_target(const struct copy_place *p)
{
    char target[4096];
    ssize_t n = p->exists && S_ISLNK(p->st.st_mode)
                    ? readlinkat(p->dir, p->name, target, sizeof target - 1)
                    : -1;
    size_t parent = (size_t)(strrchr(p->path, '/') - p->path);

    if (n < 0)
        return NULL;
    target[n] = 0;
    return *target == '/' ? str_copy(target) : str_format("%.*s/%s", (int)parent, p->path, target);
}

static int find(int root, const char *path, int links, bool follow, struct copy_place *p,
                struct err *err)
{
    cleanup_free char *target = NULL;
    int r;

    p->path = clean(path);
    p->contents |= !strcmp(p->path, "/");
    r = p->contents ? find_contents(root, p, err) : find_entry(root, p, err);
    if (r < 0 || !follow || !(target = link_target(p)))
        return r;
    if (!links)
        return err_set(err, ELOOP, "too many symlinks at '%s'", p->path);
    close_fd(&p->dir);
    free(p->path);
    return find(root, target, links - 1, true, p, err);
}

static bool ends_in_dot(const char *path)
{
    return !strcmp(path, ".") || str_ends(path, "/.");
}

int copy_place_find(int root, const char *path, bool follow, struct copy_place *ret,
                    struct err *err)
{
    cleanup_free char *here = root < 0 && *path != '/' ? getcwd(NULL, 0) : NULL;
    cleanup_free char *whole = str_format("%s/%s", here ? here : "", path);
    struct copy_place p = {.dir = -1, .contents = ends_in_dot(path)};
    int r;

    p.asserts_directory = p.contents || str_ends(path, "/");
    r = find(root, whole, SYMLINKS_MAX, follow || p.asserts_directory, &p, err);
    if (!r && root >= 0 && copy_is_kernel_fs(p.dir))
        r = -ENOENT; /* to docker these are not there at all */
    if (r < 0)
        copy_place_free(&p);
    else
        *ret = p;
    return r;
}

void copy_place_free(struct copy_place *p)
{
    close_fd(&p->dir);
    free(p->path);
    p->path = NULL;
}

bool copy_place_is_directory(const struct copy_place *p)
{
    return p->exists && S_ISDIR(p->st.st_mode);
}

const char *copy_place_base(const struct copy_place *p)
{
    return p->path[1] ? strrchr(p->path, '/') + 1 : p->path;
}

int copy_place_enter(const struct copy_place *p, struct err *err)
{
    int fd = openat(p->dir, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? err_errno(err, "cannot open directory '%s'", p->path) : fd;
}
