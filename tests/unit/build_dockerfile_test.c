/* Dockerfiles as lists of instructions: every rule of the reference, every mistake with its place.
 */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "build/dockerfile.h"

static void dump_instruction(const struct instruction *in, struct buf *out)
{
    buf_printf(out, "%d", in->place.first);
    if (in->place.last != in->place.first)
        buf_printf(out, "-%d", in->place.last);
    buf_printf(out, " %s", in->name);
    for (size_t i = 0; i < in->flags.len; i++)
        buf_printf(out, " {%s}", in->flags.items[i]);
    if (in->list) {
        cleanup_free char *text = json_text(in->list, JSON_COMPACT);

        buf_printf(out, " %s", text);
    } else {
        buf_printf(out, " %s", in->text);
    }
    for (size_t i = 0; i < in->heredoc_count; i++)
        buf_printf(out, " <%s%s:%s>", in->heredocs[i].name, in->heredocs[i].expand ? "" : "!",
                   in->heredocs[i].text);
    buf_add_str(out, "|");
}

/* Each instruction behind the first FROM, or the error. */
static char *parsed(const char *text)
{
    struct dockerfile d;
    struct place place;
    struct err err = {0};
    struct buf out = {0};
    int r = dockerfile_parse("Dockerfile", text, strlen(text), &d, &place, &err);

    buf_add_str(&out, "");
    if (r < 0)
        buf_printf(&out, "%d:%zu %s", place.first, place.column, err.message);
    for (size_t i = 0; r >= 0 && i < d.count; i++)
        dump_instruction(&d.items[i], &out);
    dockerfile_free(&d);
    return buf_steal(&out);
}

