/* The bytes of a tar: POSIX.1-2001, pax Interchange Format, "ustar Interchange Format".
 *
 * Everything goes through one buffer: headers are small, files are read right into it, and the sink
 * (a hash, a compressor, a pipe) gets pieces that are worth a call. */
#include "image/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/str.h"

#define BLOCK  512
#define BUFFER (256u << 10)

/* Names of users and groups stay empty: they are the host's, and the layer's /etc/passwd is
 * another. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type[1], link[100];
    char magic[8]; /* "ustar", NUL, version "00" */
    char user[32], group[32], major[8], minor[8], prefix[155], padding[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

static const char magic[8] = {'u', 's', 't', 'a', 'r', 0, '0', '0'};

/* A header is written before its content, so it has promised a size: `remaining` holds the caller
 * to it, because a tar that is off by a byte has no further entry that can be read. */
struct tar_writer {
    tar_sink *sink;
    void *context;
    char *buffer;
    size_t used;
    uint64_t remaining; /* of the file that was begun */
    size_t padding;     /* behind it */
};

struct tar_writer *tar_writer_new(tar_sink *sink, void *context)
{
    struct tar_writer *w = mem_alloc(sizeof *w);

    w->sink = sink;
    w->context = context;
    w->buffer = mem_alloc(BUFFER);
    return w;
}

void tar_writer_free(struct tar_writer *w)
{
    if (!w)
        return;
    free(w->buffer);
    free(w);
}

/* --- the buffer ------------------------------------------------------------------------------- */

static int flush(struct tar_writer *w, struct err *err)
{
    size_t n = w->used;

    w->used = 0;
    return n ? w->sink(w->context, w->buffer, n, err) : 0;
}

/* Room for at least one more byte. */
static int make_room(struct tar_writer *w, struct err *err)
{
    return w->used == BUFFER ? flush(w, err) : 0;
}

static int put(struct tar_writer *w, const void *data, size_t len, struct err *err)
{
    const char *p = data;

    while (len) {
        size_t n;

        if (make_room(w, err) < 0)
            return -err->code;
        n = len < BUFFER - w->used ? len : BUFFER - w->used;
        if (p)
            memcpy(w->buffer + w->used, p, n);
        else
            memset(w->buffer + w->used, 0, n);
        w->used += n;
        p = p ? p + n : NULL;
        len -= n;
    }
    return 0;
}

static size_t padding_of(uint64_t size)
{
    return (size_t)(-size & (BLOCK - 1));
}

/* After the last byte of a file: up to the next block. */
static int pad(struct tar_writer *w, struct err *err)
{
    size_t n = w->remaining ? 0 : w->padding;

    if (!w->remaining)
        w->padding = 0;
    return put(w, NULL, n, err);
}

/* --- headers ---------------------------------------------------------------------------------- */

/* Octal digits and a NUL. False when the value needs more. */
static bool put_number(char *field, size_t room, int64_t value)
{
    char text[32];

    if (value < 0 || snprintf(text, sizeof text, "%0*llo", (int)room - 1,
                              (unsigned long long)value) >= (int)room) {
        memset(field, '0', room - 1);
        return false;
    }
    memcpy(field, text, room);
    return true;
}

static bool put_text(char *field, size_t room, const char *text)
{
    size_t n = strlen(text);

    memcpy(field, text, n < room ? n : room);
    return n <= room;
}

/* Of the header with blanks in the checksum's own place. */
static void put_checksum(struct header *h)
{
    const unsigned char *bytes = (const unsigned char *)h;
    unsigned sum = 0;

    memset(h->checksum, ' ', sizeof h->checksum);
    for (size_t i = 0; i < sizeof *h; i++)
        sum += bytes[i];
    snprintf(h->checksum, sizeof h->checksum, "%06o", sum); /* six digits, NUL, blank */
}

/* "27 path=a/long/name\n": the number counts the whole record, itself included. */
static void add_record(struct buf *records, const char *key, const char *more, const void *value,
                       size_t len)
{
    size_t rest = strlen(key) + strlen(more) + len + 3, total = rest + 1;

    for (int tries = 0; tries < 3; tries++)
        total = rest + (size_t)snprintf(NULL, 0, "%zu", total);
    buf_printf(records, "%zu %s%s=", total, key, more);
    buf_add(records, value, len);
    buf_add_char(records, '\n');
}

static void add_number_record(struct buf *records, const char *key, long long value)
{
    char text[32];

    add_record(records, key, "", text, (size_t)snprintf(text, sizeof text, "%lld", value));
}

/* A hard link is of type '1' whatever it links to: owner, mode and attributes are in the first
 * name's entry, and readers that set them twice set them to the same. */
static char type_of(const struct tar_entry *e)
{
    if (e->hard_link)
        return '1';
    switch (e->mode & S_IFMT) {
    case S_IFDIR:
        return '5';
    case S_IFLNK:
        return '2';
    case S_IFCHR:
        return '3';
    case S_IFBLK:
        return '4';
    case S_IFIFO:
        return '6';
    default:
        return '0';
    }
}

/* Fills the header and, for what does not fit into it, the records of the one before it. Records
 * are in a fixed order, attributes in the caller's. */
static void fill(struct header *h, struct buf *records, const struct tar_entry *e, const char *name)
{
    const char *link = e->hard_link ? e->hard_link : e->symlink ? e->symlink : "";
    bool device = !e->hard_link && (S_ISCHR(e->mode) || S_ISBLK(e->mode));

    memcpy(h->magic, magic, sizeof magic);
    *h->type = type_of(e);
    put_number(h->mode, sizeof h->mode, e->mode & 07777);
    put_number(h->major, sizeof h->major, device ? major(e->device) : 0);
    put_number(h->minor, sizeof h->minor, device ? minor(e->device) : 0);
    if (!put_text(h->name, sizeof h->name, name))
        add_record(records, "path", "", name, strlen(name));
    if (!put_text(h->link, sizeof h->link, link))
        add_record(records, "linkpath", "", link, strlen(link));
    if (!put_number(h->size, sizeof h->size, *h->type == '0' ? (int64_t)e->size : 0))
        add_number_record(records, "size", (long long)e->size);
    if (!put_number(h->uid, sizeof h->uid, e->uid))
        add_number_record(records, "uid", e->uid);
    if (!put_number(h->gid, sizeof h->gid, e->gid))
        add_number_record(records, "gid", e->gid);
    if (!put_number(h->mtime, sizeof h->mtime, e->mtime))
        add_number_record(records, "mtime", e->mtime);
    for (size_t i = 0; i < e->xattr_count && !e->hard_link; i++)
        add_record(records, "SCHILY.xattr.", e->xattrs[i].name, e->xattrs[i].value,
                   e->xattrs[i].size);
    put_checksum(h);
}

/* An entry of its own, type 'x', before the one it is about. What its header says means nothing,
 * but is in the bytes the layer is named after: the same every time. */
static int put_records(struct tar_writer *w, const struct buf *records, const char *name,
                       struct err *err)
{
    const char *slash = strrchr(name, '/');
    struct header h = {.type = "x"};
    char shown[sizeof h.name];

    snprintf(shown, sizeof shown, "PaxHeaders.0/%s", slash && slash[1] ? slash + 1 : name);
    memcpy(h.magic, magic, sizeof magic);
    put_text(h.name, sizeof h.name, shown);
    put_number(h.mode, sizeof h.mode, 0644);
    put_number(h.uid, sizeof h.uid, 0);
    put_number(h.gid, sizeof h.gid, 0);
    put_number(h.size, sizeof h.size, (int64_t)records->len);
    put_number(h.mtime, sizeof h.mtime, 0);
    put_number(h.major, sizeof h.major, 0);
    put_number(h.minor, sizeof h.minor, 0);
    put_checksum(&h);
    if (put(w, &h, sizeof h, err) < 0 || put(w, records->data, records->len, err) < 0)
        return -err->code;
    return put(w, NULL, padding_of(records->len), err);
}

int tar_writer_add(struct tar_writer *w, const struct tar_entry *e, struct err *err)
{
    struct buf records = {0};
    struct header h = {0};
    char *with_slash = S_ISDIR(e->mode) ? str_format("%s/", e->name) : NULL;
    const char *name = with_slash ? with_slash : e->name;
    int r = 0;

    if (w->remaining)
        abort(); /* the caller promised more of the file before */
    fill(&h, &records, e, name);
    if (records.len)
        r = put_records(w, &records, name, err);
    if (!r)
        r = put(w, &h, sizeof h, err);
    w->remaining = *h.type == '0' ? e->size : 0;
    w->padding = padding_of(w->remaining);
    buf_free(&records);
    free(with_slash);
    return r;
}

/* --- contents --------------------------------------------------------------------------------- */

int tar_writer_data(struct tar_writer *w, const void *data, size_t len, struct err *err)
{
    if (len > w->remaining)
        abort();
    w->remaining -= len;
    if (put(w, data, len, err) < 0)
        return -err->code;
    return pad(w, err);
}

/* A file that a running container makes shorter meanwhile is filled up with zeros: the header has
 * promised its size. One that grows is cut. */
int tar_writer_copy(struct tar_writer *w, int fd, uint64_t len, struct err *err)
{
    while (len) {
        size_t want;
        ssize_t n;

        if (make_room(w, err) < 0)
            return -err->code;
        want = BUFFER - w->used < len ? BUFFER - w->used : (size_t)len;
        n = read(fd, w->buffer + w->used, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "cannot read it");
        if (!n) {
            memset(w->buffer + w->used, 0, want);
            n = (ssize_t)want;
        }
        w->used += (size_t)n;
        w->remaining -= (uint64_t)n;
        len -= (uint64_t)n;
    }
    return pad(w, err);
}

/* Two empty blocks. GNU tar would pad to 10 KiB, for tapes; that would be in the digest. */
int tar_writer_end(struct tar_writer *w, struct err *err)
{
    if (put(w, NULL, 2 * BLOCK, err) < 0)
        return -err->code;
    return flush(w, err);
}

int tar_writer_add_text(struct tar_writer *w, const char *name, const void *data, size_t len,
                        int64_t mtime, struct err *err)
{
    struct tar_entry entry = {.name = name, .mode = S_IFREG | 0644, .size = len, .mtime = mtime};
    int r = tar_writer_add(w, &entry, err);

    return r < 0 ? r : tar_writer_data(w, data, len, err);
}
