/* Pulling from Debian's docker-registry what skopeo and umoci made: every format comes out as the
 * same tree, and the digests are the ones skopeo sees. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/fake_registry.h"
#include "support/puller.h"
#include "support/registry_server.h"
#include "support/run.h"
#include "support/suite.h"

static struct registry_server server;
static char *name; /* of the image pushed: "127.0.0.1:PORT/me/app:v1" */

static void make(void)
{
    puller_make();
}

static void drop(void)
{
    puller_drop();
    registry_server_stop(&server);
    free(name);
}

static void start(const struct registry_server_options *options, const struct test_image *image)
{
    registry_server_start(&server, options);
    registry_server_push(&server, "me/app:v1", image);
    name = str_format("%s/me/app:v1", server.address);
}

/* The manifest or index ("--raw") or the config ("--config") as the server has it, by skopeo. */
static char *skopeo(const char *more, const char *image)
{
    cleanup_free char *url = str_format("docker://%s", image);
    struct run_result r = {0};
    char *out;

    RUN_OK(&r, NULL, "skopeo", "inspect", "--tls-verify=false", "--raw", more, url);
    out = buf_steal(&r.out);
    run_free(&r);
    return out;
}

static void assert_file(const char *path, const char *expected)
{
    cleanup_free char *text = puller_file(name, path);

    ck_assert_msg(text, "no '%s'", path);
    ck_assert_str_eq(text, expected);
}

static struct stat stat_of(const char *path)
{
    cleanup_free char *file = puller_path(name, path);
    struct stat st;

    ck_assert_msg(file && !lstat(file, &st), "no '%s'", path);
    return st;
}

/* The tree of busybox_tree(), with its owners, modes and links. */
static void assert_tree(void)
{
    struct stat st = stat_of("bin/setuid");

    ck_assert_uint_eq(st.st_mode, S_IFREG | 04755);
    st = stat_of("home/user");
    ck_assert(st.st_uid == 1000 && st.st_gid == 1000);
    ck_assert_uint_eq(stat_of("tmp").st_mode, S_IFDIR | 01777);
    ck_assert(S_ISLNK(stat_of("etc/sh").st_mode));
    ck_assert_uint_eq(stat_of("etc/marker").st_ino, stat_of("etc/marker-link").st_ino);
    ck_assert_uint_gt(stat_of("bin/busybox").st_size, 500000);
    assert_file("etc/marker", "plain\n");
}

/* --- formats ---------------------------------------------------------------------------------- */

static const struct test_image images[] = {
    {0},
    {.format = "oci"},
    {.compression = "zstd", .layers = 2},
    {.layers = 12},
    {.index = true},
    {.index = true, .format = "oci"},
};

START_TEST(every_format_gives_the_same_tree)
{
    char digest[DIGEST_LEN + 1], id[DIGEST_LEN + 1];
    cleanup_free char *raw = NULL, *config = NULL, *line = NULL;
    struct image image;
    struct err err = {0};

    start(NULL, &images[_i]);
    pull_ok(name);
    assert_tree();
    assert_file("etc/arch", "amd64");
    if (images[_i].layers > 1)
        assert_file("layer-2", "2\n");
    raw = skopeo("--raw", name);
    digest_of(raw, strlen(raw), digest);
    line = str_format("Digest: %s", digest);
    ck_assert_msg(puller_said_line(line), "no '%s' in: %s", line, puller_said());
    config = skopeo("--config", name);
    digest_of(config, strlen(config), id);
    ck_assert_int_eq(store_image_by_reference(puller_engine()->store, name, &image, &err), 0);
    ck_assert_str_eq(image.id, id);
    ck_assert_uint_eq(image.digests.len, 1);
    ck_assert(str_ends(image.digests.items[0], digest));
    image_free(&image);
}
END_TEST

