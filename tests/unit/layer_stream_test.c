/* The stream: every compression, digests of both sides, damage in the compressed data, and no
 * deadlock whoever gives up first. */
#include "support/suite.h"

#include <bzlib.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "layer_tar.h"

static struct buf tar; /* 3 MiB: more than the ring holds */
static char diff_id[DIGEST_LEN + 1];

static void make_tar(void)
{
    char *data = mem_alloc((1 << 20) + 1);
    unsigned state = 1;

    place_make();
    for (int i = 0; i < 1 << 20; i++) /* compressible, but not to nothing */
        data[i] = "abcdefgh"[(state = state * 1103515245 + 12345) >> 29];
    buf_free(&tar);
    tar_add(&tar, &(struct tar_member){.name = "one", .data = data});
    tar_add(&tar, &(struct tar_member){.name = "two", .data = data});
    tar_add(&tar, &(struct tar_member){.name = "three", .data = data});
    tar_end(&tar);
    /* What follows the end belongs to the digests all the same. */
    buf_add(&tar, data, 300 * 1024);
    free(data);
    digest_of(tar.data, tar.len, diff_id);
}

static void drop_tar(void)
{
    buf_free(&tar);
    place_remove();
}

/* --- compressors ------------------------------------------------------------------------------ */

static void pack_none(struct buf *out, const void *data, size_t len)
{
    buf_add(out, data, len);
}

static void pack_gzip(struct buf *out, const void *data, size_t len)
{
    z_stream z = {.next_in = (Bytef *)data, .avail_in = (uInt)len};

    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    buf_reserve(out, deflateBound(&z, len));
    z.next_out = (Bytef *)out->data + out->len;
    z.avail_out = (uInt)(out->room - out->len - 1);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->len += z.total_out;
    deflateEnd(&z);
}

static void pack_zstd(struct buf *out, const void *data, size_t len)
{
    size_t n;

    buf_reserve(out, ZSTD_compressBound(len));
    n = ZSTD_compress(out->data + out->len, out->room - out->len, data, len, 3);
    ck_assert(!ZSTD_isError(n));
    out->len += n;
}

static void pack_bzip2(struct buf *out, const void *data, size_t len)
{
    unsigned n = (unsigned)len + (unsigned)len / 10 + 600;

    buf_reserve(out, n);
    ck_assert_int_eq(
        BZ2_bzBuffToBuffCompress(out->data + out->len, &n, (char *)data, (unsigned)len, 1, 0, 0),
        BZ_OK);
    out->len += n;
}

static void pack_xz(struct buf *out, const void *data, size_t len)
{
    size_t used = out->len;

    buf_reserve(out, lzma_stream_buffer_bound(len));
    ck_assert_int_eq(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, data, len,
                                             (uint8_t *)out->data, &used, out->room),
                     LZMA_OK);
    out->len = used;
}

static const struct {
    const char *name;
    void (*pack)(struct buf *out, const void *data, size_t len);
} packers[] = {
    {"none", pack_none},   {"gzip", pack_gzip}, {"zstd", pack_zstd},
    {"bzip2", pack_bzip2}, {"xz", pack_xz},
};
#define PACKERS (int)(sizeof packers / sizeof *packers)

/* --- tests ------------------------------------------------------------------------------------ */

static int empty_staging(void)
{
    return unlinkat(staging, "one", 0) | unlinkat(staging, "two", 0) |
           unlinkat(staging, "three", 0);
}

static void check_stream(const struct buf *blob, size_t piece)
{
    char digest[DIGEST_LEN + 1];
    struct layer_result result;
    struct err err = {0};

    ck_assert_msg(!unpack_into(staging, blob->data, blob->len, piece, &result, &err), "%s",
                  err.message);
    digest_of(blob->data, blob->len, digest);
    ck_assert_str_eq(result.blob_digest, digest);
    ck_assert_str_eq(result.diff_id, diff_id);
    ck_assert_uint_eq(result.blob_size, blob->len);
    ck_assert_uint_eq(result.size, 3 << 20);
    ck_assert(result.needs_parents);
    layer_fixups_free(result.fixups);
    ck_assert_int_eq(empty_staging(), 0);
}

START_TEST(unpacks_in_any_pieces)
{
    static const size_t pieces[] = {0, 1 << 16, 4093, 1};
    cleanup_buf struct buf blob = {0};

    packers[_i].pack(&blob, tar.data, tar.len);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        check_stream(&blob, pieces[i]);
}
END_TEST

START_TEST(unpacks_several_members)
{
    cleanup_buf struct buf blob = {0};

    packers[_i].pack(&blob, tar.data, 1000);
    packers[_i].pack(&blob, tar.data + 1000, 0);
    packers[_i].pack(&blob, tar.data + 1000, tar.len - 1000);
    check_stream(&blob, 0);
    check_stream(&blob, 7);
}
END_TEST

