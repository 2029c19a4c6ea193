/* What the exercises of chapter 5 ask for. */
#include "grade/grade.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "grade/oci.h"

#define HINTS        "tutorial/answers/05-images/hints.md, exercise "
#define PROBE_IS_CMD "\"Cmd\":[\"/bin/probe\"]"

static const char *const no_command[] = {NULL};

/* Every image has a layer of its own, which keg has not seen before. */
static void write_image(struct oci_image *ret, const char *config)
{
    static int images;
    cleanup_free char *number = str_format("exercise %d of %d\n", ++images, (int)getpid());
    struct buf layer = {0};

    oci_add_base(&layer);
    oci_add_text(&layer, "etc/number", number);
    oci_write(ret, &layer, 1, config);
}

static void expect_refusal(const char *const options[], const char *root, const char *expected,
                           const char *hint)
{
    struct keg k;
    int code;

    keg_run(&k, options, root, no_command);
    code = keg_end(&k);
    if (code != 125)
        explain(expected, hint, "keg ended with %d", code);
}

/* --- 1: one variable -------------------------------------------------------------------------- */

/* The value of a variable of the process; how often it is there. */
static int count_variable(pid_t pid, const char *name, char ret_value[256])
{
    cleanup_free char *path = str_format("/proc/%d/environ", (int)pid);
    char all[8192] = "";
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(all, 1, sizeof all - 1, f) : 0, len = strlen(name);
    int count = 0;

    if (f)
        fclose(f);
    for (char *at = all; at < all + n; at += strlen(at) + 1)
        if (!strncmp(at, name, len) && at[len] == '=') {
            snprintf(ret_value, 256, "%s", at + len + 1);
            count++;
        }
    return count;
}

static void expect_variable(pid_t pid, const char *name, const char *wanted)
{
    char value[256] = "";
    int count = count_variable(pid, name, value);

    if (count != 1 || !str_equal(value, wanted))
        explain("the image's variables, and that of --env once, with its value", HINTS "1",
                "in /proc/PID/environ %s is there %d times, the last time as '%s'; '%s' was wanted",
                name, count, value, wanted);
}

static void run_with_variable(struct keg *k, const char *variable)
{
    const char *options[] = {"--env", variable, NULL};
    struct oci_image image;

    write_image(&image, PROBE_IS_CMD ",\"Env\":[\"GREET=a\",\"GREETING=hello\",\"LAST=z\"]");
    keg_run(k, options, image.reference, no_command);
    keg_await(k);
}

static void variable_is_added(void)
{
    struct keg k;

    run_with_variable(&k, "COLOUR=blue=green");
    expect_variable(k.inside, "COLOUR", "blue=green");
    expect_variable(k.inside, "GREETING", "hello");
    expect_variable(k.inside, "HOME", "/");
    keg_end(&k);
}

static void variable_is_replaced(void)
{
    struct keg k;

    run_with_variable(&k, "GREETING=good morning");
    expect_variable(k.inside, "GREETING", "good morning");
    expect_variable(k.inside, "GREET", "a");
    expect_variable(k.inside, "LAST", "z");
    keg_end(&k);
}

static void variable_without_image(void)
{
    struct keg k;

    PROBE(&k, "--env", "COLOUR=blue");
    expect_variable(k.inside, "COLOUR", "blue");
    keg_end(&k);
}

/* --- 2: diffIDs ------------------------------------------------------------------------------- */

/* The layout's directory, from "oci:DIR:latest". */
static char *layout_of(const struct oci_image *image)
{
    const char *directory = image->reference + strlen("oci:");

    return str_copy_n(directory, strcspn(directory, ":"));
}

static char *blob_path(const struct oci_image *image, const char *hex)
{
    cleanup_free char *layout = layout_of(image);

    return str_format("%s/blobs/sha256/%.64s", layout, hex);
}

/* The hexadecimal digits of the first digest behind `mark` (in `text`). */
static const char *digest_behind(const char *text, const char *mark)
{
    const char *at = strstr(text, mark);

    at = at ? strstr(at, "sha256:") : NULL;
    if (!at)
        broken("no digest behind %s in %s", mark, text);
    return at + strlen("sha256:");
}

