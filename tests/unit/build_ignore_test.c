/* .dockerignore and the patterns in it: Go's rules and docker's. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "build/ignore.h"

/* --- one pattern against one path ------------------------------------------------------------- */

static const struct {
    const char *pattern, *path;
    bool matches;
} patterns[] = {
    {"a", "a", true},
    {"a", "b", false},
    {"a", "a/b", false},
    {"*", "abc", true},
    {"*", "a/b", false},
    {"*.md", "x.md", true},
    {"*.md", "d/x.md", false},
    {"*.md", "x.md.bak", false},
    {"a*", "a", true},
    {"a*b*c", "axxbxxc", true},
    {"a*b*c", "axxbxx", false},
    {"a/*/c", "a/b/c", true},
    {"a/*/c", "a/b/b/c", false},
    {"?", "x", true},
    {"?", "\xc3\xa9", true}, /* one character, two bytes */
    {"??", "\xc3\xa9", false},
    {"a?b", "a/b", false},
    {"[abc]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[^a-c]x", "dx", true},
    {"[^a-c]x", "ax", false},
    {"[\\]]", "]", true},
    {"[\\-]", "-", true},
    {"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"a.b", "axb", false}, /* no regular expression */
    {"a+(b)|{c}$^", "a+(b)|{c}$^", true},
    {"**", "a", true},
    {"**", "a/b/c", true},
    {"**/x", "x", true},
    {"**/x", "a/b/x", true},
    {"**/x", "ax", false},
    {"**/x", "a/bx", false},
    {"**/*.go", "a/b.go", true},
    {"**/*.go", "b.go", true},
    {"**/*.go", "b.god", false},
    {"a/**", "a/b", true},
    {"a/**", "a/b/c", true},
    {"a/**", "a", false},
    {"a**", "abc/d", true},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "a/xb", false},
    {"a**/b", "axb", false},
    {"**.md", "x.md", true}, /* before plain text: any path that ends so */
    {"**.md", "a/x.md", true},
    {"**.md", "a/x.mdx", false},
    {"**/a/**/b", "q/a/w/e/b", true},
    {"**/a/**/b", "q/w/e/b", false},
    {"**/**", "a/b", true},
    {"**/**/x", "x", true},
    {"***", "a/b", true},
    {"**/*", "a/b/c", true},
    {"dir/**/[ab]?.c", "dir/q/r/bz.c", true},
    {"\xff*",
     "\xff"
     "a",
     true}, /* bytes that are no text */
    {"?", "\xff", true},
};

START_TEST(a_pattern_matches_as_in_go)
{
    struct path_pattern *p;
    struct err err = {0};

    ck_assert_msg(path_pattern_new(patterns[_i].pattern, &p, &err) == 0, "%s", err.message);
    ck_assert_msg(path_pattern_matches(p, patterns[_i].path) == patterns[_i].matches, "'%s', '%s'",
                  patterns[_i].pattern, patterns[_i].path);
    path_pattern_free(p);
}
END_TEST

static const char *const bad_patterns[] = {"[", "[a", "[]a]", "[a-]", "[-x]", "a\\", "[\\", "[^]"};

START_TEST(a_broken_pattern_is_refused)
{
    struct path_pattern *p;
    struct err err = {0};

    ck_assert_int_eq(path_pattern_new(bad_patterns[_i], &p, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "syntax error in pattern"));
}
END_TEST

/* A thousand times "any number of directories", and a path that almost fits: trying one way after
 * the other would outlive us all. */
START_TEST(no_pattern_takes_for_ever)
{
    cleanup_free char *stars = NULL, *path = NULL;
    struct buf text = {0}, deep = {0};
    struct path_pattern *p;
    struct err err = {0};

    for (int i = 0; i < 1000; i++) {
        buf_add_str(&text, "**/*a");
        buf_add_str(&deep, "aaaa/");
    }
    buf_add_str(&text, "b");
    buf_add_str(&deep, "c");
    stars = buf_steal(&text);
    path = buf_steal(&deep);
    ck_assert_int_eq(path_pattern_new(stars, &p, &err), 0);
    ck_assert(!path_pattern_matches(p, path));
    path_pattern_free(p);
}
END_TEST

