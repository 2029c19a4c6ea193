#include "support/suite.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "image/image.h"

#define A      "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B      "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" A "\",\"" B "\"]}"

START_TEST(reads_a_config)
{
    static const char text[] =
        "{\"created\":\"2024-05-22T18:18:12.052034407Z\",\"os\":\"linux\","
        "\"architecture\":\"amd64\",\"config\":{\"Env\":[\"A=b\"],\"Cmd\":null}," ROOTFS "}";
    struct image_config c;
    struct err err = {0};

    ck_assert_msg(!image_config_parse(text, strlen(text), &c, &err), "%s", err.message);
    ck_assert_int_eq(c.created_ns, 1716401892052034407);
    ck_assert_str_eq(c.os, "linux");
    ck_assert_str_eq(c.architecture, "amd64");
    ck_assert_uint_eq(c.diff_ids.len, 2);
    ck_assert_str_eq(c.diff_ids.items[1], B);
    image_config_free(&c);
}
END_TEST

static const struct {
    const char *text, *part;
} refused[] = {
    {"", "is empty"},
    {"[]", "not a JSON object"},
    {"{}", "no rootfs"},
    {"{\"rootfs\":{\"type\":\"other\",\"diff_ids\":[]}}", "no rootfs"},
    {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:..\"]}}", "invalid diff_id"},
    {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}", "no array"},
    {"{\"config\":[]," ROOTFS "}", "'config' of the wrong type"},
    {"{\"history\":7," ROOTFS "}", "'history' of the wrong type"},
    {"{\"history\":[7]," ROOTFS "}", "'history' of the wrong type"},
    {"{\"os\":7," ROOTFS "}", "'os' of the wrong type"},
    {"{\"config\":{\"Env\":\"A=b\"}," ROOTFS "}", "'Env'"},
    {"{\"config\":{\"Cmd\":[1]}," ROOTFS "}", "'Cmd'"},
    {"{\"config\":{\"User\":0}," ROOTFS "}", "'User'"},
    {"{\"config\":{\"Volumes\":[\"/x\"]}," ROOTFS "}", "'Volumes'"},
    {"{\"config\":{\"User\":\"a\\u0000b\"}," ROOTFS "}", "not valid JSON"},
};

START_TEST(refuses)
{
    struct image_config c = {0};
    struct err err = {0};

    ck_assert_int_eq(image_config_parse(refused[_i].text, strlen(refused[_i].text), &c, &err),
                     -EINVAL);
    ck_assert_msg(strstr(err.message, refused[_i].part) != NULL, "'%s' lacks '%s'", err.message,
                  refused[_i].part);
    ck_assert_ptr_null(c.json);
}
END_TEST

/* Computed apart with sha256sum(1): printf '%s %s' A B | sha256sum. */
START_TEST(chain_ids)
{
    char base[DIGEST_LEN + 1], top[DIGEST_LEN + 1];

    chain_id("", A, base);
    ck_assert_str_eq(base, A);
    chain_id(base, B, top);
    ck_assert_str_eq(top,
                     "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c");
}
END_TEST

START_TEST(makes_a_config_that_it_can_read)
{
    struct strv ids = {0};
    struct image_config c;
    struct err err = {0};
    json_t *made;
    char *text;

    strv_add(&ids, A);
    made =
        image_config_new(&ids, "Imported from -", &(struct platform){"linux", "arm", "v7"}, NULL);
    text = json_text(made, 0);
    ck_assert_int_eq(image_config_parse(text, strlen(text), &c, &err), 0);
    ck_assert_str_eq(c.diff_ids.items[0], A);
    ck_assert_int_le(c.created_ns, clock_now());
    ck_assert_int_gt(c.created_ns, clock_now() - 60000000000);
    ck_assert_str_eq(json_str(json_array_get(json_object_get(c.json, "history"), 0), "comment", ""),
                     "Imported from -");
    ck_assert_str_eq(c.os, "linux");
    image_config_free(&c);
    free(text);
    json_decref(made);
    strv_free(&ids);
}
END_TEST

SUITE(config)
{
    TCase *t = tcase_create("config");

    tcase_add_test(t, reads_a_config);
    tcase_add_loop_test(t, refuses, 0, sizeof refused / sizeof *refused);
    tcase_add_test(t, chain_ids);
    tcase_add_test(t, makes_a_config_that_it_can_read);
    suite_add_tcase(suite, t);
}
