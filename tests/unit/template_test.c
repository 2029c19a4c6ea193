#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/template.h"

static const char document[] =
    "{\"Name\":\"/"
    "web\",\"State\":{\"Status\":\"running\",\"Pid\":42,\"Health\":null},\"Tty\":false,"
    "\"Config\":{\"Cmd\":[\"a\",\"b&c\"],\"Labels\":{\"z\":\"26\",\"a.b\":\"dot\"},\"Env\":[]},"
    "\"Ports\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]},\"Label\":{\"k\":\"v\"},\"Half\":0.5}";

/* Renders into *out; on failure *err says why. */
static int render(const char *text, struct buf *out, struct err *err)
{
    cleanup_json json_t *data = json_parse(document, strlen(document), "document", err);
    cleanup_template struct template *t = NULL;

    ck_assert_ptr_nonnull(data);
    buf_reserve(out, 0);
    if (template_parse(text, &t, err) < 0)
        return -err->code;
    return template_execute(t, data, out, err);
}

static const struct {
    const char *text, *output;
} good[] = {
    {"", ""},
    {"plain }} text", "plain }} text"},
    {"{{.Name}}", "/web"},
    {"{{ .State.Pid }}!", "42!"},
    {"{{.State.Health}}", "<nil>"},
    {"{{.Config.Cmd}} {{.Config.Labels}} {{.Tty}} {{.Half}}",
     "[a b&c] map[a.b:dot z:26] false 0.5"},
    {"{{json .Config}}",
     "{\"Cmd\":[\"a\",\"b&c\"],\"Labels\":{\"z\":\"26\",\"a.b\":\"dot\"},\"Env\":[]}"},
    {"{{index .Config.Labels \"a.b\"}}{{index .Config.Labels `none`}}", "dot"},
    {"{{index .Config.Cmd 1}}", "b&c"},
    {"{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080"},
    {"{{range $i, $v := .Config.Cmd}}{{$i}}={{$v}} {{end}}", "0=a 1=b&c "},
    {"{{range $p, $conf := .Ports}} {{$p}} -> {{(index $conf 0).HostPort}} {{end}}",
     " 80/tcp -> 8080 "},
    {"{{range .Config.Env}}x{{else}}none{{end}}", "none"},
    {"{{range .Config.Labels}}{{.}},{{end}}", "dot,26,"},
    {"{{range $k, $v := .Config.Labels}}{{$.Name}}{{$k}}{{end}}", "/weba.b/webz"},
    {"{{if .Tty}}a{{else if eq .State.Status \"running\"}}b{{else}}c{{end}}", "b"},
    {"{{with .State}}{{.Status}}{{end}}{{with .State.Health}}x{{else}}y{{end}}", "runningy"},
    {"{{if and .Name (not .Tty)}}yes{{end}}", "yes"},
    {"{{or .Tty .Name}} {{and .Tty .Missing}}", "/web false"},
    {"{{upper .State.Status}} {{.State.Status | title}} {{lower \"ABC\"}}", "RUNNING Running abc"},
    {"{{join .Config.Cmd \"+\"}} {{split \"a,b\" \",\"}} {{len .Config.Cmd}}", "a+b&c [a b] 2"},
    {"[{{pad \"x\" 1 2}}] {{truncate .State.Status 3}} {{slice .Name 1}}", "[ x  ] run web"},
    {"{{printf \"%s-%5d|%-4s|%q|%v|%05.1f|%t|%x\" .Name .State.Pid \"a\" \"b\" .Config.Cmd .Half "
     ".Tty 255}}",
     "/web-   42|a   |\"b\"|[a b&c]|000.5|false|ff"},
    {"{{printf \"%d\" \"x\"}} {{printf \"%s\"}} {{printf \"a\" 1}}",
     "%!d(string=x) %!s(MISSING) a%!(EXTRA int=1)"},
    {"{{println \"a\" 1}}{{print 1 2}}", "a 1\n1 2"},
    {"{{eq 1 2 1}} {{ne \"a\" \"b\"}} {{lt 1 2}} {{ge 2 2}} {{gt \"a\" \"b\"}}",
     "true true true true false"},
    {"a  {{- .State.Pid -}}  b", "a42b"},
    {"a {{/* nothing */}}b {{- /* nothing */ -}} c", "a bc"},
    {"{{$x := .State.Pid}}{{if true}}{{$x = 7}}{{end}}{{$x}}", "7"},
    {"{{.Label \"k\"}}{{.Label \"none\"}}|{{\"k\" | .Label}}", "v|v"},
    {"{{\"a\\tb\\\"\"}}", "a\tb\""},
};

