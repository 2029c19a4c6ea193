/* pull, images and rmi against a real registry: forms of images, what docker prints, and what must
 * be refused. */
#include "engine/world.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "support/registry_server.h"

static struct registry_server server;
static char *image; /* "ADDRESS/me/app:v1" */

static void serve(const struct registry_server_options *options, const struct test_image *what)
{
    registry_server_start(&server, options);
    registry_server_push(&server, "me/app:v1", what);
    image = str_format("%s/me/app:v1", server.address);
}

static void stop_serving(void)
{
    registry_server_stop(&server);
    free(image);
    image = NULL;
}

/* No image, no container: each test starts with an empty store. */
static void forget_images(void)
{
    cleanup_free char *ids = NULL;

    world_clear();
    ids = OUTPUT("images", "-q", "--no-trunc");
    for (char *rest = ids, *id; (id = strsep(&rest, "\n")) && *id;) {
        cleanup_run struct run_result r = {0};

        COOPER(&r, "rmi", "-f", id);
    }
    unsetenv("DOCKER_CONFIG");
}

static char *skopeo_digest(void)
{
    cleanup_run struct run_result r = {0};
    cleanup_free char *url = str_format("docker://%s", image);

    RUN_OK(&r, NULL, "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", url);
    r.out.data[strcspn(r.out.data, "\n")] = 0;
    return str_copy(r.out.data);
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

/* --- what is printed -------------------------------------------------------------------------- */

START_TEST(pull_prints_what_docker_prints)
{
    cleanup_free char *digest = NULL, *end = NULL;
    const char *out;

    serve(NULL, &(struct test_image){.layers = 3});
    digest = skopeo_digest();
    end =
        str_format("Digest: %s\nStatus: Downloaded newer image for %s\n%s\n", digest, image, image);
    out = EXPECT(0, NULL, "", "pull", image);
    ck_assert_msg(str_starts(out, "v1: Pulling from me/app\n"), "%s", out);
    ck_assert_msg(str_ends(out, end), "%s", out);
    ck_assert_uint_eq(count(out, ": Pulling fs layer\n"), 3);
    ck_assert_uint_eq(count(out, ": Pull complete\n"), 3);

    free(end);
    end =
        str_format("v1: Pulling from me/app\nDigest: %s\nStatus: Image is up to date for %s\n%s\n",
                   digest, image, image);
    EXPECT(0, end, "", "pull", image);
}
END_TEST

START_TEST(a_second_pull_fetches_no_blob)
{
    unsigned before;

    serve(NULL, &(struct test_image){.layers = 2});
    EXPECT(0, NULL, "", "pull", image);
    before = registry_server_count(&server, "GET /v2/me/app/blobs/");
    ck_assert_uint_eq(before, 3); /* two layers and the config */
    EXPECT(0, NULL, "", "pull", image);
    ck_assert_uint_eq(registry_server_count(&server, "GET /v2/me/app/blobs/"), before);
}
END_TEST

START_TEST(images_lists_it)
{
    cleanup_free char *row = NULL, *repository = NULL, *ids = NULL;

    serve(NULL, NULL);
    EXPECT(0, NULL, "", "pull", image);
    repository = str_format("%s/me/app", server.address);
    row = str_format("%s v1\n", repository);
    EXPECT(0, row, "", "images", "--format", "{{.Repository}} {{.Tag}}", repository);
    ids = OUTPUT("images", "-q", "--no-trunc");
    ck_assert_msg(str_starts(ids, "sha256:") && strlen(ids) == 71, "%s", ids);
    ck_assert(str_starts(EXPECT(0, NULL, "", "images"), "REPOSITORY "));
}
END_TEST

START_TEST(quiet_prints_the_name_only)
{
    cleanup_free char *line = NULL;

    serve(NULL, NULL);
    line = str_format("%s\n", image);
    EXPECT(0, line, "", "pull", "-q", image);
}
END_TEST

START_TEST(an_event_tells_of_it)
{
    cleanup_free char *event = NULL;
    const char *out;

    serve(NULL, NULL);
    EXPECT(0, NULL, "", "pull", "-q", image);
    event = str_format("%s %.*s\n", image, (int)(strlen(image) - strlen(":v1")), image);
    out = EXPECT(0, NULL, "", "events", "--until", "0s", "-f", "type=image", "-f", "event=pull",
                 "--format", "{{.Actor.ID}} {{.Actor.Attributes.name}}");
    ck_assert_msg(str_ends(out, event), "'%s' lacks '%s'", out, event);
}
END_TEST

/* --- forms of images -------------------------------------------------------------------------- */

static const struct test_image forms[] = {
    {.format = "v2s2", .layers = 3},      {.format = "oci", .layers = 3},
    {.compression = "zstd", .layers = 2}, {.format = "v2s2", .index = true},
    {.format = "oci", .index = true},
};

START_TEST(every_form_runs)
{
    struct test_image form = forms[_i];

    form.marker = "found\n";
    serve(NULL, &form);
    EXPECT(0, NULL, "", "pull", image);
    EXPECT(0, "found\n", "", "run", "--rm", image, "cat", "/etc/marker");
    if (form.index)
        EXPECT(0, NULL, "", "run", "--rm", image, "grep", "-q", "amd64", "/etc/arch");
    if (form.layers > 1)
        EXPECT(0, "2\n", "", "run", "--rm", image, "cat", "/layer-2");
    /* Modes, links and the setuid bit came through. */
    EXPECT(0, "4755\n2\n/bin/sh\n1777\n", "", "run", "--rm", image, "sh", "-c",
           "stat -c %a /bin/setuid; stat -c %h /etc/marker; readlink /etc/sh; stat -c %a /tmp");
}
END_TEST

START_TEST(the_configuration_is_honoured)
{
    static const char *const config[] = {
        "--config.env",
        "GREETING=hello",
        "--config.workingdir",
        "/home/user",
        "--config.user",
        "1000",
        "--config.entrypoint",
        "/bin/sh",
        "--config.entrypoint",
        "-c",
        "--config.label",
        "org.example.a=b",
        "--config.stopsignal",
        "SIGUSR1",
        NULL,
    };

    serve(NULL, &(struct test_image){.format = "oci", .config = config});
    EXPECT(0, NULL, "", "pull", image);
    EXPECT(0, "hello\n/home/user\nuser\n", "", "run", "--rm", image, "echo $GREETING; pwd; id -un");
    EXPECT(0, "/\nroot\n", "", "run", "--rm", "-w", "/", "-u", "root", image, "pwd; id -un");
    EXPECT(0, "x\n", "", "run", "--rm", "--entrypoint", "echo", image, "x");
    EXPECT(0, "SIGUSR1 b\n", "", "inspect", "-f",
           "{{.Config.StopSignal}} {{index .Config.Labels \"org.example.a\"}}", image);
}
END_TEST

START_TEST(a_digest_is_a_name_too)
{
    cleanup_free char *digest = NULL, *name = NULL;

    serve(NULL, NULL);
    digest = skopeo_digest();
    name = str_format("%s/me/app@%s", server.address, digest);
    EXPECT(0, NULL, "", "pull", name);
    EXPECT(0, "", "", "run", "--rm", name, "true");
}
END_TEST

/* The tag was not named, so it and the image stay. */
START_TEST(rmi_of_a_digest_leaves_the_tag)
{
    cleanup_free char *digest = NULL, *name = NULL, *said = NULL;

    serve(NULL, NULL);
    EXPECT(0, NULL, "", "pull", image);
    digest = skopeo_digest();
    name = str_format("%s/me/app@%s", server.address, digest);
    said = str_format("Untagged: %s\n", name);
    EXPECT(0, said, "", "rmi", name);
    EXPECT(0, "v1 <none>\n", "", "images", "--format", "{{.Tag}} {{.Digest}}");
    EXPECT(0, "", "", "run", "--rm", image, "true");
}
END_TEST

START_TEST(run_pulls_what_is_missing)
{
    cleanup_free char *text = NULL;

    serve(NULL, NULL);
    text = str_format("Unable to find image '%s' locally\n", image);
    EXPECT(0, "hi\n", text, "run", "--rm", image, "echo", "hi");
    EXPECT(0, "hi\n", "", "run", "--rm", image, "echo", "hi");
}
END_TEST

/* --- removing --------------------------------------------------------------------------------- */

static unsigned regular_files;

static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path;
    (void)st;
    (void)ftw;
    regular_files += type == FTW_F;
    return 0;
}

