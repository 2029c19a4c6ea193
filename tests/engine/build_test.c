/* build: what a Dockerfile says is in the image, and nothing else. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "engine/build_world.h"

#define MADE         "made:1"
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* --- instructions ----------------------------------------------------------------------------- */

START_TEST(what_a_command_writes_is_in_the_image)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\n"
               "RUN echo one >/data/one && rm /etc/group && chmod 700 /root\n"
               "RUN [\"sh\", \"-c\", \"echo two >/data/two\"]\n"
               "CMD [\"cat\", \"/data/one\", \"/data/two\"]\n");
    BUILD("ctx", "-t", MADE);
    EXPECT(0, "one\ntwo\n", "", "run", "--rm", MADE);
    EXPECT(0, "no group\n700\n", "", "run", "--rm", MADE, "sh", "-c",
           "test -e /etc/group || echo no group; stat -c %a /root");
}
END_TEST

START_TEST(what_a_step_needed_to_run_is_not)
{
    cleanup_free char *layers = NULL, *here = NULL;

    build_file("ctx", "Dockerfile", "FROM box:1\nRUN test -e /etc/hosts && test -d /proc/1\n");
    BUILD("ctx", "-t", MADE);
    layers = world_inspect(MADE, "{{json .RootFS.Layers}}");
    here = world_inspect(BOX, "{{json .RootFS.Layers}}");
    ck_assert_str_eq(layers, here); /* no file was changed: no layer */
    cleanup_free char *history =
        OUTPUT("history", "--no-trunc", "--format", "{{.CreatedBy}} {{.Size}}", MADE);
    ck_assert_ptr_nonnull(strstr(history, "/bin/sh -c test -e /etc/hosts && test -d /proc/1 0B\n"));
}
END_TEST

static const struct {
    const char *lines, *format, *shown;
} configurations[] = {
    {"CMD a b", "{{json .Config.Cmd}}", "[\"/bin/sh\",\"-c\",\"a b\"]"},
    {"SHELL [\"/bin/sh\",\"-ec\"]\nCMD a", "{{json .Config.Cmd}}", "[\"/bin/sh\",\"-ec\",\"a\"]"},
    {"ENTRYPOINT [\"x\"]", "{{json .Config.Entrypoint}} {{json .Config.Cmd}}", "[\"x\"] null"},
    {"CMD [\"c\"]\nENTRYPOINT [\"x\"]", "{{json .Config.Cmd}}", "[\"c\"]"},
    {"ENV A=1\nENV A=2 B=$A C=\"x y\"", "{{json .Config.Env}}",
     "[\"" DEFAULT_PATH "\",\"A=2\",\"B=1\",\"C=x y\"]"},
    {"ARG V=7\nLABEL n=$V", "{{json .Config.Labels}}", "{\"n\":\"7\"}"},
    {"ARG V=7\nENV V=8\nLABEL n=$V", "{{json .Config.Labels}}", "{\"n\":\"8\"}"},
    {"EXPOSE 80 53/udp", "{{json .Config.ExposedPorts}}", "{\"53/udp\":{},\"80/tcp\":{}}"},
    {"VOLUME /v /w", "{{json .Config.Volumes}}", "{\"/v\":{},\"/w\":{}}"},
    {"VOLUME [\"/v\"]", "{{json .Config.Volumes}}", "{\"/v\":{}}"},
    {"WORKDIR /a\nWORKDIR b", "{{.Config.WorkingDir}}", "/a/b"},
    {"USER www", "{{.Config.User}}", "www"},
    {"STOPSIGNAL SIGINT", "{{.Config.StopSignal}}", "SIGINT"},
    {"MAINTAINER me <me@x>", "{{.Author}}", "me <me@x>"},
    {"ONBUILD RUN ls", "{{json .Config.OnBuild}}", "[\"RUN ls\"]"},
    {"HEALTHCHECK NONE", "{{json .Config.Healthcheck}}", "{\"Test\":[\"NONE\"]}"},
    {"ARG TARGETARCH\nARG BUILDOS\nENV P=$TARGETARCH-$BUILDOS", "{{json .Config.Env}}",
     "[\"" DEFAULT_PATH "\",\"P=amd64-linux\"]"},
};

