#include "support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

START_TEST(numbers)
{
    static const struct {
        const char *text;
        int result;
        long long value;
    } table[] = {
        {"0", 0, 0},
        {"18446744073709551615", 0, -1},
        {"18446744073709551616", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        unsigned long long n = 0;

        ck_assert_msg(str_to_u64(table[i].text, &n) == table[i].result, "'%s'", table[i].text);
        ck_assert_uint_eq(n, (unsigned long long)table[i].value);
    }
}
END_TEST

START_TEST(signed_numbers)
{
    long long n = 7;

    ck_assert_int_eq(str_to_i64("-9223372036854775808", &n), 0);
    ck_assert_int_eq(n, -9223372036854775807 - 1);
    ck_assert_int_eq(str_to_i64("9223372036854775808", &n), -ERANGE);
    ck_assert_int_eq(str_to_i64("--1", &n), -EINVAL);
    ck_assert_int_eq(str_to_i64("-", &n), -EINVAL);
}
END_TEST

START_TEST(buffers_grow_and_end_in_nul)
{
    struct buf b = {0};
    char *text;

    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i % 10);
    ck_assert_uint_eq(b.len, 2000);
    ck_assert_int_eq(b.data[b.len], 0);
    buf_add(&b, "\0x", 2);
    ck_assert_uint_eq(b.len, 2002);
    buf_free(&b);
    text = buf_steal(&b); /* of an empty buffer: still a string */
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(lists_split_and_join)
{
    static const struct {
        const char *text;
        size_t parts;
    } table[] = {{"", 0}, {"a", 1}, {"a,b", 2}, {",", 2}, {"a,", 2}, {"a,,b", 3}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct strv v = {0};
        char *joined;

        strv_split(&v, table[i].text, ',');
        ck_assert_uint_eq(v.len, table[i].parts);
        if (v.len)
            ck_assert_ptr_null(v.items[v.len]);
        joined = strv_join(&v, ",");
        ck_assert_str_eq(joined, table[i].text);
        free(joined);
        strv_free(&v);
    }
}
END_TEST

START_TEST(comparisons)
{
    ck_assert(str_equal(NULL, NULL));
    ck_assert(!str_equal(NULL, ""));
    ck_assert(str_equal("a", "a"));
    ck_assert(str_starts("abc", "ab") && !str_starts("a", "ab"));
    ck_assert(str_ends("abc", "bc") && !str_ends("c", "bc"));
}
END_TEST

/* The first and last character of each length, and what stands just outside. */
static const struct {
    const char *text;
    size_t length;
} characters[] = {
    {"a", 1},
    {"\x7f", 1},
    {"\x80", 0}, /* the rest of one */
    {"\xbf", 0},
    {"\xc1\xbf", 0}, /* could be shorter */
    {"\xc2\x80", 2},
    {"\xdf\xbf", 2},
    {"\xc2\x7f", 0},
    {"\xc2\xc0", 0},
    {"\xe0\x9f\xbf", 0},
    {"\xe0\xa0\x80", 3},
    {"\xed\x9f\xbf", 3},
    {"\xed\xa0\x80", 0}, /* surrogates */
    {"\xed\xbf\xbf", 0},
    {"\xee\x80\x80", 3},
    {"\xef\xbf\xbf", 3},
    {"\xf0\x8f\xbf\xbf", 0},
    {"\xf0\x90\x80\x80", 4},
    {"\xf4\x8f\xbf\xbf", 4},
    {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
    {"\xf5\x80\x80\x80", 0},
    {"\xff", 0},
};

START_TEST(utf8_characters)
{
    const char *text = characters[_i].text;
    size_t n = characters[_i].length;

    ck_assert_uint_eq(str_utf8_length(text, strlen(text)), n);
    if (n > 1)
        ck_assert_uint_eq(str_utf8_length(text, n - 1), 0); /* cut */
}
END_TEST

SUITE(base_str)
{
    TCase *t = tcase_create("str");

    tcase_add_test(t, numbers);
    tcase_add_test(t, signed_numbers);
    tcase_add_test(t, buffers_grow_and_end_in_nul);
    tcase_add_test(t, lists_split_and_join);
    tcase_add_test(t, comparisons);
    tcase_add_loop_test(t, utf8_characters, 0, sizeof characters / sizeof *characters);
    suite_add_tcase(suite, t);
}
