/* login, logout, search, all tags, mirrors and certificates, against real registries. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/world.h"
#include "support/registry_server.h"

static struct registry_server server;
static char *config; /* DOCKER_CONFIG */

static void start(void)
{
    config = world_path("docker");
    setenv("DOCKER_CONFIG", config, 1);
    unsetenv("COOPER_REGISTRIES");
}

static void stop(void)
{
    cleanup_run struct run_result r = {0};

    registry_server_stop(&server);
    RUN(&r, NULL, "rm", "-rf", config);
    free(config);
}

/* Pulls `image` and removes it again. */
static void pull_and_forget(const char *image)
{
    EXPECT(0, NULL, "", "pull", image);
    EXPECT(0, NULL, "", "rmi", image);
}

static void with_password(const char *password, int code, const char *out, const char *error)
{
    const struct run_options fed = {.input = password, .input_len = strlen(password)};
    cleanup_run struct run_result r = {0};

    world_run(
        &r, &fed,
        (const char *const[]){"login", "-u", "ann", "--password-stdin", server.address, NULL});
    ck_assert_msg(r.code == code && !strcmp(r.out.data, out) && strstr(r.err.data, error),
                  "%d '%s' '%s'", r.code, r.out.data, r.err.data);
    ck_assert_ptr_null(strstr(r.err.data, "secret"));
}

START_TEST(whoever_is_logged_in_may_pull)
{
    cleanup_free char *image = NULL, *removing = NULL;

    registry_server_start(&server,
                          &(struct registry_server_options){.user = "ann", .password = "secret"});
    registry_server_push(&server, "me/app:v1", NULL);
    image = str_format("%s/me/app:v1", server.address);
    EXPECT(1, "", "no basic auth credentials", "pull", image);
    with_password("wrong", 1, "", "failed with status: 401 Unauthorized\n");
    EXPECT(1, "", "no basic auth credentials", "pull", image); /* it was not kept */
    with_password("secret\n", 0, "Login Succeeded\n", "are stored unencrypted in '");
    pull_and_forget(image);
    with_password("secret\n", 0, "Login Succeeded\n", "");
    EXPECT(0, "Login Succeeded\n",
           "Authenticating with existing credentials... [Username: ann]\n\n", "login",
           server.address);
    removing = str_format("Removing login credentials for %s\n", server.address);
    EXPECT(0, removing, "", "logout", server.address);
    EXPECT(1, "", "no basic auth credentials", "pull", image);
}
END_TEST

static const struct {
    const char *args[8], *message;
} mistakes[] = {
    {{"login", "--password-stdin", "lab"},
     "the --password-stdin option requires --username to be set\n"},
    {{"login", "-u", "a", "-p", "b", "--password-stdin"},
     "conflicting options: cannot specify both --password and --password-stdin\n"},
    {{"login", "-u", "ann", "127.0.0.1:1"},
     "Error: Cannot perform an interactive login from a non TTY device\n"},
    {{"login", "-u", "a", "-p", "b", "127.0.0.1:1"}, "connect: connection refused\n"},
    {{"search", "--limit", "101", "x"},
     "Error response from daemon: Limit 101 is outside the range of [1, 100]\n"},
    {{"search", "-f", "foo=1", "x"}, "invalid filter 'foo'"},
    {{"search", "-f", "stars=many", "x"}, "invalid filter 'stars=many'"},
    {{"pull", "-a", "127.0.0.1:1/x:1"}, "tag can't be used with --all-tags/-a\n"},
};

START_TEST(mistakes_are_told)
{
    cleanup_run struct run_result r = {0};

    world_run(&r, NULL, mistakes[_i].args);
    ck_assert_msg(r.code == 1 && strstr(r.err.data, mistakes[_i].message), "%d '%s' lacks '%s'",
                  r.code, r.err.data, mistakes[_i].message);
}
END_TEST

START_TEST(a_registry_is_searched_by_its_catalogue)
{
    cleanup_free char *term = NULL, *nothing = NULL, *expected = NULL, *all = NULL;

    registry_server_start(&server, NULL);
    registry_server_push(&server, "me/app:v1", NULL);
    registry_server_push(&server, "other/thing:v1", NULL);
    term = str_format("%s/APP", server.address);
    nothing = str_format("%s/nothing", server.address);
    expected = str_format("%s/me/app\n", server.address);
    EXPECT(0, expected, "", "search", "--format", "{{.Name}}", term);
    all = str_format("%s/me/app\n%s/other/thing\n", server.address, server.address);
    EXPECT(0, all, "", "search", "--format", "{{.Name}}", server.address);
    EXPECT(0, "NAME      DESCRIPTION   STARS     OFFICIAL\n", "", "search", nothing);
}
END_TEST

