/* What was packed comes out again, whoever unpacks it, and the same content gives the same bytes.
 */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "image/image.h"

static int keep(void *context, const void *data, size_t len, struct err *err)
{
    (void)err;
    buf_add(context, data, len);
    return 0;
}

/* In pieces of `piece` bytes. */
static void pack(const struct buf *in, size_t piece, struct buf *ret)
{
    struct gzip_writer *w = gzip_writer_new(keep, ret);
    struct err err = {0};

    for (size_t at = 0; at < in->len; at += piece) {
        size_t n = piece < in->len - at ? piece : in->len - at;

        ck_assert_int_eq(gzip_writer_add(w, in->data + at, n, &err), 0);
    }
    ck_assert_int_eq(gzip_writer_end(w, &err), 0);
    gzip_writer_free(w);
}

/* zlib's own reader: one member, checksum and length included. */
static void check_unpacks(const struct buf *packed, const struct buf *expected)
{
    z_stream z = {.next_in = (unsigned char *)packed->data, .avail_in = (unsigned)packed->len};
    char *out = malloc(expected->len + 1);

    ck_assert_int_eq(inflateInit2(&z, 16 + 15), Z_OK);
    z.next_out = (unsigned char *)out;
    z.avail_out = (unsigned)expected->len + 1;
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(z.avail_in, 0);
    ck_assert_uint_eq(z.total_out, expected->len);
    ck_assert(!expected->len || !memcmp(out, expected->data, expected->len));
    inflateEnd(&z);
    free(out);
}

/* Text, then noise, then zeros: what compresses well, not at all, and to nothing. */
static void fill(struct buf *b, size_t len)
{
    unsigned seed = 1;

    while (b->len < len) {
        size_t third = b->len * 3 / len;

        seed = seed * 1103515245 + 12345;
        if (third == 0)
            buf_printf(b, "line %u of a text\n", seed >> 20);
        else
            buf_add_char(b, third == 1 ? (char)(seed >> 16) : 0);
    }
    b->len = len;
}

static const size_t sizes[] = {0, 1, 1000, 512 << 10, (512 << 10) + 1, 5000000, 12345678};

START_TEST(it_comes_out_again)
{
    cleanup_buf struct buf in = {0}, packed = {0};

    buf_add_str(&in, "");
    fill(&in, sizes[_i]);
    pack(&in, 70001, &packed);
    check_unpacks(&packed, &in);
    if (in.len > 1000000)
        ck_assert_uint_lt(packed.len, in.len / 2);
}
END_TEST

START_TEST(the_bytes_do_not_depend_on_the_pieces)
{
    cleanup_buf struct buf in = {0}, one = {0}, two = {0};

    fill(&in, 3000000);
    pack(&in, 3000000, &one);
    pack(&in, 333, &two);
    ck_assert_uint_eq(one.len, two.len);
    ck_assert(!memcmp(one.data, two.data, one.len));
}
END_TEST

static int refuse(void *context, const void *data, size_t len, struct err *err)
{
    (void)context, (void)data, (void)len;
    return err_set(err, ENOSPC, "full");
}

START_TEST(a_sink_that_fails_ends_it)
{
    cleanup_buf struct buf in = {0};
    struct gzip_writer *w = gzip_writer_new(refuse, NULL);
    struct err err = {0};
    int r = 0;

    fill(&in, 10000000);
    for (size_t at = 0; at < in.len && r >= 0; at += 100000)
        r = gzip_writer_add(w, in.data + at, 100000, &err);
    ck_assert_int_eq(r, -ENOSPC);
    gzip_writer_free(w); /* and its threads end */
}
END_TEST

SUITE(gzip)
{
    TCase *t = tcase_create("gzip");

    tcase_add_loop_test(t, it_comes_out_again, 0, sizeof sizes / sizeof *sizes);
    tcase_add_test(t, the_bytes_do_not_depend_on_the_pieces);
    tcase_add_test(t, a_sink_that_fails_ends_it);
    suite_add_tcase(suite, t);
}
