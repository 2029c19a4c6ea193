/* An OCI layout, a directory. The input is a list of files, each begun by a line
 *
 *     == NAME        this file in the layout's top directory
 *     ==             a blob, kept by its digest
 *
 * and "@N@" in a file is the digest's hexadecimal of the blob N, counted from 0, and "#N#" its size:
 * so that what is changed in a blob still fits together. */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "fuzz/fuzz.h"
#include "fuzz/images.h"

#define BLOBS_MAX 10

struct layout {
    int top, blobs;
    char digests[BLOBS_MAX][DIGEST_LEN + 1];
    size_t sizes[BLOBS_MAX];
    size_t count;
};

/* "@3@" and "#3#" put in. */
static void expand(const struct layout *l, const char *text, size_t len, struct buf *ret)
{
    for (size_t i = 0; i < len; i++) {
        bool named = i + 2 < len && (text[i] == '@' || text[i] == '#') && text[i + 2] == text[i] &&
                     isdigit((unsigned char)text[i + 1]) &&
                     (size_t)(text[i + 1] - '0') < l->count;
        size_t blob = named ? (size_t)(text[i + 1] - '0') : 0;

        if (!named)
            buf_add(ret, text + i, 1);
        else if (text[i] == '@')
            buf_add_str(ret, digest_hex(l->digests[blob]));
        else
            buf_printf(ret, "%zu", l->sizes[blob]);
        i += named ? 2 : 0;
    }
}

static void put(struct layout *l, const char *name, const char *text, size_t len)
{
    cleanup_buf struct buf content = {0};
    bool blob = !*name;
    struct err err = {0};

    expand(l, text, len, &content);
    if (blob && l->count == BLOBS_MAX)
        return;
    if (blob) {
        l->sizes[l->count] = content.len;
        digest_of(content.data ? content.data : "", content.len, l->digests[l->count]);
        name = digest_hex(l->digests[l->count++]);
    } else if (strchr(name, '/') || strlen(name) > 200 || *name == '.') {
        return;
    }
    file_store(blob ? l->blobs : l->top, name, content.data ? content.data : "", content.len, 0600,
               false, &err);
}

/* One file: its first line is its name, the rest until the next "\n==" its content. */
static const char *put_next(struct layout *l, const char *p, const char *end)
{
    const char *line = memchr(p, '\n', (size_t)(end - p)), *next;
    cleanup_free char *name = NULL;

    if (!line)
        return end;
    name = str_copy_n(p, (size_t)(line - p));
    line++;
    next = memmem(line, (size_t)(end - line), "\n==", 3);
    put(l, name + strspn(name, " "), line, (size_t)((next ? next : end) - line));
    return next ? next + 3 : end;
}

FUZZ(layout)
{
    cleanup_close int top = fuzz_directory(), parent = -1, blobs = -1;
    struct layout l = {.top = top};
    const char *p = data, *end = data + len;

    FUZZ_CHECK(!mkdirat(top, "blobs", 0700) && !mkdirat(top, "blobs/sha256", 0700));
    l.blobs = blobs = openat(top, "blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(blobs >= 0);
    if (len >= 2 && !memcmp(p, "==", 2))
        p += 2;
    while (p < end)
        p = put_next(&l, p, end);
    fuzz_images(top);
}
