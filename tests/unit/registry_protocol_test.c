/* Manifests, tokens and redirects, against a registry that misbehaves. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "image/image.h"
#include "registry/registry.h"
#include "support/fake_registry.h"
#include "support/run.h"
#include "support/suite.h"

static const char manifest[] = "{\"schemaVersion\":2,\"layers\":[]}";
static const char path[] = "/v2/me/app/manifests/v1";

static struct fake_registry *fake, *other;
static char *home;

static void make(void)
{
    home = temp_dir();
    setenv("DOCKER_CONFIG", home, 1);
    unsetenv("COOPER_REGISTRIES");
    fake = fake_start();
    other = fake_start();
    fake_serve(fake, path, MEDIA_OCI_MANIFEST, manifest, strlen(manifest));
    fake_serve(other, "/elsewhere", MEDIA_OCI_MANIFEST, manifest, strlen(manifest));
}

static void drop(void)
{
    fake_stop(fake);
    fake_stop(other);
    temp_dir_remove(home);
}

/* "user:password" = dXNlcjpwYXNzd29yZA== */
static void log_in(void)
{
    cleanup_free char *file = str_format("%s/config.json", home);
    FILE *f = fopen(file, "w");

    ck_assert_ptr_nonnull(f);
    fprintf(f, "{\"auths\":{\"%s\":{\"auth\":\"dXNlcjpwYXNzd29yZA==\"}}}", fake_address(fake));
    ck_assert_int_eq(fclose(f), 0);
}

static struct registry *open_one(void)
{
    struct registry_options options = {.stall_s = 1};
    struct registry *r = NULL;
    struct err err = {0};

    ck_assert_msg(!registry_open(fake_address(fake), "me/app", &options, &r, &err), "%s",
                  err.message);
    return r;
}

/* One manifest by a fresh client; the text is checked when it succeeds. */
static int get(const char *reference, struct err *err)
{
    struct registry *r = open_one();
    cleanup_buf struct buf body = {0};
    cleanup_free char *type = NULL;
    char digest[72];
    int result = registry_manifest(r, reference, &body, &type, digest, err);

    if (!result)
        ck_assert_str_eq(body.data, manifest);
    registry_close(r);
    return result;
}

/* --- manifests ------------------------------------------------------------------------------- */

START_TEST(a_manifest_comes_with_its_type_and_digest)
{
    struct registry *r = open_one();
    cleanup_buf struct buf body = {0};
    cleanup_free char *type = NULL;
    char digest[72], expected[72];
    struct err err = {0};

    digest_of(manifest, strlen(manifest), expected);
    ck_assert_msg(!registry_manifest(r, "v1", &body, &type, digest, &err), "%s", err.message);
    ck_assert_str_eq(body.data, manifest);
    ck_assert_str_eq(type, MEDIA_OCI_MANIFEST);
    ck_assert_str_eq(digest, expected);
    ck_assert_uint_eq(fake_count(fake, MEDIA_DOCKER_LIST), 1); /* the Accept header */
    ck_assert_uint_eq(fake_count(fake, "Authorization"), 0);
    registry_close(r);
}
END_TEST

#define WRONG "sha256:0000000000000000000000000000000000000000000000000000000000000000"

