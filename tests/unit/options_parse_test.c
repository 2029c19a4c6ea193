#include "support/suite.h"

#include <string.h>

#include "cli/options.h"
#include "cli/values.h"

static const struct flag flags[] = {
    {'i', "interactive", .help = "i"},
    {'t', "tty", .help = "t"},
    {0, "rm", .help = "rm"},
    {'e', "env", FLAG_LIST, "list", value_check_env, NULL, .help = "e"},
    {'m', "memory", FLAG_ONE, "bytes", value_check_bytes, NULL, .help = "m"},
    {0, "network", FLAG_ONE, "network", NULL, NULL, .help = "n"},
    {0, "net", FLAG_ONE, "network", .alias_of = "network"},
    {0, "sig-proxy", FLAG_BOOL, NULL, NULL, "true", .help = "s"},
    FLAGS_END,
};

static struct options options;
static struct err err;
static char words[16][64];
static char *argv[16];

/* Splits a line at blanks and parses it; the result of options_parse. */
static int parse(const char *line, bool stop)
{
    int n = 0;

    options_free(&options);
    err_clear(&err);
    while (*line) {
        size_t len = strcspn(line, " ");

        snprintf(words[n], sizeof words[n], "%.*s", (int)len, line);
        argv[n] = words[n];
        n++;
        line += len + (line[len] == ' ');
    }
    argv[n] = NULL;
    return options_parse(flags, argv, stop, &options, &err);
}

static void free_options(void)
{
    options_free(&options);
}

START_TEST(short_flags_combine_and_take_values_in_every_way)
{
    ck_assert_int_eq(parse("-it -m512m image", true), 0);
    ck_assert(options_flag(&options, "interactive") && options_flag(&options, "tty"));
    ck_assert_str_eq(options_one(&options, "memory"), "512m");
    ck_assert_int_eq(parse("-m=1g", true), 0);
    ck_assert_str_eq(options_one(&options, "memory"), "1g");
    ck_assert_int_eq(parse("-im 2g --memory 3g", true), 0);
    ck_assert_str_eq(options_one(&options, "memory"), "3g");
    ck_assert_int_eq(parse("--memory=4g -t", true), 0);
    ck_assert_str_eq(options_one(&options, "memory"), "4g");
}
END_TEST

START_TEST(booleans_can_be_switched_off_and_the_last_one_counts)
{
    ck_assert_int_eq(parse("--rm --rm=false", true), 0);
    ck_assert(!options_flag(&options, "rm"));
    ck_assert_int_eq(parse("-i=false -t=1", true), 0);
    ck_assert(!options_flag(&options, "interactive"));
    ck_assert(options_flag(&options, "tty"));
    ck_assert(options_flag(&options, "sig-proxy"));
    ck_assert_int_eq(parse("--sig-proxy=false", true), 0);
    ck_assert(!options_flag(&options, "sig-proxy"));
}
END_TEST

START_TEST(flags_end_at_the_image_when_a_command_follows)
{
    ck_assert_int_eq(parse("-i image -t --rm x", true), 0);
    ck_assert(!options_flag(&options, "tty"));
    ck_assert_uint_eq(options.arg_count, 4);
    ck_assert_str_eq(options.args[0], "image");
    ck_assert_str_eq(options.args[1], "-t");
    ck_assert_ptr_null(options.args[4]);
    ck_assert_int_eq(parse("a -t b", false), 0);
    ck_assert(options_flag(&options, "tty"));
    ck_assert_uint_eq(options.arg_count, 2);
    ck_assert_str_eq(options.args[1], "b");
}
END_TEST

START_TEST(two_dashes_end_the_flags_and_one_is_an_argument)
{
    ck_assert_int_eq(parse("-i -- -t", false), 0);
    ck_assert(!options_flag(&options, "tty"));
    ck_assert_str_eq(options.args[0], "-t");
    ck_assert_int_eq(parse("- -t", false), 0);
    ck_assert_str_eq(options.args[0], "-");
    ck_assert(options_flag(&options, "tty"));
}
END_TEST

START_TEST(lists_keep_everything_in_order)
{
    ck_assert_int_eq(parse("-e A=1 --env=B=2 -eC=3", true), 0);
    ck_assert_uint_eq(options_list(&options, "env")->len, 3);
    ck_assert_str_eq(options_list(&options, "env")->items[1], "B=2");
    ck_assert_str_eq(options_list(&options, "env")->items[2], "C=3");
}
END_TEST

START_TEST(an_old_single_dash_is_a_long_flag_only_when_it_cannot_be_short_ones)
{
    ck_assert_int_eq(parse("-rm -network=host image", true), 0);
    ck_assert(options_flag(&options, "rm"));
    ck_assert_str_eq(options_one(&options, "network"), "host");
    /* -e takes the rest of the word, as it always did */
    ck_assert_int_eq(parse("-env=x", true), 0);
    ck_assert_str_eq(options_list(&options, "env")->items[0], "nv=x");
}
END_TEST

START_TEST(an_alias_fills_the_flag_it_stands_for)
{
    ck_assert_int_eq(parse("--net=none", true), 0);
    ck_assert_str_eq(options_one(&options, "network"), "none");
}
END_TEST

START_TEST(help_is_always_known)
{
    ck_assert_int_eq(parse("--help", false), 0);
    ck_assert(options.help);
    ck_assert_int_eq(parse("-h", false), 0);
    ck_assert(options.help);
}
END_TEST

static const struct {
    const char *line, *message;
} bad[] = {
    {"--nosuch=1", "unknown flag: --nosuch"},
    {"-iz", "unknown shorthand flag: 'z' in -iz"},
    {"--memory", "flag needs an argument: --memory"},
    {"-im", "flag needs an argument: 'm' in -im"},
    {"-m 999e", "invalid argument \"999e\" for \"-m, --memory\" flag: invalid suffix: 'e'"},
    {"--rm=maybe", "invalid argument \"maybe\" for \"--rm\" flag: strconv.ParseBool: parsing "
                   "\"maybe\": invalid syntax"},
    {"-e =x", "invalid argument \"=x\" for \"-e, --env\" flag: invalid environment variable: =x"},
};

START_TEST(mistakes_are_named_in_dockers_words)
{
    ck_assert_int_lt(parse(bad[_i].line, true), 0);
    ck_assert_str_eq(err.message, bad[_i].message);
}
END_TEST

SUITE(options)
{
    TCase *t = tcase_create("parse");

    tcase_add_unchecked_fixture(t, NULL, free_options);
    tcase_add_checked_fixture(t, NULL, free_options);
    tcase_add_test(t, short_flags_combine_and_take_values_in_every_way);
    tcase_add_test(t, booleans_can_be_switched_off_and_the_last_one_counts);
    tcase_add_test(t, flags_end_at_the_image_when_a_command_follows);
    tcase_add_test(t, two_dashes_end_the_flags_and_one_is_an_argument);
    tcase_add_test(t, lists_keep_everything_in_order);
    tcase_add_test(t, an_old_single_dash_is_a_long_flag_only_when_it_cannot_be_short_ones);
    tcase_add_test(t, an_alias_fills_the_flag_it_stands_for);
    tcase_add_test(t, help_is_always_known);
    tcase_add_loop_test(t, mistakes_are_named_in_dockers_words, 0, sizeof bad / sizeof *bad);
    suite_add_tcase(suite, t);
}
