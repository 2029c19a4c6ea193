/* What the commands say: docker's words, layouts and exit codes, where no other suite looks. */
#include "engine/world.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static const struct {
    const char *args[5];
    int code;
    const char *err; /* contained */
} usage_cases[] = {
    {{"foo"},
     1,
     "cooper: unknown command: cooper foo\n\nRun 'cooper --help' for more information\n"},
    {{"image", "foo"},
     1,
     "cooper: unknown command: cooper image foo\n\nUsage:  cooper image\n\nRun 'cooper image "
     "--help' for more "
     "information\n"},
    {{"rm"},
     1,
     "cooper: 'cooper rm' requires at least 1 argument\n\nUsage:  cooper rm [OPTIONS] CONTAINER "
     "[CONTAINER...]\n\nSee 'cooper rm --help' for more information\n"},
    {{"container", "list", "x"}, 1, "cooper: 'cooper container ls' accepts no arguments\n"},
    {{"pull"}, 1, "cooper: 'cooper pull' requires 1 argument\n"},
    {{"images", "a", "b"}, 1, "cooper: 'cooper images' requires at most 1 argument\n"},
    {{"exec", "web"}, 1, "cooper: 'cooper exec' requires at least 2 arguments\n"},
    {{"rm", "--nosuch", "x"},
     125,
     "unknown flag: --nosuch\n\nUsage:  cooper rm [OPTIONS] CONTAINER [CONTAINER...]\n\nRun "
     "'cooper rm --help' "
     "for more information\n"},
    {{"--nosuch"}, 125, "unknown flag: --nosuch\n\nUsage:  cooper [OPTIONS] COMMAND [ARG...]\n"},
    {{"--log-level", "foo", "ps"}, 125, "--log-level"},
    {{"stop", "-t", "abc", "x"},
     125,
     "invalid argument \"abc\" for \"-t, --timeout\" flag: strconv.ParseInt: parsing \"abc\": "
     "invalid syntax\n"},
    {{"inspect", "-f", "{{.Foo", "x"},
     64,
     "template parsing error: template: :1: unclosed action\n"},
    {{"info", "-f", "{{foo}}"},
     64,
     "template parsing error: template: :1: function \"foo\" not defined\n"},
    {{"version", "-f", "{{json}"},
     64,
     "template parsing error: template: :1: bad character U+007D '}'\n"},
    {{"ps", "--format", "{{end}}"},
     1,
     "failed to parse template: template: :1: unexpected {{end}}\n"},
    {{"ps", "--filter", "nosuch=1"}, 1, "invalid filter 'nosuch'\n"},
    {{"logs", "nosuch"}, 1, "Error response from daemon: No such container: nosuch\n"},
    {{"image", "inspect", "nosuch"},
     1,
     "Error response from daemon: No such image: nosuch:latest\n"},
    {{"start", "nosuch"},
     1,
     "Error response from daemon: No such container: nosuch\nError: failed to start containers: "
     "nosuch\n"},
    {{"run", "--pull", "foo", BOX},
     125,
     "cooper: invalid pull option: 'foo': must be one of \"always\", \"missing\" or "
     "\"never\"\n\nRun 'cooper run "
     "--help' for more information\n"},
    {{"run", "--detach-keys", "foo", BOX}, 125, "invalid detach keys (foo)"},
    {{"run", "UPPER"},
     125,
     "cooper: invalid reference format: repository name (library/UPPER) must be lowercase\n\nRun "
     "'cooper run --help' for more information\n"},
    {{"create", "UPPER"}, 1, "invalid reference format: repository name"},
    {{"pull", "a b"}, 1, "invalid reference format\n"},
    {{"run", "--rm", BOX, "echo", "\xff"}, 125, "cooper: the argument '\xff' is not valid UTF-8\n"},
    {{"create", "--entrypoint", "\xff", BOX}, 125, "is not valid UTF-8\n"},
    {{"exec", "web", "\xff"}, 1, "the argument '\xff' is not valid UTF-8\n"},
    {{"run", "--env-file", "/etc", BOX}, 125, "cooper: /etc: "},
    {{"--root", "", "ps"}, 125, "invalid argument \"\" for \"--root\" flag: no directory"},
    {{"pull", "scratch"}, 1, "Error response from daemon: 'scratch' is a reserved name\n"},
    {{"pull", "127.0.0.1:1/x:v"}, 1, "/v2/\": dial tcp 127.0.0.1:1: connect: connection refused\n"},
    {{"import", "-", "a@b"}, 1, "invalid reference format\n"},
    {{"run", "--stop-signal", "BOGUS", BOX},
     125,
     "cooper: Error response from daemon: Invalid signal: BOGUS\n\nRun 'cooper run"},
    {{"create", "--stop-signal", "BOGUS", BOX},
     1,
     "Error response from daemon: Invalid signal: BOGUS\n"},
    {{"create", "--name", "a/b", BOX}, 1, "Error response from daemon: Invalid container name"},
    {{"create", "--nosuch", BOX}, 125, "unknown flag: --nosuch\n"},
    {{"run", "--rm", BOX, ""}, 127, "exec: \"\": executable file not found in $PATH\n"},
    {{"ps", "--filter", "status=bogus"}, 1, "invalid filter 'status=bogus'\n"},
    {{"images", "--filter", "dangling=maybe"}, 1, "invalid filter 'dangling=[maybe]'\n"},
    {{"inspect", "--type", "foo", BOX}, 1, "unknown type: \"foo\": must be one of "},
    {{"run", "-it", BOX}, 1, "the input device is not a TTY\n"},
    {{"import", "/nonexist"}, 1, "open /nonexist: no such file or directory\n"},
};

