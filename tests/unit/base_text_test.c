/* Errors, JSON and times: the texts that go in and out. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"

START_TEST(errors_gather_context)
{
    struct err err = {0};

    errno = ENOENT;
    ck_assert_int_eq(err_errno(&err, "cannot open '%s'", "f"), -ENOENT);
    ck_assert_int_eq(err_wrap(&err, "cannot start %s", "x"), -ENOENT);
    ck_assert_str_eq(err.message, "cannot start x: cannot open 'f': No such file or directory");
    err_clear(&err);
    ck_assert_int_eq(err.code, 0);
    ck_assert_str_eq(err.message, "");
}
END_TEST

START_TEST(long_errors_are_cut)
{
    char text[3 * ERR_MESSAGE_MAX];
    struct err err = {0};

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    err_set(&err, EIO, "%s", text);
    err_wrap(&err, "before");
    ck_assert_uint_lt(strlen(err.message), ERR_MESSAGE_MAX);
    ck_assert_int_eq(strncmp(err.message, "before: x", 9), 0);
}
END_TEST

START_TEST(times_go_both_ways)
{
    static const struct {
        const char *text, *printed; /* NULL: refused */
        int64_t ns;
    } table[] = {
        {"1970-01-01T00:00:01Z", "1970-01-01T00:00:01Z", 1000000000},
        {"2026-11-21T05:40:22.3Z", "2026-11-21T05:40:22.3Z", 1795239622300000000},
        {"2026-11-21T05:40:22.000000001Z", "2026-11-21T05:40:22.000000001Z", 1795239622000000001},
        {"2026-11-21T07:40:22+02:00", "2026-11-21T05:40:22Z", 1795239622000000000},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", 0},
        {"9999-12-31T00:00:00Z", "2262-04-11T23:47:16.854775807Z", INT64_MAX}, /* what fits */
        {"0900-01-01T00:00:00Z", "1677-09-21T00:12:43.145224192Z", INT64_MIN},
        {"1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.25Z", -750000000},
        {"2026-11-21", NULL, 0},
        {"2026-11-21T05:40:22", NULL, 0},
        {"2026-11-21T05:40:22Zx", NULL, 0},
        {"", NULL, 0},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t ns = -1;
        char text[40];

        ck_assert_int_eq(clock_parse(table[i].text, &ns), table[i].printed ? 0 : -EINVAL);
        if (!table[i].printed)
            continue;
        ck_assert_int_eq(ns, table[i].ns);
        clock_format(ns, text);
        ck_assert_str_eq(text, table[i].printed);
    }
}
END_TEST

START_TEST(json_is_refused_when_hostile)
{
    char deep[200];
    struct err err = {0};

    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    ck_assert_ptr_null(json_parse(deep, 130, "it", &err));
    ck_assert_str_eq(err.message, "it is nested deeper than 64 levels");
    ck_assert_ptr_null(json_parse("{\"a\":1,\"a\":2}", 13, "it", &err));
    ck_assert_ptr_null(json_parse("{\"a\":1}x", 8, "it", &err));
    ck_assert_ptr_nonnull(strstr(err.message, "it is not valid JSON"));
    ck_assert_ptr_null(json_parse("", 0, "it", &err));
    ck_assert_str_eq(err.message, "it is empty");
}
END_TEST

START_TEST(json_getters_have_defaults)
{
    static const char text[] =
        "{\"a\":{\"s\":\"x\",\"n\":7,\"t\":true,\"l\":[\"p\",1,\"q\"]},\"[[\":\"]]{{\\\"\"}";
    struct err err = {0};
    struct strv list = {0};
    json_t *json = json_parse(text, strlen(text), "it", &err);

    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_str(json, "a.s", "no"), "x");
    ck_assert_str_eq(json_str(json, "a.n", "no"), "no");
    ck_assert_int_eq(json_int(json, "a.n", 1), 7);
    ck_assert_int_eq(json_int(json, "a.s", 1), 1);
    ck_assert(json_flag(json, "a.t", false));
    ck_assert(json_flag(json, "a.missing.more", true));
    json_strings(json_at(json, "a.l"), &list);
    ck_assert_uint_eq(list.len, 2);
    strv_free(&list);
    json_decref(json);
}
END_TEST

/* Go writes uint64; jansson reads int64. */
START_TEST(unsigned_numbers_keep_their_bits)
{
    static const char text[] =
        "{\"max\":18446744073709551615,\"half\":[9223372036854775808],\"most\":"
        "9223372036854775807,\"least\":-9223372036854775808,\"real\":18446744073709551615.5,"
        "\"name\\\"18446744073709551615\":\"18446744073709551615\"}";
    struct err err = {0};
    cleanup_json json_t *json = json_parse_u64(text, sizeof text - 1, "it", &err);

    ck_assert_msg(json != NULL, "%s", err.message);
    ck_assert_int_eq(json_int(json, "max", 0), -1);
    ck_assert_int_eq(json_integer_value(json_array_get(json_at(json, "half"), 0)), INT64_MIN);
    ck_assert_int_eq(json_int(json, "most", 0), INT64_MAX);
    ck_assert_int_eq(json_int(json, "least", 0), INT64_MIN);
    ck_assert_int_eq(json_int(json, "real", 5), 5); /* no long long: as if absent */
    ck_assert_str_eq(json_string_value(json_object_get(json, "name\"18446744073709551615")),
                     "18446744073709551615");
    ck_assert_ptr_null(json_parse_u64("[18446744073709551616]", 22, "it", &err));
    ck_assert_ptr_null(json_parse("[18446744073709551615]", 22, "it", &err));
}
END_TEST

SUITE(base_text)
{
    TCase *t = tcase_create("text");

    tcase_add_test(t, errors_gather_context);
    tcase_add_test(t, long_errors_are_cut);
    tcase_add_test(t, times_go_both_ways);
    tcase_add_test(t, json_is_refused_when_hostile);
    tcase_add_test(t, unsigned_numbers_keep_their_bits);
    tcase_add_test(t, json_getters_have_defaults);
    suite_add_tcase(suite, t);
}
