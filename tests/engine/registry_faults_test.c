/* Pulling from a registry that lies, breaks off and resumes: what is published is right, or nothing
 * is. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/fake_image.h"
#include "support/puller.h"
#include "support/run.h"
#include "support/suite.h"

#define PADDING 300000u
#define WRONG   "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static struct fake_registry *fake;
static struct fake_layer layers[3];
static char *name, *canonical, *first_blob, *second_blob;
static volatile bool cancelled;

static const char *not_root(void)
{
    return geteuid() ? "layers with owners are unpacked by root" : NULL;
}
TAG("needs-root-to-unpack", not_root)

static void make(void)
{
    puller_make();
    fake = fake_start();
    fake_layer_make(&layers[0], "etc/first", "one\n", PADDING);
    fake_layer_make(&layers[1], "etc/second", "two\n", PADDING);
    fake_layer_make(&layers[2], "etc/third", "three\n", 0);
    name = str_format("%s/me/app:v1", fake_address(fake));
    canonical = str_copy(name);
    first_blob = str_format("/v2/me/app/blobs/%s", layers[0].digest);
    second_blob = str_format("/v2/me/app/blobs/%s", layers[1].digest);
}

static void drop(void)
{
    fake_stop(fake);
    puller_drop();
    for (size_t i = 0; i < 3; i++)
        fake_layer_free(&layers[i]);
    free(name);
    free(canonical);
    free(first_blob);
    free(second_blob);
}

static void push(size_t count)
{
    fake_push(fake, "me/app", "v1", &(struct fake_image){.layers = layers, .count = count}, NULL);
}

static void assert_pulled(size_t count)
{
    static const char *const files[] = {"etc/first", "etc/second", "etc/third"};
    static const char *const texts[] = {"one\n", "two\n", "three\n"};

    for (size_t i = 0; i < count; i++) {
        cleanup_free char *text = puller_file(canonical, files[i]);

        ck_assert_str_eq(text, texts[i]);
    }
}

/* --- one layer, spoiled ----------------------------------------------------------------------- */

/* The first pull meets the rule, the second does not. */
static const struct {
    const char *name;
    struct fake_rule rule;
    int result; /* of the first pull */
    const char *says;
    unsigned partials; /* broken-off blobs it may leave */
    const char *seen;
} faults[] = {
    {"tampered", {.flip = true, .times = 1}, -EBADMSG, "", 0, NULL},
    {"too long", {.longer = 1, .times = 1}, -EPROTO, "bytes here, the manifest says", 0, NULL},
    {"too short", {.longer = -1, .times = 1}, -EPROTO, "bytes here, the manifest says", 0, NULL},
    {"a web page",
     {.body = "<html>", .type = "text/html", .times = 1},
     -EPROTO,
     "bytes here",
     0,
     NULL},
    {"not found", {.status = 404, .times = 1}, -ENOENT, "status 404", 0, NULL},
    {"cut, resumed at once", {.cut = 100000, .times = 1}, 0, "", 0, "\r\nRange: bytes=100000-\r\n"},
    {"cut, resumed by a server without ranges",
     {.cut = 100000, .times = 2, .no_range = true},
     0,
     "",
     0,
     "\r\nRange: bytes=100000-\r\n"},
    {"500 once", {.status = 500, .times = 1}, 0, "", 0, NULL},
    {"wrong type", {.type = "text/html", .times = 1}, 0, "", 0, NULL},
    {"denied", {.status = 403, .times = 1}, -EACCES, "status 403", 0, NULL},
};

START_TEST(a_spoiled_layer_is_not_published_and_the_next_pull_works)
{
    struct fake_rule rule = faults[_i].rule;
    struct err err = {0};
    int r;

    push(1);
    rule.path = first_blob;
    fake_break(fake, &rule);
    r = pull(name, NULL, &err);
    /* A flipped bit may show as bad gzip, bad tar or a bad digest: all that counts is that it
     * shows. */
    ck_assert_msg(rule.flip ? r < 0 : r == faults[_i].result, "%s: %d: %s", faults[_i].name, r,
                  err.message);
    ck_assert_msg(strstr(err.message, faults[_i].says), "%s: %s", faults[_i].name, err.message);
    if (r < 0)
        puller_assert_nothing(faults[_i].partials);
    if (faults[_i].seen)
        ck_assert_uint_ge(fake_count(fake, faults[_i].seen), 1);
    pull_ok(name);
    assert_pulled(1);
}
END_TEST