START_TEST(instructions_make_the_configuration)
{
    cleanup_free char *text = str_format("FROM box:1\n%s\n", configurations[_i].lines);
    cleanup_free char *shown = NULL;

    build_file("ctx", "Dockerfile", text);
    BUILD("ctx", "-t", MADE);
    shown = world_inspect(MADE, configurations[_i].format);
    ck_assert_str_eq(shown, configurations[_i].shown);
}
END_TEST

/* As docker's classic builder writes it, but for the digests of what is copied. */
START_TEST(history_tells_what_was_done)
{
    cleanup_free char *shown = NULL;

    build_file(
        "ctx", "Dockerfile",
        "FROM box:1\nARG V=7\nLABEL a=1 \"b c\"=\"d e\"\nENV C old style\nENV A=1 B=\"x $V\"\n"
        "WORKDIR /w\nRUN true $V\nSHELL [\"/bin/sh\", \"-ec\"]\nCMD ls $A\nVOLUME /v\n");
    BUILD("ctx", "-t", MADE);
    shown = OUTPUT("history", "--no-trunc", "--format", "{{.CreatedBy}}", MADE);
    ck_assert_msg(str_starts(shown, "/bin/sh -ec #(nop)  VOLUME [/v]\n"
                                    "/bin/sh -ec #(nop)  CMD [\"/bin/sh\" \"-ec\" \"ls $A\"]\n"
                                    "/bin/sh -ec #(nop)  SHELL [/bin/sh -ec]\n"
                                    "|1 V=7 /bin/sh -c true $V\n"
                                    "/bin/sh -c #(nop) WORKDIR /w\n"
                                    "/bin/sh -c #(nop)  ENV A=1 B=x 7\n"
                                    "/bin/sh -c #(nop)  ENV C=old style\n"
                                    "/bin/sh -c #(nop)  LABEL a=1 b c=d e\n"
                                    "/bin/sh -c #(nop)  ARG V=7\n"),
                  "%s", shown);
}
END_TEST

START_TEST(a_command_sees_environment_user_and_directory)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\nARG A=1\nARG UNSET\nENV E=$A-2\nWORKDIR /work/here\nRUN chown www .\n"
               "USER www\nRUN echo \"$A $E ${UNSET-none} $(id -u) $(pwd) $HOSTNAME\" >out\n");
    BUILD("ctx", "-t", MADE, "--build-arg", "A=9");
    EXPECT(0, "9 9-2 none 82 /work/here build\n", "", "run", "--rm", MADE, "cat", "out");
    EXPECT(0, "none\n", "", "run", "--rm", MADE, "sh", "-c", "echo ${A-none}");
}
END_TEST

START_TEST(files_come_from_context_stages_and_images)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1 AS first\nRUN echo first >/f\n"
               "FROM box:1 AS unused\nRUN exit 9\n"
               "FROM scratch\nCOPY --from=box:1 /bin /bin\nCOPY --from=first /f /from/\n"
               "COPY --from=0 /f /from/zero\nADD --chown=5:6 --chmod=640 a d /c/\n"
               "COPY <<-EOT /text\n\t\tin $PWD\n\tEOT\n");
    build_file("ctx", "a", "A\n");
    build_file("ctx", "d/x/y", "Y\n");
    BUILD("ctx", "-t", MADE);
    EXPECT(0, "first\nfirst\nA\nY\nin \n5:6 640\n", "", "run", "--rm", MADE, "/bin/sh", "-c",
           "cat /from/f /from/zero /c/a /c/x/y /text; stat -c '%u:%g %a' /c/a");
}
END_TEST

