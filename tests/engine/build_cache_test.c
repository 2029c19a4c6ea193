/* build: what is done again and what is not; and that the same gives the same. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "engine/build_world.h"

#define MADE   "made:1"
#define CACHED " ---> Using cache\n"

static void write_example(void)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\nARG A=1\nENV E=1\nRUN echo $A >/data/a\nCOPY f d /data/\nLABEL l=1\n"
               "RUN cat /data/f >/data/g\nCMD [\"cat\", \"/data/g\"]\n");
    build_file("ctx", "f", "f\n");
    build_file("ctx", "d/e", "e\n");
}

START_TEST(nothing_is_done_twice)
{
    cleanup_free char *one = NULL, *two = NULL;

    write_example();
    ck_assert_uint_eq(build_count(BUILD("ctx", "-t", MADE), CACHED), 0);
    one = world_inspect(MADE, "{{.Id}}");
    ck_assert_uint_eq(build_count(BUILD("ctx", "-t", "made:2"), CACHED), 3);
    two = world_inspect("made:2", "{{.Id}}");
    ck_assert_str_eq(one, two);
    EXPECT(0, "f\n", "", "run", "--rm", "made:2");
}
END_TEST

/* What is changed, and how many of the three steps are still known. */
static const struct {
    const char *what, *script;
    unsigned known;
} changes[] = {
    {"a time", "touch -d 2001-01-01 f d d/e", 3},
    {"a content", "echo F >f", 1},
    {"a content back", "echo F >f; echo f >f", 3},
    {"a mode", "chmod 755 f", 1},
    {"a new file", "echo >d/new", 1},
    {"a file gone", "rm d/e", 1},
    {"a file that is not copied", "echo x >other", 3},
    {"an ignored file", "echo d/e >.dockerignore; rm d/e", 1},
    {"a label", "sed -i s/l=1/l=2/ Dockerfile", 3},
    {"a comment", "sed -i 's/^LABEL/# hello\\nLABEL/' Dockerfile", 3},
    {"the command", "sed -i 's/cat .data.f/& \\/data\\/e/' Dockerfile", 2},
    {"the environment", "sed -i s/E=1/E=2/ Dockerfile", 1},
};

START_TEST(changes_break_what_they_touch)
{
    cleanup_free char *script = NULL;
    cleanup_run struct run_result r = {0};
    const char *out;

    write_example();
    BUILD("ctx");
    script = str_format("cd %s; %s", build_path("ctx"), changes[_i].script);
    RUN_OK(&r, NULL, "sh", "-ec", script);
    out = BUILD("ctx");
    ck_assert_msg(build_count(out, CACHED) == changes[_i].known, "%s: %s", changes[_i].what, out);
}
END_TEST

START_TEST(arguments_in_scope_break_the_cache_others_do_not)
{
    write_example();
    BUILD("ctx");
    ck_assert_uint_eq(build_count(BUILD("ctx", "--build-arg", "HTTP_PROXY=http://p"), CACHED), 3);
    ck_assert_uint_eq(build_count(BUILD("ctx", "--build-arg", "A=2"), CACHED), 0);
    ck_assert_uint_eq(build_count(BUILD("ctx", "--build-arg", "A=1"), CACHED), 3);
    ck_assert_ptr_nonnull(strstr(BUILD("ctx", "--build-arg", "UNUSED=2"),
                                 "[Warning] One or more build-args [UNUSED] were not consumed\n"));
    ck_assert_uint_eq(build_count(BUILD("ctx", "--no-cache"), CACHED), 0);
}
END_TEST

START_TEST(why_is_told)
{
    const char *out;

    write_example();
    ck_assert_ptr_nonnull(strstr(BUILD("ctx", "--why"), "this step was not done before\n"));
    out = BUILD("ctx", "--why", "--build-arg", "A=2");
    ck_assert_ptr_nonnull(strstr(out, "build argument A was \"1\" and is \"2\"\n"));
    build_file("ctx", "f", "other\n");
    out = BUILD("ctx", "--why", "--build-arg", "A=2");
    ck_assert_ptr_nonnull(strstr(out, "the content of what is copied changed\n"));
    ck_assert_ptr_nonnull(strstr(out, "Not in the cache: f changed\n"));
    ck_assert_uint_eq(build_count(out, "Not in the cache: "), 3); /* and nothing else */
    ck_assert_ptr_nonnull(strstr(out, "the files it starts from are others"));
}
END_TEST