START_TEST(templates_print)
{
    cleanup_buf struct buf out = {0};
    struct err err = {0};
    int r = render(good[_i].text, &out, &err);

    ck_assert_msg(r == 0, "%s: %s", good[_i].text, err.message);
    ck_assert_str_eq(out.data, good[_i].output);
}
END_TEST

static const struct {
    const char *text, *message;
} bad[] = {
    {"{{.Foo", "template: :1: unclosed action"},
    {"\n{{foo}}", "template: :2: function \"foo\" not defined"},
    {"{{end}}", "template: :1: unexpected {{end}}"},
    {"{{else}}", "template: :1: unexpected {{else}}"},
    {"{{if}}", "template: :1: missing value for if"},
    {"{{if .Name}}", "template: :1: unexpected EOF"},
    {"{{range .Name}}a{{else}}b", "template: :1: unexpected EOF"},
    {"{{\"a}}", "template: :1: unterminated quoted string"},
    {"{{$x}}", "template: :1: undefined variable \"$x\""},
    {"{{if $x := 1}}{{end}}{{$x}}", "template: :1: undefined variable \"$x\""},
    {"{{.A..B}}", "template: :1: unexpected <.> in operand"},
    {"{{/* x }}", "template: :1: unclosed comment"},
    {"{{(.A}}", "template: :1: unclosed left paren"},
    {"{{.A)}}", "template: :1: unexpected right paren"},
    {"{{1a}}", "template: :1: bad number syntax: \"1a\""},
    {"{{ }}", "template: :1: missing value for command"},
    {"{{.A | }}", "template: :1: missing value for command"},
    {"{{json}", "template: :1: bad character U+007D '}'"},
    {"{{.Foo}}", "template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\""},
    {"{{.Name.Foo}}",
     "template: :1:7: executing \"\" at <.Name.Foo>: can't evaluate field Foo in type string"},
    {"{{index .Config.Cmd 5}}", "template: :1:2: executing \"\" at <index .Config.Cmd 5>: error "
                                "calling index: index out of range: 5"},
    {"{{json}}",
     "template: :1:2: executing \"\" at <json>: wrong number of args for json: want 1 got 0"},
    {"{{upper 1}}",
     "template: :1:2: executing \"\" at <upper 1>: error calling upper: wrong type for value; "
     "expected string; got int"},
    {"{{range .State.Pid}}{{end}}",
     "template: :1:14: executing \"\" at <.State.Pid>: range can't iterate over int"},
    {"{{.Name \"x\"}}", "template: :1:2: executing \"\" at <.Name>: Name has arguments but cannot "
                        "be invoked as function"},
};

START_TEST(mistakes_are_reported_as_go_does)
{
    cleanup_buf struct buf out = {0};
    struct err err = {0};

    ck_assert_int_lt(render(bad[_i].text, &out, &err), 0);
    ck_assert_str_eq(err.message, bad[_i].message);
}
END_TEST

/* Every beginning of a good template parses or fails, and does nothing worse (for the sanitizers).
 */
START_TEST(a_template_may_break_off_anywhere)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t n = 0; n < strlen(good[i].text); n++) {
            char *cut = str_copy_n(good[i].text, n);
            struct buf out = {0};
            struct err err = {0};

            render(cut, &out, &err);
            buf_free(&out);
            free(cut);
        }
}
END_TEST

START_TEST(nesting_has_an_end)
{
    cleanup_buf struct buf text = {0}, out = {0};
    struct err err = {0};

    buf_add_str(&text, "{{");
    for (int i = 0; i < 100000; i++)
        buf_add_char(&text, '(');
    ck_assert_int_lt(render(text.data, &out, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "max expression depth exceeded"));
}
END_TEST

SUITE(template)
{
    TCase *t = tcase_create("template");

    tcase_add_loop_test(t, templates_print, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(t, mistakes_are_reported_as_go_does, 0, sizeof bad / sizeof *bad);
    tcase_add_test(t, a_template_may_break_off_anywhere);
    tcase_add_test(t, nesting_has_an_end);
    suite_add_tcase(suite, t);
}