/* What goes wrong, what comes of it, and how many requests it may take. */
static const struct {
    const char *name;
    struct fake_rule rule;
    int result;
    const char *says;
    unsigned requests;
} faults[] = {
    {"another digest in the header",
     {.headers = "Docker-Content-Digest: " WRONG "\r\n"},
     -EBADMSG,
     WRONG,
     1},
    {"a web page",
     {.type = "text/html; charset=utf-8", .body = "<html>"},
     -EPROTO,
     "is it a registry?",
     1},
    {"unspecific type", {.type = "application/json"}, 0, "", 1},
    {"unknown manifest",
     {.status = 404,
      .body = "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}"},
     -ENOENT,
     "manifest unknown: manifest unknown",
     1},
    {"unknown repository",
     {.status = 404,
      .body = "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no such thing\"}]}"},
     -EACCES,
     "name unknown: no such thing",
     1},
    {"terminal escapes",
     {.status = 403, .body = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\\u001b[31mred\"}]}"},
     -EACCES,
     "denied: ?[31mred",
     1},
    {"an error that is no JSON", {.status = 404, .body = "<html>"}, -ENOENT, "status 404", 1},
    {"a teapot", {.status = 418}, -EPROTO, "status 418", 1},
    {"endless headers", {.endless_headers = true}, -EFBIG, "KiB of headers", 1},
    {"endless body", {.longer = 5 << 20}, -EFBIG, "longer than", 1},
    {"cut body", {.cut = 5}, -ECONNRESET, "gave up after 5 attempts", 5},
    {"cut body, once", {.cut = 5, .times = 1}, 0, "", 2},
    {"always 500", {.status = 500}, -EAGAIN, "status 500", 5},
    {"500, then good", {.status = 500, .times = 2}, 0, "", 3},
    {"429 with a short wait",
     {.status = 429, .times = 1, .headers = "Retry-After: 0\r\n"},
     0,
     "",
     2},
    {"429 with a wait of 30 years",
     {.status = 429, .headers = "Retry-After: 1000000000\r\n"},
     -EAGAIN,
     "come back in 1000000000 seconds",
     1},
    {"silence", {.cut = 5, .stall = true, .times = 1}, 0, "", 2},
    {"redirect loop",
     {.status = 302, .headers = "Location: /v2/me/app/manifests/v1\r\n"},
     -ELOOP,
     "10 redirects",
     11},
    {"redirect to a file",
     {.status = 302, .headers = "Location: file:///etc/passwd\r\n"},
     -EPROTO,
     "refused",
     1},
    {"redirect to plain http far away",
     {.status = 302, .headers = "Location: http://192.0.2.1/x\r\n"},
     -EPROTO,
     "plain http",
     1},
};

START_TEST(faults_have_their_error)
{
    struct fake_rule rule = faults[_i].rule;
    struct err err = {0};
    int result;

    rule.path = "/manifests/";
    fake_break(fake, &rule);
    result = get("v1", &err);
    ck_assert_msg(result == faults[_i].result, "%s: %d: %s", faults[_i].name, result, err.message);
    ck_assert_msg(strstr(err.message, faults[_i].says), "%s: %s", faults[_i].name, err.message);
    ck_assert_msg(fake_count(fake, "GET ") == faults[_i].requests, "%s: %u requests",
                  faults[_i].name, fake_count(fake, "GET "));
}
END_TEST

START_TEST(a_digest_asked_for_is_the_digest_got)
{
    struct err err = {0};

    fake_serve(fake, "/v2/me/app/manifests/" WRONG, MEDIA_OCI_MANIFEST, manifest, strlen(manifest));
    ck_assert_int_eq(get(WRONG, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.message, "manifest verification failed"));
}
END_TEST

START_TEST(nobody_there_is_said_at_once)
{
    struct registry_options options = {0};
    cleanup_free char *address = str_copy(fake_address(fake));
    struct registry *r = NULL;
    struct buf body = {0};
    char *type = NULL, digest[72];
    struct err err = {0};

    fake_stop(fake);
    fake = NULL;
    ck_assert_int_eq(registry_open(address, "me/app", &options, &r, &err), 0);
    ck_assert_int_eq(registry_manifest(r, "v1", &body, &type, digest, &err), -ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(err.message, ": connect: connection refused"));
    ck_assert_ptr_nonnull(strstr(err.message, "/v2/\": dial tcp 127.0.0.1:"));
    registry_close(r);
}
END_TEST

/* --- credentials ----------------------------------------------------------------------------- */

#define BASIC "Basic dXNlcjpwYXNzd29yZA=="

START_TEST(a_password_goes_only_where_it_is_asked_for)
{
    struct err err = {0};

    log_in();
    fake_require(fake, BASIC, "Basic realm=\"test\"");
    ck_assert_msg(!get("v1", &err), "%s", err.message);
    ck_assert_uint_eq(fake_count(fake, "GET "), 2);
    ck_assert_uint_eq(fake_count(fake, "\r\nAuthorization: " BASIC "\r\n"), 1);
}
END_TEST

START_TEST(without_a_password_the_user_is_told)
{
    struct err err = {0};

    fake_require(fake, BASIC, "Basic realm=\"test\"");
    ck_assert_int_eq(get("v1", &err), -EPERM);
    ck_assert_ptr_nonnull(strstr(err.message, "no basic auth credentials"));
    ck_assert_uint_eq(fake_count(fake, "GET "), 1);
}
END_TEST

START_TEST(endless_401_ends)
{
    struct err err = {0};

    log_in();
    fake_require(fake, "Basic something-else", "Basic realm=\"test\"");
    ck_assert_int_eq(get("v1", &err), -EPERM);
    ck_assert_uint_eq(fake_count(fake, "GET "), 2);
    ck_assert_ptr_null(strstr(err.message, "password\""));
}
END_TEST

/* A Bearer challenge that names `other` as the token service. */
static char *require_token(const char *answer)
{
    char *challenge = str_format(
        "Bearer realm=\"http://%s/token\",service=\"a service\",scope=\"x\"", fake_address(other));

    fake_serve(other, "/token", "application/json", answer, strlen(answer));
    fake_require(fake, "Bearer T0ken", challenge);
    return challenge;
}

START_TEST(a_token_is_fetched_for_this_repository)
{
    cleanup_free char *challenge = require_token("{\"token\":\"T0ken\",\"expires_in\":300}");
    struct err err = {0};

    log_in();
    ck_assert_msg(!get("v1", &err), "%s", err.message);
    ck_assert_uint_eq(fake_count(fake, "GET "), 2);
    ck_assert_uint_eq(fake_count(fake, "Basic"), 0);
    ck_assert_uint_eq(
        fake_count(other, "GET /token?service=a%20service&scope=repository%3Ame%2Fapp%3Apull&"
                          "account=user "),
        1);
    ck_assert_uint_eq(fake_count(other, "\r\nAuthorization: " BASIC "\r\n"), 1);
}
END_TEST

START_TEST(a_token_is_had_without_a_password_too)
{
    cleanup_free char *challenge = require_token("{\"access_token\":\"T0ken\"}");
    struct err err = {0};

    ck_assert_msg(!get("v1", &err), "%s", err.message);
    ck_assert_uint_eq(fake_count(other, "Authorization"), 0);
    ck_assert_uint_eq(fake_count(other, "account"), 0);
}
END_TEST

START_TEST(an_identity_token_is_exchanged_by_post)
{
    cleanup_free char *challenge = require_token("{\"access_token\":\"T0ken\"}");
    cleanup_free char *file = str_format("%s/config.json", home);
    struct err err = {0};
    FILE *f = fopen(file, "w");

    fprintf(f, "{\"auths\":{\"%s\":{\"identitytoken\":\"id&T\"}}}", fake_address(fake));
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_msg(!get("v1", &err), "%s", err.message);
    ck_assert_uint_eq(fake_count(other, "POST /token HTTP"), 1);
    ck_assert_uint_eq(
        fake_count(other, "grant_type=refresh_token&client_id=cooper&refresh_token=id%26T"), 1);
}
END_TEST

START_TEST(bad_token_answers_are_refused)
{
    static const char *const answers[] = {"{\"token\":\"a\\r\\nX-Evil: 1\"}", "{\"token\":\"\"}",
                                          "{}", "<html>", "{\"token\":\"wrong\"}"};
    cleanup_free char *challenge = require_token(answers[_i]);
    struct err err = {0};

    ck_assert_int_lt(get("v1", &err), 0);
    ck_assert_uint_eq(fake_count(fake, "X-Evil"), 0);
    ck_assert_uint_eq(fake_count(other, "GET "), 1);
}
END_TEST

START_TEST(a_realm_that_is_no_address_gets_nothing)
{
    struct err err = {0};

    log_in();
    fake_require(fake, "Bearer T0ken", "Bearer realm=\"ftp://127.0.0.1/token\"");
    ck_assert_int_eq(get("v1", &err), -EPROTO);
}
END_TEST

START_TEST(a_token_service_may_ask_for_patience)
{
    cleanup_free char *challenge = require_token("{\"token\":\"T0ken\"}");
    struct err err = {0};

    fake_break(other, &(struct fake_rule){
                          .path = "/token", .status = 429, .headers = "Retry-After: 7200\r\n"});
    ck_assert_int_eq(get("v1", &err), -EAGAIN);
    ck_assert_ptr_nonnull(strstr(err.message, "asks to come back in 7200 seconds"));
    ck_assert_uint_eq(fake_count(other, "GET /token"), 1);
}
END_TEST

START_TEST(insufficient_scope_is_denied_access)
{
    cleanup_free char *challenge = NULL;
    struct err err = {0};

    fake_serve(other, "/token", NULL, "{\"token\":\"weak\"}", 16);
    challenge = str_format("Bearer realm=\"http://%s/token\",error=\"insufficient_scope\"",
                           fake_address(other));
    fake_require(fake, "Bearer T0ken", challenge);
    ck_assert_int_eq(get("v1", &err), -EACCES);
    ck_assert_str_eq(err.message, "denied: requested access to the resource is denied");
}
END_TEST

static void *get_in_thread(void *context)
{
    struct buf body = {0};
    char *type = NULL, digest[72];
    struct err err = {0};
    int r = registry_manifest(context, "v1", &body, &type, digest, &err);

    buf_free(&body);
    free(type);
    return r < 0 ? str_copy(err.message) : NULL;
}

START_TEST(threads_share_one_token)
{
    cleanup_free char *challenge = require_token("{\"token\":\"T0ken\"}");
    struct registry *r = open_one();
    pthread_t threads[8];

    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get_in_thread, r), 0);
    for (size_t i = 0; i < 8; i++) {
        void *message;

        pthread_join(threads[i], &message);
        ck_assert_msg(!message, "%s", (char *)message);
    }
    ck_assert_uint_eq(fake_count(other, "GET /token"), 1);
    registry_close(r);
}
END_TEST