static const struct {
    const char *path, *clean;
} paths[] = {
    {"", "."},
    {".", "."},
    {"a", "a"},
    {"a/", "a"},
    {"./a", "a"},
    {"a//b", "a/b"},
    {"a/./b", "a/b"},
    {"a/../b", "b"},
    {"a/..", "."},
    {"../a", "../a"},
    {"../../a", "../../a"},
    {"a/../../b", "../b"},
    {"/a", "a"},
    {"/../a", "a"},
    {"//a//", "a"},
    {"/", "."},
    {"...", "..."},
    {"a/..b", "a/..b"},
};

START_TEST(a_path_is_cleaned)
{
    cleanup_free char *clean = path_clean(paths[_i].path);

    ck_assert_str_eq(clean, paths[_i].clean);
}
END_TEST

/* --- whole files ------------------------------------------------------------------------------ */

static const struct {
    const char *text, *ignored, *kept; /* paths, blanks between */
} files[] = {
    {"", "", "a a/b .git"},
    {"*.md\n!README.md\n.git\nsub/*.md\n", "a.md .git .git/config sub/c.md",
     "README.md sub/deep/d.md x sub"},
    {"**/*.md", "a.md sub/c.md sub/deep/d.md", "sub a.mdx"},
    {"# a comment\n #no\n\n   \n", "#no", "a"},
    {"\xef\xbb\xbf# a comment\n", "", "#"},
    {"\xef\xbb\xbf"
     "a",
     "a", "b"},
    {"a\r\nb\t \r\n  c", "a b c", "d"},
    {"/a\n//b/\nc/../d\n./e", "a b d e a/x", "c x/a"},
    {"a\n!a/b", "a a/c a/x/y", "a/b a/b/c"},
    {"a\n!a/b\na/b/c", "a a/b/c", "a/b a/b/d"},
    {"!a\na", "a", ""}, /* the last one decides */
    {"a/b\n!a", "", "a a/b"},
    {"*\n!src/", "a b", "src src/x"},
    {".", "", "a"},
    {"./", "", "a"},
    {"**", "a a/b .x", ""},
    {"*\n!*.c", "a a/b", "b.c"},
    {"**\n!**/*.c", "a a/b", "b.c a/b.c"},
    {"! a\n  ! b", "", "a b"},
    {"node_modules\n!node_modules/keep/**", "node_modules node_modules/x", "node_modules/keep/y"},
    {"..\n../x", "", "x a"},
};

static void check_paths(const struct ignore *list, const char *paths_, bool ignored)
{
    cleanup_strv struct strv words = {0};

    strv_split(&words, paths_, ' ');
    for (size_t i = 0; i < words.len; i++)
        if (*words.items[i])
            ck_assert_msg(ignore_matches_path(list, words.items[i]) == ignored, "'%s'",
                          words.items[i]);
}

START_TEST(a_file_says_what_is_ignored)
{
    struct ignore *list;
    struct err err = {0};

    ck_assert_msg(
        ignore_parse(".dockerignore", files[_i].text, strlen(files[_i].text), &list, &err) == 0,
        "%s", err.message);
    check_paths(list, files[_i].ignored, true);
    check_paths(list, files[_i].kept, false);
    ignore_free(list);
}
END_TEST

static const struct {
    const char *text, *message;
    size_t len;
} broken[] = {
    {"a\n!", "illegal exclusion pattern: \"!\"", 3},
    {"a\nb\n[", ".dockerignore line 3: syntax error in pattern '['", 5},
    {"a\0b", "NUL", 3},
};

START_TEST(a_broken_file_is_refused)
{
    struct ignore *list;
    struct err err = {0};

    ck_assert_int_eq(ignore_parse(".dockerignore", broken[_i].text, broken[_i].len, &list, &err),
                     -EINVAL);
    ck_assert_msg(strstr(err.message, broken[_i].message) != NULL, "%s", err.message);
}
END_TEST

SUITE(build_ignore)
{
    TCase *t = tcase_create("ignore");

    tcase_add_loop_test(t, a_pattern_matches_as_in_go, 0, sizeof patterns / sizeof *patterns);
    tcase_add_loop_test(t, a_broken_pattern_is_refused, 0,
                        sizeof bad_patterns / sizeof *bad_patterns);
    tcase_add_test(t, no_pattern_takes_for_ever);
    tcase_add_loop_test(t, a_path_is_cleaned, 0, sizeof paths / sizeof *paths);
    tcase_add_loop_test(t, a_file_says_what_is_ignored, 0, sizeof files / sizeof *files);
    tcase_add_loop_test(t, a_broken_file_is_refused, 0, sizeof broken / sizeof *broken);
    suite_add_tcase(suite, t);
}
