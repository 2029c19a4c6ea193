/* cooper-gzip - compresses a container's old log files, and gives them back.
 *
 *     cooper-gzip FILE...     each becomes FILE.gz, by way of FILE.gz.new and rename(2)
 *     cooper-gzip -d          standard input to standard output
 *
 * A program of its own, so that the shim and cooper need no zlib. It may be killed at any moment:
 * what was to be compressed is removed only when all of it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "engine/log_format.h"

#define CHUNK 65536

static char chunk[CHUNK];

static int fail(const char *what, const char *path)
{
    fprintf(stderr, "cooper-gzip: cannot %s '%s': %s\n", what, path, strerror(errno));
    return -1;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR)
            return -1;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* What is in the stream's input, to the file. */
static int squeeze(z_stream *z, int to, int flush)
{
    static char out[CHUNK];

    do {
        z->next_out = (Bytef *)out;
        z->avail_out = CHUNK;
        deflate(z, flush);
        if (write_all(to, out, CHUNK - z->avail_out) < 0)
            return -1;
    } while (!z->avail_out);
    return 0;
}

/* Whoever has the file open, and finds it compressed, knows by this that it is the same
 * (log_files.c): nobody writes to it any more. */
static void name_original(const struct stat *st, char *ret, size_t size)
{
    snprintf(ret, size, LOG_GZIP_NAME, (unsigned long long)st->st_ino,
             (long long)st->st_mtim.tv_sec, (long)st->st_mtim.tv_nsec);
}

static int deflate_all(z_stream *z, int from, int to)
{
    ssize_t n;

    while ((n = read(from, chunk, CHUNK)) > 0 || (n < 0 && errno == EINTR)) {
        z->next_in = (Bytef *)chunk;
        z->avail_in = n > 0 ? (uInt)n : 0;
        if (squeeze(z, to, Z_NO_FLUSH) < 0)
            return -1;
    }
    return n < 0 ? -1 : squeeze(z, to, Z_FINISH);
}

static int compress_to(int from, const char *temporary)
{
    int to = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640), r;
    char original[96];
    gz_header header = {.comment = (Bytef *)original, .os = 3};
    z_stream z = {0};
    struct stat st;

    if (to < 0 || fstat(from, &st) < 0)
        return fail("create", temporary);
    name_original(&st, original, sizeof original);
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflateSetHeader(&z, &header) != Z_OK) {
        errno = ENOMEM;
        return fail("compress to", temporary);
    }
    r = deflate_all(&z, from, to);
    deflateEnd(&z);
    if (r < 0 || close(to) < 0)
        return fail("write", temporary);
    return 0;
}

static int compress_file(const char *path)
{
    char temporary[4096], packed[4096];
    int from = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), r;

    if (from < 0)
        return fail("open", path);
    if (snprintf(temporary, sizeof temporary, "%s.gz.new", path) >= (int)sizeof temporary ||
        snprintf(packed, sizeof packed, "%s.gz", path) >= (int)sizeof packed) {
        errno = ENAMETOOLONG;
        return fail("compress", path);
    }
    r = compress_to(from, temporary);
    close(from);
    if (!r && rename(temporary, packed) < 0)
        r = fail("rename", temporary);
    if (r < 0)
        unlink(temporary);
    else if (unlink(path) < 0)
        r = fail("remove", path);
    return r;
}

static int decompress(void)
{
    gzFile from = gzdopen(0, "rb");
    int n;

    if (!from)
        return fail("read", "standard input");
    while ((n = gzread(from, chunk, CHUNK)) > 0)
        if (write_all(1, chunk, (size_t)n) < 0)
            return fail("write", "standard output");
    return n < 0 ? fail("read", "standard input") : 0;
}

int main(int argc, char **argv)
{
    int code = 0;

    if (argc == 2 && !strcmp(argv[1], "-d"))
        return decompress() < 0;
    for (int i = 1; i < argc; i++)
        code |= compress_file(argv[i]) < 0;
    return code;
}
