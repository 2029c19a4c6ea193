/* The command line itself: flags in both families' spellings, help, version, logs. */
#include "runtime/tool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "system/container.h"

/* Without the --root that tool_run() gives. */
static void run_bare(struct run_result *ret, const char *const args[])
{
    cleanup_strv struct strv argv = {0};

    strv_add(&argv, RUNTIME);
    for (size_t i = 0; args[i]; i++)
        strv_add(&argv, args[i]);
    run_argv(ret, NULL, (const char *const *)argv.items);
}
#define BARE(ret, ...) run_bare(ret, (const char *const[]){__VA_ARGS__, NULL})

static const char *const commands[] = {"create", "delete", "events", "exec",  "features", "kill",
                                       "list",   "mounts", "pause",  "ps",    "resume",   "run",
                                       "spec",   "start",  "state",  "update"};
#define COMMANDS (sizeof commands / sizeof *commands)

START_TEST(help_lists_every_command)
{
    cleanup_run struct run_result r = {0};

    BARE(&r, "--help");
    ck_assert_int_eq(r.code, 0);
    for (size_t i = 0; i < COMMANDS; i++) {
        cleanup_free char *line = str_format("\n   %s ", commands[i]);

        ck_assert_msg(strstr(r.out.data, line) != NULL, "no '%s' in %s", commands[i], r.out.data);
    }
}
END_TEST

START_TEST(every_command_has_help)
{
    cleanup_run struct run_result r = {0};
    cleanup_free char *title = str_format("cooper-runtime %s - ", commands[_i]);

    BARE(&r, commands[_i], "--help");
    ck_assert_int_eq(r.code, 0);
    ck_assert_ptr_ne(strstr(r.out.data, title), NULL);
    BARE(&r, commands[_i], "-h");
    ck_assert_int_eq(r.code, 0);
    ck_assert_ptr_ne(strstr(r.out.data, title), NULL);
}
END_TEST

/* What runc 1.1 and crun 1.8 have: every flag of theirs has to be known here. */
static const struct {
    const char *command, *flags;
} known[] = {
    {"", "debug log log-format root criu systemd-cgroup rootless version cgroup-manager"},
    {"create", "bundle console-socket pid-file pidfd-socket no-pivot no-new-keyring preserve-fds "
               "config no-subreaper"},
    {"delete", "force regex"},
    {"events", "interval stats"},
    {"exec",
     "console-socket cwd env tty user additional-gids process detach pid-file process-label "
     "apparmor no-new-privs cap preserve-fds cgroup ignore-paused"},
    {"kill", "all regex"},
    {"list", "format quiet"},
    {"ps", "format"},
    {"run",
     "bundle console-socket detach keep pid-file pidfd-socket no-subreaper no-pivot no-new-keyring "
     "preserve-fds config"},
    {"spec", "bundle rootless file"},
    {"state", "format"},
    {"update", "resources blkio-weight cpu-period cpu-quota cpu-share cpu-rt-period cpu-rt-runtime "
               "cpuset-cpus cpuset-mems memory memory-reservation memory-swap pids-limit "
               "kernel-memory kernel-memory-tcp cpu-burst cpu-idle l3-cache-schema mem-bw-schema"},
};

START_TEST(the_flags_of_runc_and_crun_are_there)
{
    cleanup_run struct run_result r = {0};
    cleanup_strv struct strv flags = {0};

    if (*known[_i].command)
        BARE(&r, known[_i].command, "--help");
    else
        BARE(&r, "--help");
    strv_split(&flags, known[_i].flags, ' ');
    for (size_t i = 0; i < flags.len; i++) {
        cleanup_free char *flag = str_format("   --%s", flags.items[i]);

        ck_assert_msg(strstr(r.out.data, flag) != NULL, "%s has no%s", known[_i].command, flag);
    }
}
END_TEST