/* --- documents that do not fit together ------------------------------------------------------- */

#define DEEP8 "[[[[[[[["
#define DEEP  DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8

static const struct {
    const char *name;
    struct fake_image image;
    const char *says;
} lies[] = {
    {"another diffID", {.instead_diff_id = WRONG}, "wrong diff id"},
    {"a diffID too many",
     {.extra_diff_id = WRONG},
     "layers from manifest don't match image configuration"},
    {"a diffID that is none", {.instead_diff_id = "sha256:../../../etc/passwd"}, "../etc/passwd"},
    {"manifests and layers", {.extra_members = ",\"manifests\":[]"}, "manifests"},
    {"another system", {.os = "windows"}, "image operating system \"windows\" cannot be used"},
    {"a layer too few", {.extra_members = ",\"layers\":[]"}, "duplicate"},
    {"a layer of unknown type", {.layer_type = "text/html"}, "unknown type 'text/html'"},
    {"a layer elsewhere",
     {.layer_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
     "is foreign"},
    {"a layer that is longer", {.layer_longer = 1}, "bytes here, the manifest says"},
    {"a config that is longer", {.config_longer = 1}, "image config"},
    {"a config that is shorter", {.config_longer = -1}, "image config"},
    {"a config too large", {.padding = 5 << 20}, "the config is larger than 4194304 bytes"},
    {"a config too deep", {.config_members = ",\"x\":" DEEP}, "nested deeper than 64"},
    {"a config with a member twice", {.config_members = ",\"os\":\"linux\""}, "duplicate"},
    {"a config whose history is no list", {.config_members = ",\"history\":7"}, "history"},
    {"a manifest too deep", {.extra_members = ",\"x\":" DEEP}, "nested deeper than 64"},
    {"too many layers", {.repeated = 600}, "max depth exceeded"},
};

START_TEST(documents_must_fit_together)
{
    struct fake_image image = lies[_i].image;
    struct err err = {0};

    image.layers = layers;
    image.count = 1;
    fake_push(fake, "me/app", "v1", &image, NULL);
    ck_assert_msg(pull(name, NULL, &err) < 0, "%s", lies[_i].name);
    ck_assert_msg(strstr(err.message, lies[_i].says), "%s: %s", lies[_i].name, err.message);
    puller_assert_nothing(0);
}
END_TEST

START_TEST(a_tampered_config_is_refused)
{
    char id[DIGEST_LEN + 1];
    struct err err = {0};

    fake_push(fake, "me/app", "v1", &(struct fake_image){.layers = layers, .count = 1}, id);
    fake_break(fake, &(struct fake_rule){.path = id, .flip = true});
    ck_assert_int_eq(pull(name, NULL, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.message, "image config verification failed"));
    puller_assert_nothing(0);
}
END_TEST

START_TEST(a_blob_with_another_digest_is_refused_though_its_content_is_right)
{
    struct err err = {0};

    push(1);
    layers[0].data[4] ^= 1; /* gzip's time stamp: the tar inside stays the same, and its diffID */
    fake_serve(fake, first_blob, NULL, layers[0].data, layers[0].len);
    ck_assert_int_eq(pull(name, NULL, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.message, "filesystem layer verification failed for digest"));
    puller_assert_nothing(0);
}
END_TEST

START_TEST(an_unknown_tag_is_said_in_dockers_words)
{
    cleanup_free char *expected =
        str_format("manifest for %s not found: manifest unknown: manifest unknown", name);
    struct err err = {0};

    fake_break(
        fake,
        &(struct fake_rule){
            .path = "/manifests/",
            .status = 404,
            .body =
                "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}"});
    ck_assert_int_eq(pull(name, NULL, &err), -ENOENT);
    ck_assert_str_eq(err.message, expected);
    puller_assert_nothing(0);
}
END_TEST

/* --- several layers --------------------------------------------------------------------------- */

START_TEST(what_is_said_is_what_docker_says)
{
    cleanup_free char *expected = NULL;

    push(1);
    pull_ok(name);
    expected =
        str_format("v1: Pulling from me/app\n%.12s: Pulling fs layer\n%.12s: Verifying Checksum\n"
                   "%.12s: Download complete\n%.12s: Pull complete\nDigest: sha256:",
                   digest_hex(layers[0].digest), digest_hex(layers[0].digest),
                   digest_hex(layers[0].digest), digest_hex(layers[0].digest));
    ck_assert_msg(str_starts(puller_said(), expected), "%s", puller_said());
    free(expected);
    expected = str_format("\nStatus: Downloaded newer image for %s\n%s\n", name, canonical);
    ck_assert_msg(str_ends(puller_said(), expected), "%s", puller_said());
}
END_TEST

START_TEST(an_image_that_is_here_fetches_nothing)
{
    cleanup_free char *status = str_format("Status: Image is up to date for %s", name);

    push(2);
    pull_ok(name);
    pull_ok(name);
    ck_assert_uint_eq(fake_count(fake, "/blobs/"), 3);
    ck_assert_msg(puller_said_line(status), "%s", puller_said());
    ck_assert(!strstr(puller_said(), "Already exists"));
}
END_TEST

START_TEST(a_layer_that_is_here_is_not_fetched)
{
    cleanup_free char *line = str_format("%.12s: Already exists", digest_hex(layers[0].digest));

    push(1);
    pull_ok(name);
    push(3);
    pull_ok(name);
    assert_pulled(3);
    ck_assert_msg(puller_said_line(line), "%s", puller_said());
    ck_assert_uint_eq(fake_count(fake, first_blob), 1);
    ck_assert_uint_eq(puller_count("layers"), 3);
}
END_TEST

START_TEST(the_same_blob_twice_is_two_layers)
{
    const struct fake_layer twice[] = {layers[0], layers[1], layers[0]};

    fake_push(fake, "me/app", "v1", &(struct fake_image){.layers = twice, .count = 3}, NULL);
    pull_ok(name);
    ck_assert_uint_eq(puller_count("layers"), 3);
    ck_assert_uint_eq(fake_count(fake, first_blob), 1);
}
END_TEST

START_TEST(a_failed_pull_keeps_the_layers_it_finished)
{
    struct err err = {0};

    push(2);
    /* The good layer is done before the other one fails: that one answers only after five attempts.
     */
    fake_break(fake, &(struct fake_rule){.path = second_blob, .status = 500, .times = 5});
    ck_assert_int_eq(pull(name, NULL, &err), -EAGAIN);
    ck_assert_uint_eq(puller_count("layers"), 1);
    ck_assert_uint_eq(puller_count("staging"), 0);
    pull_ok(name);
    assert_pulled(2);
    ck_assert_uint_eq(fake_count(fake, first_blob), 1);
}
END_TEST

/* Until the file has so many bytes; at most 20 seconds. */
static void wait_for_size(const char *path, off_t size)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    struct stat st;

    for (int i = 0; i < 2000; i++) {
        if (!stat(path, &st) && st.st_size >= size)
            return;
        nanosleep(&pause, NULL);
    }
    ck_abort_msg("'%s' does not grow to %ld bytes", path, (long)size);
}