START_TEST(heredocs_are_scripts)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\nRUN <<EOF\nx=1\necho $x >/data/h1\nEOF\n"
               "RUN cat <<A - >/data/h2 && cat <<B >>/data/h2\na\nA\nb\nB\n"
               "RUN <<EOF\n#!/bin/busybox sed f\nignored\nEOF\n");
    build_fails("ctx", "returned a non-zero code"); /* sed has no script f: it was sed */
    build_file("ctx", "Dockerfile",
               "FROM box:1\nRUN <<EOF\nx=1\necho $x >/data/h1\nEOF\n"
               "RUN cat <<A >/data/h2 && cat <<B >>/data/h2\na\nA\nb\nB\n");
    BUILD("ctx", "-t", MADE);
    EXPECT(0, "1\na\nb\n", "", "run", "--rm", MADE, "cat", "/data/h1", "/data/h2");
}
END_TEST

START_TEST(triggers_are_done_once)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\nONBUILD COPY f /data/f\nONBUILD RUN echo done >>/data/f\n");
    BUILD("ctx", "-t", MADE);
    build_file("ctx2", "Dockerfile", "FROM made:1\nENV X=1\n");
    build_file("ctx2", "f", "f\n");
    ck_assert_ptr_nonnull(strstr(BUILD("ctx2", "-t", "made:2"), "# Executing 2 build triggers\n"));
    EXPECT(0, "f\ndone\n", "", "run", "--rm", "made:2", "cat", "/data/f");
    build_file("ctx3", "Dockerfile", "FROM made:2\n");
    ck_assert_ptr_null(strstr(BUILD("ctx3", "-t", "made:3"), "trigger"));
}
END_TEST

/* Nothing in the Dockerfile itself asks for the stage, or for the one that it begins with. */
START_TEST(triggers_may_name_stages)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\nONBUILD COPY --from=make /data/f /data/g\n"
               "ONBUILD RUN --mount=type=bind,from=make,target=/mnt cat /mnt/data/f >>/data/g\n");
    BUILD("ctx", "-t", MADE);
    build_file("ctx2", "Dockerfile",
               "FROM box:1 AS unused\nRUN exit 1\nFROM box:1 AS base\nRUN echo deep >/data/d\n"
               "FROM base AS make\nRUN cat /data/d >/data/f\nFROM made:1\n");
    BUILD("ctx2", "-t", "made:2");
    EXPECT(0, "deep\ndeep\n", "", "run", "--rm", "made:2", "cat", "/data/g");
    build_file("ctx2", "Dockerfile", "FROM box:1 AS make\nRUN exit 6\nFROM made:1\n");
    build_fails("ctx2", "returned a non-zero code: 6");
    world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(an_image_may_begin_with_nothing)
{
    cleanup_free char *before = OUTPUT("images", "-aq"), *after = NULL;

    build_file("ctx", "Dockerfile",
               "FROM scratch\nCOPY --from=box:1 /bin/busybox /bin/sh\nRUN echo x >/x\n");
    BUILD("ctx", "-t", MADE);
    EXPECT(0, "x\n", "", "run", "--rm", MADE, "/bin/sh", "-c", "read a </x; echo $a");
    EXPECT(0, NULL, "", "rmi", MADE);
    after = OUTPUT("images", "-aq");
    ck_assert_str_eq(before, after); /* what stood in for an image is gone */
}
END_TEST

/* --- flags ------------------------------------------------------------------------------------ */

START_TEST(flags_choose_target_labels_and_names)
{
    cleanup_free char *iid = world_path("iid"), *id = NULL, *labels = NULL, *file = NULL;
    cleanup_run struct run_result r = {0};

    build_file("ctx", "sub/Other.file",
               "FROM box:1 AS one\nLABEL a=1\nCMD [\"one\"]\nFROM one AS Two\nRUN exit 1\n");
    file = str_format("%s/sub/Other.file", build_path("ctx"));
    BUILD("ctx", "-f", file, "--target", "ONE", "--label", "b=2 3", "-t", MADE, "-t", "made:2",
          "--iidfile", iid);
    id = world_inspect("made:2", "{{.Id}}");
    RUN_OK(&r, NULL, "cat", iid);
    ck_assert_str_eq(r.out.data, id);
    labels = world_inspect(MADE, "{{json .Config.Labels}}");
    ck_assert_str_eq(labels, "{\"a\":\"1\",\"b\":\"2 3\"}");
}
END_TEST

