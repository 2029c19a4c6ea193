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

#define CHUNK 65536

static char chunk[CHUNK];

static int fail(const char *what, const char *path)
{
    fprintf(stderr, "cooper-gzip: cannot %s '%s': %s\n", what, path, strerror(errno));
    return -1;
}

/* All of `from` through zlib into `to`. */
static int deflate_all(int from, gzFile to, const char *path)
{
    ssize_t n;

    while ((n = read(from, chunk, CHUNK)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && gzwrite(to, chunk, (unsigned)n) != n)
            return fail("write", path);
    return n < 0 ? fail("read", path) : 0;
}

static int compress_to(int from, const char *temporary)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    gzFile to = fd < 0 ? NULL : gzdopen(fd, "wb1");
    int r;

    if (!to)
        return fail("create", temporary);
    r = deflate_all(from, to, temporary);
    if (gzclose(to) != Z_OK && !r) /* the last block is written here */
        r = fail("write", temporary);
    return r;
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
        for (int done = 0; done < n;) {
            ssize_t w = write(1, chunk + done, (size_t)(n - done));

            if (w < 0 && errno != EINTR)
                return fail("write", "standard output");
            done += w > 0 ? (int)w : 0;
        }
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