static const struct {
    const char *text, *want;
} shapes[] = {
    {"FROM a", "1 FROM a|"},
    {"\xef\xbb\xbf"
     "FROM a\n",
     "1 FROM a|"},
    {"from a as B\r\nrun x\r\n", "1 FROM a as B|2 RUN x|"},
    {"\n\n  # note\n\tFROM\ta \t\n", "4 FROM a|"},
    {"FROM a\nRUN one \\\n  two\\\n three", "1 FROM a|2-4 RUN one   two three|"},
    {"FROM a\nRUN one \\  \n# note\n\n  # more\n two\n", "1 FROM a|2-6 RUN one  two|"},
    {"FROM a\nRUN one \\\\\nRUN two", "1 FROM a|2 RUN one \\\\|3 RUN two|"},
    {"FROM a\nRUN x \\", "1 FROM a|2 RUN x|"},
    {"\\\nFROM a", "1-2 FROM a|"},
    {"\\\n  FROM a\n\\\n\\\n", "1-2 FROM a|"},
    {"FROM a\nRUN x # no comment", "1 FROM a|2 RUN x # no comment|"},
    /* directives */
    {"# escape=`\nFROM a\nRUN dir C:\\ `\n x", "2 FROM a|3-4 RUN dir C:\\  x|"},
    {"#\tEscape = `\nFROM a\nRUN a `\nb", "2 FROM a|3-4 RUN a b|"},
    {"# note\n# escape=`\nFROM a\nRUN a `\nRUN b", "3 FROM a|4 RUN a `|5 RUN b|"},
    {"# other=x\n# escape=`\nFROM a\nRUN a `\nRUN b", "3 FROM a|4 RUN a `|5 RUN b|"},
    {"# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN a`\nb", "3 FROM a|4-5 RUN ab|"},
    {"#!/usr/bin/env build\n# escape=`\nFROM a\nRUN a`\nb", "3 FROM a|4-5 RUN ab|"},
    {"# escape=x\nFROM a", "1:0 invalid escape token 'x' does not match ` or \\"},
    {"# escape=`\n# escape=`\nFROM a", "2:0 only one escape parser directive can be used"},
    /* lists */
    {"FROM a\nRUN [\"a\", \"b c\"]\nCMD [ \"x\" ]",
     "1 FROM a|2 RUN [\"a\",\"b c\"]|3 CMD [\"x\"]|"},
    {"FROM a\nRUN [ 'a' ]", "1 FROM a|2 RUN [ 'a' ]|"},
    {"FROM a\nRUN [ -f /x ] && y", "1 FROM a|2 RUN [ -f /x ] && y|"},
    {"FROM a\nCOPY [\"a b\", \"c/\"]", "1 FROM a|2 COPY [\"a b\",\"c/\"]|"},
    {"FROM a\nRUN [\"a\", 1]", "2:5 when using JSON array syntax, arrays must be comprised of "
                               "strings only"},
    {"FROM a\nCOPY [\"a\", {}]", "2:6 when using JSON array syntax, arrays must be comprised of "
                                 "strings only"},
    {"FROM a\nRUN []", "2:5 RUN requires at least one argument"},
    /* flags */
    {"FROM --platform=linux/arm64 a", "1 FROM {platform=linux/arm64} a|"},
    {"FROM a\nCOPY --from=b --chown=1:2 --link x y", "1 FROM a|2 COPY {from=b} {chown=1:2} {link} "
                                                     "x y|"},
    {"FROM a\nRUN --mount=type=tmpfs,target=/x --mount=target=/y --network=none make",
     "1 FROM a|2 RUN {mount=type=tmpfs,target=/x} {mount=target=/y} {network=none} make|"},
    {"FROM a\nCOPY --exclude=\"a b\" --exclude='*' x y", "1 FROM a|2 COPY {exclude=a b} "
                                                         "{exclude=*} x y|"},
    {"FROM a\nCOPY --link=false -- --x y", "1 FROM a|2 COPY {link=false} --x y|"},
    {"FROM a\nRUN \\\n --network=host \\\n x", "1 FROM a|2-4 RUN {network=host} x|"},
    {"FROM a\nCOPY --nosuch=1 x y", "2:0 unknown flag: --nosuch"},
    {"FROM a\nENV --x a=b", "2:0 unknown flag: --x"},
    {"FROM a\nCOPY --from x y", "2:0 missing a value on flag: --from"},
    {"FROM a\nCOPY --link=maybe x y", "2:0 expecting boolean value for flag --link, not: maybe"},
    {"FROM a\nCOPY --from=b --from=c x y", "2:0 duplicate flag specified: --from"},
    {"FROM a\nRUN --mount=type=disk,target=/x y", "2:0 unsupported mount type \"disk\""},
    {"FROM a\nRUN --mount=type=cache,target=/x,colour=red y", "2:0 unexpected key 'colour' in "
                                                              "'colour=red'"},
    {"FROM a\nRUN --mount=type=cache y", "2:0 invalid cache mount: no target: target=PATH says "
                                         "where"},
    {"FROM a\nRUN --mount=type=tmpfs,target=/x,id=1 y", "2:0 tmpfs mount should not define id"},
    {"FROM a\nRUN --mount=type=tmpfs,target=/x,size=1x y", "2:0 invalid value for size: 1x"},
    {"FROM a\nRUN --mount=type=cache,target=/x,mode=99 y", "2:0 invalid value for mode: 99"},
    {"FROM a\nRUN --mount=type=cache,target=/x,sharing=no y", "2:0 unsupported sharing value "
                                                              "\"no\""},
    {"FROM a\nRUN --mount=type=secret,id=a,source=b y", "2:0 both source and id can't be set"},
    {"FROM a\nRUN --mount=type=cache,target y", "2:0 invalid field 'target' must be a key=value "
                                                "pair"},
    {"FROM a\nRUN --mount=type=cache,target=/x,mode=$M y", "1 FROM a|2 RUN "
                                                           "{mount=type=cache,target=/x,mode=$M} "
                                                           "y|"},
    /* heredocs */
    {"FROM a\nRUN <<EOF\n one\n\n# no comment\ntwo\nEOF\nRUN x",
     "1 FROM a|2-7 RUN <<EOF <EOF: one\n\n# no comment\ntwo\n>|8 RUN x|"},
    {"FROM a\nRUN <<-EOF\n\t\ta\n\tEOF\n", "1 FROM a|2-4 RUN <<-EOF <EOF:a\n>|"},
    {"FROM a\nRUN <<'E F'\n$x\nE F\n", "1 FROM a|2-4 RUN <<'E F' <E F!:$x\n>|"},
    {"FROM a\nCOPY <<a <<\"b\" /x/\n1\na\n2\nb\n",
     "1 FROM a|2-6 COPY <<a <<\"b\" /x/ <a:1\n> <b!:2\n"
     ">|"},
    {"FROM a\nRUN cat <<A && cat 3<<B\n1\nA\n2\nB\n", "1 FROM a|2-6 RUN cat <<A && cat 3<<B "
                                                      "<A:1\n> <B:2\n>|"},
    {"FROM a\nRUN cat <<<x; echo $((1 << 2)) <<", "1 FROM a|2 RUN cat <<<x; echo $((1 << 2)) <<|"},
    {"FROM a\nRUN <<EOF\r\nx\r\nEOF\r\n", "1 FROM a|2-4 RUN <<EOF <EOF:x\r\n>|"},
    {"FROM a\nONBUILD RUN <<EOF\nx\nEOF\nUSER y", "1 FROM a|2-4 ONBUILD RUN <<EOF <EOF:x\n>|5 USER "
                                                  "y|"},
    {"FROM a\nCMD cat <<EOF\nUSER y", "1 FROM a|2 CMD cat <<EOF|3 USER y|"},
    {"FROM a\nRUN <<EOF\nx\n", "2:0 unterminated heredoc: no line says EOF"},
    /* what there must be */
    {"", "0:0 the Dockerfile (Dockerfile) cannot be empty"},
    {"# only a note\n\n", "0:0 the Dockerfile (Dockerfile) cannot be empty"},
    {"RUN x", "1:0 no build stage in current context"},
    {"ARG A\nRUN x", "2:0 no build stage in current context"},
    {"ARG A", "1:0 no build stage in current context"},
    {"ARG A=1\nFROM $A", "1 ARG A=1|2 FROM $A|"},
    {"FROM a\nFOO x", "2:1 unknown instruction: FOO"},
    {"FROM a\n  RNU x", "2:3 unknown instruction: RNU (did you mean RUN?)"},
    {"FRON a", "1:1 unknown instruction: FRON (did you mean FROM?)"},
    {"FROM", "1:0 FROM requires either one or three arguments"},
    {"FROM a b", "1:8 FROM requires either one or three arguments: FROM image AS name"},
    {"FROM a AS 1b", "1:11 invalid name for build stage: \"1b\", name can't start with a number or "
                     "contain symbols"},
    {"FROM a\nRUN", "2:0 RUN requires at least one argument"},
    {"FROM a\nCOPY", "2:0 COPY requires at least two arguments"},
    {"FROM a\nCOPY x", "2:6 COPY requires at least two arguments, but only one was provided. "
                       "Destination could not be determined"},
    {"FROM a\nADD x y z", "2:9 When using ADD with more than one source file, the destination must "
                          "be a directory and end with a /"},
    {"FROM a\nCOPY x y z/\nCOPY x y .\nCOPY x y $z", "1 FROM a|2 COPY x y z/|3 COPY x y .|4 COPY x "
                                                     "y $z|"},
    {"FROM a\nENV a", "2:5 ENV must have two arguments"},
    {"FROM a\nENV a b c\nLABEL x=\"y z\"", "1 FROM a|2 ENV a b c|3 LABEL x=\"y z\"|"},
    {"FROM a\nENV a=1 \\\n  b", "3:3 Syntax error - can't find = in \"b\". Must be of the form: "
                                "name=value"},
    {"FROM a\nLABEL a=1 =2", "2:11 LABEL names can not be blank"},
    {"FROM a\nARG =x", "2:5 ARG names can not be blank"},
    {"FROM a\nARG A=1 B C=\"x y\"", "1 FROM a|2 ARG A=1 B C=\"x y\"|"},
    {"FROM a\nSHELL x", "2:7 SHELL requires the arguments to be in JSON form"},
    {"FROM a\nHEALTHCHECK --interval=5s CMD --x", "1 FROM a|2 HEALTHCHECK --interval=5s CMD --x|"},
    {"FROM a\nHEALTHCHECK --interval=x CMD y", "2:13 time: invalid duration \"x\""},
    {"FROM a\nHEALTHCHECK x", "2:13 Unknown type \"x\" in HEALTHCHECK (try CMD)"},
    {"FROM a\nONBUILD ONBUILD RUN x", "2:9 Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
    {"FROM a\nONBUILD FROM x", "2:9 FROM isn't allowed as an ONBUILD trigger"},
    {"FROM a\nONBUILD COPY x", "2:9 COPY requires at least two "
                               "arguments, but only one was provided. Destination could not be "
                               "determined"},
    {"FROM a\nUSER", "2:0 USER requires exactly one argument"},
    {"FROM a\nx \x01y", "2:1 unknown instruction: x"},
    {"FROM a\nRUN \xff", "2:5 byte 0xff is not UTF-8"},
    {"FROM a\nRUN \xed\xa0\x80", "2:5 byte 0xed is not UTF-8"},
};

START_TEST(text_becomes_instructions)
{
    cleanup_free char *got = parsed(shapes[_i].text);
    const char *want = shapes[_i].want;
    const char *colon = strchr(want, ':');

    if (got[0] && colon && strchr(want, ' ') > colon && strstr(got, "dockerfile parse error")) {
        /* errors begin with where they are; the rest is compared */
        cleanup_free char *line = str_format("dockerfile parse error on line %d: ", atoi(want));
        char *at = strstr(got, line);

        ck_assert_msg(at != NULL, "%s\n%s", shapes[_i].text, got);
        memmove(at, at + strlen(line), strlen(at + strlen(line)) + 1);
    }
    ck_assert_str_eq(got, want);
}
END_TEST

START_TEST(a_nul_is_told_with_its_place)
{
    static const char text[] = "FROM a\nRUN x\0y";
    struct dockerfile d;
    struct place place;
    struct err err = {0};

    ck_assert_int_eq(dockerfile_parse("D", text, sizeof text - 1, &d, &place, &err), -EINVAL);
    ck_assert_str_eq(err.message,
                     "dockerfile parse error on line 2: a NUL byte: this is not a text");
    ck_assert_int_eq(place.first, 2);
    ck_assert_uint_eq(place.column, 6);
    dockerfile_free(&d);
}
END_TEST

START_TEST(an_excerpt_shows_the_line_and_the_place)
{
    static const char text[] = "FROM a\n\nENV a=1 \\\n\tb=2 \\\n\tc\n\nUSER x\n";
    struct dockerfile d;
    struct place place;
    struct err err = {0};
    cleanup_buf struct buf out = {0};

    ck_assert_int_lt(dockerfile_parse("sub/Dockerfile", text, strlen(text), &d, &place, &err), 0);
    source_excerpt(&d.source, &place, &out);
    ck_assert_str_eq(out.data, "sub/Dockerfile:5\n"
                               "--------------------\n"
                               "   3 |     ENV a=1 \\\n"
                               "   4 |     \tb=2 \\\n"
                               "   5 | >>> \tc\n"
                               "     |     \t^\n"
                               "   6 |     \n"
                               "   7 |     USER x\n"
                               "--------------------\n");
    dockerfile_free(&d);
}
END_TEST

/* --- what is hostile -------------------------------------------------------------------------- */

static char *repeated(const char *before, const char *unit, size_t times, const char *after)
{
    struct buf out = {0};

    buf_add_str(&out, before);
    for (size_t i = 0; i < times; i++)
        buf_add_str(&out, unit);
    buf_add_str(&out, after);
    return buf_steal(&out);
}

START_TEST(long_lines_are_refused_and_long_instructions_read)
{
    cleanup_free char *line = repeated("FROM a\nRUN ", "x", 1 << 20, "\n");
    cleanup_free char *joined = repeated("FROM a\nRUN ", "some words \\\n", 100000, "end\n");
    cleanup_free char *stages = repeated("", "FROM a\nRUN x\n", 1000, "");
    cleanup_free char *pairs = repeated("FROM a\nENV ", "a=b ", 16000, "\n");
    cleanup_free char *refused = parsed(line), *read = parsed(joined), *many = parsed(stages),
                      *set = parsed(pairs);

    ck_assert_str_eq(refused, "2:0 dockerfile parse error on line 2: dockerfile line greater than "
                              "maximum allowed size of 65535");
    ck_assert(str_ends(read, "end|"));
    ck_assert(str_ends(many, "1999 FROM a|2000 RUN x|"));
    ck_assert(str_ends(set, "a=b|"));
}
END_TEST

SUITE(dockerfile)
{
    TCase *t = tcase_create("parse");

    tcase_add_loop_test(t, text_becomes_instructions, 0, sizeof shapes / sizeof *shapes);
    tcase_add_test(t, a_nul_is_told_with_its_place);
    tcase_add_test(t, an_excerpt_shows_the_line_and_the_place);
    tcase_add_test(t, long_lines_are_refused_and_long_instructions_read);
    suite_add_tcase(suite, t);
}
