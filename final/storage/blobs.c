/* blobs.c - content-addressed files: blobs/sha256/<hex> is complete and verified,
 * blobs/partial/<hex> is on its way. Whoever writes a partial file holds its flock(2), which the
 * kernel releases with the process. */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "storage/internal.h"

#define WRITEBACK_EVERY (4 << 20)

static void blob_path(const char *digest, char ret[96])
{
    snprintf(ret, 96, "blobs/sha256/%s", digest_hex(digest));
}

static void partial_path(const char *digest, char ret[96])
{
    snprintf(ret, 96, "blobs/partial/%s", digest_hex(digest));
}

static int check_digest(const char *digest, struct err *err)
{
    return digest_valid(digest) ? 0 : err_set(err, EINVAL, "'%s' is not a sha256 digest", digest);
}

bool store_has_blob(struct store *s, const char *digest, uint64_t *ret_size)
{
    struct stat st;
    char path[96];

    if (!digest_valid(digest))
        return false;
    blob_path(digest, path);
    if (fstatat(s->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    if (ret_size)
        *ret_size = (uint64_t)st.st_size;
    return true;
}

int store_blob_open(struct store *s, const char *digest, struct err *err)
{
    char path[96];
    int fd, r = check_digest(digest, err);

    if (r < 0)
        return r;
    blob_path(digest, path);
    fd = openat(s->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? err_errno(err, "cannot open the blob '%s'", digest) : fd;
}

int store_blob_load(struct store *s, const char *digest, size_t max, struct buf *ret,
                    struct err *err)
{
    cleanup_close int fd = store_blob_open(s, digest, err);

    if (fd < 0)
        return fd;
    if (file_load_fd(fd, max, ret, err) < 0)
        return err_wrap(err, "blob '%s'", digest);
    return 0;
}

/* True if the file we locked is still the one the name leads to: its earlier writer may have
 * published or dropped it while we waited for the lock. */
static bool still_named(struct store *s, const char *path, int fd)
{
    struct stat by_name, by_fd;

    return !fstatat(s->root_fd, path, &by_name, AT_SYMLINK_NOFOLLOW) && !fstat(fd, &by_fd) &&
           by_name.st_ino == by_fd.st_ino;
}

int store_partial_open(struct store *s, const char *digest, int *ret_fd, uint64_t *ret_have,
                       struct err *err)
{
    char path[96];
    int r = check_digest(digest, err);

    if (r < 0)
        return r;
    partial_path(digest, path);
    for (;;) {
        cleanup_close int fd = -1;
        off_t have;

        if (store_has_blob(s, digest, NULL))
            return -EEXIST;
        fd = openat(s->root_fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
            return err_errno(err, "cannot create '%s'", path);
        while ((r = flock(fd, LOCK_EX)) < 0 && errno == EINTR)
            ;
        if (r < 0)
            return err_errno(err, "cannot lock '%s'", path);
        if (!still_named(s, path, fd))
            continue;
        have = lseek(fd, 0, SEEK_END);
        if (have < 0 || lseek(fd, 0, SEEK_SET) < 0)
            return err_errno(err, "cannot find the size of '%s'", path);
        *ret_have = (uint64_t)have;
        *ret_fd = steal_fd(&fd);
        return 0;
    }
}

int store_blob_write(int fd, const void *data, size_t len, struct err *err)
{
    int r = file_write(fd, data, len);
    off_t end = lseek(fd, 0, SEEK_CUR), last = end - (off_t)len;

    if (r < 0)
        return err_set(err, -r, "cannot write the layer's blob: %s", strerror(-r));
    last -= last % WRITEBACK_EVERY;
    end -= end % WRITEBACK_EVERY;
    if (last < end)
        (void)sync_file_range(fd, last, end - last, SYNC_FILE_RANGE_WRITE);
    return 0;
}

int store_partial_publish(struct store *s, const char *digest, int fd, struct err *err)
{
    char from[96], to[96];

    partial_path(digest, from);
    blob_path(digest, to);
    if (fdatasync(fd) < 0)
        return err_errno(err, "cannot write the blob '%s' to disk", digest);
    if (renameat(s->root_fd, from, s->root_fd, to) < 0)
        return err_errno(err, "cannot publish the blob '%s'", digest);
    return 0;
}

int store_partial_drop(struct store *s, const char *digest, struct err *err)
{
    char path[96];

    partial_path(digest, path);
    if (unlinkat(s->root_fd, path, 0) < 0 && errno != ENOENT)
        return err_errno(err, "cannot remove '%s'", path);
    return 0;
}

int store_blob_commit(struct store *s, const char *name, int fd, const char *digest,
                      struct err *err)
{
    cleanup_free char *from = str_format("staging/%s", name);
    char to[96];

    blob_path(digest, to);
    if (fdatasync(fd) < 0)
        return err_errno(err, "cannot write the blob '%s' to disk", digest);
    if (renameat(s->root_fd, from, s->root_fd, to) < 0)
        return err_errno(err, "cannot publish the blob '%s'", digest);
    return 0;
}

int store_blob_put(struct store *s, const char *digest, const void *data, size_t len,
                   struct err *err)
{
    char path[96];
    int r = check_digest(digest, err);

    if (r < 0)
        return r;
    if (store_has_blob(s, digest, NULL))
        return 0;
    blob_path(digest, path);
    return store_file(s, path, data, len, true, err);
}

int store_hold(struct store *s, struct err *err)
{
    cleanup_close int fd =
        openat(s->root_fd, "hold", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return err_errno(err, "cannot open '%s/hold'", s->root);
    while ((r = flock(fd, LOCK_SH)) < 0 && errno == EINTR)
        ;
    return r < 0 ? err_errno(err, "cannot lock '%s/hold'", s->root) : steal_fd(&fd);
}
