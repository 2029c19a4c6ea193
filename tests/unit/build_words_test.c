/* Variables in a Dockerfile's words. What ${...} makes of values is what bash makes of them. */
#include "support/suite.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/build.h"

static const struct {
    const char *word, *want; /* want begins with '!': a part of the message */
} words[] = {
    {"$A ${A} $A$A a${A}b $Ab", "one one oneone aoneb "},
    {"'$A' \"$A\" \\$A '\\$A'", "$A one $A \\$A"},
    {"\"a \\\" \\$ \\\\ \\x\" b\\ c", "a \" $ \\ \\x b c"},
    {"$ $$ $. ${A}$", "$ $$ $. one$"},
    {"[${NO:-d}] [${NO-d}] [${EMPTY:-d}] [${EMPTY-d}]", "[d] [d] [d] []"},
    {"[${A:+s}] [${A+s}] [${EMPTY:+s}] [${EMPTY+s}] [${NO+s}]", "[s] [s] [] [s] []"},
    {"${NO:-${A:+${NO-deep $A}}}", "deep one"},
    {"${A:?bad}${A?bad}${EMPTY?bad}", "oneone"},
    {"${NO:?is wanted}", "!NO: is wanted"},
    {"${NO?}", "!NO: is not allowed to be unset"},
    {"${EMPTY:?}", "!EMPTY: is not allowed to be empty"},
    {"${P#*/}", "usr/lib/x.tar.gz"},
    {"${P##*/}", "x.tar.gz"},
    {"${P%.*}", "/usr/lib/x.tar"},
    {"${P%%.*}", "/usr/lib/x"},
    {"${P#no}${P%no}", "/usr/lib/x.tar.gz/usr/lib/x.tar.gz"},
    {"${A#?} ${A#o?e} ${A%??} ${A#*} ${A##*}.", "ne  o one ."},
    {"${STAR#a\\*} ${STAR#a*} ${STAR##a*}.", "b*c *b*c ."},
    {"${P/\\//:} ${P//\\//:}", ":usr/lib/x.tar.gz :usr:lib:x.tar.gz"},
    {"${A/n} ${A/n/} ${A/x/y} ${A//?/xy}", "!missing '/'"},
    {"${A/n/} ${A/x/y} ${A//?/xy} ${A/*/z}", "oe one xyxyxy z"},
    {"${P//.t*r/-$A}", "/usr/lib/x-one.gz"},
    {"${MISS/a/b}${MISS#a}.", "."},
    {"${MANY//a*b/-}", "x-y"},
    {"${A", "!missing '}'"},
    {"${", "!bad substitution"},
    {"${}", "!bad substitution"},
    {"${A!x}", "!unsupported modifier"},
    {"${A:x}", "!unsupported modifier"},
    {"${A:-x", "!missing '}'"},
    {"'x", "!looking for matching single-quote"},
    {"\"x", "!looking for matching double-quote"},
    {"x\\", "x\\"},
};

static json_t *values(void)
{
    return json_pack("{ss ss ss ss ss}", "A", "one", "EMPTY", "", "P", "/usr/lib/x.tar.gz", "STAR",
                     "a*b*c", "MANY", "xaabaaby");
}

START_TEST(words_are_expanded)
{
    cleanup_json json_t *env = values();
    const struct word_rules rules = {.env = env, .escape = '\\'};
    cleanup_free char *got = NULL;
    struct err err = {0};
    int r = word_expand(&rules, words[_i].word, &got, &err);

    if (*words[_i].want == '!') {
        ck_assert_int_lt(r, 0);
        ck_assert_msg(strstr(err.message, words[_i].want + 1) != NULL, "%s", err.message);
    } else {
        ck_assert_msg(r == 0, "%s", err.message);
        ck_assert_str_eq(got, words[_i].want);
    }
}
END_TEST

START_TEST(in_a_heredoc_quotes_are_text)
{
    cleanup_json json_t *env = values();
    cleanup_strv struct strv unset = {0};
    const struct word_rules rules = {.env = env, .escape = '\\', .heredoc = true, .unset = &unset};
    cleanup_free char *got = NULL;
    struct err err = {0};

    ck_assert_int_eq(word_expand(&rules, "it's \"$A\" '${A}' \\$A \\n \\\\ $NO\n", &got, &err), 0);
    ck_assert_str_eq(got, "it's \"one\" 'one' $A \\n \\ \n");
    ck_assert_uint_eq(unset.len, 1);
    ck_assert_str_eq(unset.items[0], "NO");
}
END_TEST

static char *nested(size_t depth)
{
    struct buf out = {0};

    for (size_t i = 0; i < depth; i++)
        buf_add_str(&out, "${X:-");
    buf_add_str(&out, "end");
    for (size_t i = 0; i < depth; i++)
        buf_add_char(&out, '}');
    return buf_steal(&out);
}

START_TEST(nesting_has_an_end)
{
    cleanup_free char *some = nested(90), *many = nested(10000), *got = NULL;
    const struct word_rules rules = {.escape = '\\'};
    struct err err = {0};

    ck_assert_int_eq(word_expand(&rules, some, &got, &err), 0);
    ck_assert_str_eq(got, "end");
    ck_assert_int_eq(word_expand(&rules, many, &got, &err), -EINVAL);
    ck_assert_msg(strstr(err.message, "nested too deeply") != NULL, "%s", err.message);
}
END_TEST

/* Patterns that take backtracking matchers for ever: within Check's four seconds. */
START_TEST(patterns_take_no_exponential_time)
{
    struct buf pattern = {0}, value = {0}, word = {0}, out = {0};
    cleanup_json json_t *env = json_object();
    const struct word_rules rules = {.env = env, .escape = '\\'};
    char *got = NULL;
    struct err err = {0};

    for (int i = 0; i < 2000; i++)
        buf_add_str(&pattern, "a*");
    buf_add_str(&pattern, "b");
    for (int i = 0; i < 60000; i++)
        buf_add_char(&value, 'a');
    json_put_str(env, "V", value.data);
    for (const char *how = "#%/"; *how; how++) {
        word.len = 0;
        buf_printf(&word, "${V%c%c%s%s}", *how, *how, pattern.data, *how == '/' ? "/x" : "");
        ck_assert_int_eq(word_expand(&rules, word.data, &got, &err), 0);
        ck_assert_str_eq(got, value.data);
        free(got);
    }
    buf_free(&pattern);
    buf_free(&value);
    buf_free(&word);
    buf_free(&out);
}
END_TEST

SUITE(build_words)
{
    TCase *t = tcase_create("words");

    tcase_add_loop_test(t, words_are_expanded, 0, sizeof words / sizeof *words);
    tcase_add_test(t, in_a_heredoc_quotes_are_text);
    tcase_add_test(t, nesting_has_an_end);
    tcase_add_test(t, patterns_take_no_exponential_time);
    suite_add_tcase(suite, t);
}
