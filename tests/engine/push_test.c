/* push to a real registry, and back: with skopeo, and with pull on another machine. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "engine/world.h"
#include "support/registry_server.h"

static struct registry_server server;
static char *name; /* "ADDRESS/me/app:v1" */

static void serve(const struct registry_server_options *options)
{
    registry_server_start(&server, options);
    name = str_format("%s/me/app:v1", server.address);
}

static void drop(void)
{
    registry_server_stop(&server);
    free(name);
    name = NULL;
    unsetenv("DOCKER_CONFIG");
}

/* kid:1 has a layer over the box. */
static void clear(void)
{
    cleanup_free char *names = NULL;

    world_clear();
    names = OUTPUT("images", "--format", "{{.Repository}}:{{.Tag}}");
    for (char *rest = names, *one; (one = strsep(&rest, "\n")) && *one;) {
        cleanup_run struct run_result r = {0};

        if (strcmp(one, BOX))
            COOPER(&r, "rmi", "-f", one);
    }
    EXPECT(0, NULL, "", "run", "--name", "cc", BOX, "sh", "-c", "echo hi >/data/f");
    EXPECT(0, NULL, "", "commit", "cc", "kid:1");
    EXPECT(0, NULL, "", "rm", "cc");
}

static char *diff_id(const char *image, int layer)
{
    cleanup_free char *format = str_format("{{index .RootFS.Layers %d}}", layer);

    return world_inspect(image, format);
}

/* The digest of what the registry serves for `what`, computed by sha256sum over skopeo's bytes. */
static char *digest_there(const char *what)
{
    cleanup_run struct run_result r = {0};
    cleanup_free char *script =
        str_format("skopeo inspect --tls-verify=false --raw docker://%s | sha256sum", what);

    RUN_OK(&r, NULL, "sh", "-c", script);
    r.out.data[64] = 0;
    return str_format("sha256:%s", r.out.data);
}

/* Removes everything of the name and pulls it again: the same image, and it runs. */
static void check_comes_back(const char *what, const char *id)
{
    cleanup_free char *again = NULL;

    EXPECT(0, NULL, "", "rmi", "-f", id);
    EXPECT(0, NULL, "", "pull", what);
    again = world_inspect(what, "{{.Id}}");
    ck_assert_str_eq(again, id);
    EXPECT(0, "hi\n", "", "run", "--rm", what, "cat", "/data/f");
}

/* --- what is printed -------------------------------------------------------------------------- */

START_TEST(push_prints_what_docker_prints)
{
    cleanup_free char *top = diff_id("kid:1", 1), *base = diff_id("kid:1", 0), *digest = NULL;
    cleanup_free char *head = NULL, *end = NULL, *id = world_inspect("kid:1", "{{.Id}}");
    const char *out;

    serve(NULL);
    EXPECT(0, "", "", "tag", "kid:1", name);
    out = EXPECT(0, NULL, "", "push", name);
    head = str_format("The push refers to repository [%s/me/app]\n%.12s: Preparing\n%.12s: "
                      "Preparing\n",
                      server.address, top + 7, base + 7);
    ck_assert_msg(str_starts(out, head), "'%s' begins otherwise than '%s'", out, head);
    ck_assert_ptr_nonnull(strstr(out, ": Pushed\n"));
    digest = digest_there(name);
    end = str_format("v1: digest: %s size: ", digest);
    ck_assert_msg(strstr(out, end) != NULL, "'%s' lacks '%s'", out, end);
    out = EXPECT(0, NULL, "", "push", name);
    ck_assert_ptr_nonnull(strstr(out, ": Layer already exists\n"));
    ck_assert_ptr_null(strstr(out, "Pushed"));
    free(head);
    head = str_format("%s\n", name);
    EXPECT(0, head, "", "push", "-q", name);
    check_comes_back(name, id);
}
END_TEST

START_TEST(layers_are_taken_over_from_other_repositories)
{
    cleanup_free char *other = NULL;

    serve(NULL);
    other = str_format("%s/me/other:v2", server.address);
    EXPECT(0, "", "", "tag", "kid:1", name);
    EXPECT(0, NULL, "", "push", name);
    EXPECT(0, "", "", "tag", "kid:1", other);
    ck_assert_ptr_nonnull(strstr(EXPECT(0, NULL, "", "push", other), ": Mounted from me/app\n"));
    ck_assert_uint_eq(registry_server_count(&server, "PATCH /v2/me/other"), 0);
}
END_TEST

