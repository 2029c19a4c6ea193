/* One entry of the tar becomes one file.
 *
 * Order matters in what is set: the owner first, because chown(2) clears the set-user-ID bits and
 * the file capability; then the mode, because it would be masked by an ACL; then extended
 * attributes; the times last, because everything else changes them. All of it by descriptor where
 * the kernel lets us, and never following the last component. */
#include "image/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"

#define PAGE 4096

/* --- attributes ------------------------------------------------------------------------------- */

static int check_owner(int64_t id, const char *what, struct err *err)
{
    if (id < 0 || id >= UINT32_MAX) /* (uid_t)-1 means "unchanged" to chown */
        return err_set(err, EINVAL, "its %s %" PRId64 " is out of range", what, id);
    return 0;
}

static int read_attributes(struct archive_entry *entry, struct layer_attributes *ret,
                           struct err *err)
{
    int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
    int64_t mtime = archive_entry_mtime(entry);
    long ns = archive_entry_mtime_nsec(entry);
    int r = check_owner(uid, "owner", err);

    if (!r)
        r = check_owner(gid, "group", err);
    if (r < 0)
        return r;
    ret->uid = (uid_t)uid;
    ret->gid = (gid_t)gid;
    ret->mode = archive_entry_perm(entry) & 07777;
    ret->times[1].tv_sec = mtime == INT64_MIN ? -INT64_MAX : mtime; /* pax's least */
    ret->times[1].tv_nsec = ns >= 0 && ns < 1000000000 ? ns : 0;
    ret->times[0] = ret->times[1];
    ret->entry = entry;
    return 0;
}

static int set_attributes(int fd, const struct layer_attributes *a, struct err *err)
{
    if (fchown(fd, a->uid, a->gid) < 0)
        return err_errno(err, "cannot set its owner to %u:%u", a->uid, a->gid);
    if (fchmod(fd, a->mode) < 0)
        return err_errno(err, "cannot set its mode to %04o", a->mode);
    return layer_set_xattrs(fd, a->entry, err);
}

