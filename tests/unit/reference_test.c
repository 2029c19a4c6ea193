/* References: docker's normal form, and docker's words for what is none. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "image/image.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *text, *canonical, *familiar;
} valid[] = {
    {"alpine", "docker.io/library/alpine:latest", "alpine:latest"},
    {"alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"},
    {"me/app", "docker.io/me/app:latest", "me/app:latest"},
    {"library/alpine:1", "docker.io/library/alpine:1", "alpine:1"},
    {"docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"},
    {"index.docker.io/me/app:v1", "docker.io/me/app:v1", "me/app:v1"},
    {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
    {"localhost/x", "localhost/x:latest", "localhost/x:latest"},
    {"localhost:5000/x:v1", "localhost:5000/x:v1", "localhost:5000/x:v1"},
    {"127.0.0.1:5000/me/app:v1", "127.0.0.1:5000/me/app:v1", "127.0.0.1:5000/me/app:v1"},
    {"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
    {"Host/x", "Host/x:latest", "Host/x:latest"},
    {"host/x", "docker.io/host/x:latest", "host/x:latest"},
    {"quay.io/a/b/c:T_1.x-y", "quay.io/a/b/c:T_1.x-y", "quay.io/a/b/c:T_1.x-y"},
    {"a.b_c__d---e", "docker.io/library/a.b_c__d---e:latest", "a.b_c__d---e:latest"},
    {"x@sha256:" HEX, "docker.io/library/x@sha256:" HEX, "x@sha256:" HEX},
    {"x:v1@sha256:" HEX, "docker.io/library/x@sha256:" HEX, "x@sha256:" HEX},
};

START_TEST(normalises_as_docker)
{
    struct reference ref;
    struct err err = {0};
    char *canonical, *familiar;

    ck_assert_msg(!reference_parse(valid[_i].text, &ref, &err), "%s: %s", valid[_i].text,
                  err.message);
    canonical = reference_canonical(&ref);
    familiar = reference_familiar(canonical);
    ck_assert_str_eq(canonical, valid[_i].canonical);
    ck_assert_str_eq(familiar, valid[_i].familiar);
    free(canonical);
    free(familiar);
    reference_free(&ref);
}
END_TEST

static const struct {
    const char *text, *message;
} invalid[] = {
    {"", "invalid reference format"},
    {"UPPER", "invalid reference format: repository name (library/UPPER) must be lowercase"},
    {"UPPER:1", "invalid reference format: repository name (library/UPPER) must be lowercase"},
    {"me/App", "invalid reference format: repository name (me/App) must be lowercase"},
    {"a:", "invalid reference format"},
    {"a:.b", "invalid reference format"},
    {"a:b:c", "invalid reference format"},
    {"a b", "invalid reference format"},
    {"-a", "invalid reference format"},
    {"a-", "invalid reference format"},
    {"a..b", "invalid reference format"},
    {"a___b", "invalid reference format"},
    {"/a", "invalid reference format"},
    {"a/", "invalid reference format"},
    {"a//b", "invalid reference format"},
    {"../a", "invalid reference format"},
    {"-bad.example/x", "invalid reference format"},
    {"host.example:port/x", "invalid reference format"},
    {"http://host/x", "invalid reference format"},
    {"a\n", "invalid reference format"},
    {"a@", "invalid reference format"},
    {"a@sha256:abc", "invalid reference format"},
    {"a@sha256:" HEX "0", "invalid checksum digest length"},
    {"a@sha256:" HEX "/../x", "invalid reference format"},
    {"a@md5:0123456789abcdef0123456789abcdef", "unsupported digest algorithm"},
    {"a@sha256:ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
     "invalid checksum digest format"},
    {HEX, "invalid repository name (" HEX "), cannot specify 64-byte hexadecimal strings"},
};

START_TEST(refuses_in_dockers_words)
{
    struct reference ref = {.path = NULL};
    struct err err = {0};

    ck_assert_int_eq(reference_parse(invalid[_i].text, &ref, &err), -EINVAL);
    ck_assert_str_eq(err.message, invalid[_i].message);
    ck_assert_ptr_null(ref.path); /* outputs only on success */
}
END_TEST

START_TEST(lengths_are_limited)
{
    struct reference ref;
    struct err err = {0};
    char text[400];

    memset(text, 'a', sizeof text);
    text[255 - strlen("docker.io/library/")] = 0;
    ck_assert_int_eq(reference_parse(text, &ref, &err), 0);
    reference_free(&ref);
    text[255 - strlen("docker.io/library/")] = 'a';
    text[256 - strlen("docker.io/library/")] = 0;
    ck_assert_int_eq(reference_parse(text, &ref, &err), -EINVAL);
    ck_assert_str_eq(err.message, "repository name must not be more than 255 characters");
    memset(text, 'a', sizeof text);
    text[1] = ':';
    text[2 + 128] = 0;
    ck_assert_int_eq(reference_parse(text, &ref, &err), 0);
    reference_free(&ref);
    text[2 + 128] = 'a';
    text[2 + 129] = 0;
    ck_assert_int_eq(reference_parse(text, &ref, &err), -EINVAL);
}
END_TEST

START_TEST(says_when_the_tag_was_made_up)
{
    struct reference ref;
    struct err err = {0};

    ck_assert_int_eq(reference_parse("a", &ref, &err), 0);
    ck_assert(ref.defaulted_tag);
    reference_free(&ref);
    ck_assert_int_eq(reference_parse("a:latest", &ref, &err), 0);
    ck_assert(!ref.defaulted_tag);
    reference_free(&ref);
    ck_assert_int_eq(reference_parse("a@sha256:" HEX, &ref, &err), 0);
    ck_assert(!ref.defaulted_tag);
    ck_assert_ptr_null(ref.tag);
    reference_free(&ref);
}
END_TEST

START_TEST(splits_for_the_table)
{
    static const struct {
        const char *canonical, *repository, *rest;
    } table[] = {
        {"docker.io/library/alpine:3.20", "alpine", "3.20"},
        {"127.0.0.1:5000/me/app:v1", "127.0.0.1:5000/me/app", "v1"},
        {"docker.io/me/app@sha256:" HEX, "me/app", "sha256:" HEX},
        {"127.0.0.1:5000/app@sha256:" HEX, "127.0.0.1:5000/app", "sha256:" HEX},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *repository, *rest;

        reference_split(table[i].canonical, &repository, &rest);
        ck_assert_str_eq(repository, table[i].repository);
        ck_assert_str_eq(rest, table[i].rest);
        free(repository);
        free(rest);
    }
}
END_TEST

SUITE(reference)
{
    TCase *t = tcase_create("reference");

    tcase_add_loop_test(t, normalises_as_docker, 0, sizeof valid / sizeof *valid);
    tcase_add_loop_test(t, refuses_in_dockers_words, 0, sizeof invalid / sizeof *invalid);
    tcase_add_test(t, lengths_are_limited);
    tcase_add_test(t, says_when_the_tag_was_made_up);
    tcase_add_test(t, splits_for_the_table);
    suite_add_tcase(suite, t);
}