START_TEST(the_file_of_the_id_is_of_this_build)
{
    cleanup_free char *iid = world_path("iid"), *id = NULL;
    cleanup_run struct run_result r = {0};

    build_file("ctx", "Dockerfile", "FROM box:1\nCMD [\"x\"]\n");
    id = BUILD_ID("ctx", "--iidfile", iid);
    ck_assert_int_eq(access(iid, F_OK), 0);
    build_file("ctx", "Dockerfile", "FROM box:1\nRUN exit 1\n");
    COOPER(&r, "build", "--iidfile", iid, build_path("ctx"));
    ck_assert_int_eq(r.code, 1);
    ck_assert_int_eq(access(iid, F_OK), -1);
    EXPECT(1, "", "--iidfile: open /nowhere/iid: No such file", "build", "--iidfile",
           "/nowhere/iid", build_path("ctx")); /* before anything is done */
    build_file("ctx", "Dockerfile", "FROM box:1\nCMD [\"x\"]\n");
    cleanup_free char *twice = str_format("%s%s\n", id, id);

    ck_assert_str_eq(BUILD("ctx", "-q", "--iidfile", "/dev/stdout"), twice);
}
END_TEST

START_TEST(contexts_come_from_stdin_too)
{
    static const char text[] = "FROM box:1\nCOPY f /data/f\n";
    struct run_options options = {.input = text, .input_len = sizeof text - 1};
    cleanup_free char *dir = NULL;
    cleanup_run struct run_result r = {0}, tar = {0};

    build_file("ctx", "f", "f\n");
    dir = str_copy(build_path("ctx"));
    world_run(&r, &options, (const char *const[]){"build", "-t", MADE, "-f", "-", dir, NULL});
    ck_assert_msg(!r.code, "%s", r.err.data);
    EXPECT(0, "f\n", "", "run", "--rm", MADE, "cat", "/data/f");
    build_file("ctx", "Dockerfile", "FROM box:1\nCOPY f /data/tar\n");
    RUN_OK(&tar, NULL, "tar", "-C", dir, "-cz", ".");
    options = (struct run_options){.input = tar.out.data, .input_len = tar.out.len};
    world_run(&r, &options, (const char *const[]){"build", "-t", MADE, "-", NULL});
    ck_assert_msg(!r.code, "%s", r.err.data);
    EXPECT(0, "f\n", "", "run", "--rm", MADE, "cat", "/data/tar");
    options = (struct run_options){.input = text, .input_len = sizeof text - 1};
    world_run(&r, &options, (const char *const[]){"build", "-", NULL});
    ck_assert_int_eq(r.code, 1); /* a Dockerfile alone has no files */
    world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(networks_and_limits_hold_for_commands)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\nRUN --network=none ls /sys/class/net >/data/none\n"
               "RUN ls /sys/class/net >/data/default; ulimit -n >/data/files;"
               " grep -c extra /etc/hosts >/data/hosts\n");
    BUILD("ctx", "-t", MADE, "--ulimit", "nofile=77:77", "--add-host", "extra:10.9.8.7");
    EXPECT(0, "lo\neth0\nlo\n77\n1\n", "", "run", "--rm", MADE, "cat", "/data/none",
           "/data/default", "/data/files", "/data/hosts");
    build_file("ctx", "Dockerfile", "FROM box:1\nRUN --network=host true\n");
    build_fails("ctx", "RUN --network=host is not allowed");
    EXPECT(0, NULL, "", "run", "-d", "--name", "net", BOX, "sleep", "1000");
    build_file("ctx", "Dockerfile", "FROM box:1\nRUN ip addr show eth0 | grep inet >/data/a\n");
    BUILD("ctx", "-t", MADE, "-f", "", "--network", "container:net");
    cleanup_free char *theirs = OUTPUT("exec", "net", "sh", "-c", "ip addr show eth0 | grep inet");
    cleanup_free char *ours = OUTPUT("run", "--rm", MADE, "cat", "/data/a");

    ck_assert_str_eq(theirs, ours);
    EXPECT(0, NULL, "", "rm", "-f", "net");
}
END_TEST