/* --- redirects ------------------------------------------------------------------------------- */

START_TEST(a_redirect_takes_no_credentials_along)
{
    cleanup_free char *location =
        str_format("Location: http://%s/elsewhere?signed=1\r\n", fake_address(other));
    struct err err = {0};

    log_in();
    fake_require(fake, BASIC, "Basic realm=\"test\"");
    fake_serve(fake, "/v2/hop", NULL, "", 0);
    fake_break(fake, &(struct fake_rule){.path = "/hop", .status = 307, .headers = location});
    fake_break(fake, &(struct fake_rule){
                         .path = "/manifests/", .status = 307, .headers = "Location: /v2/hop\r\n"});
    ck_assert_msg(!get("v1", &err), "%s", err.message);
    ck_assert_uint_eq(fake_count(fake, "GET /v2/hop"), 1); /* a hop on the same host keeps them */
    ck_assert_uint_eq(fake_count(other, "GET /elsewhere?signed=1"), 1);
    ck_assert_uint_eq(fake_count(other, "Authorization"), 0);
}
END_TEST

START_TEST(a_stranger_who_asks_for_credentials_gets_none)
{
    cleanup_free char *location =
        str_format("Location: http://%s/v2/evil\r\n", fake_address(other));
    struct err err = {0};

    log_in();
    fake_require(other, BASIC, "Basic realm=\"test\"");
    fake_break(fake,
               &(struct fake_rule){.path = "/manifests/", .status = 307, .headers = location});
    ck_assert_int_lt(get("v1", &err), 0);
    ck_assert_uint_gt(fake_count(other, "GET "), 0);
    ck_assert_uint_eq(fake_count(other, "Authorization"), 0);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, make, drop);
    suite_add_tcase(suite, t);
    return t;
}

