/* cp from stdin. libarchive reads the tar, whichever way it is packed; names in it are foreign, and
 * are resolved beneath the directory they go into. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "engine/copy.h"
#include "engine/internal.h"

#define BLOCK 65536

struct unpacking {
    struct archive *tar;
    int to;
    const struct copy_rules *rules;
    uint64_t bytes;
};

static int fail(struct unpacking *u, struct err *err)
{
    const char *why = archive_error_string(u->tar);

    return err_set(err, EINVAL, "Error processing tar file: %s", why ? why : "it cannot be read");
}

/* The directory an entry goes into, made where it is missing, and the entry's name in it. */
static int open_parent(struct unpacking *u, const char *path, char ret_name[256], struct err *err)
{
    int fd = beneath_parent(u->to, path, true, ret_name, err);

    return fd < 0 && !err->code ? err_set(err, -fd, "bad name") : fd;
}

/* A directory stays if one is wanted; of all else the new one takes the place. 1: it stays. */
static int make_way(int dir, const char *name, bool directory, struct err *err)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot stat what is there");
    if (S_ISDIR(st.st_mode) && directory)
        return 1;
    if (S_ISDIR(st.st_mode))
        return err_set(err, EISDIR, "cannot overwrite directory \"%s\" with non-directory", name);
    if (directory)
        return err_set(err, ENOTDIR, "cannot overwrite non-directory \"%s\" with directory", name);
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return err_errno(err, "cannot replace what is there");
    return 0;
}

static int write_content(struct unpacking *u, int fd, struct err *err)
{
    const void *data;
    size_t len;
    int64_t offset;
    int r;

    while ((r = archive_read_data_block(u->tar, &data, &len, &offset)) == ARCHIVE_OK) {
        if (lseek(fd, offset, SEEK_SET) < 0)
            return err_errno(err, "cannot seek");
        r = file_write(fd, data, len);
        if (r < 0)
            return err_set(err, -r, "cannot write: %s", strerror(-r));
    }
    return r == ARCHIVE_EOF ? 0 : fail(u, err);
}

static int make_file(struct unpacking *u, struct archive_entry *entry, int dir, const char *name,
                     struct err *err)
{
    cleanup_close int fd =
        openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(err, "cannot create it");
    if (write_content(u, fd, err) < 0)
        return -err->code;
    return ftruncate(fd, archive_entry_size(entry)) < 0 ? err_errno(err, "cannot set its size") : 0;
}

/* To a name of the same tar: found without following anything. */
static int make_link(struct unpacking *u, struct archive_entry *entry, int dir, const char *name,
                     struct err *err)
{
    char target[256];
    cleanup_close int parent = open_parent(u, archive_entry_hardlink(entry), target, err);
    cleanup_close int fd =
        parent < 0 ? -1 : openat(parent, target, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (parent < 0)
        return parent;
    if (fd < 0 || linkat(fd, "", dir, name, AT_EMPTY_PATH) < 0)
        return err_errno(err, "cannot make the hard link to '%s'", archive_entry_hardlink(entry));
    return 0;
}

static int make_node(struct archive_entry *entry, int dir, const char *name, struct err *err)
{
    mode_t type = archive_entry_filetype(entry);
    int r = -1;

    if (type == AE_IFLNK)
        r = symlinkat(archive_entry_symlink(entry), dir, name);
    else if (type == AE_IFIFO || type == AE_IFCHR || type == AE_IFBLK)
        r = mknodat(dir, name, type | 0600, archive_entry_rdev(entry));
    else
        errno = EINVAL;
    return r < 0 ? err_errno(err, "cannot make it") : 0;
}

/* By name in a directory that is open: what was made there a moment ago, or a symlink that somebody
 * put in its place, which is not followed. */
static int set_metadata(struct archive_entry *entry, int dir, const char *name, struct err *err)
{
    const struct timespec when = {.tv_sec = archive_entry_mtime(entry),
                                  .tv_nsec = archive_entry_mtime_nsec(entry)};
    const struct timespec times[2] = {when, when};
    cleanup_close int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    cleanup_free char *path = str_format("/proc/self/fd/%d", fd);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 ||
        fchownat(fd, "", (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry),
                 AT_EMPTY_PATH) < 0)
        return err_errno(err, "cannot set its owner");
    /* chmod(2) has no form for such a descriptor before 6.6; its entry in /proc is one. */
    if (!S_ISLNK(st.st_mode) && chmod(path, archive_entry_perm(entry) & 07777) < 0)
        return err_errno(err, "cannot set its mode");
    if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot set its times");
    return 0;
}

static int unpack_entry(struct unpacking *u, struct archive_entry *entry, struct err *err)
{
    bool directory = archive_entry_filetype(entry) == AE_IFDIR && !archive_entry_hardlink(entry);
    char name[256];
    cleanup_close int dir = open_parent(u, archive_entry_pathname(entry), name, err);
    int r = dir < 0 ? dir : make_way(dir, name, directory, err);

    if (r < 0)
        return r;
    if (archive_entry_hardlink(entry))
        return make_link(u, entry, dir, name, err);
    if (directory)
        r = !r && mkdirat(dir, name, 0700) < 0 ? err_errno(err, "cannot make the directory") : 0;
    else if (archive_entry_filetype(entry) == AE_IFREG)
        r = make_file(u, entry, dir, name, err);
    else
        r = make_node(entry, dir, name, err);
    return r < 0 ? r : set_metadata(entry, dir, name, err);
}

/* The directory itself ("./") is there and stays as it is. */
static bool names_top(const char *path)
{
    return !path[strspn(path, "./")];
}

static int unpack_all(struct unpacking *u, struct err *err)
{
    struct archive_entry *entry;
    int r;

    while ((r = archive_read_next_header(u->tar, &entry)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
        const char *path = archive_entry_pathname(entry);

        if (!path)
            return fail(u, err);
        if (names_top(path))
            continue;
        u->bytes += 512 + (uint64_t)archive_entry_size(entry);
        if (u->rules->options->progress)
            u->rules->options->progress(u->rules->options->context, u->bytes);
        if (unpack_entry(u, entry, err) < 0)
            return err_wrap(err, "Error processing tar file: '%.300s'", path);
    }
    return r == ARCHIVE_EOF ? 0 : fail(u, err);
}

int copy_unpack(int tar, int to, const struct copy_rules *rules, uint64_t *bytes, struct err *err)
{
    struct unpacking u = {.tar = archive_read_new(), .to = to, .rules = rules};
    int r;

    archive_read_support_filter_all(u.tar);
    archive_read_support_format_tar(u.tar);
    r = archive_read_open_fd(u.tar, tar, BLOCK) == ARCHIVE_OK ? unpack_all(&u, err) : fail(&u, err);
    archive_read_free(u.tar);
    *bytes = u.bytes;
    return r;
}

int engine_copy_in_tar(struct engine *e, const struct container *c, int tar, const char *to,
                       const struct copy_options *options, uint64_t *ret_bytes, struct err *err)
{
    struct copy_rules rules = {.options = options};
    struct copy_root root;
    cleanup_close int dir = copy_open_directory(e, c, to, options, &root, err);
    int r;

    if (dir < 0)
        return dir;
    r = copy_unpack(tar, dir, &rules, ret_bytes, err);
    copy_root_close(e, c, &root);
    if (r == -EROFS)
        return copy_read_only(c, err);
    if (!r)
        container_event(e, c, "extract-to-dir", NULL);
    return r;
}
