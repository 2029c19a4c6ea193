/* The files of an archive by their names. libarchive reads the headers once, over a file that can
 * be sought in; from then on every member is a place in that file, to be read by pread(2) from any
 * thread, in any order. That is why a pipe, or a compressed file, is written to disk first. */
#include "image/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "image/image.h"
#include "image/inflate.h"

#define BLOCK       512
#define PIECE       (256u << 10)
#define MEMBERS_MAX 200000
#define LINKS_MAX   8

struct member {
    char *name; /* cleaned */
    char *link; /* cleaned target of a link in the archive; NULL: a file */
    uint64_t offset, size;
    int fd; /* of a layout's file, once opened; else -1 */
};

struct image_archive {
    int fd;
    bool directory;
    void *members; /* tsearch(3) tree of struct member, by name */
    size_t count;
};

/* --- coming in -------------------------------------------------------------------------------- */

/* "ustar" is at the same place in old, GNU and pax tars; what is compressed has no use for it
 * there. */
bool image_archive_is_plain(int fd)
{
    unsigned char block[BLOCK];

    return pread(fd, block, sizeof block, 0) == sizeof block && !memcmp(block + 257, "ustar", 5);
}

/* Where a spooled archive goes. */
struct spool {
    int to;
    uint64_t left; /* how much more it may become */
    char *piece;
};

static void *spool_room(void *context, size_t *ret_room)
{
    struct spool *s = context;

    *ret_room = PIECE;
    return s->piece;
}

/* Half of the disk and no more, counted as it comes: the layers have to be unpacked beside it, and
 * a bomb must not take what containers live on. */
static int spool_filled(void *context, size_t len, struct err *err)
{
    struct spool *s = context;
    int r;

    if (len > s->left)
        return err_set(err, ENOSPC,
                       "the archive is larger than half of what is free on the disk: No space left "
                       "on device");
    s->left -= len;
    r = file_write(s->to, s->piece, len);
    if (r < 0) {
        errno = -r;
        return err_errno(err, "cannot write the archive to disk");
    }
    return 0;
}

static int feed_all(struct inflate *z, int from, const volatile bool *cancelled, struct err *err)
{
    cleanup_free char *piece = mem_alloc(PIECE);

    for (;;) {
        ssize_t n = read(from, piece, PIECE); /* a pipe's writer may be slow */
        int r;

        if (cancelled && *cancelled)
            return err_set(err, ECANCELED, "cancelled");
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "cannot read the archive");
        if (!n)
            return inflate_end(z, err);
        r = inflate_feed(z, piece, (size_t)n, err);
        if (r < 0)
            return r;
    }
}

int image_archive_spool(int from, int to, const volatile bool *cancelled, struct err *err)
{
    struct spool s = {.to = to, .left = UINT64_MAX, .piece = mem_alloc(PIECE)};
    const struct inflate_output output = {spool_room, spool_filled, &s};
    struct inflate *z = NULL;
    struct statvfs fs;
    int r = inflate_new(NULL, &output, &z, err);

    if (fstatvfs(to, &fs) == 0 && fs.f_blocks) /* a tmpfs without a limit counts nothing */
        s.left = (uint64_t)fs.f_bavail * fs.f_frsize / 2;
    if (!r)
        r = feed_all(z, from, cancelled, err);
    inflate_free(z);
    free(s.piece);
    return r;
}

/* --- listing ---------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static void member_free(void *p)
{
    struct member *m = p;

    close_fd(&m->fd);
    free(m->name);
    free(m->link);
    free(m);
}

/* "./a//b/../c" -> "a/c"; NULL for what climbs out. */
static char *clean(const char *dir, const char *name)
{
    struct buf path = {0};
    cleanup_free char *whole = str_format("%s/%s", dir, name);

    buf_add_str(&path, "");
    for (const char *p = whole; *p;) {
        size_t n = strcspn(p, "/");

        if (n == 2 && !strncmp(p, "..", 2)) {
            if (!path.len) {
                buf_free(&path);
                return NULL;
            }
            while (path.len && path.data[--path.len] != '/')
                ;
            path.data[path.len] = 0;
        } else if (n && !(n == 1 && *p == '.')) {
            if (path.len)
                buf_add_char(&path, '/');
            buf_add(&path, p, n);
        }
        p += n + (p[n] == '/');
    }
    return buf_steal(&path);
}

/* The last one of a name counts, as for whoever unpacks the tar. */
static int add_member(struct image_archive *a, char *name, char *link, uint64_t offset,
                      uint64_t size, struct err *err)
{
    struct member *m = mem_alloc(sizeof *m), **found;

    *m = (struct member){name, link, offset, size, -1};
    found = tsearch(m, &a->members, by_name);
    if (!found)
        abort(); /* out of memory, as mem_alloc would */
    if (*found != m) {
        struct member *old = *found;

        *found = m;
        member_free(old);
        return 0;
    }
    if (++a->count > MEMBERS_MAX)
        return err_set(err, E2BIG, "the archive has more than %d members", MEMBERS_MAX);
    return 0;
}

static char *directory_of(const char *name)
{
    const char *slash = strrchr(name, '/');

    return str_copy_n(name, slash ? (size_t)(slash - name) : 0);
}

static int add_entry(struct image_archive *a, struct archive *tar, struct archive_entry *entry,
                     struct err *err)
{
    const char *path = archive_entry_pathname(entry);
    const char *hard = archive_entry_hardlink(entry), *soft = archive_entry_symlink(entry);
    cleanup_free char *name = path ? clean("", path) : NULL, *link = NULL, *dir = NULL;
    bool file = archive_entry_filetype(entry) == AE_IFREG;