START_TEST(version_has_the_lines_engines_read)
{
    cleanup_run struct run_result r = {0};
    cleanup_strv struct strv lines = {0};

    BARE(&r, "--version");
    ck_assert_int_eq(r.code, 0);
    strv_split(&lines, r.out.data, '\n');
    ck_assert_uint_ge(lines.len, 3);
    ck_assert(str_starts(lines.items[0], "cooper-runtime version "));
    ck_assert(str_starts(lines.items[1], "commit: "));
    ck_assert(str_starts(lines.items[2], "spec: 1."));
    BARE(&r, "-v");
    ck_assert_int_eq(r.code, 0);
}
END_TEST

static const struct {
    const char *args[6], *message;
} mistakes[] = {
    {{"nosuch"}, "there is no command 'nosuch'"},
    {{"--nosuch", "list"}, "flag provided but not defined: -nosuch"},
    {{"list", "--nosuch"}, "flag provided but not defined: -nosuch"},
    {{"list", "-x"}, "flag provided but not defined: -x"},
    {{"list", "--quiet=maybe"}, "invalid value \\\"maybe\\\" for flag -quiet"},
    {{"list", "--format"}, "flag needs an argument: -format"},
    {{"list", "extra"}, "\\\"list\\\" requires exactly 0 argument(s)"},
    {{"state"}, "\\\"state\\\" requires exactly 1 argument(s)"},
    {{"state", "a", "b"}, "\\\"state\\\" requires exactly 1 argument(s)"},
    {{"kill"}, "\\\"kill\\\" requires a minimum of 1 argument(s)"},
    {{"kill", "a", "9", "b"}, "\\\"kill\\\" requires a maximum of 2 argument(s)"},
    {{"--log-format", "xml", "list"}, "invalid log-format: xml"},
    {{"--log", "/no/such/log", "list"}, "cannot open the log '/no/such/log'"},
    {{"--rootless", "maybe", "list"}, "invalid value \\\"maybe\\\" for flag -rootless"},
    {{"--cgroup-manager", "mine", "list"}, "unknown cgroup manager specified: mine"},
    {{"run", "--preserve-fds", "x", "id"}, "invalid value \\\"x\\\" for flag -preserve-fds"},
};

START_TEST(mistakes_are_named)
{
    cleanup_run struct run_result r = {0};

    run_bare(&r, mistakes[_i].args);
    ck_assert_msg(r.code != 0 && strstr(r.err.data, mistakes[_i].message) != NULL, "%d %s", r.code,
                  r.err.data);
    ck_assert_str_eq(r.out.data, "");
}
END_TEST

/* One dash or two, "=" or a blank, letters with their value, flags behind the id. */
static const char *const spellings[][6] = {
    {"--bundle", "%"}, {"-bundle", "%"}, {"--bundle=%"}, {"-bundle=%"},
    {"-b", "%"},       {"-b=%"},         {"-b%"},
};

START_TEST(all_spellings_of_a_flag)
{
    for (int behind = 0; behind < 2; behind++) {
        cleanup_box struct box box;
        cleanup_strv struct strv args = {0};

        tool_box(&box, "exit 5");
        strv_add(&args, "run");
        if (behind)
            strv_add(&args, box.id);
        for (size_t i = 0; spellings[_i][i]; i++) {
            const char *percent = strchr(spellings[_i][i], '%');

            strv_take(&args, percent ? str_format("%.*s%s", (int)(percent - spellings[_i][i]),
                                                  spellings[_i][i], box.bundle)
                                     : str_copy(spellings[_i][i]));
        }
        if (!behind)
            strv_add(&args, box.id);
        tool_expect("spelling", 5, NULL, "", (const char *const *)args.items);
    }
}
END_TEST

/* --- logs ------------------------------------------------------------------------------------- */

static char *load(const char *path)
{
    struct buf text = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(AT_FDCWD, path, 1 << 20, &text, &err), "%s", err.message);
    return buf_steal(&text);
}

