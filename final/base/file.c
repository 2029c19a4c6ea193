#include "base/file.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

ssize_t file_read(int fd, void *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, (char *)data + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (!n)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int file_write(int fd, const void *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(fd, (const char *)data + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return 0;
}

int file_load_fd(int fd, size_t max, struct buf *ret, struct err *err)
{
    struct buf content = {0};

    for (;;) {
        ssize_t n;

        buf_reserve(&content, 4096);
        n = file_read(fd, content.data + content.len, content.room - content.len - 1);
        if (n < 0) {
            buf_free(&content);
            errno = (int)-n;
            return err_errno(err, "cannot read");
        }
        content.len += (size_t)n;
        content.data[content.len] = 0;
        if (content.len > max) {
            buf_free(&content);
            return err_set(err, EFBIG, "larger than the %zu bytes allowed", max);
        }
        if (!n)
            break;
    }
    *ret = content;
    return 0;
}

int file_load(int dirfd, const char *path, size_t max, struct buf *ret, struct err *err)
{
    cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0)
        return err_errno(err, "cannot open '%s'", path);
    if (fstat(fd, &st) < 0)
        return err_errno(err, "cannot stat '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "'%s' is not a regular file", path);
    if (file_load_fd(fd, max, ret, err) < 0)
        return err_wrap(err, "'%s'", path);
    return 0;
}

int file_poke(int dirfd, const char *path, const char *text, struct err *err)
{
    cleanup_close int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return err_errno(err, "cannot open '%s' to write '%s'", path, text);
    do
        n = write(fd, text, strlen(text));
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_errno(err, "cannot write '%s' to '%s'", text, path) : 0;
}

static int fill_and_sync(int fd, const void *data, size_t len, mode_t mode, bool durable)
{
    int r = file_write(fd, data, len);

    if (r < 0)
        return r;
    if (fchmod(fd, mode) < 0)
        return -errno;
    return durable && fsync(fd) < 0 ? -errno : 0;
}

int file_store_through(int dirfd, const char *temporary, const char *path, const void *data,
                       size_t len, mode_t mode, bool durable, struct err *err)
{
    cleanup_close int fd =
        openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return err_errno(err, "cannot create '%s'", temporary);
    r = fill_and_sync(fd, data, len, mode, durable);
    if (!r && renameat(dirfd, temporary, dirfd, path) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dirfd, temporary, 0);
        errno = -r;
        return err_errno(err, "cannot write '%s'", path);
    }
    return 0;
}

int file_store(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool durable,
               struct err *err)
{
    cleanup_free char *temporary = str_format("%s.%d.tmp", path, (int)getpid());

    return file_store_through(dirfd, temporary, path, data, len, mode, durable, err);
}

int file_create(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
                struct err *err)
{
    cleanup_close int fd =
        openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return err_errno(err, "cannot create '%s'", path);
    r = fill_and_sync(fd, data, len, mode, false);
    return r < 0 ? err_set(err, -r, "cannot write '%s': %s", path, strerror(-r)) : 0;
}

int file_make_dirs(int dirfd, const char *path, mode_t mode, struct err *err)
{
    cleanup_free char *copy = str_copy(path);

    for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = 0;
        if (!mkdirat(dirfd, copy, mode)) { /* and the mode is meant, whatever the umask says */
            if (fchmodat(dirfd, copy, mode, 0) < 0)
                return err_errno(err, "cannot set the mode of directory '%s'", copy);
        } else if (errno != EEXIST) {
            return err_errno(err, "cannot make directory '%s'", copy);
        }
        if (!slash)
            return 0;
        *slash = '/';
    }
}

/* A container may make a tree deeper than a process may have open directories. So what lies
 * LEVELS_MAX below the top is moved up into it, under a name of its own, and has its turn there. */
#define LEVELS_MAX 64

struct removal {
    uint64_t mount; /* a directory bound into the tree may be of the same device */
    int top; /* where subtrees move to; -1: not opened yet */
    unsigned moved;
};

static int remove_children(struct removal *removal, int fd, int level, struct err *err);

/* statx(2): STATX_MNT_ID, Linux 5.8. */
static int mount_of(int dirfd, const char *path, uint64_t *ret)
{
    struct statx st;

    if (statx(dirfd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID,
              &st) < 0)
        return -1;
    *ret = st.stx_mnt_id;
    return 0;
}

static int move_to_top(struct removal *removal, int fd, const char *name, struct err *err)
{
    for (;;) {
        char moved[32];

        snprintf(moved, sizeof moved, ".deep-%u", removal->moved++);
        if (!renameat2(fd, name, removal->top, moved, RENAME_NOREPLACE) || errno == ENOENT)
            return 0;
        if (errno != EEXIST)
            return err_errno(err, "cannot move directory '%s' to remove it", name);
    }
}

