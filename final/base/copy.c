#include "base/copy.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

#define PIECE (256u << 10)

static int write_at(int fd, const char *data, size_t len, off_t offset)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
        offset += n;
    }
    return 0;
}

/* Through our own memory: between file systems that cannot do it for us. */
static int copy_by_hand(int from, int to, off_t start, off_t end)
{
    cleanup_free char *piece = mem_alloc(PIECE);

    while (start < end) {
        size_t want = end - start < (off_t)PIECE ? (size_t)(end - start) : PIECE;
        ssize_t n = pread(from, piece, want, start);
        int r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        r = write_at(to, piece, (size_t)n, start);
        if (r < 0)
            return r;
        start += n;
    }
    return 0;
}

/* EXDEV before Linux 5.3 and between some types of file system, EINVAL for files that only look
 * regular (/proc). */
static bool kernel_cannot(int number)
{
    return number == EXDEV || number == EINVAL || number == ENOSYS || number == EOPNOTSUPP;
}

static int copy_range(int from, int to, off_t start, off_t end)
{
    off_t in = start, out = start;

    while (in < end) {
        ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - in), 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && kernel_cannot(errno))
            return copy_by_hand(from, to, in, end);
        if (n <= 0)
            return n < 0 ? -errno : 0;
    }
    return 0;
}

/* One stretch of data after the other; SEEK_DATA ends with ENXIO behind the last one. A file system
 * that does not know holes calls everything data. */
static int copy_stretches(int from, int to, off_t size)
{
    off_t data = 0, hole;

    while ((data = lseek(from, data, SEEK_DATA)) >= 0 && data < size) {
        int r;

        hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        r = copy_range(from, to, data, hole < size ? hole : size);
        if (r < 0)
            return r;
        data = hole;
    }
    return data < 0 && errno != ENXIO ? -errno : 0;
}

int copy_content(int from, int to, off_t size)
{
    int r;

    if (!size)
        return 0;
    r = ioctl(to, FICLONE, from) == 0 ? 0 : copy_stretches(from, to, size);
    if (r < 0)
        return r;
    return ftruncate(to, size) < 0 ? -errno : 0;
}