/* For what cannot be opened without consequences: symlinks, devices, fifos. */
static int set_attributes_at(int parent, const char *name, bool has_mode,
                             const struct layer_attributes *a, struct err *err)
{
    if (fchownat(parent, name, a->uid, a->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot set its owner to %u:%u", a->uid, a->gid);
    /* Not a symlink, because we made it and nobody else is here: fchmodat has no flag for it
     * before 6.6. */
    if (has_mode && fchmodat(parent, name, a->mode, 0) < 0)
        return err_errno(err, "cannot set its mode to %04o", a->mode);
    if (layer_set_xattrs_at(parent, name, a->entry, err) < 0)
        return -err->code;
    if (utimensat(parent, name, a->times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(err, "cannot set its times");
    return 0;
}

/* --- what was there --------------------------------------------------------------------------- */

/* The last entry of a name wins: takes away what is there. *ret_hides is set when that was a
 * whiteout, so that a directory in its place knows it has to hide the lower one. */
static int make_way(struct layer_tree *t, int parent, const char *name, bool *ret_hides,
                    struct err *err)
{
    struct stat st;
    int r;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(err, "cannot stat what was there");
    *ret_hides = layer_is_whiteout(&st);
    r = file_remove_tree(parent, name, err);
    if (r < 0)
        return err_wrap(err, "cannot replace what was there");
    if (!S_ISREG(st.st_mode))
        layer_forget_parent(t);
    return 0;
}

/* --- regular files ---------------------------------------------------------------------------- */

/* pwrite(2): holes are passed over by offset, and the descriptor's own position is nobody's. */
static int write_at(int fd, const char *data, size_t len, int64_t offset)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
        offset += n;
    }
    return 0;
}

static bool is_zero(const char *data, size_t len)
{
    return !*data && (len == 1 || !memcmp(data, data + 1, len - 1));
}

/* How much of a block is one stretch: zeros in whole pages of the file, or what is none. */
static size_t stretch(const char *data, size_t len, int64_t offset, bool *ret_zero)
{
    size_t n = 0;

    while (n < len) {
        size_t page = PAGE - (size_t)((offset + (int64_t)n) % PAGE);
        bool zero = page <= len - n && page == PAGE && is_zero(data + n, page);

        if (n && zero != *ret_zero)
            break;
        *ret_zero = zero;
        n += page < len - n ? page : len - n;
    }
    return n;
}

/* Tars have no holes (tar.h), so pages of zeros become some: a sparse file comes out as small as it
 * was. Looking costs next to nothing, most pages are told by their first byte. */
static int write_stretches(int fd, const char *data, size_t len, int64_t offset, int64_t *ret_end)
{
    while (len) {
        bool zero = false;
        size_t n = stretch(data, len, offset, &zero);

        if (!zero && write_at(fd, data, n, offset) < 0)
            return -1;
        data += n;
        offset += (int64_t)n;
        len -= n;
        if (!zero)
            *ret_end = offset;
    }
    return 0;
}

/* Before the bytes are written: a layer that inflates to a thousand times its size must not fill
 * the disk first. */
static int check_quota(struct layer_tree *t, size_t more, struct err *err)
{
    t->written += more;
    if (t->written <= t->limits.max_bytes)
        return 0;
    if (t->disk_limits)
        return err_set(err, ENOSPC,
                       "the layer unpacks to more than the %" PRIu64
                       " bytes allowed, half of what is free on the disk: No space left on device",
                       t->limits.max_bytes);
    return err_set(err, EFBIG, "the layer unpacks to more than the %" PRIu64 " bytes allowed",
                   t->limits.max_bytes);
}

/* Holes come as gaps between the blocks, and at the end as a size beyond the last one. */
static int write_content(struct layer_tree *t, struct archive *tar, int fd, int64_t size,
                         struct err *err)
{
    int64_t end = 0, written = 0, offset;
    const void *data;
    size_t len;
    int r;

    while ((r = archive_read_data_block(tar, &data, &len, &offset)) == ARCHIVE_OK) {
        if (!len)
            continue;
        if (offset < end || offset > INT64_MAX - (int64_t)len || offset + (int64_t)len > size)
            return err_set(err, EINVAL, "its data is not where its header says");
        if (check_quota(t, len, err) < 0)
            return -err->code;
        if (write_stretches(fd, data, len, offset, &written) < 0)
            return err_errno(err, "cannot write");
        end = offset + (int64_t)len;
    }
    /* There are writers that stop behind the last file's data, without the padding to a block and
     * without the two empty ones (umoci insert). All the data is here, so it is the end, as it is
     * for docker; whether anything is missing the diffID tells. */
    t->ended = r == ARCHIVE_FATAL && end == size && t->input_ended;
    if (r != ARCHIVE_EOF && !t->ended)
        return err_set(err, EINVAL, "%s", archive_error_string(tar));
    if (written < size && ftruncate(fd, size) < 0)
        return err_errno(err, "cannot set its size to %" PRId64, size);
    return 0;
}

/* O_EXCL is both the test whether something is there and the guard against writing through it: a
 * symlink, a device, a file that has another name. */
static int make_regular(struct layer_tree *t, struct archive *tar, int parent, const char *name,
                        const struct layer_attributes *a, struct err *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    cleanup_close int fd = openat(parent, name, flags, 0600);
    int64_t size = archive_entry_size(a->entry);
    bool hides;

    if (fd < 0 && errno == EEXIST) {
        if (make_way(t, parent, name, &hides, err) < 0)
            return -err->code;
        fd = openat(parent, name, flags, 0600);
    }
    if (fd < 0)
        return err_errno(err, "cannot create it");
    if (size < 0)
        return err_set(err, EINVAL, "its size is negative");
    if (size && write_content(t, tar, fd, size, err) < 0)
        return -err->code;
    if (set_attributes(fd, a, err) < 0)
        return -err->code;
    if (futimens(fd, a->times) < 0)
        return err_errno(err, "cannot set its times");
    t->size += (uint64_t)size;
    return 0;
}

/* --- directories ------------------------------------------------------------------------------ */

static int remember_times(struct layer_tree *t, const char *path, const struct timespec times[2],
                          struct err *err)
{
    struct layer_dir *d;

    if (layer_remember(t, strlen(path) + sizeof *d, err) < 0)
        return -err->code;
    if (t->dir_count == t->dir_room) {
        t->dir_room = t->dir_room ? 2 * t->dir_room : 256;
        t->dirs = mem_grow(t->dirs, t->dir_room, sizeof *t->dirs);
    }
    d = &t->dirs[t->dir_count++];
    d->path = str_copy(path);
    memcpy(d->times, times, sizeof d->times);
    return 0;
}

/* In the tar's order, so that of two entries for one directory the last one wins. A directory that
 * gave way to something else later is not there any more. */
int layer_set_dir_times(struct layer_tree *t, struct err *err)
{
    for (size_t i = 0; i < t->dir_count; i++) {
        cleanup_close int fd =
            beneath_open(t->root, t->dirs[i].path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 0);

        if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
            continue;
        if (fd < 0 || futimens(fd, t->dirs[i].times) < 0)
            return err_set(err, fd < 0 ? -fd : errno, "cannot set the times of directory '%s'",
                           t->dirs[i].path);
    }
    return 0;
}

/* A directory over a directory is the same directory with the later header. 0700 until its owner is
 * known. */
static int make_directory(struct layer_tree *t, int parent, const char *name, const char *path,
                          const struct layer_attributes *a, struct err *err)
{
    cleanup_close int fd = -1;
    bool hides = false;
    struct stat st;

    if (mkdirat(parent, name, 0700) < 0) {
        if (errno != EEXIST || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(err, "cannot make it");
        if (!S_ISDIR(st.st_mode)) {
            if (make_way(t, parent, name, &hides, err) < 0)
                return -err->code;
            if (mkdirat(parent, name, 0700) < 0)
                return err_errno(err, "cannot make it");
        }
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot open it");
    if ((hides && layer_set_opaque(fd, err) < 0) || set_attributes(fd, a, err) < 0)
        return -err->code;
    layer_fixups_named(t->fixups, path);
    return remember_times(t, path, a->times, err);
}

int layer_root_entry(struct layer_tree *t, struct archive_entry *entry, struct err *err)
{
    struct layer_attributes a;

    /* CVE-2021-29136: a root that is a symlink would turn everything after it out of the root. */
    if (archive_entry_filetype(entry) != AE_IFDIR || archive_entry_hardlink(entry))
        return err_set(err, EINVAL, "the layer's root is not a directory");
    if (read_attributes(entry, &a, err) < 0 || set_attributes(t->root, &a, err) < 0)
        return -err->code;
    layer_fixups_named(t->fixups, "");
    return remember_times(t, "", a.times, err);
}

/* --- links and special files ------------------------------------------------------------------ */

/* The target is text: it may lead anywhere, because the container resolves it, and nothing here
 * ever follows it. */
static int make_symlink(struct layer_tree *t, int parent, const char *name,
                        const struct layer_attributes *a, struct err *err)
{
    const char *target = archive_entry_symlink(a->entry);
    bool hides;

    if (!target || !*target)
        return err_set(err, EINVAL, "the symlink has no target");
    if (symlinkat(target, parent, name) < 0) {
        if (errno != EEXIST)
            return err_errno(err, "cannot make the symlink to '%s'", target);
        if (make_way(t, parent, name, &hides, err) < 0)
            return -err->code;
        if (symlinkat(target, parent, name) < 0)
            return err_errno(err, "cannot make the symlink to '%s'", target);
    }
    t->size += strlen(target); /* docker counts it, and so does du --apparent-size */
    return set_attributes_at(parent, name, false, a, err);
}

/* Devices are legal in a layer: the container's device cgroup decides what can be opened. */
static int make_node(struct layer_tree *t, int parent, const char *name,
                     const struct layer_attributes *a, struct err *err)
{
    mode_t type = archive_entry_filetype(a->entry);
    dev_t device = type == AE_IFIFO ? 0
                                    : makedev(archive_entry_rdevmajor(a->entry),
                                              archive_entry_rdevminor(a->entry));
    bool hides;

    if (type == AE_IFCHR && device == makedev(0, 0))
        return err_set(err, EINVAL, "character device 0:0 is overlayfs's whiteout: refused");
    if (mknodat(parent, name, type | 0600, device) < 0) {
        if (errno != EEXIST)
            return err_errno(err, "cannot make the device or fifo");
        if (make_way(t, parent, name, &hides, err) < 0)
            return -err->code;
        if (mknodat(parent, name, type | 0600, device) < 0)
            return err_errno(err, "cannot make the device or fifo");
    }
    return set_attributes_at(parent, name, true, a, err);
}

/* True when `name` in `parent` is `target_name` in `target`: a link to itself must not remove
 * itself. */
static bool same_file(int parent, const char *name, const struct stat *target)
{
    struct stat st;

    return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == target->st_dev &&
           st.st_ino == target->st_ino;
}

/* The target's directory is resolved inside the root, the target itself is not followed: a link to
 * a symlink is another name of the symlink. Metadata is the target's: changing it through the new
 * name would follow a symlink in the wrong place (CVE-2021-32760). */
static int make_hard_link(struct layer_tree *t, int parent, const char *name, const char *path,
                          const char *target, struct err *err)
{
    char clean[LAYER_PATH_MAX];
    cleanup_close int from = -1;
    const char *slash, *last;
    struct stat st;
    bool hides;

    if (layer_clean_path(target, clean, err) < 0 || !*clean)
        return err_set(err, EINVAL, "the hard link to '%s' leads out of the layer", target);
    slash = strrchr(clean, '/');
    last = slash ? slash + 1 : clean;
    if (slash) {
        cleanup_free char *dir = str_copy_n(clean, (size_t)(slash - clean));

        from = beneath_open(t->root, dir, O_PATH | O_DIRECTORY, 0, 0);
    } else {
        from = beneath_open(t->root, "", O_PATH | O_DIRECTORY, 0, 0);
    }
    if (from < 0 && from != -ENOENT && from != -ENOTDIR)
        return err_set(err, -from, "cannot open the directory of hard link target '%s': %s", target,
                       strerror(-from));
    if (from < 0 || fstatat(from, last, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (make_way(t, parent, name, &hides, err) < 0)
            return -err->code;
        return layer_fixups_link(t, path, clean, err);
    }
    if (S_ISDIR(st.st_mode) || layer_is_whiteout(&st))
        return err_set(err, EINVAL, "the hard link's target '%s' is a %s", target,
                       S_ISDIR(st.st_mode) ? "directory" : "deleted file");
    if (same_file(parent, name, &st))
        return 0;
    if (make_way(t, parent, name, &hides, err) < 0)
        return -err->code;
    if (linkat(from, last, parent, name, 0) < 0)
        return err_errno(err, "cannot make the hard link to '%s'", target);
    return 0;
}

int layer_make_entry(struct layer_tree *t, struct archive *tar, struct archive_entry *entry,
                     const char *path, struct err *err)
{
    const char *hard_link = archive_entry_hardlink(entry), *name;
    struct layer_attributes a;
    int parent = layer_open_parent(t, path, &name, err);

    if (parent < 0)
        return parent;
    if (hard_link)
        return make_hard_link(t, parent, name, path, hard_link, err);
    if (read_attributes(entry, &a, err) < 0)
        return -err->code;
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return make_regular(t, tar, parent, name, &a, err);
    case AE_IFDIR:
        return make_directory(t, parent, name, path, &a, err);
    case AE_IFLNK:
        return make_symlink(t, parent, name, &a, err);
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO:
        return make_node(t, parent, name, &a, err);
    case AE_IFSOCK: /* means nothing without the process that listens on it */
        return 0;
    default:
        return err_set(err, EINVAL, "it is of no known type");
    }
}
