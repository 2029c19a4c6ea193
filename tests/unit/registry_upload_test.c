/* Uploads against a registry that misbehaves: whatever happens, the blob arrives whole or the error
 * says why not. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "registry/registry.h"
#include "support/fake_registry.h"

#define BIG (3u << 20)

static struct fake_registry *fake;
static struct registry *registry;
static struct err err;
static char digest[DIGEST_LEN + 1];
static char *content;
static int fd;
static uint64_t furthest;

static void start(void)
{
    fake = fake_start();
    fake_accept_pushes(fake);
    content = mem_alloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        content[i] = (char)(i * 2654435761u >> 13);
    err_clear(&err);
    furthest = 0;
}

static void stop(void)
{
    registry_close(registry);
    registry = NULL;
    fake_stop(fake);
    free(content);
    close(fd);
}

static void on_sent(void *context, uint64_t done)
{
    (void)context;
    furthest = done > furthest ? done : furthest;
}

static void open_registry(const struct registry_options *options)
{
    ck_assert_msg(!registry_open(fake_address(fake), "me/app", options, &registry, &err), "%s",
                  err.message);
}

/* Uploads `size` bytes. */
static int upload(size_t size, const struct strv *mount_from, enum registry_uploaded *ret_how)
{
    struct registry_upload what = {.size = size, .mount_from = mount_from, .sent = on_sent};
    const char *from = NULL;

    if (!registry)
        open_registry(&(struct registry_options){.push = true, .mount_from = mount_from});
    digest_of(content, size, digest);
    fd = file_memfd("blob", content, size, &err);
    what.fd = fd;
    what.digest = digest;
    return registry_upload(registry, &what, ret_how, &from, &err);
}

/* The registry has exactly the content. */
static void check_arrived(size_t size)
{
    cleanup_free char *path = str_format("/v2/me/app/blobs/%s", digest);
    size_t len = 0;
    cleanup_free char *have = fake_served(fake, path, &len);

    ck_assert_ptr_nonnull(have);
    ck_assert_uint_eq(len, size);
    ck_assert(!memcmp(have, content, size));
}

static void upload_ok(size_t size)
{
    enum registry_uploaded how;

    ck_assert_msg(!upload(size, NULL, &how), "%s", err.message);
    ck_assert_int_eq(how, UPLOAD_SENT);
    check_arrived(size);
}

/* --- when all is well ------------------------------------------------------------------------- */

static const size_t sizes[] = {0, 1, 1000, (1 << 20), (1 << 20) + 1, BIG};

START_TEST(a_blob_arrives_whole)
{
    upload_ok(sizes[_i]);
    ck_assert_uint_eq(furthest, sizes[_i]);
    ck_assert_uint_eq(fake_count(fake, "PATCH "), sizes[_i] > 1 << 20);
}
END_TEST

START_TEST(what_is_there_is_not_sent)
{
    enum registry_uploaded how;

    upload_ok(1000);
    close(fd);
    ck_assert_int_eq(upload(1000, NULL, &how), 0);
    ck_assert_int_eq(how, UPLOAD_EXISTS);
    ck_assert_uint_eq(fake_count(fake, "POST "), 1);
}
END_TEST

START_TEST(another_repository_gives_it)
{
    cleanup_strv struct strv sources = {0};
    enum registry_uploaded how;
    cleanup_free char *path = NULL;

    digest_of(content, 1000, digest);
    path = str_format("/v2/other/one/blobs/%s", digest);
    fake_serve(fake, path, NULL, content, 1000);
    strv_add(&sources, "other/none");
    strv_add(&sources, "other/one");
    ck_assert_int_eq(upload(1000, &sources, &how), 0);
    ck_assert_int_eq(how, UPLOAD_MOUNTED);
    check_arrived(1000);
    ck_assert_uint_eq(fake_count(fake, "PUT "), 0);
}
END_TEST

/* The upload that was begun instead is used. */
START_TEST(no_mount_is_an_upload)
{
    cleanup_strv struct strv sources = {0};
    enum registry_uploaded how;

    strv_add(&sources, "other/none");
    ck_assert_int_eq(upload(1000, &sources, &how), 0);
    ck_assert_int_eq(how, UPLOAD_SENT);
    check_arrived(1000);
    ck_assert_uint_eq(fake_count(fake, "POST "), 1);
}
END_TEST

/* --- when not --------------------------------------------------------------------------------- */

