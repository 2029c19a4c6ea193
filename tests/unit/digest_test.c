#include "support/suite.h"

#include <string.h>

#include "base/digest.h"

#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* The values are FIPS 180-4's own examples. */
START_TEST(known_values)
{
    char digest[DIGEST_LEN + 1];
    struct hasher *h = hasher_new();

    digest_of("", 0, digest);
    ck_assert_str_eq(digest, EMPTY);
    digest_of("abc", 3, digest);
    ck_assert_str_eq(digest, ABC);
    hasher_add(h, "a", 1);
    hasher_add(h, "", 0);
    hasher_add(h, "bc", 2);
    hasher_finish(h, digest);
    ck_assert_str_eq(digest, ABC);
    ck_assert_str_eq(digest_hex(digest), ABC + 7);
}
END_TEST

static const char *const invalid[] = {
    "",
    "sha256:",
    "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
    EMPTY "0",
    "sha256:E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:../../../../etc/passwd/af92427ae41e4649b934ca495991b7852b8550000",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85\n",
    " " EMPTY,
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
};

START_TEST(only_one_form_is_valid)
{
    ck_assert(digest_valid(EMPTY));
    ck_assert(!digest_valid(NULL));
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        ck_assert_msg(!digest_valid(invalid[i]), "'%s' was taken for a digest", invalid[i]);
}
END_TEST

SUITE(digest)
{
    TCase *t = tcase_create("digest");

    tcase_add_test(t, known_values);
    tcase_add_test(t, only_one_form_is_valid);
    suite_add_tcase(suite, t);
}
