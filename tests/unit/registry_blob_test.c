/* Blobs that break off, resume, and come in ways they should not. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/registry.h"
#include "support/fake_registry.h"
#include "support/suite.h"

#define DIGEST "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define SIZE   1000000u

static struct fake_registry *fake;
static char *content;
static atomic_bool wanted_no_more;

static void make(void)
{
    setenv("DOCKER_CONFIG", "/nonexistent", 1);
    content = mem_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)(i * 7 + i / 251);
    fake = fake_start();
    fake_serve(fake, "/v2/me/app/blobs/" DIGEST, "application/octet-stream", content, SIZE);
}

static void drop(void)
{
    fake_stop(fake);
    free(content);
}

static int collect(void *context, const void *data, size_t len, struct err *err)
{
    (void)err;
    buf_add(context, data, len);
    return 0;
}

static int refuse(void *context, const void *data, size_t len, struct err *err)
{
    (void)context, (void)data, (void)len;
    return err_set(err, ECONNRESET,
                   "the disk is full of water"); /* a code that is else worth a retry */
}

static bool is_cancelled(void *context)
{
    (void)context;
    return atomic_load(&wanted_no_more);
}

static int get(uint64_t size, uint64_t offset, registry_sink *sink, struct buf *ret,
               struct err *err)
{
    struct registry_options options = {.stall_s = 1, .cancelled = is_cancelled};
    struct registry *r = NULL;
    int result;

    ck_assert_msg(!registry_open(fake_address(fake), "me/app", &options, &r, err), "%s",
                  err->message);
    result = registry_blob(r, DIGEST, size, offset, sink, ret, err);
    registry_close(r);
    return result;
}

/* What goes wrong; whether all bytes must come all the same; a request that must (not) be seen. */
static const struct {
    const char *name;
    struct fake_rule rule;
    uint64_t offset;
    int result;
    const char *says, *seen;
    unsigned requests;
} cases[] = {
    {"nothing", {0}, 0, 0, "", NULL, 1},
    {"the rest", {0}, 400000, 0, "", "\r\nRange: bytes=400000-\r\n", 1},
    {"nothing left", {0}, SIZE, 0, "", NULL, 0},
    {"beyond the end", {0}, SIZE + 1, -EINVAL, "nothing at", NULL, 0},
    {"cut once", {.cut = 300000, .times = 1}, 0, 0, "", "\r\nRange: bytes=300000-\r\n", 2},
    {"cut three times", {.cut = 300000, .times = 3}, 0, 0, "", "\r\nRange: bytes=900000-\r\n", 4},
    {"cut without a length",
     {.cut = 300000, .times = 1, .no_length = true},
     0,
     0,
     "",
     "\r\nRange: bytes=300000-\r\n",
     2},
    {"200 to Range", {.no_range = true}, 400000, 0, "", "\r\nRange: bytes=400000-\r\n", 1},
    {"416", {.status = 416, .times = 1}, 400000, 0, "", "\r\nRange: bytes=400000-\r\n", 2},
    {"416 for ever", {.status = 416}, 400000, -EPROTO, "416", NULL, 2},
    {"another range",
     {.status = 206, .headers = "Content-Range: bytes 5-999999/1000000\r\n"},
     400000,
     -EPROTO,
     "another range",
     NULL,
     1},
    {"no Content-Range", {.status = 206}, 400000, -EPROTO, "another range", NULL, 1},
    {"a byte too many", {.longer = 1}, 0, -EPROTO, "1000001 bytes here", NULL, 1},
    {"a byte too many, not announced",
     {.longer = 1, .no_length = true},
     0,
     -EPROTO,
     "longer than",
     NULL,
     1},
    {"a byte too few", {.longer = -1}, 0, -EPROTO, "999999 bytes here", NULL, 1},
    {"a byte too few, not announced",
     {.longer = -1, .no_length = true, .times = 1},
     0,
     0,
     "",
     "\r\nRange: bytes=999999-\r\n",
     2},
    {"silence in the middle",
     {.cut = 300000, .stall = true, .times = 1},
     0,
     0,
     "",
     "\r\nRange: bytes=300000-\r\n",
     2},
    {"503 once", {.status = 503, .times = 1}, 0, 0, "", NULL, 2},
    {"429 once", {.status = 429, .times = 1, .headers = "Retry-After: 1\r\n"}, 0, 0, "", NULL, 2},
    {"unknown",
     {.status = 404,
      .body = "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"blob unknown\"}]}"},
     0,
     -ENOENT,
     "blob unknown",
     NULL,
     1},
    {"an empty success", {.status = 204, .body = ""}, 0, -EPROTO, "204", NULL, 1},
    {"a drop at a time",
     {.cut = 100},
     0,
     -ECONNRESET,
     "gave up after 5 attempts",
     "\r\nRange: bytes=400-\r\n",
     5},
};

START_TEST(blobs_come_whole_or_with_an_error)
{
    cleanup_buf struct buf got = {0};
    struct fake_rule rule = cases[_i].rule;
    struct err err = {0};
    int result;

    rule.path = "/blobs/";
    fake_break(fake, &rule);
    result = get(SIZE, cases[_i].offset, collect, &got, &err);
    ck_assert_msg(result == cases[_i].result, "%s: %d: %s", cases[_i].name, result, err.message);
    ck_assert_msg(strstr(err.message, cases[_i].says), "%s: %s", cases[_i].name, err.message);
    ck_assert_msg(fake_count(fake, "GET ") == cases[_i].requests, "%s: %u requests", cases[_i].name,
                  fake_count(fake, "GET "));
    if (cases[_i].seen)
        ck_assert_msg(fake_count(fake, cases[_i].seen) >= 1, "%s: no such request", cases[_i].name);
    if (!result) {
        ck_assert_uint_eq(got.len, SIZE - cases[_i].offset);
        ck_assert_int_eq(memcmp(got.data ? got.data : "", content + cases[_i].offset, got.len), 0);
    }
}
END_TEST

START_TEST(a_sink_that_fails_ends_it_at_once)
{
    struct err err = {0};

    ck_assert_int_eq(get(SIZE, 0, refuse, NULL, &err), -ECONNRESET);
    ck_assert_ptr_nonnull(strstr(err.message, "full of water"));
    ck_assert_uint_eq(fake_count(fake, "GET "), 1);
}
END_TEST

static int collect_then_cancel(void *context, const void *data, size_t len, struct err *err)
{
    atomic_store(&wanted_no_more, true);
    return collect(context, data, len, err);
}

START_TEST(cancelling_ends_a_stalled_transfer_and_a_pause)
{
    cleanup_buf struct buf got = {0};
    struct err err = {0};

    fake_break(fake, &(struct fake_rule){.path = "/blobs/", .cut = 1000, .stall = _i == 0});
    ck_assert_int_eq(get(SIZE, 0, collect_then_cancel, &got, &err), -ECANCELED);
    ck_assert_uint_eq(fake_count(fake, "GET "), 1);
}
END_TEST

SUITE(registry_blob)
{
    TCase *t = tcase_create("blob");

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, make, drop);
    tcase_add_loop_test(t, blobs_come_whole_or_with_an_error, 0, sizeof cases / sizeof *cases);
    tcase_add_test(t, a_sink_that_fails_ends_it_at_once);
    tcase_add_loop_test(t, cancelling_ends_a_stalled_transfer_and_a_pause, 0, 2);
    suite_add_tcase(suite, t);
}