START_TEST(usage_and_errors)
{
    const char *argv[6] = {NULL};

    memcpy(argv, usage_cases[_i].args, sizeof usage_cases[_i].args);
    world_expect(argv[0], usage_cases[_i].code, NULL, usage_cases[_i].err, argv);
    EXPECT(0, "", "", "ps", "-aq");
}
END_TEST

START_TEST(help_goes_to_stdout)
{
    const char *out = EXPECT(0, NULL, "", "container", "stop", "--help");

    ck_assert_ptr_nonnull(
        strstr(out, "Usage:  cooper container stop [OPTIONS] CONTAINER [CONTAINER...]\n"));
    out = EXPECT(0, NULL, "", "--help");
    ck_assert_ptr_nonnull(
        strstr(out, "  run         Create and run a new container from an image\n"));
    out = EXPECT(0, NULL, "", "image");
    ck_assert_ptr_nonnull(strstr(out, "Usage:  cooper image COMMAND\n"));
}
END_TEST

START_TEST(images_and_their_forms)
{
    cleanup_free char *id = world_inspect(BOX, "{{.Id}}"), *line = str_format("%s\n", id);
    const char *out = EXPECT(0, NULL, "", "images");

    ck_assert_msg(str_starts(out, "REPOSITORY   TAG       IMAGE ID       CREATED"), "%s", out);
    EXPECT(0, line, "", "image", "ls", "-q", "--no-trunc");
    EXPECT(0, "box:1 <none>\n", "", "images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}}",
           "box");
    EXPECT(0, "", "", "images", "-q", "nosuch");
    EXPECT(0, "", "", "images", "-q", "--filter", "dangling=true");
    EXPECT(0, "REPOSITORY   TAG\nbox          1\n", "", "images", "--format",
           "table {{.Repository}}\\t{{.Tag}}");
}
END_TEST

/* Members that nobody set are there all the same: scripts ask for them. */
static const struct {
    const char *template, *out;
} member_cases[] = {
    {"{{.Config.User}}|{{.Config.StopSignal}}|{{json .Config.ExposedPorts}}", "||null"},
    {"{{if .State.Health}}x{{end}}{{.NetworkSettings.IPAddress}}|", "|"},
    {"{{.HostConfig.PidMode}}|{{json .HostConfig.Dns}}|{{json .HostConfig.GroupAdd}}", "|[]|null"},
    {"{{.HostConfig.IpcMode}} {{len .HostConfig.PortBindings}}", "private 0"},
    {"{{.NetworkSettings.Networks.none.IPAddress}}|{{.HostConfig.Memory}}", "|8388608"},
};

START_TEST(inspect_has_every_member)
{
    EXPECT(0, NULL, "", "create", "--name", "made", "-m", "8m", "--network", "none", BOX, "true");
    for (size_t i = 0; i < sizeof member_cases / sizeof *member_cases; i++) {
        cleanup_free char *out = world_inspect("made", member_cases[i].template);

        ck_assert_str_eq(out, member_cases[i].out);
    }
    EXPECT(0, "|null|null\n", "", "image", "inspect", "-f",
           "{{.Config.User}}|{{json .Config.Labels}}|{{json .Config.Volumes}}", BOX);
}
END_TEST

START_TEST(a_created_container_is_started_attached)
{
    EXPECT(0, NULL, "", "create", "--name", "made", BOX, "sh", "-c",
           "echo out; echo err >&2; exit 4");
    EXPECT(0, "Created created\n", "", "ps", "-a", "--format", "{{.Status}} {{.State}}");
    EXPECT(4, "out\n", "err\n", "start", "-a", "made");
    EXPECT(0, "4\n", "", "wait", "made");
    EXPECT(1, "", "You cannot attach to a stopped container, start it first", "attach", "made");
    EXPECT(0, "made\n", "", "container", "rm", "made");
}
END_TEST

