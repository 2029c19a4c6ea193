/* What counts as the same output, and what does not. */
#include "tutorial/transcript.h"

#include <stdlib.h>

#include "support/suite.h"

static const struct {
    const char *line, *masked;
} masks[] = {
    {"pid 4711, 42 left", "pid <n>, 42 left"},
    {"keg-4711/memory.max", "keg-<n>/memory.max"},
    {"layer 0123456789ab is", "layer <hex> is"},
    {"sha256:00ff00ff00ff00ff", "sha256:<hex>"},
    {"at 0x7ffd12345678", "at <hex>"},
    {"2026-11-21T10:59:47Z up", "<date> up"},
    {"-rw-r--r-- 1 root root 12 Nov 21 10:53 LICENSE", "-rw-r--r-- 1 root root 12 <date> LICENSE"},
    {"took 10:59:47", "took <time>"},
    {"time=0.05 ms", "time=<time>"},
    {"5 sheep", "5 sheep"},
    {"link/ether 02:42:0a:63:00:02", "link/ether <mac>"},
    {"from 192.168.1.20/24", "from <ip>/24"},
    {"127.0.0.1 and 10.99.0.2/16", "127.0.0.1 and 10.99.0.2/16"},
    {"10.98.0.2", "<ip>"},
    {"a bad face", "a bad face"},
    {"feedface", "feedface"},
    {"--memory 64m exits 12", "--memory 64m exits 12"},
    {"", ""},
};

START_TEST(masks_hide_what_changes_and_nothing_else)
{
    char *masked = transcript_mask(masks[_i].line);

    ck_assert_str_eq(masked, masks[_i].masked);
    free(masked);
}
END_TEST

static const struct {
    const char *expected, *actual;
    bool same, same_exactly;
} outputs[] = {
    {"a\nb\n", "a\nb\n", true, true},
    {"a\nb\n", "a\nc\n", false, false},
    {"a\n", "a\nb\n", false, false},
    {"a\nb\n", "a\n", false, false},
    {"", "", true, true},
    {"", "a\n", false, false},
    {"...\n", "", true, true},
    {"...\n", "a\nb\n", true, true},
    {"a\n...\nz\n", "a\nz\n", true, true},
    {"a\n...\nz\n", "a\nb\nz\ny\nz\n", true, true},
    {"a\n...\nz\n", "a\nb\nz\ny\n", false, false},
    {"...\nb\n...\n", "a\nb\nc\n", true, true},
    {"...\nb\n...\n", "a\nc\n", false, false},
    {"pid 1234\n", "pid 9999\n", true, false},
    {"pid 12\n", "pid 13\n", false, false},
    {"pid 99\n", "pid 100\n", false, false},
    {"exit 125\n", "exit status\n", false, false},
    {"10.99.0.2\n", "10.99.0.3\n", false, false},
    {"a\n\nb\n", "a\nb\n", false, false},
    {"a  \n\n", "a\n", true, true},
};

START_TEST(outputs_are_compared)
{
    const char *expected = outputs[_i].expected, *actual = outputs[_i].actual;

    ck_assert_int_eq(transcript_same(expected, actual, false), outputs[_i].same);
    ck_assert_int_eq(transcript_same(expected, actual, true), outputs[_i].same_exactly);
}
END_TEST

START_TEST(commands_and_outputs_are_told_apart)
{
    struct transcript t;

    ck_assert(transcript_parse(&t, "# one \\\n  two\nout\n$ cat <<X\n> in\n> X\nin\n# echo 'a\n"
                                   "> b'\n> c\n"));
    ck_assert_uint_eq(t.count, 3);
    ck_assert_str_eq(t.commands[0].text, "one \\\n  two");
    ck_assert_str_eq(t.commands[0].expected, "out\n");
    ck_assert_int_eq(t.commands[1].prompt, '$');
    ck_assert_str_eq(t.commands[1].text, "cat <<X\nin\nX");
    ck_assert_str_eq(t.commands[1].typed, "$ cat <<X\n> in\n> X\n");
    ck_assert_str_eq(t.commands[1].expected, "in\n");
    ck_assert_str_eq(t.commands[2].text, "echo 'a\nb'");
    ck_assert_str_eq(t.commands[2].expected, "> c\n");
    transcript_free(&t);
    ck_assert(!transcript_parse(&t, "no prompt\n# one\n"));
    ck_assert(!transcript_parse(&t, ""));
}
END_TEST

START_TEST(a_difference_is_only_what_is_different)
{
    char *kept = transcript_keep("pid 1234\nsame\nold\nat 10:00:00\n",
                                 "pid 9999\nsame\nnew 5678\nat 11:11:11\n");

    ck_assert_str_eq(kept, "pid 1234\nsame\nnew 5678\nat 10:00:00\n");
    free(kept);
}
END_TEST

START_TEST(an_output_never_becomes_a_command)
{
    char *shown = transcript_shown("a\n# rm x\n$ y\n```\nb");

    ck_assert_str_eq(shown, "a\n...\n...\n...\nb\n");
    free(shown);
}
END_TEST

SUITE(transcript)
{
    TCase *t = tcase_create("transcript");

    tcase_add_loop_test(t, masks_hide_what_changes_and_nothing_else, 0,
                        (int)(sizeof masks / sizeof *masks));
    tcase_add_loop_test(t, outputs_are_compared, 0, (int)(sizeof outputs / sizeof *outputs));
    tcase_add_test(t, commands_and_outputs_are_told_apart);
    tcase_add_test(t, a_difference_is_only_what_is_different);
    tcase_add_test(t, an_output_never_becomes_a_command);
    suite_add_tcase(suite, t);
}
