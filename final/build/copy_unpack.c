/* ADD of a tar: whether a file is one its content says, not its name. The tar is unpacked into a
 * directory of its own, which is then copied like any other, its files taken over as they are: what
 * its names and links may do is settled there (layer_unpack), where it goes is settled here. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "build/copy_parts.h"
#include "build/unpack.h"

#define BLOCK 65536

/* libarchive reads the first header, whatever is packed around it. */
static bool has_header(int fd)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    int r;

    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_tar(a);
    r = archive_read_open_fd(a, fd, BLOCK) == ARCHIVE_OK ? archive_read_next_header(a, &entry)
                                                         : ARCHIVE_FATAL;
    archive_read_free(a);
    lseek(fd, 0, SEEK_SET);
    return r == ARCHIVE_OK || r == ARCHIVE_WARN;
}

static bool is_tar(int fd)
{
    char head[UNPACK_HEAD];
    ssize_t n = pread(fd, head, sizeof head, 0);

    return n > 0 && unpack_may_be_tar(head, (size_t)n) && has_header(fd);
}

static int feed_file(struct copy_plan *plan, struct unpack *u, int fd, struct err *err)
{
    cleanup_free char *piece = mem_alloc(BLOCK);
    ssize_t n;

    while ((n = read(fd, piece, BLOCK)) != 0) {
        if (copy_cancelled(plan))
            return err_set(err, ECANCELED, "cancelled");
        if (n < 0 && errno != EINTR)
            return err_errno(err, "cannot read it");
        if (n > 0 && unpack_feed(u, piece, (size_t)n, err) < 0)
            return -err->code;
    }
    return 0;
}

static int unpack(struct copy_plan *plan, int fd, int to, struct err *err)
{
    struct unpack *u;
    int r = unpack_begin(to, &u, err);

    if (r < 0)
        return r;
    r = feed_file(plan, u, fd, err);
    if (r < 0) {
        unpack_abort(u);
        return r;
    }
    return unpack_finish(u, err);
}

/* What the cache knows the source by: the tar as it was when it was unpacked. */
static int note_tar(struct copy_source *s, int fd, struct err *err)
{
    struct copy_entry *e = &s->entries[0];
    struct tree unknown = s->tree;
    struct stat now;

    if (fstat(fd, &now) < 0)
        return err_errno(err, "cannot look at '%s'", e->path);
    unknown.hashes = NULL;
    if ((now.st_size != e->st.st_size ||
         memcmp(&now.st_ctim, &e->st.st_ctim, sizeof now.st_ctim)) &&
        copy_hash_file(&unknown, fd, &now, e->digest, err) < 0)
        return -err->code;
    return 0;
}

/* Its own name goes, and what it was in stays: "x/a.tar" unpacks into "x". */
static void become_directory(struct copy_source *s)
{
    char *slash = strrchr(s->as, '/');

    *(slash ? slash : s->as) = 0;
    free(s->path);
    s->path = str_copy("");
    s->parents = 0;
    s->named = false;
    s->directory = s->unpacked = true;
}

int copy_unpack_source(struct copy_plan *plan, struct copy_source *s, struct err *err)
{
    cleanup_close int fd = follow_open(s->tree.root, s->path, O_RDONLY | O_NONBLOCK);
    cleanup_free char *name = str_copy(s->as);
    int r;

    if (fd < 0 || !S_ISREG(s->entries[0].st.st_mode) || !is_tar(fd))
        return 0;
    if (note_tar(s, fd, err) < 0)
        return -err->code;
    copy_note_known(s);
    r = copy_stage(plan, s, err);
    if (!r)
        r = unpack(plan, fd, s->tree.root, err);
    if (r < 0)
        return err_wrap(err, "ADD failed: '%s'", name);
    s->tree.keep_owner = true;
    s->tree.what = "the archive";
    become_directory(s);
    return copy_walk(plan, s, err);
}