START_TEST(attaching_shows_what_comes_and_ends_with_it)
{
    cleanup_free char *out = world_path("attached"), *text = NULL;
    pid_t client;

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sh", "-c",
           "trap 'echo last; exit 6' TERM; while :; do echo tick; sleep 0.05; done");
    client = START(out, "attach", "--sig-proxy=false", "web");
    free(run_wait_for_text(out, "tick\n", 20));
    EXPECT(0, "web\n", "", "stop", "web");
    ck_assert_int_eq(run_wait(client, 30), 6);
    text = run_wait_for_text(out, "last\n", 5);
    ck_assert_ptr_nonnull(text);
    EXPECT(0, "web\n", "", "rm", "web");
}
END_TEST

START_TEST(rows_as_json_and_by_label)
{
    cleanup_free char *id =
        OUTPUT("run", "-d", "--name", "web", "-l", "a=b", "-l", "c=d", BOX, "sleep", "1000");
    const char *out = EXPECT(0, NULL, "", "ps", "--format", "json");

    ck_assert_ptr_nonnull(strstr(out, "{\"Command\":\"\\\"sleep 1000\\\"\",\"CreatedAt\":\""));
    ck_assert_ptr_nonnull(strstr(out, "\"Labels\":\"a=b,c=d\""));
    EXPECT(0, "NAMES     a\nweb       b\n", "", "ps", "--format",
           "table {{.Names}}\\t{{.Label \"a\"}}");
    EXPECT(0, "web\n", "", "ps", "--filter", "label=a=b", "--format", "{{.Names}}");
    EXPECT(0, "", "", "ps", "--filter", "label=a=c", "--format", "{{.Names}}");
    EXPECT(0, "", "", "ps", "--filter", "label=a=b", "--filter", "label=no", "--format",
           "{{.Names}}");
    EXPECT(0, "b [sleep 1000] web\n", "", "inspect", "-f",
           "{{index .Config.Labels \"a\"}} {{.Config.Cmd}} {{slice .Name 1}}", "web");
    EXPECT(1, NULL, "map has no entry for key \"Foo\"", "inspect", "-f", "{{.Foo}}", "web");
    EXPECT(0, "web\n", "", "rm", "-f", "web");
}
END_TEST

START_TEST(removing_what_is_missing)
{
    EXPECT(1, "", "Error response from daemon: No such container: nosuch", "rm", "nosuch");
    EXPECT(0, "", "Error response from daemon: No such container: nosuch", "rm", "-f", "nosuch");
    EXPECT(1, "", "Error response from daemon: No such image: nosuch:latest", "rmi", "nosuch");
}
END_TEST

/* An id file that was made for a container that could not be made does not stay. */
START_TEST(no_cidfile_without_a_container)
{
    cleanup_free char *path = world_path("cid");

    EXPECT(125, "", "Invalid container name", "run", "--cidfile", path, "--name", "../x", BOX,
           "true");
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* `cooper run ... | head`: the reader goes away, and so do we. */
START_TEST(a_reader_may_stop_reading)
{
    struct run_result r = {0};
    cleanup_free char *line =
        str_format("%s/bin/cooper --root %s run --name endless %s yes | head -n1", BUILD_DIR,
                   world_root(), BOX);

    RUN(&r, NULL, "sh", "-c", line);
    ck_assert_int_eq(r.code, 0);
    ck_assert_str_eq(r.out.data, "y\n");
    ck_assert_str_eq(r.err.data, "write /dev/stdout: Broken pipe\n");
    run_free(&r);
    EXPECT(0, "endless\n", "", "rm", "-f", "endless");
}
END_TEST

START_TEST(an_import_takes_changes)
{
    struct run_result r = {0};
    cleanup_free char *line =
        str_format("cd %s && mkdir -p t && tar -c t | %s/bin/cooper --root %s import -c 'CMD "
                   "[\"a\"]' -c 'ENV B=\"c d\"' -m hello - made:1",
                   world_root(), BUILD_DIR, world_root());

    RUN_OK(&r, NULL, "sh", "-c", line);
    ck_assert(str_starts(r.out.data, "sha256:"));
    run_free(&r);
    EXPECT(0, "[a] [B=c d]\n", "", "inspect", "-f", "{{.Config.Cmd}} {{.Config.Env}}", "made:1");
    EXPECT(0, NULL, "", "rmi", "made:1");
}
END_TEST

SUITE(cli_texts)
{
    TCase *t = tcase_create("texts");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_loop_test(t, usage_and_errors, 0, (int)(sizeof usage_cases / sizeof *usage_cases));
    tcase_add_test(t, help_goes_to_stdout);
    tcase_add_test(t, images_and_their_forms);
    tcase_add_test(t, inspect_has_every_member);
    tcase_add_test(t, a_created_container_is_started_attached);
    tcase_add_test(t, attaching_shows_what_comes_and_ends_with_it);
    tcase_add_test(t, rows_as_json_and_by_label);
    tcase_add_test(t, removing_what_is_missing);
    tcase_add_test(t, no_cidfile_without_a_container);
    tcase_add_test(t, a_reader_may_stop_reading);
    tcase_add_test(t, an_import_takes_changes);
    suite_add_tcase(suite, t);
}