START_TEST(commands_are_contained_as_ever)
{
    build_file("ctx", "Dockerfile",
               "FROM box:1\nRUN grep -E '^(CapEff|Seccomp):' /proc/self/status >/data/s;"
               " echo $$ >>/data/s; mount -t tmpfs x /mnt && exit 1; true\n");
    BUILD("ctx", "-t", MADE);
    EXPECT(0, NULL, "", "run", "--name", "other", BOX, "grep", "-E",
           "^(CapEff|Seccomp):", "/proc/self/status");
    cleanup_free char *other = OUTPUT("logs", "other");
    cleanup_free char *expected = str_format("%s\n1\n", other);

    EXPECT(0, expected, "", "run", "--rm", MADE, "cat", "/data/s");
}
END_TEST

/* --- failure ---------------------------------------------------------------------------------- */

START_TEST(a_failing_command_is_shown_where_it_stands)
{
    cleanup_run struct run_result r = {0};

    build_file("ctx", "Dockerfile", "FROM box:1\n\nRUN echo out \\\n && exit 3\nCMD x\n");
    COOPER(&r, "build", "-t", MADE, build_path("ctx"));
    ck_assert_int_eq(r.code, 1);
    ck_assert_ptr_nonnull(strstr(r.err.data, "Dockerfile:3\n"));
    ck_assert_ptr_nonnull(strstr(r.err.data, "   4 | >>>  && exit 3\n"));
    ck_assert_ptr_nonnull(strstr(
        r.err.data, "The command '/bin/sh -c echo out  && exit 3' returned a non-zero code: 3\n"));
    ck_assert_ptr_nonnull(strstr(r.out.data, "out\n"));
    world_assert_nothing_left(NULL);
    EXPECT(1, NULL, "No such", "image", "inspect", MADE);
}
END_TEST

static const struct {
    const char *text, *error;
} mistakes[] = {
    {"FROM box:1\nFOO x\n", "dockerfile parse error on line 2: unknown instruction: FOO"},
    {"", "the Dockerfile (Dockerfile) cannot be empty"},
    {"RUN x\n", "no build stage in current context"},
    {"FROM $NONE\n", "base name ($NONE) should not be blank"},
    {"FROM box:1\nRUN [\"/nope\"]\n", "stat /nope: no such file or directory"},
    {"FROM box:1\nCOPY nope /x\n", "nope"},
    {"FROM box:1\nRUN --mount=type=secret,id=k,required=true x\n", "secret k: not found"},
    {"FROM box:1\nRUN --security=insecure x\n", "--security=insecure is not allowed"},
    {"FROM box:1\nONBUILD FROM x\n", "FROM isn't allowed as an ONBUILD trigger"},
    {"FROM box:1\nRUN --security=some x\n", "security mode \"some\" is not supported by RUN"},
    {"FROM box:1 AS me\nCOPY --from=me /x /y\n", "from flag value me: refers to current build"},
    {"FROM box:1\nCOPY --from=0 /x /y\n", "invalid from flag value 0: refers to current build"},
    {"FROM box:1\nRUN --mount=type=bind,from=7,target=/x x\n",
     "invalid from flag value 7: index out of bounds"},
    {"# check=error=true\nFROM box:1 as b\nCMD x\n",
     "lint violation found for rules: FromAsCasing, JSONArgsRecommended"},
    {"FROM box:1\nONBUILD COPY x\n", "parse error on line 2: COPY requires at least two arguments"},
    {"FROM --platform=linux/s390x box:1\n",
     "does not provide the specified platform (linux/s390x), and no other can be pulled: "},
    {"# check=twice=true\nFROM box:1\n", "invalid check option \"twice=true\""},
};