START_TEST(refuses_truncated_data)
{
    cleanup_buf struct buf blob = {0};

    packers[_i].pack(&blob, tar.data, tar.len);
    for (size_t cut = 1; cut < blob.len; cut = cut * 2 + 1) {
        struct err err = {0};

        ck_assert_int_lt(unpack_into(staging, blob.data, blob.len - cut, 0, NULL, &err), 0);
        empty_staging();
    }
}
END_TEST

START_TEST(refuses_garbage_behind)
{
    static const char *const garbage[] = {"x",        "\0",          "\x1f",
                                          "\x1f\x8b", "\x1fgarbage", "garbage garbage"};
    cleanup_buf struct buf blob = {0};
    size_t len;

    packers[_i].pack(&blob, tar.data, tar.len);
    len = blob.len;
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        struct err err = {0};

        blob.len = len;
        buf_add(&blob, garbage[i], *garbage[i] ? strlen(garbage[i]) : 1);
        ck_assert_msg(unpack_into(staging, blob.data, blob.len, 0, NULL, &err) < 0, "%zu", i);
        empty_staging();
    }
}
END_TEST

/* zstd's own default has no checksum; the diffID finds what passes here. */
START_TEST(refuses_damaged_data)
{
    cleanup_buf struct buf blob = {0};

    packers[_i].pack(&blob, tar.data, tar.len);
    for (size_t at = blob.len / 8; at < blob.len; at += blob.len / 8) {
        struct layer_result result = {.fixups = NULL};
        struct err err = {0};

        blob.data[at] ^= 0x40;
        if (unpack_into(staging, blob.data, blob.len, 0, &result, &err) == 0)
            ck_assert_str_ne(result.diff_id, diff_id);
        layer_fixups_free(result.fixups);
        blob.data[at] ^= 0x40;
        empty_staging();
    }
}
END_TEST

START_TEST(checks_gzips_checksum)
{
    cleanup_buf struct buf blob = {0};
    struct err err = {0};

    pack_gzip(&blob, tar.data, tar.len);
    blob.data[blob.len - 7] ^= 1; /* of the CRC */
    ck_assert_int_lt(unpack_into(staging, blob.data, blob.len, 0, NULL, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "checksum"));
}
END_TEST

START_TEST(the_media_type_has_to_be_true)
{
    cleanup_buf struct buf blob = {0};
    struct layer_unpack *u;
    struct err err = {0};

    pack_gzip(&blob, tar.data, tar.len);
    ck_assert_int_eq(layer_unpack_begin(staging, "zstd", NULL, &u, &err), 0);
    ck_assert_int_eq(layer_unpack_feed(u, blob.data, blob.len, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "not zstd-compressed"));
    layer_unpack_abort(u);
    ck_assert_int_eq(layer_unpack_begin(staging, "lz4", NULL, &u, &err), -EINVAL);
}
END_TEST

START_TEST(abort_never_hangs)
{
    static const size_t amounts[] = {0, 1, 511, 513, 100000, 1 << 20, 3 << 20};

    layer_unpack_abort(NULL);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
            struct layer_unpack *u;
            struct err err = {0};

            ck_assert_int_eq(layer_unpack_begin(staging, NULL, NULL, &u, &err), 0);
            ck_assert_int_eq(layer_unpack_feed(u, tar.data, amounts[i], &err), 0);
            layer_unpack_abort(u);
            empty_staging();
        }
}
END_TEST

/* The unpacking thread fails at the first entry; the feeding one has to learn of it, and not fill a
 * ring that nobody empties. */
START_TEST(an_error_of_the_thread_reaches_the_feeder)
{
    cleanup_buf struct buf bad = {0};
    struct layer_unpack *u;
    struct err err = {0};
    int r = 0;

    tar_add(&bad, &(struct tar_member){.name = "../x", .data = "x"});
    buf_add(&bad, tar.data, tar.len);
    ck_assert_int_eq(layer_unpack_begin(staging, "none", NULL, &u, &err), 0);
    for (int i = 0; i < 20 && !r; i++)
        r = layer_unpack_feed(u, bad.data, bad.len, &err);
    ck_assert_int_eq(r, -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "entry '../x'"));
    /* Whoever does not listen gets it again at the end. */
    ck_assert_int_eq(layer_unpack_finish(u, &(struct layer_result){0}, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "entry '../x'"));
}
END_TEST

SUITE(layer_stream)
{
    TCase *t = tcase_create("stream");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, make_tar, drop_tar);
    tcase_add_loop_test(t, unpacks_in_any_pieces, 0, PACKERS);
    tcase_add_loop_test(t, unpacks_several_members, 0, PACKERS);
    tcase_add_loop_test(t, refuses_truncated_data, 1, PACKERS);
    tcase_add_loop_test(t, refuses_garbage_behind, 1, PACKERS);
    tcase_add_loop_test(t, refuses_damaged_data, 1, PACKERS);
    tcase_add_test(t, checks_gzips_checksum);
    tcase_add_test(t, the_media_type_has_to_be_true);
    tcase_add_test(t, abort_never_hangs);
    tcase_add_test(t, an_error_of_the_thread_reaches_the_feeder);
    suite_add_tcase(suite, t);
}
