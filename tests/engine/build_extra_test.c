/* build: what goes beyond the image: --squash, --cache-from, --verify, --check, --shell-on-fail. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "engine/build_world.h"

#define MADE "made:1"
#define LISTED                                                                                     \
    "find / -xdev -not -path '/proc*' -not -path '/sys*' -not -path '/dev*' |"                     \
    " sort | xargs stat -c '%n %F %a %u %s'"

static void write_layers(void)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\n"
               "RUN rm -r /data /tmp && mkdir /data /a /b && echo 1 >/data/new && echo 1 >/a/1 &&"
               " echo 1 >/a/2\n"
               "RUN rm /a/1 /bin/ls && rm -r /b && echo 3 >/b && chmod 600 /etc/passwd\n"
               "RUN rm /b && mkdir /b && echo 4 >/b/4 && ln /b/4 /b/5\n");
}

START_TEST(squashed_layers_say_the_same)
{
    cleanup_free char *one = NULL, *two = NULL, *layers = NULL;

    write_layers();
    BUILD("ctx", "-t", MADE);
    BUILD("ctx", "-t", "made:2", "--squash");
    one = OUTPUT("run", "--rm", MADE, "sh", "-c", LISTED);
    two = OUTPUT("run", "--rm", "made:2", "sh", "-c", LISTED);
    ck_assert_str_eq(one, two);
    layers = world_inspect("made:2", "{{len .RootFS.Layers}}");
    ck_assert_str_eq(layers, "2");
}
END_TEST

START_TEST(an_image_from_elsewhere_stands_for_steps)
{
    cleanup_free char *archive = world_path("ctx.tar"), *id = NULL, *again = NULL, *other = NULL;

    write_layers();
    BUILD("ctx", "-t", MADE);
    id = world_inspect(MADE, "{{.Id}}");
    EXPECT(0, NULL, "", "save", "-o", archive, BOX, MADE);
    EXPECT(0, NULL, "", "--root", world_other_root(), "load", "-i", archive);
    again = OUTPUT("--root", world_other_root(), "build", "--cache-from", MADE, build_path("ctx"));
    ck_assert_uint_eq(build_count(again, " ---> Using cache\n"), 3);
    ck_assert_ptr_null(strstr(again, "[Warning]"));
    id[7 + 12] = 0;
    ck_assert(str_ends(again, id + 7)); /* Successfully built ... */
    build_file("ctx", "Dockerfile", "FROM box:1\nENV X=1\nRUN echo\n");
    other = OUTPUT("--root", world_other_root(), "build", "--cache-from", MADE, build_path("ctx"));
    ck_assert_uint_eq(build_count(other, " ---> Using cache\n"), 0);
    write_layers();
    EXPECT(0, NULL, "", "--root", world_other_root(), "builder", "prune", "-af");
    free(other);
    other = OUTPUT("--root", world_other_root(), "build", "--cache-from", "type=registry,ref=" MADE,
                   "--cache-from", "none:1", build_path("ctx"));
    ck_assert_uint_eq(build_count(other, " ---> Using cache\n"), 3);
    ck_assert_uint_eq(build_count(other, "[Warning] "), 1);
    ck_assert_ptr_nonnull(strstr(other, "[Warning] --cache-from none:1: no such image is here\n"));
}
END_TEST

START_TEST(what_comes_out_differently_is_named)
{
    cleanup_run struct run_result r = {0};

    build_file("ctx", "Dockerfile", "FROM box:1\nRUN echo same >/data/same\n");
    ck_assert_ptr_nonnull(strstr(BUILD("ctx", "--verify"), "Verified: "));
    build_file(
        "ctx", "Dockerfile",
        "FROM box:1\nRUN cat /proc/sys/kernel/random/uuid >/data/chance; echo >/data/same\n");
    COOPER(&r, "build", "--verify", build_path("ctx"));
    ck_assert_int_eq(r.code, 1);
    ck_assert_ptr_nonnull(strstr(r.err.data, "Not reproducible: "));
    ck_assert_ptr_nonnull(strstr(r.err.data, "random/uuid"));
    ck_assert_ptr_nonnull(strstr(r.err.data, "  /data/chance:\n"));
    ck_assert_ptr_null(strstr(r.err.data, "/data/same:"));
    world_assert_nothing_left(NULL);
}
END_TEST