static char *path_of_blob(const char *directory, const struct fake_layer *layer)
{
    return str_format("%s/blobs/%s/%s", puller_root(), directory, digest_hex(layer->digest));
}

/* A thread: both transfers must have come to where the test wants them. What the pull says about
 * the second tells nothing about how far the first is. */
static void *cancel_when_only_the_first_is_missing(void *unused)
{
    cleanup_free char *first = path_of_blob("partial", &layers[0]),
                      *second = path_of_blob("sha256", &layers[1]);

    wait_for_size(first, 100000);
    wait_for_size(second, (off_t)layers[1].len);
    __atomic_store_n(&cancelled, true, __ATOMIC_RELAXED);
    return unused;
}

START_TEST(a_cancelled_pull_is_resumed_where_it_was)
{
    struct pull_options options = {.cancelled = &cancelled};
    struct err err = {0};
    pthread_t canceller;

    push(2);
    fake_break(fake,
               &(struct fake_rule){.path = first_blob, .cut = 100000, .stall = true, .times = 1});
    ck_assert_int_eq(pthread_create(&canceller, NULL, cancel_when_only_the_first_is_missing, NULL),
                     0);
    ck_assert_int_eq(pull(name, &options, &err), -ECANCELED);
    pthread_join(canceller, NULL);
    ck_assert_uint_eq(puller_count("staging"), 0);
    ck_assert_uint_eq(puller_count("layers"), 0); /* the second cannot be one without the first */
    ck_assert_uint_eq(puller_count("blobs/sha256"), 1); /* but it need not come again */
    ck_assert_uint_eq(puller_count("blobs/partial"), 1);
    pull_ok(name);
    assert_pulled(2);
    ck_assert_uint_eq(fake_count(fake, "\r\nRange: bytes=100000-\r\n"), 1);
    ck_assert_uint_eq(fake_count(fake, second_blob), 1);
}
END_TEST