START_TEST(all_tags_go)
{
    cleanup_free char *repository = NULL, *one = NULL, *two = NULL;
    const char *out;

    serve(NULL);
    repository = str_format("%s/me/many", server.address);
    one = str_format("%s:1", repository);
    two = str_format("%s:2", repository);
    EXPECT(0, "", "", "tag", BOX, one);
    EXPECT(0, "", "", "tag", "kid:1", two);
    out = EXPECT(0, NULL, "", "push", "-a", repository);
    ck_assert_ptr_nonnull(strstr(out, "\n1: digest: sha256:"));
    ck_assert_ptr_nonnull(strstr(out, "\n2: digest: sha256:"));
    EXPECT(1, NULL, "tag does not exist: ", "push", repository); /* latest */
    EXPECT(1, NULL, "tag can't be used with --all-tags/-a\n", "push", "-a", one);
}
END_TEST

START_TEST(what_cannot_be_pushed_is_told)
{
    EXPECT(1,
           "Using default tag: latest\nThe push refers to repository [docker.io/library/nosuch]\n",
           "An image does not exist locally with the tag: nosuch\n", "push", "nosuch");
    EXPECT(1, "", "cannot push a digest reference\n", "push",
           "x@sha256:74d99b849017e6b017e26bed6c0e47a63e8022391f73e1187ca44a51f54ebfbb");
    EXPECT(1, "", "repository name (library/UPPER) must be lowercase", "push", "UPPER:1");
    EXPECT(0, "", "", "tag", BOX, "127.0.0.1:1/x/y");
    EXPECT(1, NULL, "connect: connection refused\n", "push", "127.0.0.1:1/x/y");
    EXPECT(1, NULL, "does not provide the specified platform (linux/s390x)", "push", "--platform",
           "linux/s390x", "127.0.0.1:1/x/y");
}
END_TEST

/* --- digests ---------------------------------------------------------------------------------- */

/* Pulled, saved, loaded elsewhere and pushed from there: the manifest is the same document. */
START_TEST(a_pulled_image_keeps_its_digest)
{
    static const char *const formats[] = {"v2s2", "oci"};
    cleanup_free char *before = NULL, *after = NULL, *copy = NULL, *file = world_path("moved.tar");

    serve(NULL);
    registry_server_push(&server, "me/app:v1",
                         &(struct test_image){.layers = 2, .format = formats[_i]});
    before = digest_there(name);
    copy = str_format("%s/moved/app:v9", server.address);
    EXPECT(0, NULL, "", "pull", name);
    EXPECT(0, NULL, "", "save", "-o", file, name);
    EXPECT(0, NULL, "", "rmi", name);
    EXPECT(0, NULL, "", "load", "-i", file);
    EXPECT(0, "", "", "tag", name, copy);
    EXPECT(0, NULL, "", "push", copy);
    after = digest_there(copy);
    ck_assert_str_eq(before, after);
    unlink(file);
}
END_TEST

/* The same layers were here before, from an archive, packed otherwise. */
START_TEST(what_was_here_does_not_change_the_digest)
{
    cleanup_free char *before = NULL, *after = NULL, *copy = NULL, *file = world_path("moved.tar");
    cleanup_free char *script = NULL;
    cleanup_run struct run_result r = {0};

    serve(NULL);
    registry_server_push(&server, "me/app:v1", &(struct test_image){.layers = 2});
    before = digest_there(name);
    copy = str_format("%s/moved/app:v9", server.address);
    script = str_format("skopeo --insecure-policy copy --src-tls-verify=false -q docker://%s "
                        "docker-archive:%s:kid:2",
                        name, file);
    RUN_OK(&r, NULL, "sh", "-c", script);
    EXPECT(0, "Loaded image: kid:2\n", "", "load", "-i", file);
    EXPECT(0, NULL, "", "pull", name);
    EXPECT(0, "", "", "tag", name, copy);
    EXPECT(0, NULL, "", "push", copy);
    after = digest_there(copy);
    ck_assert_str_eq(before, after);
    unlink(file);
}
END_TEST