/* docker's client finds that out, and so no daemon is named. */
START_TEST(a_context_that_is_not_there)
{
    EXPECT(1, "", "unable to prepare context: path \"/nowhere\" not found\n", "build", "/nowhere");
}
END_TEST

/* Members that a document leaves out when they are empty are known to templates. */
START_TEST(templates_know_members_that_are_not_there)
{
    EXPECT(0, "null <nil>\n", "", "inspect", "-f", "{{json .Config.Shell}} {{.Config.Healthcheck}}",
           BOX);
    EXPECT(0, "[ ]\n", "", "image", "inspect", "-f", "[{{.Variant}} {{.OsVersion}}]", BOX);
}
END_TEST

static const struct {
    const char *text, *warning;
} doubts[] = {
    {"FROM box:1\nrun x\nRUN y\n", "ConsistentInstructionCasing"},
    {"FROM box:1 as b\n", "FromAsCasing"},
    {"FROM box:1 AS Big\n", "StageNameCasing"},
    {"FROM box:1 AS a\nFROM box:1 AS a\n", "DuplicateStageName"},
    {"FROM box:1\nCMD x\n", "JSONArgsRecommended"},
    {"FROM box:1\nCMD [\"x\"]\nCMD [\"y\"]\n", "MultipleInstructionsDisallowed"},
    {"FROM box:1\nENV a b\n", "LegacyKeyValueFormat"},
    {"FROM box:1\nMAINTAINER x\n", "MaintainerDeprecated"},
    {"FROM box:1\nARG API_TOKEN\n", "SecretsUsedInArgOrEnv"},
    {"FROM box:1\nWORKDIR x\n", "WorkdirRelativePath"},
    {"FROM scratch\nCOPY $x /\n", "UndefinedVar"},
    {"FROM box:1\nEXPOSE 80/TCP\n", "ExposeProtoCasing"},
    {"FROM box:1\nRUN a \\\n\n b\n", "NoEmptyContinuation"},
};

START_TEST(doubts_are_told)
{
    cleanup_run struct run_result r = {0};
    cleanup_free char *skipped =
        str_format("# check=skip=%s\n%s", doubts[_i].warning, doubts[_i].text);

    build_file("ctx", "Dockerfile", doubts[_i].text);
    COOPER(&r, "build", "--check", build_path("ctx"));
    ck_assert_int_eq(r.code, 1);
    ck_assert_msg(strstr(r.out.data, doubts[_i].warning) != NULL, "%s", r.out.data);
    ck_assert_ptr_nonnull(strstr(r.out.data, "Check complete, 1 warning has been found!\n"));
    build_file("ctx", "Dockerfile", skipped);
    EXPECT(0, "Check complete, no warnings found.\n", "", "build", "--check", build_path("ctx"));
}
END_TEST