/* Again, until nothing more has moved to the top. */
static int remove_top(struct removal *removal, int fd, struct err *err)
{
    unsigned moved;
    int r;

    removal->top = fd;
    do {
        moved = removal->moved;
        r = remove_children(removal, fd, 1, err);
    } while (!r && removal->moved != moved);
    return r;
}

/* Removes one entry of directory `fd`; directories of another mount are left alone (EXDEV). */
static int remove_entry(struct removal *removal, int fd, const char *name, int level,
                        struct err *err)
{
    cleanup_close int child = -1;
    uint64_t mount;
    int r;

    if (!unlinkat(fd, name, 0) || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(err, "cannot remove '%s'", name);
    if (!unlinkat(fd, name, AT_REMOVEDIR) || errno == ENOENT)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return err_errno(err, "cannot remove directory '%s'", name);
    if (level == LEVELS_MAX)
        return move_to_top(removal, fd, name, err);
    child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0 && errno == ENOENT)
        return 0;
    if (child < 0 || mount_of(child, "", &mount) < 0)
        return err_errno(err, "cannot open directory '%s' to remove it", name);
    if (mount != removal->mount)
        return err_set(err, EXDEV, "'%s' is a mount point: not removed", name);
    r = level ? remove_children(removal, child, level + 1, err) : remove_top(removal, child, err);
    if (r < 0)
        return err_wrap(err, "'%s'", name);
    if (unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove directory '%s'", name);
    return 0;
}

struct dirent *file_next_entry(DIR *dir)
{
    struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(dir);
    } while (entry && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
    return entry;
}

static int remove_children(struct removal *removal, int fd, int level, struct err *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!dir)
        return err_errno(err, "cannot list the directory");
    rewinddir(dir); /* a copy shares its position with the original */
    while ((entry = file_next_entry(dir))) {
        int r = remove_entry(removal, fd, entry->d_name, level, err);

        if (r < 0)
            return r;
    }
    return errno ? err_errno(err, "cannot list the directory") : 0;
}

int file_remove_tree(int dirfd, const char *path, struct err *err)
{
    struct removal removal = {.top = -1};

    if (mount_of(dirfd, path, &removal.mount) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot stat '%s'", path);
    return remove_entry(&removal, dirfd, path, 0, err);
}

/* The inodes with several links that were counted already, sorted. */
struct inode_set {
    ino_t *inodes;
    size_t len, room;
};

static bool inode_seen(struct inode_set *set, ino_t inode)
{
    size_t low = 0, high = set->len;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (set->inodes[middle] == inode)
            return true;
        if (set->inodes[middle] < inode)
            low = middle + 1;
        else
            high = middle;
    }
    if (set->len == set->room) {
        set->room = set->room ? 2 * set->room : 64;
        set->inodes = mem_grow(set->inodes, set->room, sizeof *set->inodes);
    }
    memmove(set->inodes + low + 1, set->inodes + low, (set->len - low) * sizeof *set->inodes);
    set->inodes[low] = inode;
    set->len++;
    return false;
}

static int add_tree_size(int fd, struct inode_set *seen, unsigned long long *bytes, struct err *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!dir)
        return err_errno(err, "cannot list the directory");
    while ((entry = file_next_entry(dir))) {
        struct stat st;

        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue; /* it went while we looked */
        if (S_ISREG(st.st_mode) && (st.st_nlink == 1 || !inode_seen(seen, st.st_ino)))
            *bytes += (unsigned long long)st.st_size;
        if (S_ISDIR(st.st_mode)) {
            cleanup_close int child =
                openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            if (child >= 0 && add_tree_size(child, seen, bytes, err) < 0)
                return err_wrap(err, "'%s'", entry->d_name);
        }
    }
    return errno ? err_errno(err, "cannot list the directory") : 0;
}

int file_tree_size(int dirfd, const char *path, unsigned long long *ret_bytes, struct err *err)
{
    cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct inode_set seen = {0};
    unsigned long long bytes = 0;
    int r;

    if (fd < 0)
        return err_errno(err, "cannot open '%s'", path);
    r = add_tree_size(fd, &seen, &bytes, err);
    free(seen.inodes);
    if (!r)
        *ret_bytes = bytes;
    return r;
}

int file_memfd(const char *name, const void *data, size_t len, struct err *err)
{
    cleanup_close int fd = memfd_create(name, MFD_CLOEXEC);
    int r;

    if (fd < 0)
        return err_errno(err, "cannot make a memory file");
    r = file_write(fd, data, len);
    if (r < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        errno = r < 0 ? -r : errno;
        return err_errno(err, "cannot fill a memory file");
    }
    return steal_fd(&fd);
}