/* Podman reads the whole file as one document, containerd the last one of several. */
START_TEST(an_error_is_one_json_document)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL, *text = NULL;
    cleanup_run struct run_result r = {0};
    cleanup_json json_t *entry = NULL;
    struct tm when = {0};
    struct err err = {0};

    tool_box(&box, "true");
    path = str_format("%s/log.json", box.bundle);
    BARE(&r, "--root", tool_root(), "--log", path, "--log-format", "json", "state", "missing");
    ck_assert_int_eq(r.code, 1);
    ck_assert_str_eq(r.err.data, "container does not exist\n");
    text = load(path);
    entry = json_parse(text, strlen(text), path, &err);
    ck_assert_msg(entry != NULL, "%s: %s", err.message, text);
    ck_assert_uint_eq(json_object_size(entry), 3);
    ck_assert_str_eq(json_str(entry, "level", ""), "error");
    ck_assert_str_eq(json_str(entry, "msg", ""), "container does not exist");
    ck_assert_str_eq(strptime(json_str(entry, "time", ""), "%Y-%m-%dT%H:%M:%SZ", &when), "");
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    free(text);
    BARE(&r, "--root", tool_root(), "--log", path, "--log-format=json", "exec", "missing", "a\"b");
    ck_assert_int_eq(r.code, 255);
    text = load(path);
    ck_assert_ptr_ne(
        strstr(text, "\n{\"level\":\"error\",\"msg\":\"exec failed: container does not"), NULL);
}
END_TEST

/* Nothing is written where nothing went wrong: an empty log is no error to Podman. */
START_TEST(success_logs_nothing)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL, *text = NULL;
    cleanup_run struct run_result r = {0};

    tool_box(&box, "true");
    path = str_format("%s/log.json", box.bundle);
    BARE(&r, "--root", tool_root(), "--log", path, "--log-format=json", "run", "-b", box.bundle,
         box.id);
    ck_assert_int_eq(r.code, 0);
    text = load(path);
    ck_assert_str_eq(text, "");
    BARE(&r, "--root", tool_root(), "--debug", "--log", path, "run", "-b", box.bundle, box.id);
    ck_assert_int_eq(r.code, 0);
    ck_assert_str_eq(r.err.data, "");
    free(text);
    text = load(path);
    ck_assert_ptr_ne(strstr(text, "level=debug"), NULL);
}
END_TEST

START_TEST(text_is_quoted)
{
    cleanup_run struct run_result r = {0};

    RT(&r, "kill", "a\"b\n");
    ck_assert_ptr_ne(strstr(r.err.data, " level=error msg=\"invalid container ID format\"\n"),
                     NULL);
    RT(&r, "--", "x\"y\nz");
    ck_assert_ptr_ne(strstr(r.err.data, "'x\\\"y\\nz'"), NULL);
}
END_TEST

/* --- the program itself ----------------------------------------------------------------------- */

/* Where a caller has closed descriptors 0-2, none of ours takes their place. */
START_TEST(closed_stdio_is_filled)
{
    cleanup_box struct box box;
    cleanup_free char *line = NULL, *path = NULL, *text = NULL;
    cleanup_run struct run_result r = {0};

    tool_box(&box, "exit 5");
    path = str_format("%s/out", box.bundle);
    line = str_format(RUNTIME " --root %s run -b %s %s <&- >&- 2>&-; echo $? >%s", tool_root(),
                      box.bundle, box.id, path);
    RUN_OK(&r, NULL, "sh", "-c", line);
    text = load(path);
    ck_assert_str_eq(text, "5\n");
    tool_gone(&box);
}
END_TEST

SUITE(cli)
{
    TCase *t = tcase_create("cli");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_test(t, help_lists_every_command);
    tcase_add_loop_test(t, every_command_has_help, 0, COMMANDS);
    tcase_add_loop_test(t, the_flags_of_runc_and_crun_are_there, 0, sizeof known / sizeof *known);
    tcase_add_test(t, version_has_the_lines_engines_read);
    tcase_add_loop_test(t, mistakes_are_named, 0, sizeof mistakes / sizeof *mistakes);
    tcase_add_loop_test(t, all_spellings_of_a_flag, 0, 7);
    tcase_add_test(t, an_error_is_one_json_document);
    tcase_add_test(t, success_logs_nothing);
    tcase_add_test(t, text_is_quoted);
    tcase_add_test(t, closed_stdio_is_filled);
    suite_add_tcase(suite, t);
}
