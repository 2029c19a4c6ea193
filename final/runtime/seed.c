/* Copying a tree by descriptors: every name is looked up in a directory that is open already, with
 * O_NOFOLLOW, so a symlink in the image is copied and never followed. Contents, owners, modes,
 * times, extended attributes, symlinks, device nodes and hard links within the tree are kept;
 * sockets are not (nobody listens on a copy). */
#include "runtime/seed.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#define MAX_DEPTH 256

/* Where each inode with several links was copied to first: the path below the volume. */
struct seed_link {
    dev_t device;
    ino_t inode;
    char *path;
};
struct seed {
    int top; /* the volume */
    struct seed_link *links;
    size_t len, room;
};

static const char *find_link(const struct seed *seed, const struct stat *st)
{
    for (size_t i = 0; i < seed->len; i++)
        if (seed->links[i].inode == st->st_ino && seed->links[i].device == st->st_dev)
            return seed->links[i].path;
    return NULL;
}

static void remember_link(struct seed *seed, const struct stat *st, const char *path)
{
    if (seed->len == seed->room) {
        seed->room = seed->room ? 2 * seed->room : 16;
        seed->links = mem_grow(seed->links, seed->room, sizeof *seed->links);
    }
    seed->links[seed->len++] = (struct seed_link){st->st_dev, st->st_ino, str_copy(path)};
}

/* Overlayfs keeps its own notes in attributes of these names; they mean nothing outside of it. */
static bool is_private_attribute(const char *name)
{
    return str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay.");
}

/* Attributes the target file system does not know (ENOTSUP) are left out, as by cp -a. */
static int copy_attributes(int from, int to)
{
    char names[16384], value[65536];
    ssize_t len = flistxattr(from, names, sizeof names);

    if (len < 0)
        return errno == ENOTSUP ? 0 : -errno;
    for (char *name = names; name < names + len; name += strlen(name) + 1) {
        ssize_t n = fgetxattr(from, name, value, sizeof value);

        if (n < 0 || is_private_attribute(name))
            continue;
        if (fsetxattr(to, name, value, (size_t)n, 0) < 0 && errno != ENOTSUP && errno != EPERM)
            return -errno;
    }
    return 0;
}

/* Owner before mode: chown(2) clears setuid. Attributes after the owner: it drops file
 * capabilities. */
static int copy_metadata(int from, int to, const struct stat *st)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    int r;

    if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return -errno;
    r = copy_attributes(from, to);
    if (r < 0)
        return r;
    return futimens(to, times) < 0 ? -errno : 0;
}

static int copy_bytes(int from, int to, off_t size)
{
    while (size > 0) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)size, 0);
        char chunk[65536];
        int r;

        if (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
            return -errno;
        if (n > 0) {
            size -= n;
            continue;
        }
        n = file_read(from, chunk, sizeof chunk);
        if (n <= 0)
            return (int)n; /* an error, or the file was shorter than it said */
        r = file_write(to, chunk, (size_t)n);
        if (r < 0)
            return r;
        size -= n;
    }
    return 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st)
{
    cleanup_close int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    cleanup_close int to = -1;
    int r;

    if (from < 0)
        return -errno;
    to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return -errno;
    r = copy_bytes(from, to, st->st_size);
    return r < 0 ? r : copy_metadata(from, to, st);
}

static int copy_symlink(int from_dir, int to_dir, const char *name, const struct stat *st)
{
    char target[4096];
    ssize_t n = readlinkat(from_dir, name, target, sizeof target - 1);

    if (n < 0)
        return -errno;
    target[n] = 0;
    if (symlinkat(target, to_dir, name) < 0 ||
        fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return 0;
}

static int copy_node(int to_dir, const char *name, const struct stat *st)
{
    if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0 ||
        fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
        return -errno;
    return 0;
}

static int copy_directory(struct seed *seed, int from, int to, const char *path, int depth,
                          struct err *err);

static int copy_subdirectory(struct seed *seed, int from_dir, int to_dir, const char *name,
                             const struct stat *st, const char *path, int depth, struct err *err)
{
    cleanup_close int from =
        openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int to = -1;
    int r;

    if (from < 0 || mkdirat(to_dir, name, 0700) < 0)
        return err_errno(err, "'%s'", path);
    to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return err_errno(err, "'%s'", path);
    r = copy_directory(seed, from, to, path, depth + 1, err);
    if (r < 0)
        return r;
    r = copy_metadata(from, to, st); /* last: copying into it changed its times */
    return r < 0 ? err_set(err, -r, "'%s': %s", path, strerror(-r)) : 0;
}

static int copy_entry(struct seed *seed, int from, int to, const char *name, const char *path,
                      int depth, struct err *err)
{
    struct stat st;
    int r = 0;

    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "'%s'", path);
    if (S_ISDIR(st.st_mode))
        return copy_subdirectory(seed, from, to, name, &st, path, depth, err);
    if (S_ISSOCK(st.st_mode))
        return 0;
    if (st.st_nlink > 1) {
        const char *first = find_link(seed, &st);

        if (first)
            return linkat(seed->top, first, to, name, 0) < 0 ? err_errno(err, "'%s'", path) : 0;
        remember_link(seed, &st, path);
    }
    if (S_ISREG(st.st_mode))
        r = copy_file(from, to, name, &st);
    else if (S_ISLNK(st.st_mode))
        r = copy_symlink(from, to, name, &st);
    else
        r = copy_node(to, name, &st);
    return r < 0 ? err_set(err, -r, "'%s': %s", path, strerror(-r)) : 0;
}

static int copy_directory(struct seed *seed, int from, int to, const char *path, int depth,
                          struct err *err)
{
    int copy = fcntl(from, F_DUPFD_CLOEXEC, 3);
    cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!dir)
        return err_errno(err, "cannot list '%s'", path);
    if (depth > MAX_DEPTH)
        return err_set(err, ELOOP, "'%s' is more than %d directories deep", path, MAX_DEPTH);
    while ((entry = file_next_entry(dir))) {
        cleanup_free char *child =
            *path ? str_format("%s/%s", path, entry->d_name) : str_copy(entry->d_name);

        if (copy_entry(seed, from, to, entry->d_name, child, depth, err) < 0)
            return -err->code;
    }
    return errno ? err_errno(err, "cannot list '%s'", path) : 0;
}

/* 1 if there is nothing in it; a lone lost+found counts as nothing: the volume is a fresh file
 * system. */
static int is_empty(int dirfd)
{
    int copy = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
    cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!dir)
        return -errno;
    while ((entry = file_next_entry(dir)))
        if (strcmp(entry->d_name, "lost+found"))
            return 0;
    return errno ? -errno : 1;
}

int seed_directory(int from_path, int to_path, bool metadata, struct err *err)
{
    /* O_PATH descriptors cannot be listed; "." opens the very same directory. */
    cleanup_close int from = openat(from_path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int to = openat(to_path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct seed seed = {.top = to};
    struct stat st;
    int r;

    if (from < 0 || to < 0 || fstat(from, &st) < 0)
        return err_errno(err, "cannot open the directory");
    r = is_empty(to);
    if (r <= 0)
        return r < 0 ? err_set(err, -r, "cannot list the volume: %s", strerror(-r)) : 0;
    r = copy_directory(&seed, from, to, "", 0, err);
    for (size_t i = 0; i < seed.len; i++)
        free(seed.links[i].path);
    free(seed.links);
    if (r < 0 || !metadata)
        return r;
    r = copy_metadata(from, to, &st);
    return r < 0 ? err_set(err, -r, "cannot copy the owner and mode: %s", strerror(-r)) : 0;
}
