#include "support/suite.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/human.h"
#include "cli/table.h"

#define SECOND 1000000000LL
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

static const struct {
    int64_t ns;
    const char *text;
} spans[] = {
    {0, "Less than a second"},
    {SECOND - 1, "Less than a second"},
    {SECOND, "1 second"},
    {59 * SECOND, "59 seconds"},
    {60 * SECOND, "About a minute"},
    {119 * SECOND, "About a minute"},
    {120 * SECOND, "2 minutes"},
    {3599 * SECOND, "59 minutes"},
    {HOUR, "About an hour"},
    {HOUR + HOUR / 2 - 1, "About an hour"},
    {HOUR + HOUR / 2, "2 hours"},
    {47 * HOUR, "47 hours"},
    {48 * HOUR, "2 days"},
    {13 * DAY, "13 days"},
    {14 * DAY, "2 weeks"},
    {59 * DAY, "8 weeks"},
    {60 * DAY, "2 months"},
    {729 * DAY, "24 months"},
    {730 * DAY, "2 years"},
};

START_TEST(spans_of_time_in_dockers_words)
{
    char text[HUMAN_MAX];

    human_duration(spans[_i].ns, text);
    ck_assert_str_eq(text, spans[_i].text);
}
END_TEST

static const struct {
    double bytes;
    int digits;
    const char *text;
} sizes[] = {
    {0, 3, "0B"},           {34, 3, "34B"},          {999, 3, "999B"},         {1000, 3, "1kB"},
    {1980000, 3, "1.98MB"}, {120700000, 3, "121MB"}, {71030000, 4, "71.03MB"}, {1.5e12, 3, "1.5TB"},
};

START_TEST(sizes_are_powers_of_1000)
{
    char text[HUMAN_MAX];

    human_size(sizes[_i].bytes, sizes[_i].digits, text);
    ck_assert_str_eq(text, sizes[_i].text);
}
END_TEST

START_TEST(memory_is_powers_of_1024)
{
    char text[HUMAN_MAX];

    human_memory(16777216, text);
    ck_assert_str_eq(text, "16MiB");
    human_memory(16.6 * 1024 * 1024 * 1024, text);
    ck_assert_str_eq(text, "16.6GiB");
}
END_TEST

START_TEST(width_counts_characters_not_bytes)
{
    ck_assert_int_eq(human_width("abc"), 3);
    ck_assert_int_eq(human_width("\u00e4\u2026"), 2);
    ck_assert_int_eq(human_width("\u65e5\u672c"), 4);
    ck_assert_int_eq(human_width("e\u0301"), 1);
    ck_assert_int_eq(human_width("\xff\xfe"), 2);
    ck_assert_int_eq(human_width("\xe4"), 1); /* cut off at the end of the text */
}
END_TEST

START_TEST(a_long_text_ends_in_an_ellipsis)
{
    cleanup_free char *cut = human_ellipsis("sh -c 'echo hello; sleep 1'", 20);
    cleanup_free char *whole = human_ellipsis("exactly twenty chars", 20);
    cleanup_free char *wide = human_ellipsis("\u65e5\u672c\u8a9e", 4);

    ck_assert_str_eq(cut, "sh -c 'echo hello; \u2026");
    ck_assert_str_eq(whole, "exactly twenty chars");
    ck_assert_str_eq(wide, "\u65e5\u2026");
}
END_TEST

START_TEST(quotes_escape_as_go_does)
{
    cleanup_free char *quoted = human_quote("a\"b\\\n\x01");

    ck_assert_str_eq(quoted, "\"a\\\"b\\\\\\n\\x01\"");
}
END_TEST

static const struct {
    const char *text, *aligned;
} tables[] = {
    {"A\tB\tC\n1\t2\t3\n", "A         B         C\n1         2         3\n"},
    {"IMAGE\tX\nlonger-than-ten\ty\n", "IMAGE             X\nlonger-than-ten   y\n"},
    {"ID\tNAME\n", "ID        NAME\n"},
    {"\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\tb\n",
     "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4   b\n"},
    {"a\t\tc\n", "a                   c\n"},
    {"long-first-cell\tb\nno cells\nx\ty\n", "long-first-cell   b\nno cells\nx         y\n"},
    {"", ""},
};

START_TEST(columns_line_up)
{
    cleanup_buf struct buf out = {0};

    buf_reserve(&out, 0);
    table_align(tables[_i].text, &out);
    ck_assert_str_eq(out.data ? out.data : "", tables[_i].aligned);
}
END_TEST

SUITE(format_human)
{
    TCase *t = tcase_create("human");

    tcase_add_loop_test(t, spans_of_time_in_dockers_words, 0, sizeof spans / sizeof *spans);
    tcase_add_loop_test(t, sizes_are_powers_of_1000, 0, sizeof sizes / sizeof *sizes);
    tcase_add_test(t, memory_is_powers_of_1024);
    tcase_add_test(t, width_counts_characters_not_bytes);
    tcase_add_test(t, a_long_text_ends_in_an_ellipsis);
    tcase_add_test(t, quotes_escape_as_go_does);
    tcase_add_loop_test(t, columns_line_up, 0, sizeof tables / sizeof *tables);
    suite_add_tcase(suite, t);
}