START_TEST(a_broken_upload_goes_on_where_it_was)
{
    fake_break(fake, &(struct fake_rule){
                         .path = "/upload/", .method = "PATCH", .times = 1, .take = 1234567});
    upload_ok(BIG);
    ck_assert_uint_eq(fake_count(fake, "POST "), 1);
    ck_assert_uint_eq(fake_count(fake, "\r\nContent-Range: 1234567-3145727\r\n"), 1);
}
END_TEST

START_TEST(a_forgotten_upload_begins_again)
{
    fake_break(
        fake, &(struct fake_rule){.path = "/upload/", .method = "PATCH", .times = 1, .take = 1000});
    fake_break(fake,
               &(struct fake_rule){.path = "/upload/", .method = "GET", .times = 1, .status = 404});
    upload_ok(BIG);
    ck_assert_uint_eq(fake_count(fake, "POST "), 2);
}
END_TEST

/* The end was reached and the answer got lost: it is there, and that is found out. */
START_TEST(a_lost_answer_is_no_failure)
{
    enum registry_uploaded how;

    fake_break(fake,
               &(struct fake_rule){
                   .path = "/upload/", .method = "PUT", .times = 1, .status = 502, .after = true});
    ck_assert_msg(!upload(1000, NULL, &how), "%s", err.message);
    check_arrived(1000);
    ck_assert_uint_eq(fake_count(fake, "PUT "), 1);
}
END_TEST

START_TEST(large_bodies_are_cut_when_refused)
{
    fake_break(fake, &(struct fake_rule){
                         .path = "/upload/", .method = "PATCH", .times = 1, .status = 413});
    upload_ok(BIG);
    ck_assert_uint_eq(fake_count(fake, "PATCH "), 2); /* the rest goes with the PUT */
    ck_assert_uint_eq(fake_count(fake, "\r\nContent-Range: 0-"), 2);
}
END_TEST

START_TEST(what_passes_is_tried_again)
{
    fake_break(fake,
               &(struct fake_rule){.path = "/blobs/", .method = "HEAD", .times = 1, .status = 503});
    fake_break(fake, &(struct fake_rule){
                         .path = "/uploads/", .method = "POST", .times = 1, .status = 429});
    upload_ok(1000);
}
END_TEST

static const struct {
    struct fake_rule rule;
    int code;
    const char *message;
} failures[] = {
    {{.path = "/uploads/", .method = "POST", .status = 403}, -EACCES, "status 403"},
    {{.path = "/upload/",
      .method = "PUT",
      .status = 400,
      .body = "{\"errors\":[{\"code\":\"SIZE_INVALID\",\"message\":\"too big\"}]}"},
     -EPROTO,
     "size invalid: too big"},
    {{.path = "/uploads/", .method = "POST", .status = 202}, -EPROTO, "no usable address"},
    {{.path = "/uploads/", .method = "POST", .status = 429, .headers = "Retry-After: 7200\r\n"},
     -EAGAIN,
     "asks to come back in 7200 seconds"},
    {{.path = "/upload/", .method = "PUT", .status = 503, .headers = "Retry-After: 7200\r\n"},
     -EAGAIN,
     "asks to come back in 7200 seconds"},
    {{.path = "/uploads/",
      .method = "POST",
      .status = 202,
      .headers = "Location: http://10.9.8.7/upload\r\n"},
     -EPROTO,
     "plain http at '10.9.8.7': refused"},
    {{.path = "/upload/",
      .method = "PUT",
      .status = 201,
      .headers = "Docker-Content-Digest: "
                 "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"},
     -EBADMSG,
     "and calls it 'sha256:aaaa"},
    {{.path = "/upload/", .method = "PUT", .status = 307, .headers = "Location: /elsewhere\r\n"},
     -EPROTO,
     "status 307"},
};

START_TEST(failures_are_told)
{
    enum registry_uploaded how;
    int r;

    fake_break(fake, &failures[_i].rule);
    r = upload(1000, NULL, &how);
    ck_assert_msg(r == failures[_i].code && strstr(err.message, failures[_i].message),
                  "%d '%s', expected %d '%s'", r, err.message, failures[_i].code,
                  failures[_i].message);
}
END_TEST