START_TEST(why_is_told_of_copies_between_stages)
{
    const char *out;

    build_file("ctx", "Dockerfile",
               "FROM box:1 AS a\nARG A=1\nRUN mkdir /d; echo $A >/d/f; echo >/d/g\n"
               "FROM box:1\nCOPY --from=a /d /data/d\n");
    BUILD("ctx");
    out = BUILD("ctx", "--why", "--build-arg", "A=2");
    ck_assert_ptr_nonnull(strstr(out, "Not in the cache: the content of what is copied changed\n"));
    ck_assert_ptr_nonnull(strstr(out, "Not in the cache: d/f changed\n"));
    ck_assert_uint_eq(build_count(out, "Not in the cache: "), 3); /* one is of the RUN */
    BUILD("ctx", "--no-cache");
    ck_assert_uint_eq(build_count(BUILD("ctx"), CACHED), 2);
}
END_TEST

START_TEST(what_was_pruned_is_done_again)
{
    cleanup_free char *left = NULL;

    write_example();
    BUILD("ctx", "-t", MADE);
    EXPECT(0, NULL, "", "builder", "prune", "-f"); /* the image has all of it */
    ck_assert_uint_eq(build_count(BUILD("ctx", "-t", MADE), CACHED), 3);
    EXPECT(0, NULL, "", "rmi", MADE);
    ck_assert_uint_eq(build_count(BUILD("ctx", "-t", MADE), CACHED), 3);
    EXPECT(0, NULL, "", "rmi", MADE);
    ck_assert_ptr_nonnull(strstr(BUILD("ctx"), CACHED));
    EXPECT(0, NULL, "", "image", "prune", "-f");
    left = OUTPUT("builder", "prune", "-f");
    ck_assert_ptr_nonnull(strstr(left, "Deleted build cache objects:\n"));
    ck_assert_ptr_null(strstr(left, "Total reclaimed space: 0B"));
    ck_assert_uint_eq(build_count(BUILD("ctx", "-t", MADE), CACHED), 0);
    EXPECT(0, "f\n", "", "run", "--rm", MADE);
}
END_TEST

START_TEST(caches_stay_and_are_in_no_image)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\nARG N\nRUN --mount=type=cache,target=/c,uid=82,mode=0750"
               " echo $N >>/c/log; cp /c/log /data/log; stat -c '%u %a' /c >>/data/log\n");
    BUILD("ctx", "-t", MADE, "--build-arg", "N=1");
    BUILD("ctx", "-t", MADE, "--build-arg", "N=2");
    EXPECT(0, "1\n2\n82 750\nno /c\n", "", "run", "--rm", MADE, "sh", "-c",
           "cat /data/log; test -e /c || echo no /c");
    EXPECT(0, NULL, "", "builder", "prune", "-af");
    BUILD("ctx", "-t", MADE, "--build-arg", "N=3");
    EXPECT(0, "3\n82 750\n", "", "run", "--rm", MADE, "cat", "/data/log");
}
END_TEST

/* From its first file to the directory's owner; and half a cache is none. */
START_TEST(a_cache_begins_with_what_a_stage_has)
{
    static const char first[] =
        "FROM box:1 AS s\nRUN mkdir -m 2750 /t && echo seed >/t/s && chown 82:50 /t\n"
        "FROM box:1\nRUN --mount=type=cache,target=/c,from=s,source=%s%s"
        " stat -c '%%u %%g %%a' /c >/data/o; cat /c/s >>/data/o\n";
    cleanup_free char *none = str_format(first, "/none", ""), *all = str_format(first, "/t", ""),
                      *own = str_format(first, "/t", ",id=other,gid=7,mode=0700");

    build_file("ctx", "Dockerfile", none);
    build_fails("ctx", "none");
    build_file("ctx", "Dockerfile", all);
    BUILD("ctx", "-t", MADE);
    EXPECT(0, "82 50 2750\nseed\n", "", "run", "--rm", MADE, "cat", "/data/o");
    build_file("ctx", "Dockerfile", own);
    BUILD("ctx", "-t", MADE);
    EXPECT(0, "82 7 700\nseed\n", "", "run", "--rm", MADE, "cat", "/data/o");
}
END_TEST

