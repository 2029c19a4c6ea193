/* Manifests and indexes: what is read, and what is refused because it could be read in two ways. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "image/image.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define DESCRIPTOR(type, size, digest)                                                             \
    "{\"mediaType\":\"" type "\",\"size\":" size ",\"digest\":\"" digest "\"}"
#define DOCKER_CONFIG    "application/vnd.docker.container.image.v1+json"
#define DOCKER_LAYER     "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define OCI_CONFIG       "application/vnd.oci.image.config.v1+json"
#define OCI_LAYER        "application/vnd.oci.image.layer.v1.tar"
#define HEAD(type)       "{\"schemaVersion\":2,\"mediaType\":\"" type "\","
#define CONFIG           "\"config\":" DESCRIPTOR(OCI_CONFIG, "10", A)
#define OCI_BODY(layers) CONFIG ",\"layers\":[" layers "]}"

static int parse(const char *text, const char *served, struct manifest *ret, struct err *err)
{
    return manifest_parse(text, strlen(text), served, ret, err);
}

START_TEST(reads_dockers_form)
{
    static const char text[] = HEAD(MEDIA_DOCKER_MANIFEST) "\"config\":" DESCRIPTOR(
        DOCKER_CONFIG, "1469",
        A) ",\"layers\":[" DESCRIPTOR(DOCKER_LAYER, "100", B) "," DESCRIPTOR(DOCKER_LAYER,
                                                                             "5000000000", C) "]}";
    struct manifest m;
    struct err err = {0};

    ck_assert_msg(!parse(text, MEDIA_DOCKER_MANIFEST, &m, &err), "%s", err.message);
    ck_assert_str_eq(m.media_type, MEDIA_DOCKER_MANIFEST);
    ck_assert_str_eq(m.config.digest, A);
    ck_assert_uint_eq(m.config.size, 1469);
    ck_assert_uint_eq(m.layer_count, 2);
    ck_assert_str_eq(m.layers[0].digest, B);
    ck_assert_uint_eq(m.layers[1].size, 5000000000);
    ck_assert_str_eq(layer_compression(m.layers[0].media_type), "gzip");
    manifest_free(&m);
}
END_TEST

START_TEST(reads_ocis_form_without_a_media_type)
{
    static const char text[] = "{\"schemaVersion\":2," OCI_BODY(
        DESCRIPTOR(OCI_LAYER "+zstd", "1", B) "," DESCRIPTOR(OCI_LAYER, "2", C));
    struct manifest m;
    struct err err = {0};

    ck_assert_int_eq(
        parse(text, "application/vnd.oci.image.manifest.v1+json; charset=utf-8", &m, &err), 0);
    ck_assert_str_eq(m.media_type, MEDIA_OCI_MANIFEST);
    ck_assert_str_eq(layer_compression(m.layers[0].media_type), "zstd");
    ck_assert_str_eq(layer_compression(m.layers[1].media_type), "none");
    manifest_free(&m);
    ck_assert_int_eq(parse(text, NULL, &m, &err), 0);
    ck_assert_str_eq(m.media_type, MEDIA_OCI_MANIFEST);
    manifest_free(&m);
}
END_TEST

static const struct {
    const char *text, *served, *part; /* of the message */
} refused[] = {
    {"", NULL, "is empty"},
    {"{", NULL, "not valid JSON"},
    {"[]", NULL, "not a JSON object"},
    {"{}", NULL, "schemaVersion"},
    {"{\"schemaVersion\":2}", NULL, "neither"},
    {"{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, "schema 1"},
    {"{\"schemaVersion\":2}", "application/vnd.docker.distribution.manifest.v1+prettyjws",
     "schema 1"},
    {HEAD(MEDIA_OCI_MANIFEST) "\"manifests\":[]," OCI_BODY(""), NULL, "both"},
    {HEAD(MEDIA_OCI_INDEX) "\"manifests\":[]," CONFIG "}", NULL, "both"},
    {HEAD(MEDIA_OCI_INDEX) OCI_BODY(""), NULL, "has not the content"},
    {HEAD(MEDIA_OCI_MANIFEST) OCI_BODY(""), MEDIA_DOCKER_MANIFEST, "the server calls"},
    {HEAD("text/html") OCI_BODY(""), NULL, "not supported"},
    {HEAD(MEDIA_OCI_INDEX) "\"manifests\":[]}", NULL, "index"},
    {HEAD(MEDIA_OCI_MANIFEST) OCI_BODY(DESCRIPTOR(OCI_LAYER, "-1", B)), NULL, "no valid size"},
    {HEAD(MEDIA_OCI_MANIFEST) OCI_BODY(DESCRIPTOR(OCI_LAYER, "1e3", B)), NULL, "no valid size"},
    {HEAD(MEDIA_OCI_MANIFEST) OCI_BODY(DESCRIPTOR(OCI_LAYER, "1", "sha256:../../x")), NULL,
     "no valid digest"},
    {HEAD(MEDIA_OCI_MANIFEST) OCI_BODY(DESCRIPTOR(OCI_LAYER, "1", "sha512:abc")), NULL,
     "no valid digest"},
    {HEAD(MEDIA_OCI_MANIFEST) OCI_BODY("{\"size\":1}"), NULL, "no mediaType"},
    {HEAD(MEDIA_OCI_MANIFEST) OCI_BODY("7"), NULL, "no mediaType"},
    {HEAD(MEDIA_OCI_MANIFEST) OCI_BODY(DESCRIPTOR("text/plain", "1", B)), NULL, "unknown type"},
    {HEAD(MEDIA_OCI_MANIFEST) OCI_BODY(
         DESCRIPTOR("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "1", B)),
     NULL, "foreign"},
    {HEAD(MEDIA_OCI_MANIFEST) "\"config\":" DESCRIPTOR(OCI_CONFIG, "5000000", A) ",\"layers\":[]}",
     NULL, "larger than"},
    {HEAD(MEDIA_OCI_MANIFEST) "\"config\":" DESCRIPTOR("application/vnd.helm", "5",
                                                       A) ",\"layers\":[]}",
     NULL, "no container image"},
    {HEAD(MEDIA_OCI_MANIFEST) CONFIG ",\"layers\":{}}", NULL, "no array"},
    {HEAD(MEDIA_OCI_MANIFEST) CONFIG "," OCI_BODY(""), NULL, "duplicate"},
};

START_TEST(refuses)
{
    struct manifest m = {0};
    struct err err = {0};

    ck_assert_int_lt(parse(refused[_i].text, refused[_i].served, &m, &err), 0);
    ck_assert_msg(strstr(err.message, refused[_i].part) != NULL, "'%s' lacks '%s'", err.message,
                  refused[_i].part);
    ck_assert_ptr_null(m.media_type);
}
END_TEST

START_TEST(refuses_deep_and_large_documents)
{
    char *text = malloc(MANIFEST_MAX + 2);
    struct manifest m;
    struct err err = {0};

    memset(text, '[', 100);
    ck_assert_int_lt(manifest_parse(text, 100, NULL, &m, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "deeper than 64"));
    memset(text, ' ', MANIFEST_MAX + 1);
    ck_assert_int_eq(manifest_parse(text, MANIFEST_MAX + 1, NULL, &m, &err), -EFBIG);
    free(text);
}
END_TEST

/* --- indexes ---------------------------------------------------------------------------------- */

#define ENTRY(digest, platform)                                                                    \
    "{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"size\":7,\"digest\":\"" digest "\"" platform "}"
#define PLATFORM(os, arch, variant)                                                                \
    ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" variant "}"
#define VARIANT(v)  ",\"variant\":\"" v "\""
#define INDEX(list) HEAD(MEDIA_OCI_INDEX) "\"manifests\":[" list "]}"
#define ATTESTATION ENTRY(C, PLATFORM("unknown", "unknown", ""))

static const struct {
    const char *platform, *index, *digest; /* NULL: none matches */
} picks[] = {
    {"linux/amd64",
     INDEX(ENTRY(A, PLATFORM("linux", "arm64", VARIANT("v8"))) "," ENTRY(
         B, PLATFORM("linux", "amd64", ""))),
     B},
    {"linux/arm64",
     INDEX(ENTRY(A, PLATFORM("linux", "arm64", VARIANT("v8"))) "," ENTRY(
         B, PLATFORM("linux", "amd64", ""))),
     A},
    {"linux/arm64/v8", INDEX(ENTRY(A, PLATFORM("linux", "arm64", ""))), A},
    {"linux/arm/v7",
     INDEX(ENTRY(A, PLATFORM("linux", "arm", VARIANT("v5"))) "," ENTRY(
         B, PLATFORM("linux", "arm", VARIANT("v6")))),
     B},
    {"linux/arm/v7",
     INDEX(ENTRY(A, PLATFORM("linux", "arm", VARIANT("v7"))) "," ENTRY(
         B, PLATFORM("linux", "arm", VARIANT("v6")))),
     A},
    {"linux/arm/v6",
     INDEX(ENTRY(A, PLATFORM("linux", "arm", VARIANT("v7"))) "," ENTRY(
         B, PLATFORM("linux", "arm", VARIANT("v5")))),
     B},
    {"linux/arm/v5", INDEX(ENTRY(A, PLATFORM("linux", "arm", VARIANT("v7")))), NULL},
    {"linux/amd64",
     INDEX(ENTRY(A, PLATFORM("linux", "amd64", VARIANT("v3"))) "," ENTRY(
         B, PLATFORM("linux", "amd64", ""))),
     B},
    {"linux/amd64", INDEX(ENTRY(A, PLATFORM("windows", "amd64", "")) "," ATTESTATION), NULL},
    {"linux/amd64", INDEX(ATTESTATION "," ENTRY(B, PLATFORM("linux", "amd64", ""))), B},
    {"linux/amd64", INDEX(ENTRY(A, "") "," ENTRY(B, PLATFORM("linux", "amd64", ""))), B},
    {"linux/amd64", INDEX(ENTRY(A, "")), A},
    {"linux/amd64", INDEX(""), NULL},
};

START_TEST(picks_the_platform)
{
    struct platform platform;
    struct descriptor found = {0};
    struct err err = {0};
    const char *text = picks[_i].index;
    int r;

    ck_assert_int_eq(platform_parse(picks[_i].platform, &platform, &err), 0);
    r = index_pick(text, strlen(text), &platform, &found, &err);
    if (!picks[_i].digest) {
        ck_assert_int_eq(r, -ENOENT);
        ck_assert_ptr_nonnull(strstr(err.message, "no matching manifest for linux/"));
        return;
    }
    ck_assert_msg(!r, "%s", err.message);
    ck_assert_str_eq(found.digest, picks[_i].digest);
    ck_assert_str_eq(found.media_type, MEDIA_OCI_MANIFEST);
    descriptor_free(&found);
}
END_TEST

START_TEST(tells_indexes_from_manifests)
{
    static const char index[] = INDEX(""), manifest[] = HEAD(MEDIA_OCI_MANIFEST) OCI_BODY("");
    struct err err = {0};
    bool is_index;

    ck_assert_int_eq(manifest_is_index(index, strlen(index), NULL, &is_index, &err), 0);
    ck_assert(is_index);
    ck_assert_int_eq(
        manifest_is_index(manifest, strlen(manifest), "application/json", &is_index, &err), 0);
    ck_assert(!is_index);
    ck_assert_int_lt(manifest_is_index(index, strlen(index), MEDIA_OCI_MANIFEST, &is_index, &err),
                     0);
}
END_TEST

START_TEST(platforms)
{
    static const struct {
        const char *text, *os, *architecture, *variant; /* os NULL: refused */
    } table[] = {
        {"linux/amd64", "linux", "amd64", ""},
        {"linux/x86_64", "linux", "amd64", ""},
        {"arm64", "linux", "arm64", ""},
        {"linux/aarch64", "linux", "arm64", ""},
        {"linux/arm64/v8", "linux", "arm64", ""},
        {"linux/arm", "linux", "arm", "v7"},
        {"linux/arm/6", "linux", "arm", "v6"},
        {"linux/armhf", "linux", "arm", "v7"},
        {"windows/amd64", "windows", "amd64", ""},
        {"linux/amd64/v2", "linux", "amd64", "v2"},
        {"linux/vax", NULL, "", ""},
        {"amiga/amd64", NULL, "", ""},
        {"", NULL, "", ""},
        {"linux/", NULL, "", ""},
        {"linux/arm/v7/x", NULL, "", ""},
        {"linux/arm/v7777777", NULL, "", ""},
    };
    struct platform host;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct platform p;
        struct err err = {0};
        int r = platform_parse(table[i].text, &p, &err);

        ck_assert_msg((r < 0) == !table[i].os, "'%s' %s", table[i].text, err.message);
        if (r < 0)
            continue;
        ck_assert_str_eq(p.os, table[i].os);
        ck_assert_str_eq(p.architecture, table[i].architecture);
        ck_assert_str_eq(p.variant, table[i].variant);
    }
    platform_host(&host);
    ck_assert_str_eq(host.os, "linux");
#ifdef __x86_64__
    ck_assert_str_eq(host.architecture, "amd64");
#endif
}
END_TEST

SUITE(manifest)
{
    TCase *t = tcase_create("manifest"), *index = tcase_create("index");

    tcase_add_test(t, reads_dockers_form);
    tcase_add_test(t, reads_ocis_form_without_a_media_type);
    tcase_add_loop_test(t, refuses, 0, sizeof refused / sizeof *refused);
    tcase_add_test(t, refuses_deep_and_large_documents);
    suite_add_tcase(suite, t);
    tcase_add_loop_test(index, picks_the_platform, 0, sizeof picks / sizeof *picks);
    tcase_add_test(index, tells_indexes_from_manifests);
    tcase_add_test(index, platforms);
    suite_add_tcase(suite, index);
}