SUITE(registry_protocol)
{
    TCase *t = new_case(suite, "manifest");

    tcase_add_test(t, a_manifest_comes_with_its_type_and_digest);
    tcase_add_test(t, a_digest_asked_for_is_the_digest_got);
    tcase_add_test(t, nobody_there_is_said_at_once);
    tcase_add_loop_test(t, faults_have_their_error, 0, sizeof faults / sizeof *faults);
    t = new_case(suite, "auth");
    tcase_add_test(t, a_password_goes_only_where_it_is_asked_for);
    tcase_add_test(t, without_a_password_the_user_is_told);
    tcase_add_test(t, endless_401_ends);
    tcase_add_test(t, a_token_is_fetched_for_this_repository);
    tcase_add_test(t, a_token_is_had_without_a_password_too);
    tcase_add_test(t, an_identity_token_is_exchanged_by_post);
    tcase_add_loop_test(t, bad_token_answers_are_refused, 0, 5);
    tcase_add_test(t, a_realm_that_is_no_address_gets_nothing);
    tcase_add_test(t, a_token_service_may_ask_for_patience);
    tcase_add_test(t, insufficient_scope_is_denied_access);
    tcase_add_test(t, threads_share_one_token);
    t = new_case(suite, "redirect");
    tcase_add_test(t, a_redirect_takes_no_credentials_along);
    tcase_add_test(t, a_stranger_who_asks_for_credentials_gets_none);
}
