#include "layer_tar.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/suite.h"

/* POSIX.1-1988 ustar: where the fields are. */
enum {
    NAME = 0,
    MODE = 100,
    UID = 108,
    GID = 116,
    SIZE = 124,
    MTIME = 136,
    CHECKSUM = 148,
    TYPE = 156,
    LINK = 157,
    MAGIC = 257,
    MAJOR = 329,
    MINOR = 337,
    BLOCK = 512
};

static struct buf pending; /* pax records for the next member */

static void octal(char *field, size_t width, unsigned long value)
{
    char text[32];

    snprintf(text, sizeof text, "%0*lo", (int)width - 1, value);
    memcpy(field, text, width);
}

void tar_checksum(struct buf *tar, size_t offset)
{
    unsigned char *header = (unsigned char *)tar->data + offset;
    unsigned long sum = 0;

    memset(header + CHECKSUM, ' ', 8);
    for (int i = 0; i < BLOCK; i++)
        sum += header[i];
    octal((char *)header + CHECKSUM, 7, sum);
}

static void add_block(struct buf *tar, const struct tar_member *m, size_t size)
{
    static const char zeros[BLOCK];
    size_t offset = tar->len;
    char *header;

    buf_add(tar, zeros, BLOCK);
    header = tar->data + offset;
    memcpy(header + NAME, m->name, strnlen(m->name, 100));
    octal(header + MODE, 8, m->mode ? m->mode : m->type == '5' ? 0755 : 0644);
    octal(header + UID, 8, m->uid);
    octal(header + GID, 8, m->gid);
    octal(header + SIZE, 12, size);
    octal(header + MTIME, 12, (unsigned long)m->mtime);
    header[TYPE] = m->type ? m->type : '0';
    if (m->link)
        memcpy(header + LINK, m->link, strnlen(m->link, 100));
    memcpy(header + MAGIC, "ustar\00000", 8);
    octal(header + MAJOR, 8, m->major);
    octal(header + MINOR, 8, m->minor);
    tar_checksum(tar, offset);
}

static void add_data(struct buf *tar, const void *data, size_t len)
{
    static const char zeros[BLOCK];

    buf_add(tar, data, len);
    buf_add(tar, zeros, -len % BLOCK);
}

void tar_pax(struct buf *tar, const char *key, const void *value, size_t len)
{
    size_t rest = strlen(key) + len + 3, total = rest + 1;

    (void)tar;
    while (total != rest + (size_t)snprintf(NULL, 0, "%zu", total))
        total++;
    buf_printf(&pending, "%zu %s=", total, key);
    buf_add(&pending, value, len);
    buf_add_char(&pending, '\n');
}

void tar_add(struct buf *tar, const struct tar_member *m)
{
    size_t len = m->data ? strlen(m->data) : 0;

    if (pending.len) {
        add_block(tar, &(struct tar_member){.name = "pax", .type = 'x'}, pending.len);
        add_data(tar, pending.data, pending.len);
        buf_free(&pending);
    }
    add_block(tar, m, len);
    if (len)
        add_data(tar, m->data, len);
}

void tar_end(struct buf *tar)
{
    static const char zeros[2 * BLOCK];

    buf_add(tar, zeros, sizeof zeros);
}

/* --- the place -------------------------------------------------------------------------------- */

char place[64];
int staging, outside;

static const char *needs_root(void)
{
    return geteuid() == 0 ? NULL : "not root";
}
TAG("needs-root", needs_root)

void place_make(void)
{
    struct err err = {0};
    int root;

    strcpy(place, "/tmp/layer-test-XXXXXX");
    if (!mkdtemp(place))
        abort();
    root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(root, "staging", 0700) < 0 || mkdirat(root, "outside", 0755) < 0)
        abort();
    staging = openat(root, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    outside = openat(root, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file_store(outside, "kept", "kept", 4, 0640, false, &err) < 0)
        abort();
    close(root);
}

void place_remove(void)
{
    struct err err = {0};

    close(staging);
    close(outside);
    if (file_remove_tree(AT_FDCWD, place, &err) < 0)
        fprintf(stderr, "%s: %s\n", place, err.message);
}

void check_outside(void)
{
    cleanup_buf struct buf text = {0};
    cleanup_closedir DIR *dir = fdopendir(dup(outside));
    struct dirent *d;
    struct err err = {0};
    struct stat st;
    int names = 0;

    rewinddir(dir);
    while ((d = readdir(dir)))
        names++;
    ck_assert_msg(names == 3, "something was made or removed outside the layer");
    ck_assert_int_eq(file_load(outside, "kept", 100, &text, &err), 0);
    ck_assert_str_eq(text.data, "kept");
    ck_assert_int_eq(fstatat(outside, "kept", &st, 0), 0);
    ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
    ck_assert_uint_eq(st.st_nlink, 1);
    ck_assert_uint_eq(st.st_uid, 0);
}

/* --- unpacking -------------------------------------------------------------------------------- */

static int feed(struct layer_unpack *u, const char *data, size_t len, size_t piece, struct err *err)
{
    for (size_t done = 0; done < len;) {
        size_t n = piece && piece < len - done ? piece : len - done;
        int r = layer_unpack_feed(u, data + done, n, err);

        if (r < 0)
            return r;
        done += n;
    }
    return 0;
}

int unpack_into(int dirfd, const void *data, size_t len, size_t piece, struct layer_result *ret,
                struct err *err)
{
    struct layer_result result;
    struct layer_unpack *u;
    int r = layer_unpack_begin(dirfd, NULL, NULL, &u, err);

    if (r < 0)
        return r;
    r = feed(u, data, len, piece, err);
    if (r < 0) {
        layer_unpack_abort(u);
        return r;
    }
    r = layer_unpack_finish(u, &result, err);
    if (!r && ret)
        *ret = result;
    else if (!r)
        layer_fixups_free(result.fixups);
    return r;
}

void must_unpack(struct buf *tar)
{
    struct err err = {0};
    int r;

    tar_end(tar);
    r = unpack_into(staging, tar->data, tar->len, 0, NULL, &err);
    buf_free(tar);
    ck_assert_msg(!r, "%s", err.message);
    check_outside();
}

void must_fail(struct buf *tar, const char *part)
{
    struct err err = {0};
    int r;

    tar_end(tar);
    r = unpack_into(staging, tar->data, tar->len, 0, NULL, &err);
    buf_free(tar);
    ck_assert_msg(r < 0, "it was unpacked");
    ck_assert_int_eq(r, -err.code);
    ck_assert_msg(strstr(err.message, part) != NULL, "'%s' lacks '%s'", err.message, part);
    check_outside();
}

struct stat entry(const char *path)
{
    struct stat st;

    ck_assert_msg(!fstatat(staging, path, &st, AT_SYMLINK_NOFOLLOW), "'%s' is not there", path);
    return st;
}

bool exists(const char *path)
{
    return faccessat(staging, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool is_whiteout(const char *path)
{
    struct stat st;

    return fstatat(staging, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
           st.st_rdev == makedev(0, 0);
}

bool is_opaque(const char *path)
{
    cleanup_close int fd = openat(staging, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char value = 0;

    return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

const char *content(const char *path)
{
    static char text[4096];
    struct buf b = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(staging, path, sizeof text - 1, &b, &err), "%s", err.message);
    memcpy(text, b.data, b.len + 1);
    buf_free(&b);
    return text;
}