START_TEST(the_state_is_an_oci_layout_skopeo_can_read)
{
    cleanup_free char *layout = NULL;
    struct run_result r = {0};

    start(NULL, &(struct test_image){.format = "oci"});
    pull_ok(name);
    layout = str_format("oci:%s:%s", puller_root(), name);
    RUN_OK(&r, NULL, "skopeo", "inspect", layout);
    run_free(&r);
}
END_TEST

START_TEST(the_platform_asked_for_is_picked)
{
    struct err err = {0};

    start(NULL, &(struct test_image){.index = true});
    ck_assert_msg(!pull(name, &(struct pull_options){.platform = "linux/arm64"}, &err), "%s",
                  err.message);
    assert_file("etc/arch", "arm64");
    ck_assert_int_eq(pull(name, &(struct pull_options){.platform = "linux/s390x"}, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.message, "no matching manifest for linux/s390x"));
    pull_ok(name);
    assert_file("etc/arch", "amd64");
}
END_TEST

START_TEST(an_image_is_pulled_by_digest)
{
    cleanup_free char *raw = NULL, *by_digest = NULL, *first = NULL, *last = NULL;
    char digest[DIGEST_LEN + 1];

    start(NULL, NULL);
    raw = skopeo("--raw", name);
    digest_of(raw, strlen(raw), digest);
    by_digest = str_format("%s/me/app@%s", server.address, digest);
    pull_ok(by_digest);
    first = str_format("%s: Pulling from me/app\n", by_digest);
    last = str_format("Status: Downloaded newer image for %s\n%s\n", by_digest, by_digest);
    ck_assert_msg(str_starts(puller_said(), first) && str_ends(puller_said(), last), "%s",
                  puller_said());
    free(name);
    name = str_copy(by_digest);
    assert_tree();
}
END_TEST

/* --- who may --------------------------------------------------------------------------------- */

/* "ann:s:ecret" */
static void log_in(void)
{
    cleanup_free char *file = str_format("%s/config.json", puller_docker_config());
    cleanup_free char *text =
        str_format("{\"auths\":{\"%s\":{\"auth\":\"YW5uOnM6ZWNyZXQ=\"}}}", server.address);
    struct err err = {0};

    ck_assert_int_eq(file_store(AT_FDCWD, file, text, strlen(text), 0600, false, &err), 0);
}

/* The server's certificate becomes one of a trusted authority. */
static void trust(void)
{
    cleanup_free char *certs = str_format("%s/certs.d/%s", puller_docker_config(), server.address);
    cleanup_free char *ca = str_format("%s/ca.crt", certs);
    struct run_result r = {0};
    struct err err = {0};

    ck_assert_int_eq(file_make_dirs(AT_FDCWD, certs, 0700, &err), 0);
    RUN_OK(&r, NULL, "cp", server.ca, ca);
    run_free(&r);
}

START_TEST(a_password_is_needed_and_used)
{
    struct err err = {0};

    start(&(struct registry_server_options){.user = "ann", .password = "s:ecret"}, NULL);
    ck_assert_int_eq(pull(name, NULL, &err), -EPERM);
    ck_assert_ptr_nonnull(strstr(err.message, "no basic auth credentials"));
    puller_assert_nothing(0);
    log_in();
    pull_ok(name);
    assert_tree();
}
END_TEST

START_TEST(an_unknown_authority_is_refused_and_a_known_one_trusted)
{
    struct err err = {0};

    start(&(struct registry_server_options){.user = "ann", .password = "s:ecret", .tls = true},
          NULL);
    log_in();
    ck_assert_int_eq(pull(name, NULL, &err), -EKEYREJECTED);
    ck_assert_ptr_nonnull(strstr(err.message, "certificate"));
    ck_assert_uint_eq(registry_server_count(&server, "cooper/"),
                      0); /* no request, so no password */
    puller_assert_nothing(0);
    trust();
    pull_ok(name);
    assert_tree();
}
END_TEST