START_TEST(binds_are_seen_and_not_kept)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1 AS s\nRUN mkdir /t && echo s >/t/s\nFROM box:1\n"
               "RUN --mount=target=/m --mount=type=bind,from=s,source=/t,target=/s,rw"
               " --mount=type=tmpfs,target=/tmp/x"
               " cat /m/f /s/s >/data/o; echo w >/s/w; ls /s >>/data/o;"
               " touch /m/f 2>/dev/null || echo ro >>/data/o; test -e /m/no || echo ignored "
               ">>/data/o\n");
    build_file("ctx", "f", "f\n");
    build_file("ctx", "no", "no\n");
    build_file("ctx", ".dockerignore", "no\n");
    BUILD("ctx", "-t", MADE);
    EXPECT(0, "f\ns\ns\nw\nro\nignored\nonly\n", "", "run", "--rm", MADE, "sh", "-c",
           "cat /data/o; test -e /m -o -e /s -o -e /tmp/x || echo only");
    ck_assert_uint_eq(build_count(BUILD("ctx"), CACHED), 2);
    build_file("ctx", "no", "changed, but not seen\n");
    ck_assert_uint_eq(build_count(BUILD("ctx"), CACHED), 2);
    build_file("ctx", "f", "changed\n");
    ck_assert_uint_eq(build_count(BUILD("ctx"), CACHED), 1);
}
END_TEST

START_TEST(secrets_stay_secret)
{
    cleanup_free char *secret = world_path("ctx.secret"), *flag = NULL, *search = NULL;
    cleanup_run struct run_result r = {0};

    build_file("ctx", "Dockerfile",
               "FROM box:1\nRUN --mount=type=secret,id=k --mount=type=secret,id=k,env=KEY"
               " wc -c </run/secrets/k >/data/n; echo ${#KEY} >>/data/n;"
               " stat -c %a /run/secrets/k >>/data/n\n");
    RUN_OK(&r, NULL, "sh", "-c", "echo 'VERY SECRET WORDS' >\"$0\"", secret);
    flag = str_format("id=k,src=%s", secret);
    BUILD("ctx", "-t", MADE, "--secret", flag);
    EXPECT(0, "18\n18\n400\nno\n", "", "run", "--rm", MADE, "sh", "-c",
           "cat /data/n; test -e /run/secrets || echo no");
    search = str_format("grep -rlF 'VERY SECRET' %s --exclude=ctx.secret", world_root());
    RUN(&r, NULL, "sh", "-c", search);
    ck_assert_str_eq(r.out.data, "");
    RUN_OK(&r, NULL, "sh", "-c", "echo 'another' >\"$0\"", secret);
    ck_assert_uint_eq(build_count(BUILD("ctx", "--secret", flag), CACHED), 1);
}
END_TEST

START_TEST(stages_that_need_not_wait_run_together)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1 AS a\nRUN --mount=type=cache,id=meet,target=/c touch /c/a;"
               " until test -e /c/b; do sleep 0.05; done; echo a >/a\n"
               "FROM box:1 AS b\nRUN --mount=type=cache,id=meet,target=/c touch /c/b;"
               " until test -e /c/a; do sleep 0.05; done; echo b >/b\n"
               "FROM box:1\nCOPY --from=a /a /data/\nCOPY --from=b /b /data/\n");
    BUILD("ctx", "-t", MADE);
    EXPECT(0, "a\nb\n", "", "run", "--rm", MADE, "cat", "/data/a", "/data/b");
}
END_TEST