/* The password is the registry's; where an upload goes is what it says, and may be elsewhere. */
START_TEST(secrets_stay_with_their_host)
{
    cleanup_free char *dir = str_format("%s/config-XXXXXX", getenv("TMPDIR")), *file = NULL;
    cleanup_free char *text = NULL, *location = NULL;
    struct fake_registry *other = fake_start();
    enum registry_uploaded how;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    file = str_format("%s/config.json", dir);
    text = str_format("{\"auths\":{\"%s\":{\"auth\":\"dTpw\"}}}", fake_address(fake));
    ck_assert_int_eq(file_store(AT_FDCWD, file, text, strlen(text), 0600, false, &err), 0);
    fake_require(fake, "Basic dTpw", "Basic realm=\"x\"");
    location = str_format("Location: http://%s/upload/0\r\n", fake_address(other));
    fake_break(fake,
               &(struct fake_rule){
                   .path = "/uploads/", .method = "POST", .status = 202, .headers = location});
    fake_break(other, &(struct fake_rule){.path = "/upload/0", .status = 201});
    open_registry(&(struct registry_options){.push = true, .config_file = file});
    ck_assert_msg(!upload(1000, NULL, &how), "%s", err.message);
    ck_assert_uint_eq(fake_count(other, "PUT /upload/0"), 1);
    ck_assert_uint_eq(fake_count(other, "uthorization"), 0);
    fake_stop(other);
    file_remove_tree(AT_FDCWD, dir, &err);
}
END_TEST

/* --- manifests and lists ---------------------------------------------------------------------- */

START_TEST(a_manifest_is_put_with_its_type)
{
    static const char text[] = "{\"schemaVersion\":2}";
    size_t len = 0;
    cleanup_free char *have = NULL;

    open_registry(&(struct registry_options){.push = true});
    ck_assert_int_eq(
        registry_put_manifest(registry, "v1", "application/x.test+json", text, strlen(text), &err),
        0);
    ck_assert_uint_eq(fake_count(fake, "\r\nContent-Type: application/x.test+json\r\n"), 1);
    have = fake_served(fake, "/v2/me/app/manifests/v1", &len);
    ck_assert_str_eq(have, text);
    fake_break(fake,
               &(struct fake_rule){
                   .path = "/manifests/",
                   .status = 201,
                   .headers =
                       "Docker-Content-Digest: sha256:"
                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"});
    ck_assert_int_eq(
        registry_put_manifest(registry, "v1", "application/x.test+json", text, strlen(text), &err),
        -EBADMSG);
}
END_TEST

static void serve_page(const char *query, const char *body, const char *link)
{
    fake_break(fake, &(struct fake_rule){.path = query,
                                         .status = 200,
                                         .body = body,
                                         .type = "application/json",
                                         .headers = link});
}

START_TEST(tags_come_page_by_page)
{
    cleanup_strv struct strv tags = {0};
    cleanup_free char *all = NULL;

    serve_page("last=b", "{\"name\":\"me/app\",\"tags\":[\"c\"]}", NULL);
    serve_page("tags/list", "{\"tags\":[\"a\",\"b\"]}",
               "Link: </v2/me/app/tags/list?last=b&n=2>; rel=\"next\"\r\n");
    open_registry(&(struct registry_options){0});
    ck_assert_msg(!registry_tags(registry, &tags, &err), "%s", err.message);
    all = strv_join(&tags, ",");
    ck_assert_str_eq(all, "a,b,c");
}
END_TEST

START_TEST(a_list_without_end_is_an_error)
{
    cleanup_strv struct strv tags = {0};

    serve_page("tags/list", "{\"tags\":[\"a\"]}",
               "Link: </v2/me/app/tags/list?last=a>; rel=\"next\"\r\n");
    open_registry(&(struct registry_options){0});
    ck_assert_int_eq(registry_tags(registry, &tags, &err), -ELOOP);
}
END_TEST

SUITE(registry_upload)
{
    const TTest *const tests[] = {
        what_is_there_is_not_sent,
        another_repository_gives_it,
        no_mount_is_an_upload,
        a_broken_upload_goes_on_where_it_was,
        a_forgotten_upload_begins_again,
        a_lost_answer_is_no_failure,
        large_bodies_are_cut_when_refused,
        what_passes_is_tried_again,
        secrets_stay_with_their_host,
        a_manifest_is_put_with_its_type,
        tags_come_page_by_page,
        a_list_without_end_is_an_error,
    };
    TCase *t = tcase_create("upload");

    tcase_add_checked_fixture(t, start, stop);
    tcase_set_timeout(t, 30);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    tcase_add_loop_test(t, a_blob_arrives_whole, 0, sizeof sizes / sizeof *sizes);
    tcase_add_loop_test(t, failures_are_told, 0, sizeof failures / sizeof *failures);
    suite_add_tcase(suite, t);
}