/* docker's own words and exit code for a wrong flag: 125, and nothing was begun. */
START_TEST(what_cannot_be_a_name_is_no_tag)
{
    EXPECT(125, "", "invalid argument \"=x\" for \"--build-arg\" flag: ", "build", "--build-arg",
           "=x", "/nowhere");
    EXPECT(125, "",
           "invalid argument \"A:b\" for \"-t, --tag\" flag: invalid reference format: ", "build",
           "-t", "A:b", "/nowhere");
    EXPECT(125, "", "refusing to create a tag with a digest reference", "build", "-t",
           "a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "/nowhere");
}
END_TEST

/* What does nothing is not done in silence. */
START_TEST(what_does_nothing_is_told)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\nCOPY x* y* /d/\nCOPY Docker* z* /d/\nRUN echo a \\\n\n  b\n");
    const char *said = BUILD("ctx");

    ck_assert_uint_eq(build_count(said, "[Warning] "), 2);
    ck_assert_ptr_nonnull(strstr(said, "[Warning] COPY x* y*: no file matches, nothing is copied"));
    ck_assert_ptr_nonnull(
        strstr(said, "Empty continuation line found in: RUN echo a   b (line 4)"));
    ck_assert_ptr_nonnull(strstr(BUILD("ctx", "--no-cache-filter", "some", "--no-cache-filter=0"),
                                 "[Warning] --no-cache-filter: there is no stage \"some\"\n"));
    build_file("ctx", "Dockerfile",
               "# check=skip=Other, NoEmptyContinuation ; error = false\nFROM box:1\nRUN echo a "
               "\\\n\n  b\n");
    ck_assert_ptr_null(strstr(BUILD("ctx"), "[Warning] "));
    ck_assert_ptr_null(
        strstr(BUILD("ctx", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all"), "[Warning] "));
}
END_TEST

/* -q tells the end of what a failed command wrote, which may be more than there is memory. */
START_TEST(a_quiet_build_does_not_hold_everything)
{
    cleanup_run struct run_result r = {0};

    build_file("ctx", "Dockerfile",
               "FROM box:1\nRUN echo first; yes middle | head -c 21000000; echo last; exit 9\n");
    COOPER(&r, "build", "-q", build_path("ctx"));
    ck_assert_int_eq(r.code, 1);
    ck_assert_str_eq(r.out.data, "");
    ck_assert_ptr_nonnull(strstr(r.err.data, "middle\nlast\n"));
    ck_assert(str_starts(r.err.data, "... (what came before is left out)\nmiddle\n"));
    ck_assert_uint_lt(r.err.len, 5u << 20);
}
END_TEST

/* On a line of 80 columns: what is done is shown as long as while it went on, however many bytes
 * its mark has; and what may take two columns a character never takes more than the line. */
START_TEST(lines_of_the_display_fit)
{
    static const char title[] = "RUN : abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOP";
    cleanup_free char *text = str_format("FROM box:1\n%s\n", title), *all = NULL;
    cleanup_buf struct buf wide = {0};
    const char *said;

    build_file("ctx", "Dockerfile", text);
    all = str_copy(BUILD("ctx", "--progress=tty"));
    ck_assert_uint_eq(build_count(all, title), build_count(all, "[2/2]"));
    buf_add_str(&wide, "FROM box:1\nRUN : ");
    for (int i = 0; i < 34; i++)
        buf_add_str(&wide, "\u6f22");
    buf_add_str(&wide, "\n");
    build_file("ctx", "Dockerfile", wide.data);
    said = strstr(BUILD("ctx", "--progress=tty"), "=> [2/2] RUN : ");
    ck_assert_ptr_nonnull(said);
    ck_assert_uint_le(strcspn(said, "\n"), strlen("=> [2/2] RUN : ") + 28 * 3 + strlen(" 0.0s"));
}
END_TEST

START_TEST(a_failed_step_can_be_looked_into)
{
    static const char words[] = "cat /data/left; id -u; exit\n";
    const struct run_options options = {.input = words, .input_len = sizeof words - 1};
    cleanup_run struct run_result r = {0};

    build_file("ctx", "Dockerfile", "FROM box:1\nUSER www\nRUN echo left >/tmp/x; exit 4\n");
    build_file("ctx", "Dockerfile",
               "FROM box:1\nRUN chmod 777 /data\nUSER www\nRUN echo left >/data/left; exit 4\n");
    world_run(&r, &options,
              (const char *const[]){"build", "--shell-on-fail", build_path("ctx"), NULL});
    ck_assert_int_eq(r.code, 1);
    ck_assert_ptr_nonnull(strstr(r.out.data, "\nleft\n82\n"));
    ck_assert_ptr_nonnull(strstr(r.err.data, "returned a non-zero code: 4"));
    world_assert_nothing_left(NULL);
}
END_TEST

SUITE(build_extra)
{
    TCase *t = tcase_create("extra");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, build_clear, NULL);
    tcase_add_test(t, squashed_layers_say_the_same);
    tcase_add_test(t, an_image_from_elsewhere_stands_for_steps);
    tcase_add_test(t, what_comes_out_differently_is_named);
    tcase_add_test(t, a_context_that_is_not_there);
    tcase_add_test(t, templates_know_members_that_are_not_there);
    tcase_add_loop_test(t, doubts_are_told, 0, sizeof doubts / sizeof *doubts);
    tcase_add_test(t, what_cannot_be_a_name_is_no_tag);
    tcase_add_test(t, what_does_nothing_is_told);
    tcase_add_test(t, a_quiet_build_does_not_hold_everything);
    tcase_add_test(t, lines_of_the_display_fit);
    tcase_add_test(t, a_failed_step_can_be_looked_into);
    suite_add_tcase(suite, t);
}
