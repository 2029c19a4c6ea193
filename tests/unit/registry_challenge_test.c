/* WWW-Authenticate as servers really write it, and as hostile ones might. */
#include <stdlib.h>
#include <string.h>

#include "registry/challenge.h"
#include "support/suite.h"

/* The list as text: "scheme realm|service|scope|error;" for each. */
static char *describe(const char *header)
{
    struct challenge_list list = {0};
    struct buf text = {0};

    challenge_parse(header, &list);
    buf_add_str(&text, "");
    for (size_t i = 0; i < list.len; i++) {
        const struct challenge *c = &list.items[i];

        buf_printf(&text, "%s %s|%s|%s|%s;", c->scheme, c->realm ? c->realm : "-",
                   c->service ? c->service : "-", c->scope ? c->scope : "-",
                   c->error ? c->error : "-");
    }
    challenge_list_free(&list);
    return buf_steal(&text);
}

static const struct {
    const char *header, *expected;
} headers[] = {
    {"Basic realm=\"test\"", "Basic test|-|-|-;"},
    {"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
     "scope=\"repository:library/alpine:pull\"",
     "Bearer https://auth.docker.io/token|registry.docker.io|repository:library/alpine:pull|-;"},
    {"Bearer realm=\"https://a/t\",scope=\"repository:a/b:pull,push\",service=s",
     "Bearer https://a/t|s|repository:a/b:pull,push|-;"},
    {"Basic realm=\"a\", Bearer realm=\"https://b\" , service = \"c\"",
     "Basic a|-|-|-;Bearer https://b|c|-|-;"},
    {"Negotiate, NTLM, Basic realm=x", "Negotiate -|-|-|-;NTLM -|-|-|-;Basic x|-|-|-;"},
    {"Negotiate YWJj==, Basic realm=\"x\"", "Negotiate -|-|-|-;Basic x|-|-|-;"},
    {"Bearer realm=\"say \\\"hi\\\", \\\\ you\"", "Bearer say \"hi\", \\ you|-|-|-;"},
    {"bearer REALM=\"https://a\",Error=\"insufficient_scope\"",
     "bearer https://a|-|-|insufficient_scope;"},
    {"Bearer realm=\"first\",realm=\"second\"", "Bearer first|-|-|-;"},
    {",, ,Basic realm=\"a\",,", "Basic a|-|-|-;"},
    {"Bearer realm=\"never closed, Basic realm=x", "Bearer -|-|-|-;"},
    {"Bearer realm=", "Bearer -|-|-|-;"},
    {"Bearer", "Bearer -|-|-|-;"},
    {"\"quoted\" Basic", ""},
    {"", ""},
};

START_TEST(headers_are_read_as_the_grammar_says)
{
    char *got = describe(headers[_i].header);

    ck_assert_str_eq(got, headers[_i].expected);
    free(got);
}
END_TEST

START_TEST(a_header_of_many_challenges_is_bounded)
{
    struct challenge_list list = {0};
    struct buf text = {0};

    for (int i = 0; i < 100000; i++)
        buf_add_str(&text, "A,");
    challenge_parse(text.data, &list);
    ck_assert_uint_le(list.len, 16);
    challenge_list_free(&list);
    buf_free(&text);
}
END_TEST

START_TEST(schemes_are_found_in_any_case)
{
    struct challenge_list list = {0};

    challenge_parse("basic realm=\"a\"", &list);
    challenge_parse("BEARER realm=\"b\"", &list);
    ck_assert_str_eq(challenge_find(&list, "Bearer")->realm, "b");
    ck_assert_ptr_null(challenge_find(&list, "Digest"));
    challenge_list_free(&list);
}
END_TEST

SUITE(registry_challenge)
{
    TCase *t = tcase_create("parse");

    tcase_add_loop_test(t, headers_are_read_as_the_grammar_says, 0,
                        sizeof headers / sizeof *headers);
    tcase_add_test(t, a_header_of_many_challenges_is_bounded);
    tcase_add_test(t, schemes_are_found_in_any_case);
    suite_add_tcase(suite, t);
}