static void replace(char *text, const char *old, const char *new, size_t len)
{
    char *at = memmem(text, strlen(text), old, len);

    if (!at)
        broken("no '%.*s' in %s", (int)len, old, text);
    memcpy(at, new, len);
}

static void store(const char *path, const char *text)
{
    struct err err = {0};

    if (file_store(AT_FDCWD, path, text, strlen(text), 0644, false, &err) < 0)
        broken("%s", err.message);
}

/* Stores `text` as a blob, and has the `referrer` say so in the place of the blob `old`. */
static void exchange_blob(const struct oci_image *image, const char *text, char *referrer,
                          const char *old)
{
    char digest[DIGEST_LEN + 1];
    cleanup_free char *path = NULL;

    digest_of(text, strlen(text), digest);
    path = blob_path(image, digest_hex(digest));
    store(path, text);
    replace(referrer, old, digest_hex(digest), 64);
}

/* An image of which every digest is right, but in its configuration `old` has become `new`: texts
 * of the same length, so that all sizes stay. */
static void change_config(const struct oci_image *image, const char *old, const char *new)
{
    cleanup_free char *layout = layout_of(image), *index_path = str_format("%s/index.json", layout);
    cleanup_free char *index = fact_file(index_path);
    cleanup_free char *manifest_hex = str_copy_n(digest_behind(index, "manifests"), 64);
    cleanup_free char *manifest_path = blob_path(image, manifest_hex);
    cleanup_free char *manifest = fact_file(manifest_path), *config = fact_file(image->config);
    cleanup_free char *config_hex = str_copy_n(digest_behind(manifest, "config"), 64);

    replace(config, old, new, strlen(old));
    exchange_blob(image, config, manifest, config_hex);
    exchange_blob(image, manifest, index, manifest_hex);
    store(index_path, index);
}

static void run_good_image(const char *const options[])
{
    struct oci_image image;
    struct keg k;

    write_image(&image, PROBE_IS_CMD);
    keg_run(&k, options, image.reference, no_command);
    keg_await(&k);
    keg_end(&k);
}

static void right_diff_ids_run(void)
{
    run_good_image(NULL);
}

static void wrong_diff_id_is_refused(void)
{
    cleanup_free char *config = NULL, *hex = NULL, *wrong = NULL;
    struct oci_image image;

    write_image(&image, PROBE_IS_CMD);
    config = fact_file(image.config);
    hex = str_copy_n(digest_behind(config, "diff_ids"), 64);
    wrong = str_copy(hex);
    wrong[63] = wrong[63] == '0' ? '1' : '0';
    change_config(&image, hex, wrong);
    expect_refusal(NULL, image.reference,
                   "refused, with 125: what a layer unpacks to has not the digest in diff_ids",
                   HINTS "2");
}

static void missing_diff_ids_are_refused(void)
{
    struct oci_image image;

    write_image(&image, PROBE_IS_CMD);
    change_config(&image, "diff_ids", "diff_idz");
    expect_refusal(
        NULL, image.reference,
        "refused, with 125: the configuration has no diff_ids, so nothing can be checked",
        HINTS "2");
}

/* --- 3: an image for each kind of machine ----------------------------------------------------- */

static void add_platform(struct buf *index, const char *hex, size_t size, const char *os,
                         const char *machine)
{
    buf_printf(
        index,
        "%s{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":"
        "\"sha256:%.64s\",\"size\":%zu,\"platform\":{\"architecture\":\"%s\",\"os\":\"%s\"}}",
        index->data[index->len - 1] == '[' ? "" : ",", hex, size, machine, os);
}