START_TEST(mistakes_are_told_and_leave_nothing)
{
    build_file("ctx", "Dockerfile", mistakes[_i].text);
    build_fails("ctx", mistakes[_i].error);
    world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(an_image_has_as_many_layers_as_can_be_mounted)
{
    cleanup_buf struct buf text = {0};

    buf_add_str(&text, "FROM box:1\n");
    for (int i = 0; i < 126; i++)
        buf_printf(&text, "COPY <<E /data/%d\nx\nE\n", i);
    build_file("ctx", "Dockerfile", text.data);
    BUILD("ctx", "-t", MADE);
    EXPECT(0, "x\n", "", "run", "--rm", MADE, "cat", "/data/125");
    buf_add_str(&text, "COPY <<E /data/more\nx\nE\n");
    build_file("ctx", "Dockerfile", text.data);
    build_fails("ctx", "max depth exceeded");
    world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(a_killed_build_leaves_nothing)
{
    cleanup_free char *log = world_path("ctx.log"), *text = NULL;
    pid_t pid;

    build_file("ctx", "Dockerfile",
               "FROM box:1\nRUN --mount=type=secret,id=s echo go; sleep 1000\n");
    build_file("ctx", "secret", "quite secret");
    cleanup_free char *secret = str_format("id=s,src=%s/secret", build_path("ctx"));

    pid = START(log, "build", "--secret", secret, build_path("ctx"));
    text = run_wait_for_text(log, "\ngo\n", 60);
    ck_assert_ptr_nonnull(text);
    kill(pid, SIGKILL);
    run_wait(pid, 20);
    for (int i = 0; i < world_ticks(20); i++) {
        cleanup_free char *left = OUTPUT("ps", "-aq");

        if (!*left)
            break;
        world_tick();
    }
    world_assert_nothing_left(NULL);
}
END_TEST

START_TEST(an_interrupted_build_ends)
{
    cleanup_free char *log = world_path("ctx.log"), *text = NULL;
    pid_t pid;

    build_file("ctx", "Dockerfile",
               "FROM box:1 AS a\nRUN sleep 1000\nFROM box:1\nRUN echo go; sleep 1000\n"
               "COPY --from=a / /\n");
    pid = START(log, "build", build_path("ctx"));
    text = run_wait_for_text(log, "Running in", 60);
    ck_assert_ptr_nonnull(text);
    kill(pid, SIGINT);
    ck_assert_int_eq(run_wait(pid, 30), 130);
    world_assert_nothing_left(NULL);
}
END_TEST

SUITE(build)
{
    TCase *t = tcase_create("instructions");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, build_clear, NULL);
    tcase_add_test(t, what_a_command_writes_is_in_the_image);
    tcase_add_test(t, what_a_step_needed_to_run_is_not);
    tcase_add_loop_test(t, instructions_make_the_configuration, 0,
                        sizeof configurations / sizeof *configurations);
    tcase_add_test(t, history_tells_what_was_done);
    tcase_add_test(t, a_command_sees_environment_user_and_directory);
    tcase_add_test(t, files_come_from_context_stages_and_images);
    tcase_add_test(t, heredocs_are_scripts);
    tcase_add_test(t, triggers_are_done_once);
    tcase_add_test(t, triggers_may_name_stages);
    tcase_add_test(t, an_image_may_begin_with_nothing);
    tcase_add_test(t, flags_choose_target_labels_and_names);
    tcase_add_test(t, the_file_of_the_id_is_of_this_build);
    tcase_add_test(t, contexts_come_from_stdin_too);
    tcase_add_test(t, networks_and_limits_hold_for_commands);
    tcase_add_test(t, commands_are_contained_as_ever);
    suite_add_tcase(suite, t);

    t = tcase_create("failure");
    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, build_clear, NULL);
    tcase_add_test(t, a_failing_command_is_shown_where_it_stands);
    tcase_add_loop_test(t, mistakes_are_told_and_leave_nothing, 0,
                        sizeof mistakes / sizeof *mistakes);
    tcase_add_test(t, an_image_has_as_many_layers_as_can_be_mounted);
    tcase_add_test(t, a_killed_build_leaves_nothing);
    tcase_add_test(t, an_interrupted_build_ends);
    suite_add_tcase(suite, t);
}