START_TEST(the_same_context_gives_the_same_image_elsewhere)
{
    cleanup_free char *archive = world_path("ctx.box.tar"), *one = NULL, *two = NULL;
    cleanup_free char *script = NULL;
    cleanup_run struct run_result r = {0};

    write_example();
    one = BUILD_ID("ctx");
    EXPECT(0, NULL, "", "save", "-o", archive, BOX);
    script = str_format("cd %s && touch -d 2030-01-01 f d/e d", build_path("ctx"));
    RUN_OK(&r, NULL, "sh", "-c", script);
    EXPECT(0, NULL, "", "--root", world_other_root(), "load", "-i", archive);
    two = OUTPUT("--root", world_other_root(), "build", "-q", build_path("ctx"));
    ck_assert_str_eq(one, two);
}
END_TEST

START_TEST(times_are_those_that_were_asked_for)
{
    cleanup_free char *created = NULL;

    write_example();
    BUILD("ctx", "-t", MADE, "--build-arg", "SOURCE_DATE_EPOCH=1000000000");
    created = world_inspect(MADE, "{{.Created}}");
    ck_assert_str_eq(created, "2001-09-09T01:46:40Z");
    EXPECT(0, "1000000000\n1000000000\n", "", "run", "--rm", MADE, "stat", "-c", "%Y", "/data/f",
           "/data/g");
}
END_TEST

/* It says that it is of 2001. */
START_TEST(what_was_built_a_moment_ago_is_not_pruned_as_old)
{
    build_file("ctx", "Dockerfile", "FROM box:1\nLABEL old=1\nRUN echo >/data/x\n");
    BUILD("ctx", "-t", MADE, "--build-arg", "SOURCE_DATE_EPOCH=1000000000");
    EXPECT(0, "Total reclaimed space: 0B\n", "", "image", "prune", "-af", "--filter", "until=1h",
           "--filter", "label=old");
    EXPECT(0, "2001-09-09T01:46:40Z\n", "", "inspect", "-f", "{{.Created}}", MADE);
    EXPECT(0, NULL, "", "image", "prune", "-af", "--filter", "until=2100-01-01", "--filter",
           "label=old");
    EXPECT(1, NULL, "No such", "image", "inspect", MADE);
}
END_TEST

START_TEST(builds_at_the_same_time_do_not_disturb_each_other)
{
    pid_t pids[4];

    write_example();
    for (int i = 0; i < 4; i++) {
        cleanup_free char *tag = str_format("made:%d", i % 3 + 1);

        pids[i] = START(NULL, "build", "-t", tag, build_path("ctx"));
    }
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(run_wait(pids[i], 60), 0);
    for (int i = 1; i <= 3; i++) {
        cleanup_free char *tag = str_format("made:%d", i);

        EXPECT(0, "f\n", "", "run", "--rm", tag);
    }
    world_assert_nothing_left(NULL);
}
END_TEST

SUITE(build_cache)
{
    TCase *t = tcase_create("cache");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, build_clear, NULL);
    tcase_add_test(t, nothing_is_done_twice);
    tcase_add_loop_test(t, changes_break_what_they_touch, 0, sizeof changes / sizeof *changes);
    tcase_add_test(t, arguments_in_scope_break_the_cache_others_do_not);
    tcase_add_test(t, why_is_told);
    tcase_add_test(t, why_is_told_of_copies_between_stages);
    tcase_add_test(t, what_was_pruned_is_done_again);
    tcase_add_test(t, builds_at_the_same_time_do_not_disturb_each_other);
    tcase_add_test(t, what_was_built_a_moment_ago_is_not_pruned_as_old);
    suite_add_tcase(suite, t);

    t = tcase_create("mounts");
    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, build_clear, NULL);
    tcase_add_test(t, caches_stay_and_are_in_no_image);
    tcase_add_test(t, a_cache_begins_with_what_a_stage_has);
    tcase_add_test(t, binds_are_seen_and_not_kept);
    tcase_add_test(t, secrets_stay_secret);
    tcase_add_test(t, stages_that_need_not_wait_run_together);
    suite_add_tcase(suite, t);

    t = tcase_create("reproducible");
    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, build_clear, NULL);
    tcase_add_test(t, the_same_context_gives_the_same_image_elsewhere);
    tcase_add_test(t, times_are_those_that_were_asked_for);
    suite_add_tcase(suite, t);
}