START_TEST(all_tags_are_pulled)
{
    cleanup_free char *repository = NULL, *status = NULL, *none = NULL, *one = NULL, *two = NULL;
    const char *out;

    registry_server_start(&server, NULL);
    registry_server_push(&server, "me/app:v1", NULL);
    registry_server_push(&server, "me/app:v2", &(struct test_image){.layers = 2});
    repository = str_format("%s/me/app", server.address);
    none = str_format("%s/me/none", server.address);
    one = str_format("%s:v1", repository);
    two = str_format("%s:v2", repository);
    status = str_format("\nStatus: Downloaded newer image for %s\n%s\n", repository, repository);
    out = EXPECT(0, NULL, "", "pull", "-a", repository);
    ck_assert_ptr_nonnull(strstr(out, "v1: Pulling from me/app\n"));
    ck_assert_ptr_nonnull(strstr(out, "v2: Pulling from me/app\n"));
    ck_assert_ptr_nonnull(strstr(out, status));
    EXPECT(0, "v1\n", "", "images", "--format", "{{.Tag}}", "--filter", "reference=*/*/app:v1");
    EXPECT(0, "v2\n", "", "images", "--format", "{{.Tag}}", "--filter", "reference=*/*/app:v2");
    EXPECT(1, "", "not found: name unknown: repository name not known", "pull", "-a", none);
    EXPECT(0, NULL, "", "rmi", one, two);
}
END_TEST

/* Docker Hub cannot be reached from here; its mirror can. */
START_TEST(a_mirror_stands_in_for_docker_hub)
{
    cleanup_free char *file = world_path("registries.json"), *text = NULL;
    struct err err = {0};

    registry_server_start(&server, NULL);
    registry_server_push(&server, "library/mirrored:v1", NULL);
    text =
        str_format("{\"registry-mirrors\":[\"http://127.0.0.1:1\",\"http://%s\"]}", server.address);
    ck_assert_int_eq(file_store(AT_FDCWD, file, text, strlen(text), 0600, false, &err), 0);
    setenv("COOPER_REGISTRIES", file, 1);
    ck_assert_ptr_nonnull(strstr(EXPECT(0, NULL, "", "pull", "mirrored:v1"),
                                 "\nStatus: Downloaded newer image for mirrored:v1\n"
                                 "docker.io/library/mirrored:v1\n"));
    EXPECT(0, NULL, "", "rmi", "mirrored:v1");
    unlink(file);
}
END_TEST

START_TEST(a_listed_registry_needs_no_certificate)
{
    cleanup_free char *file = world_path("registries.json"), *text = NULL, *image = NULL;
    struct err err = {0};

    registry_server_start(&server, &(struct registry_server_options){.tls = true});
    registry_server_push(&server, "me/app:v1", NULL);
    image = str_format("%s/me/app:v1", server.address);
    EXPECT(1, "", "tls: failed to verify certificate", "pull", image);
    text = str_format("{\"insecure-registries\":[\"%s\"]}", server.address);
    ck_assert_int_eq(file_store(AT_FDCWD, file, text, strlen(text), 0600, false, &err), 0);
    setenv("COOPER_REGISTRIES", file, 1);
    pull_and_forget(image);
    unlink(file);
}
END_TEST

START_TEST(we_can_have_a_certificate_too)
{
    cleanup_free char *script = NULL, *image = NULL, *key = NULL;
    cleanup_run struct run_result r = {0};

    registry_server_start(
        &server, &(struct registry_server_options){.tls = true, .client_certificate = true});
    image = str_format("%s/me/app:v1", server.address);
    script = str_format("d=%s/certs.d/%s; mkdir -p $d; cp %s $d/ca.crt; cp %s $d/client.cert",
                        config, server.address, server.ca, server.ca);
    RUN_OK(&r, NULL, "sh", "-ec", script);
    EXPECT(1, "", "missing key client.key for client certificate client.cert", "pull", image);
    key = str_format("d=%s/certs.d/%s; cp %s/key.pem $d/client.key", config, server.address,
                     server.directory);
    RUN_OK(&r, NULL, "sh", "-ec", key);
    EXPECT(0, "", "", "tag", BOX, image);
    EXPECT(0, NULL, "", "push", image);
    EXPECT(0, NULL, "", "rmi", image);
    pull_and_forget(image);
    RUN_OK(&r, NULL, "sh", "-ec", "rm $DOCKER_CONFIG/certs.d/*/client.*");
    EXPECT(1, "", "certificate", "pull", image);
}
END_TEST

SUITE(login)
{
    const TTest *const tests[] = {
        whoever_is_logged_in_may_pull,
        a_registry_is_searched_by_its_catalogue,
        all_tags_are_pulled,
        a_mirror_stands_in_for_docker_hub,
        a_listed_registry_needs_no_certificate,
        we_can_have_a_certificate_too,
    };
    TCase *t = tcase_create("login");

    tcase_set_tags(t, "needs-root needs-registry");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, start, stop);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    tcase_add_loop_test(t, mistakes_are_told, 0, sizeof mistakes / sizeof *mistakes);
    suite_add_tcase(suite, t);
}