/* An index in an index: our manifest for `machine`, and around it some that say FOR=them. */
static void write_platforms(struct oci_image *image, const char *machine)
{
    cleanup_free char *layout = NULL, *path = NULL, *ours = NULL, *theirs = NULL, *blob = NULL,
                      *manifest = NULL;
    cleanup_buf struct buf index = {0}, outer = {0};
    char digest[DIGEST_LEN + 1];
    size_t size;

    write_image(image, PROBE_IS_CMD ",\"Env\":[\"FOR=ours\"]");
    layout = layout_of(image);
    path = str_format("%s/index.json", layout);
    ours = fact_file(path);
    change_config(image, "FOR=ours", "FOR=them");
    theirs = fact_file(path);
    blob = blob_path(image, digest_behind(ours, "manifests"));
    manifest = fact_file(blob);
    size = strlen(manifest);
    buf_add_str(&index, "{\"schemaVersion\":2,\"manifests\":[");
    add_platform(&index, digest_behind(theirs, "manifests"), size, "linux", "m68k");
    add_platform(&index, digest_behind(theirs, "manifests"), size, "windows", machine);
    add_platform(&index, digest_behind(ours, "manifests"), size, "linux", machine);
    add_platform(&index, digest_behind(theirs, "manifests"), size, "linux", "sh4");
    buf_add_str(&index, "]}");
    digest_of(index.data, index.len, digest);
    free(blob);
    blob = blob_path(image, digest_hex(digest));
    store(blob, index.data);
    buf_printf(
        &outer,
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
        "vnd.oci.image.index.v1+json\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{\"org."
        "opencontainers.image.ref.name\":\"latest\"}}]}",
        digest, index.len);
    store(path, outer.data);
}

static void our_platform_is_chosen(void)
{
    struct oci_image image;
    char value[256] = "";
    struct keg k;

    write_platforms(&image, oci_architecture());
    keg_run(&k, NULL, image.reference, no_command);
    keg_await(&k);
    if (count_variable(k.inside, "FOR", value) != 1 || !str_equal(value, "ours"))
        explain("of an index of images, the one for linux and this machine runs", HINTS "3",
                "another one runs");
    keg_end(&k);
}

static void foreign_platforms_are_refused(void)
{
    struct oci_image image;

    write_platforms(&image, "vax");
    expect_refusal(NULL, image.reference, "refused, with 125: there is no image for this machine",
                   HINTS "3");
}

/* --- 4: a bomb -------------------------------------------------------------------------------- */

static const char *const most_8[] = {"--most", "8", NULL};

/* Layers of zeros, which compress well, below the probe's. */
static void write_zeros(struct oci_image *ret, size_t mib, size_t count)
{
    size_t len = mib << 20;
    cleanup_free char *zeros = mem_alloc(len);
    struct buf layers[3] = {{0}};

    memset(zeros, 0, len);
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *name = str_format("zeros-%zu-of-%d", i, (int)getpid());

        oci_add(&layers[i], '0', name, zeros, len, 0644);
    }
    oci_add_base(&layers[count]);
    oci_write(ret, layers, count + 1, PROBE_IS_CMD);
}

static void small_image_runs(void)
{
    run_good_image(most_8);
}

static void bomb_is_refused(void)
{
    struct oci_image image;

    write_zeros(&image, 32, 1);
    expect_refusal(most_8, image.reference,
                   "with --most 8 an image that unpacks to 32 MiB is refused, with 125", HINTS "4");
}

static void bomb_in_parts_is_refused(void)
{
    struct oci_image image;

    write_zeros(&image, 6, 2);
    expect_refusal(most_8, image.reference,
                   "with --most 8 an image of two layers of 6 MiB each is refused, with 125",
                   HINTS "4");
}

const struct exercise exercises_5[] = {
    {1, {"--env adds a variable", variable_is_added, false}},
    {1, {"--env replaces a variable", variable_is_replaced, false}},
    {1, {"--env works without an image", variable_without_image, false}},
    {2, {"an image with the right diff_ids runs", right_diff_ids_run, false}},
    {2, {"a wrong diff_id is refused", wrong_diff_id_is_refused, false}},
    {2, {"missing diff_ids are refused", missing_diff_ids_are_refused, false}},
    {3, {"of several platforms, ours is chosen", our_platform_is_chosen, false}},
    {3, {"without ours the image is refused", foreign_platforms_are_refused, false}},
    {4, {"a small image runs with --most", small_image_runs, false}},
    {4, {"a bomb is refused", bomb_is_refused, false}},
    {4, {"a bomb in two layers is refused", bomb_in_parts_is_refused, false}},
    {0, {0}},
};