static unsigned files_below(const char *name)
{
    cleanup_free char *path = str_format("%s/%s", world_root(), name);

    regular_files = 0;
    nftw(path, count_file, 32, FTW_PHYS);
    return regular_files;
}

/* What is here under the name is for this machine, and so of no use. */
START_TEST(build_pulls_the_platform_it_needs)
{
    cleanup_free char *text = NULL, *architecture = NULL;
    cleanup_run struct run_result r = {0};

    serve(NULL, &(struct test_image){.index = true});
    EXPECT(0, NULL, "", "pull", "-q", "--platform", "linux/amd64", image);
    text =
        str_format("FROM --platform=linux/arm64 %s\nCOPY --from=%s /etc/arch /of\n", image, image);
    world_run(&r, &(struct run_options){.input = text, .input_len = strlen(text)},
              (const char *const[]){"build", "-t", "other:1", "-", NULL});
    ck_assert_msg(!r.code, "%s", r.err.data);
    architecture = world_inspect("other:1", "{{.Architecture}}");
    ck_assert_str_eq(architecture, "arm64");
    ck_assert_int_eq(setenv("DOCKER_DEFAULT_PLATFORM", "linux/arm64", 1), 0);
    EXPECT(0, NULL, "", "pull", "-q", image);
    free(architecture);
    architecture = world_inspect(image, "{{.Architecture}}");
    ck_assert_str_eq(architecture, "arm64");
    EXPECT(0, NULL, "", "pull", "-q", "--platform", "linux/amd64", image);
    unsetenv("DOCKER_DEFAULT_PLATFORM");
    free(architecture);
    architecture = world_inspect(image, "{{.Architecture}}");
    ck_assert_str_eq(architecture, "amd64");
}
END_TEST