START_TEST(a_killed_pull_is_cleaned_up_and_resumed)
{
    cleanup_free char *partial = path_of_blob("partial", &layers[0]);
    const char *const command[] = {
        BUILD_DIR "/bin/cooper", "--root", puller_root(), "pull", name, NULL};
    pid_t pid;

    push(2);
    fake_break(fake,
               &(struct fake_rule){.path = first_blob, .cut = 100000, .stall = true, .times = 1});
    pid = run_start(NULL, NULL, command);
    wait_for_size(partial, 100000);
    kill(pid, SIGKILL);
    ck_assert_int_eq(run_wait(pid, 10), 128 + SIGKILL);
    ck_assert_uint_gt(puller_count("staging"), 0);
    pull_ok(name); /* looks into staging/ and blobs/partial/ too */
    assert_pulled(2);
    ck_assert_uint_eq(fake_count(fake, "\r\nRange: bytes=100000-\r\n"), 1);
}
END_TEST

START_TEST(a_partial_blob_that_is_wrong_is_dropped)
{
    cleanup_free char *partial = path_of_blob("partial", &layers[0]);
    FILE *f = fopen(partial, "w");
    struct err err = {0};

    push(1);
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(layers[1].data, 1, 5000, f), 5000); /* another layer's beginning */
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_lt(pull(name, NULL, &err), 0);
    puller_assert_nothing(0);
    pull_ok(name);
    assert_pulled(1);
}
END_TEST

START_TEST(prune_takes_what_a_broken_pull_left)
{
    cleanup_with(run_free) struct run_result r = {0};
    const char *const prune[] = {
        BUILD_DIR "/bin/cooper", "--root", puller_root(), "image", "prune", "-f", NULL, NULL, NULL};
    const char *filtered[9];
    struct err err = {0};

    push(1);
    fake_break(fake, &(struct fake_rule){.path = first_blob, .cut = 100000, .times = 1});
    fake_break(fake, &(struct fake_rule){.path = first_blob, .status = 403, .times = 1});
    ck_assert_int_eq(pull(name, NULL, &err), -EACCES);
    puller_assert_nothing(1);
    memcpy(filtered, prune, sizeof prune);
    filtered[6] = "--filter";
    filtered[7] = "until=1h";
    run_argv_ok(&r, NULL, filtered);
    ck_assert_str_eq(r.out.data, "Total reclaimed space: 0B\n"); /* who picks, picks images */
    run_argv_ok(&r, NULL, prune);
    ck_assert_str_eq(r.out.data, "Total reclaimed space: 100kB\n");
    puller_assert_nothing(0);
}
END_TEST

SUITE(registry_faults)
{
    TCase *t = tcase_create("faults");

    tcase_set_tags(t, "needs-root-to-unpack");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, make, drop);
    tcase_add_loop_test(t, a_spoiled_layer_is_not_published_and_the_next_pull_works, 0,
                        sizeof faults / sizeof *faults);
    tcase_add_loop_test(t, documents_must_fit_together, 0, sizeof lies / sizeof *lies);
    tcase_add_test(t, a_tampered_config_is_refused);
    tcase_add_test(t, a_blob_with_another_digest_is_refused_though_its_content_is_right);
    tcase_add_test(t, an_unknown_tag_is_said_in_dockers_words);
    tcase_add_test(t, what_is_said_is_what_docker_says);
    tcase_add_test(t, an_image_that_is_here_fetches_nothing);
    tcase_add_test(t, a_layer_that_is_here_is_not_fetched);
    tcase_add_test(t, the_same_blob_twice_is_two_layers);
    tcase_add_test(t, a_failed_pull_keeps_the_layers_it_finished);
    tcase_add_test(t, a_cancelled_pull_is_resumed_where_it_was);
    tcase_add_test(t, a_killed_pull_is_cleaned_up_and_resumed);
    tcase_add_test(t, a_partial_blob_that_is_wrong_is_dropped);
    tcase_add_test(t, prune_takes_what_a_broken_pull_left);
    suite_add_tcase(suite, t);
}
