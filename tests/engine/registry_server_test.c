/* The test registry itself: what later tests rest on. */
#include <string.h>

#include "base/cleanup.h"

#include "support/registry_server.h"
#include "support/run.h"
#include "support/suite.h"

static struct registry_server server;

static void stop(void)
{
    registry_server_stop(&server);
}

START_TEST(skopeo_reads_what_was_pushed)
{
    static const struct {
        struct test_image image;
        const char *type;
    } cases[] = {
        {{0}, "application/vnd.docker.distribution.manifest.v2+json"},
        {{.format = "oci", .layers = 3}, "application/vnd.oci.image.config.v1+json"},
        {{.compression = "zstd"}, "application/vnd.oci.image.layer.v1.tar+zstd"},
        {{.index = true}, "application/vnd.docker.distribution.manifest.list.v2+json"},
        {{.index = true, .format = "oci"}, "application/vnd.oci.image.index.v1+json"},
    };
    cleanup_free char *url = NULL;
    struct run_result r = {0};

    registry_server_start(&server, NULL);
    url = str_format("docker://%s/me/app:v1", server.address);
    registry_server_push(&server, "me/app:v1", &cases[_i].image);
    RUN_OK(&r, NULL, "skopeo", "inspect", "--raw", "--tls-verify=false", url);
    ck_assert_ptr_nonnull(strstr(r.out.data, cases[_i].type));
    ck_assert_uint_gt(registry_server_count(&server, "/v2/me/app/manifests/v1"), 0);
    run_free(&r);
}
END_TEST

START_TEST(tls_and_passwords_are_asked_for)
{
    struct run_result r = {0};
    cleanup_free char *url = NULL;

    registry_server_start(&server, &(struct registry_server_options){
                                       .user = "ann", .password = "s:ecret", .tls = true});
    registry_server_push(&server, "me/app:v1", NULL);
    url = str_format("https://%s/v2/", server.address);
    RUN(&r, NULL, "curl", "-sS", url);
    ck_assert_int_eq(r.code, 60);
    RUN_OK(&r, NULL, "curl", "-sS", "--cacert", server.ca, "-o", "/dev/null", "-w", "%{http_code}",
           url);
    ck_assert_str_eq(r.out.data, "401");
    RUN_OK(&r, NULL, "curl", "-sS", "--cacert", server.ca, "-u", "ann:s:ecret", "-o", "/dev/null",
           "-w", "%{http_code}", url);
    ck_assert_str_eq(r.out.data, "200");
    run_free(&r);
}
END_TEST

SUITE(registry_server)
{
    TCase *t = tcase_create("server");

    tcase_set_tags(t, "needs-registry");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, NULL, stop);
    tcase_add_loop_test(t, skopeo_reads_what_was_pushed, 0, 5);
    tcase_add_test(t, tls_and_passwords_are_asked_for);
    suite_add_tcase(suite, t);
}
