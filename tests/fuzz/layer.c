/* A layer: whatever the tar says, nothing comes to be outside of the layer's directory, and what was
 * unpacked can be packed, and is the same again when it is unpacked. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "fuzz/fuzz.h"
#include "image/image.h"

#define BYTES_MAX   (1u << 20)
#define ENTRIES_MAX 500

static const struct layer_limits limits = {.max_bytes = BYTES_MAX, .max_entries = ENTRIES_MAX};

/* In pieces of `piece` bytes. */
static int unpack(int fd, const char *data, size_t len, size_t piece, struct layer_result *ret)
{
    struct layer_unpack *u = NULL;
    struct err err = {0};
    int r = layer_unpack_begin(fd, NULL, &limits, &u, &err);

    for (size_t at = 0; at < len && !r; at += piece)
        r = layer_unpack_feed(u, data + at, len - at < piece ? len - at : piece, &err);
    if (!r)
        return layer_unpack_finish(u, ret, &err);
    layer_unpack_abort(u);
    return r;
}

static int collect(void *context, const void *data, size_t len, struct err *err)
{
    (void)err;
    buf_add(context, data, len);
    return 0;
}

static int make_directory(int parent, const char *name)
{
    int fd;

    FUZZ_CHECK(!mkdirat(parent, name, 0700));
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(fd >= 0);
    return fd;
}

/* All of this process's directory but the layers: two canaries. */
static void check_outside(int top)
{
    struct stat st;
    char text[8] = "";

    FUZZ_CHECK(!fstatat(top, "canary", &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode));
    FUZZ_CHECK(st.st_size == 4 && st.st_nlink == 1 && (st.st_mode & 07777) == 0600);
    {
        cleanup_close int fd = openat(top, "canary", O_RDONLY | O_CLOEXEC);

        FUZZ_CHECK(fd >= 0 && read(fd, text, sizeof text) == 4 && !memcmp(text, "bird", 4));
    }
    FUZZ_CHECK(!fstatat(top, "cage", &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode));
    FUZZ_CHECK(st.st_nlink == 2 && (st.st_mode & 07777) == 0750);
}

static void check_packed(int top, int layer)
{
    cleanup_close int copy = make_directory(top, "copy");
    cleanup_buf struct buf first = {0}, second = {0};
    struct layer_result result = {0};
    char diff_id[DIGEST_LEN + 1];
    struct err err = {0};

    if (layer_pack(layer, collect, &first, &err) < 0)
        return; /* names and attributes that no tar can hold */
    digest_of(first.data, first.len, diff_id);
    FUZZ_CHECK(!unpack(copy, first.data, first.len, 65536, &result));
    FUZZ_CHECK(!strcmp(result.diff_id, diff_id));
    FUZZ_CHECK(!layer_complete(copy, result.fixups, NULL, 0, &err));
    layer_fixups_free(result.fixups);
    FUZZ_CHECK(!layer_pack(copy, collect, &second, &err));
    FUZZ_CHECK(first.len == second.len && !memcmp(first.data, second.data, first.len));
}

FUZZ(layer)
{
    cleanup_free char *tar = fuzz_tar(data, len);
    cleanup_close int top = fuzz_directory(), layer = make_directory(top, "layer");
    struct layer_result result = {0};
    struct err err = {0};
    int r;

    FUZZ_CHECK(!file_store(top, "canary", "bird", 4, 0600, false, &err));
    FUZZ_CHECK(!mkdirat(top, "cage", 0750) && !fchmodat(top, "cage", 0750, 0));
    r = unpack(layer, tar, len, len % 7 ? 65536 : 97, &result);
    if (!r)
        r = layer_complete(layer, result.fixups, NULL, 0, &err);
    layer_fixups_free(result.fixups);
    check_outside(top);
    if (!r && result.size < BYTES_MAX) /* holes are not written, but packed */
        check_packed(top, layer);
}