/* An image made on a pulled one sends the pulled layers as they came. */
START_TEST(a_base_is_not_packed_again)
{
    cleanup_free char *kid = NULL, *layers = NULL;
    cleanup_run struct run_result r = {0};

    serve(NULL);
    registry_server_push(&server, "me/app:v1", &(struct test_image){.layers = 2});
    kid = str_format("%s/me/kid:1", server.address);
    EXPECT(0, NULL, "", "pull", name);
    EXPECT(0, NULL, "", "run", "--name", "cc", name, "sh", "-c", "echo >/tmp/x");
    EXPECT(0, NULL, "", "commit", "cc", kid);
    EXPECT(0, NULL, "", "rm", "cc");
    EXPECT(0, NULL, "", "rmi", name); /* its blobs stay: the child has them */
    EXPECT(0, NULL, "", "push", kid);
    layers = str_format("a=$(skopeo inspect --tls-verify=false --format '{{.Layers}}' docker://%s);"
                        "b=$(skopeo inspect --tls-verify=false --format '{{.Layers}}' docker://%s);"
                        "a=${a%%]}; test \"${b#\"$a \"}\" != \"$b\"",
                        name, kid);
    RUN_OK(&r, NULL, "sh", "-c", layers);
}
END_TEST

/* --- passwords and TLS ------------------------------------------------------------------------ */

static void log_in(const char *user, const char *password)
{
    cleanup_free char *dir = world_path("docker"), *file = str_format("%s/config.json", dir);
    cleanup_free char *plain = str_format("%s:%s", user, password), *text = NULL;
    const struct run_options fed = {.input = plain, .input_len = strlen(plain)};
    cleanup_run struct run_result r = {0};
    struct err err = {0};

    RUN_OK(&r, &fed, "base64", "-w0");
    text = str_format("{\"auths\":{\"%s\":{\"auth\":\"%s\"}}}", server.address, r.out.data);
    ck_assert_int_eq(file_make_dirs(AT_FDCWD, dir, 0700, &err), 0);
    ck_assert_int_eq(file_store(AT_FDCWD, file, text, strlen(text), 0600, false, &err), 0);
    setenv("DOCKER_CONFIG", dir, 1);
}

START_TEST(a_password_is_needed_where_it_is)
{
    cleanup_free char *id = world_inspect("kid:1", "{{.Id}}");

    serve(&(struct registry_server_options){.user = "ann", .password = "secret"});
    EXPECT(0, "", "", "tag", "kid:1", name);
    EXPECT(1, NULL, "no basic auth credentials", "push", name);
    log_in("ann", "wrong");
    EXPECT(1, NULL, "unauthorized", "push", name);
    log_in("ann", "secret");
    EXPECT(0, NULL, "", "push", name);
    check_comes_back(name, id);
}
END_TEST

START_TEST(a_private_certificate_is_trusted_by_its_directory)
{
    cleanup_free char *id = world_inspect("kid:1", "{{.Id}}"), *dir = NULL, *ca = NULL;
    cleanup_run struct run_result r = {0};
    cleanup_free char *config = world_path("docker");

    serve(&(struct registry_server_options){.tls = true});
    EXPECT(0, "", "", "tag", "kid:1", name);
    setenv("DOCKER_CONFIG", config, 1);
    EXPECT(1, NULL, "tls: failed to verify certificate", "push", name);
    dir = str_format("%s/certs.d/%s", config, server.address);
    ca = str_format("%s/ca.crt", dir);
    RUN_OK(&r, NULL, "mkdir", "-p", dir);
    RUN_OK(&r, NULL, "cp", server.ca, ca);
    EXPECT(0, NULL, "", "push", name);
    check_comes_back(name, id);
}
END_TEST

SUITE(push)
{
    const TTest *const tests[] = {
        push_prints_what_docker_prints,
        layers_are_taken_over_from_other_repositories,
        all_tags_go,
        what_cannot_be_pushed_is_told,
        what_was_here_does_not_change_the_digest,
        a_base_is_not_packed_again,
        a_password_is_needed_where_it_is,
        a_private_certificate_is_trusted_by_its_directory,
    };
    TCase *t = tcase_create("push");

    tcase_set_tags(t, "needs-root needs-registry");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, clear, drop);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(t, tests[i]);
    tcase_add_loop_test(t, a_pulled_image_keeps_its_digest, 0, 2);
    suite_add_tcase(suite, t);
}