    if (!name)
        return err_set(err, EINVAL, "the archive has a member '%.100s': refused", path ? path : "");
    if (archive_entry_sparse_count(entry))
        return err_set(err, EINVAL, "member '%.100s' is a sparse file: not in an image archive",
                       name);
    dir = directory_of(name);
    link = hard ? clean("", hard) : soft ? clean(dir, soft) : NULL;
    if (!file && !link) /* directories are of no interest, nor a link that leads out */
        return 0;
    return add_member(a, steal_ptr(&name), steal_ptr(&link), (uint64_t)archive_filter_bytes(tar, 0),
                      file && !hard ? (uint64_t)archive_entry_size(entry) : 0, err);
}

static int list_tar(struct image_archive *a, struct archive *tar, struct err *err)
{
    struct archive_entry *entry;
    int r;

    while ((r = archive_read_next_header(tar, &entry)) != ARCHIVE_EOF) {
        if (r < ARCHIVE_WARN)
            return err_set(err, EINVAL, "the archive is damaged: %s", archive_error_string(tar));
        if (add_entry(a, tar, entry, err) < 0)
            return -err->code;
    }
    return a->count ? 0 : err_set(err, EINVAL, "the archive is empty");
}

static int open_tar(struct image_archive *a, struct err *err)
{
    struct archive *tar = archive_read_new();
    int r;

    if (!tar)
        return err_set(err, ENOMEM, "no memory to read the archive");
    if (lseek(a->fd, 0, SEEK_SET) < 0)
        r = err_errno(err, "cannot go to the archive's beginning");
    else if (archive_read_support_format_tar(tar) != ARCHIVE_OK ||
             archive_read_open_fd(tar, a->fd, 64 << 10) != ARCHIVE_OK)
        r = err_set(err, EINVAL, "this is no tar archive: %s", archive_error_string(tar));
    else
        r = list_tar(a, tar, err);
    archive_read_free(tar);
    return r;
}

int image_archive_open(int fd, struct image_archive **ret, struct err *err)
{
    struct image_archive *a = mem_alloc(sizeof *a);
    struct stat st;
    int r = fstat(fd, &st) < 0 ? err_errno(err, "cannot stat the archive") : 0;

    a->fd = fd;
    a->directory = !r && S_ISDIR(st.st_mode);
    if (!r && !a->directory)
        r = st.st_size ? open_tar(a, err) : err_set(err, EINVAL, "the archive is empty");
    if (r < 0) {
        image_archive_close(a);
        return r;
    }
    *ret = a;
    return 0;
}

void image_archive_close(struct image_archive *a)
{
    if (!a)
        return;
    tdestroy(a->members, member_free);
    free(a);
}

/* --- finding ---------------------------------------------------------------------------------- */

/* A layout's files are opened beneath it, and stay open: few are asked for twice, none for long. */
static int open_member(struct image_archive *a, const char *name, struct err *err)
{
    cleanup_close int fd = beneath_open(a->fd, name, O_RDONLY | O_NONBLOCK, 0, 0);
    struct stat st;
    struct member *m, **found;

    if (fd == -ENOENT || fd == -ENOTDIR)
        return -ENOENT;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, fd < 0 ? -fd : errno, "cannot open '%s' of the layout", name);
    if (!S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "'%s' of the layout is no regular file", name);
    if (add_member(a, str_copy(name), NULL, 0, (uint64_t)st.st_size, err) < 0)
        return -err->code;
    m = &(struct member){.name = (char *)name};
    found = tfind(m, &a->members, by_name);
    (*found)->fd = steal_fd(&fd);
    return 0;
}

static struct member *look_up(struct image_archive *a, const char *name)
{
    const struct member key = {.name = (char *)name};
    struct member **found = tfind(&key, &a->members, by_name);

    return found ? *found : NULL;
}

/* docker-archives of old have each layer once and links to it; skopeo's link from one directory
 * into another. Only what stays inside of the archive is followed. */
int image_archive_find(struct image_archive *a, const char *name, struct archive_member *ret,
                       struct err *err)
{
    cleanup_free char *path = clean("", name);
    struct member *m = path ? look_up(a, path) : NULL;
    struct stat st;

    if (!m && path && a->directory) {
        int r = open_member(a, path, err);

        if (r < 0)
            return r;
        m = look_up(a, path);
    }
    for (int hops = 0; m && m->link; hops++) {
        if (hops == LINKS_MAX)
            return err_set(err, ELOOP, "member '%s' is a link to itself", name);
        m = look_up(a, m->link);
    }
    if (!m)
        return -ENOENT;
    *ret = (struct archive_member){a->directory ? m->fd : a->fd, m->offset, m->size};
    if (fstat(ret->fd, &st) < 0 || (uint64_t)st.st_size < ret->offset + ret->size)
        return err_set(err, EINVAL, "the archive ends in the middle of member '%s'", name);
    return 0;
}

int image_archive_load(struct image_archive *a, const char *name, size_t max, struct buf *ret,
                       struct err *err)
{
    struct archive_member member;
    int r = image_archive_find(a, name, &member, err);

    if (r == -ENOENT)
        return err_set(err, ENOENT, "the archive has no member '%s'", name);
    if (r < 0)
        return r;
    if (member.size > max)
        return err_set(err, EFBIG, "member '%s' of the archive is larger than %zu bytes", name,
                       max);
    buf_reserve(ret, member.size + 1);
    if (pread(member.fd, ret->data, member.size, (off_t)member.offset) != (ssize_t)member.size)
        return err_set(err, EIO, "cannot read member '%s' of the archive", name);
    ret->len = member.size;
    ret->data[ret->len] = 0;
    return 0;
}