START_TEST(rmi_leaves_nothing)
{
    cleanup_free char *untagged = NULL;
    const char *out;

    serve(NULL, &(struct test_image){.layers = 3});
    EXPECT(0, NULL, "", "pull", image);
    ck_assert_uint_gt(files_below("layers"), 3);
    ck_assert_uint_gt(files_below("blobs"), 0);
    untagged = str_format("Untagged: %s\nUntagged: %s/me/app@sha256:", image, server.address);
    out = EXPECT(0, NULL, "", "rmi", image);
    ck_assert_msg(str_starts(out, untagged), "%s", out);
    ck_assert_uint_eq(count(out, "Deleted: sha256:"), 4); /* the image and three layers */
    ck_assert_uint_eq(files_below("layers"), 0);
    ck_assert_uint_eq(files_below("blobs"), 0);
    EXPECT(1, "", "No such image", "rmi", image);
}
END_TEST

/* --- refused ---------------------------------------------------------------------------------- */

static char *largest; /* path of the largest blob in the registry: the busybox layer */
static off_t largest_size;

static int note_largest(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type == FTW_F && str_ends(path, "/data") && st->st_size > largest_size) {
        free(largest);
        largest = str_copy(path);
        largest_size = st->st_size;
    }
    return 0;
}

static int open_largest_blob(void)
{
    cleanup_free char *data = str_format("%s/data", server.directory);
    int fd;

    nftw(data, note_largest, 32, FTW_PHYS);
    ck_assert(largest != NULL);
    fd = open(largest, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void expect_refusal(const char *text)
{
    EXPECT(1, NULL, text, "pull", image);
    EXPECT(0, "", "", "images", "-q");
    ck_assert_uint_eq(files_below("layers"), 0);
    ck_assert_uint_eq(files_below("staging"), 0);
}

START_TEST(a_tampered_layer_is_refused)
{
    cleanup_close int fd = -1;
    char byte;

    serve(NULL, NULL);
    fd = open_largest_blob();
    ck_assert_int_eq(pread(fd, &byte, 1, largest_size / 2), 1);
    byte ^= 1;
    ck_assert_int_eq(pwrite(fd, &byte, 1, largest_size / 2), 1);
    expect_refusal("sha256:");
    /* Repaired, the same command works: nothing wrong was kept. */
    byte ^= 1;
    ck_assert_int_eq(pwrite(fd, &byte, 1, largest_size / 2), 1);
    EXPECT(0, NULL, "", "pull", image);
    EXPECT(0, "", "", "run", "--rm", image, "true");
}
END_TEST

START_TEST(a_cut_layer_is_refused)
{
    cleanup_close int fd = -1;

    serve(NULL, NULL);
    fd = open_largest_blob();
    ck_assert_int_eq(ftruncate(fd, largest_size / 2), 0);
    expect_refusal("sha256:");
}
END_TEST

START_TEST(what_is_not_there)
{
    cleanup_free char *name = NULL, *text = NULL;

    serve(NULL, NULL);
    name = str_format("%s/me/app:nosuch", server.address);
    text = str_format("manifest for %s not found", name);
    EXPECT(1, NULL, text, "pull", name);
    EXPECT(125, "", text, "run", "--rm", name, "true");
}
END_TEST

START_TEST(a_registry_that_is_down)
{
    /* Port 1 of loopback: nobody listens there. */
    EXPECT(1, NULL, "refused", "pull", "127.0.0.1:1/me/app:v1");
}
END_TEST

/* --- passwords and certificates --------------------------------------------------------------- */

START_TEST(a_password_and_a_certificate)
{
    cleanup_free char *dir = world_path("docker-config"), *certs = NULL, *config = NULL,
                      *text = NULL;
    cleanup_run struct run_result r = {0};
    struct err err = {0};

    serve(&(struct registry_server_options){.user = "ann", .password = "secret", .tls = true},
          NULL);
    certs = str_format("%s/certs.d/%s", dir, server.address);
    config = str_format("%s/config.json", dir);
    ck_assert(!file_make_dirs(AT_FDCWD, certs, 0700, &err));
    setenv("DOCKER_CONFIG", dir, 1);
    EXPECT(1, NULL, "certificate", "pull", image);
    RUN_OK(&r, NULL, "cp", server.ca, certs);
    EXPECT(1, NULL, "no basic auth credentials", "pull", image);
    /* base64 of "ann:secret" */
    text = str_format("{\"auths\":{\"%s\":{\"auth\":\"YW5uOnNlY3JldA==\"}}}", server.address);
    ck_assert(!file_store(AT_FDCWD, config, text, strlen(text), 0600, false, &err));
    EXPECT(0, NULL, "", "pull", image);
    EXPECT(0, "", "", "run", "--rm", image, "true");
}
END_TEST

SUITE(pull_cli)
{
    TCase *t = tcase_create("pull_cli");

    tcase_set_tags(t, "needs-registry");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, forget_images, stop_serving);
    tcase_add_test(t, pull_prints_what_docker_prints);
    tcase_add_test(t, a_second_pull_fetches_no_blob);
    tcase_add_test(t, images_lists_it);
    tcase_add_test(t, quiet_prints_the_name_only);
    tcase_add_test(t, an_event_tells_of_it);
    tcase_add_loop_test(t, every_form_runs, 0, (int)(sizeof forms / sizeof *forms));
    tcase_add_test(t, the_configuration_is_honoured);
    tcase_add_test(t, a_digest_is_a_name_too);
    tcase_add_test(t, rmi_of_a_digest_leaves_the_tag);
    tcase_add_test(t, run_pulls_what_is_missing);
    tcase_add_test(t, build_pulls_the_platform_it_needs);
    tcase_add_test(t, rmi_leaves_nothing);
    tcase_add_test(t, a_tampered_layer_is_refused);
    tcase_add_test(t, a_cut_layer_is_refused);
    tcase_add_test(t, what_is_not_there);
    tcase_add_test(t, a_registry_that_is_down);
    tcase_add_test(t, a_password_and_a_certificate);
    suite_add_tcase(suite, t);
}