START_TEST(a_password_never_leaves_tls_for_the_token_service)
{
    struct fake_registry *service = fake_start();
    cleanup_free char *realm = str_format("http://%s/token", fake_address(service));
    struct err err = {0};

    registry_server_start(&server,
                          &(struct registry_server_options){.tls = true, .token_realm = realm});
    name = str_format("%s/me/app:v1", server.address);
    log_in();
    trust();
    ck_assert_int_eq(pull(name, NULL, &err), -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.message, "without TLS: refused"));
    ck_assert_uint_eq(fake_count(service, ""), 0);
    fake_stop(service);
}
END_TEST

START_TEST(a_blob_is_not_fetched_from_plain_http_when_the_registry_has_tls)
{
    struct fake_registry *elsewhere = fake_start();
    cleanup_free char *url = str_format("http://%s/", fake_address(elsewhere));
    struct err err = {0};

    start(&(struct registry_server_options){.tls = true, .redirect = url}, NULL);
    trust();
    ck_assert_int_eq(pull(name, NULL, &err), -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.message, "redirected from https to plain http"));
    ck_assert_uint_eq(fake_count(elsewhere, "cooper/"), 0);
    puller_assert_nothing(0);
    fake_stop(elsewhere);
}
END_TEST

START_TEST(what_is_not_there_is_said_in_dockers_words)
{
    cleanup_free char *missing = NULL, *expected = NULL;
    struct err err = {0};

    registry_server_start(&server, NULL);
    missing = str_format("%s/me/nothing", server.address);
    expected =
        str_format("manifest for %s:latest not found: manifest unknown: manifest unknown", missing);
    ck_assert_int_eq(pull(missing, NULL, &err), -ENOENT);
    ck_assert_str_eq(err.message, expected);
    ck_assert_str_eq(puller_said(), "Using default tag: latest\n");
}
END_TEST

/* --- at once ---------------------------------------------------------------------------------- */

/* An engine of its own, as another command would have. */
static void *pull_too(void *context)
{
    struct engine *e = NULL;
    struct err err = {0};

    if (!engine_open(puller_root(), &e, &err))
        engine_pull(e, context, NULL, NULL, &err);
    engine_close(e);
    return err.code ? str_copy(err.message) : NULL;
}

START_TEST(the_same_image_pulled_by_many_at_once_is_fetched_once)
{
    pthread_t threads[4];

    start(NULL, &(struct test_image){.layers = 6});
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, pull_too, name), 0);
    for (size_t i = 0; i < 4; i++) {
        void *message;

        pthread_join(threads[i], &message);
        ck_assert_msg(!message, "%s", (char *)message);
    }
    assert_tree();
    ck_assert_uint_eq(puller_count("layers"), 6);
    ck_assert_uint_eq(puller_count("staging"), 0);
    ck_assert_uint_eq(puller_count("blobs/partial"), 0);
}
END_TEST

SUITE(registry_pull)
{
    TCase *t = tcase_create("pull");

    tcase_set_tags(t, "needs-registry");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, make, drop);
    tcase_add_loop_test(t, every_format_gives_the_same_tree, 0, sizeof images / sizeof *images);
    tcase_add_test(t, the_state_is_an_oci_layout_skopeo_can_read);
    tcase_add_test(t, the_platform_asked_for_is_picked);
    tcase_add_test(t, an_image_is_pulled_by_digest);
    tcase_add_test(t, a_password_is_needed_and_used);
    tcase_add_test(t, an_unknown_authority_is_refused_and_a_known_one_trusted);
    tcase_add_test(t, a_password_never_leaves_tls_for_the_token_service);
    tcase_add_test(t, a_blob_is_not_fetched_from_plain_http_when_the_registry_has_tls);
    tcase_add_test(t, what_is_not_there_is_said_in_dockers_words);
    tcase_add_test(t, the_same_image_pulled_by_many_at_once_is_fetched_once);
    suite_add_tcase(suite, t);
}
