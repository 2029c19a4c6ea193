/* Log drivers: docker's words, what each keeps, and that no line is lost on the way. */
#include "engine/world.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

/* --- docker's words -------------------------------------------------------------------------- */

static const struct {
    const char *driver, *options[3], *err;
    bool at_start; /* there is a container, then, which has not run */
} refusals[] = {
    {"foo", {NULL}, "error looking up logging plugin foo: plugin \"foo\" not found\n", false},
    {"none", {"a=b"}, "cooper: invalid logging opts for driver none\n", false},
    {"json-file", {"foo=1"}, "unknown log opt 'foo' for json-file log driver\n", false},
    {"local", {"tag=x"}, "unknown log opt 'tag' for log driver local\n", false},
    {"journald", {"foo=1"}, "unknown log opt 'foo' for journald log driver\n", false},
    {"json-file", {"mode=foo"}, "logger: logging mode not supported: foo\n", false},
    {"local",
     {"max-buffer-size=1m"},
     "logger: max-buffer-size option is only supported with 'mode=non-blocking'\n",
     false},
    {"local",
     {"mode=non-blocking", "max-buffer-size=x"},
     "error parsing option max-buffer-size: invalid size: 'x'\n",
     false},
    {"json-file", {"max-size=x"}, "failed to initialize logging driver: invalid size: 'x'\n", true},
    {"local",
     {"max-size=x"},
     "failed to initialize logging driver: invalid value for max-size: x: invalid size: 'x'\n",
     true},
    {"json-file",
     {"max-file=0"},
     "failed to initialize logging driver: max-file cannot be less than 1\n",
     true},
    {"json-file",
     {"max-file=x"},
     "failed to initialize logging driver: strconv.Atoi: parsing \"x\": invalid syntax\n",
     true},
    {"json-file",
     {"compress=true"},
     "failed to initialize logging driver: compress cannot be true when max-file is less than 2 or "
     "max-size is not set\n",
     true},
    {"json-file",
     {"compress=x"},
     "failed to initialize logging driver: strconv.ParseBool: parsing \"x\": invalid syntax\n",
     true},
    {"local",
     {"max-file=1", "compress=true"},
     "failed to initialize logging driver: compression cannot be enabled when max file count is "
     "1\n",
     true},
    {"journald",
     {NULL},
     "failed to initialize logging driver: journald is not enabled on this host\n",
     true},
};

START_TEST(drivers_explain)
{
    const char *args[16] = {"run", "--name", "web", "--log-driver", refusals[_i].driver};
    size_t n = 5;

    setenv("COOPER_JOURNAL_SOCKET", "/nonexistent", 1);
    for (size_t i = 0; refusals[_i].options[i]; i++) {
        args[n++] = "--log-opt";
        args[n++] = refusals[_i].options[i];
    }
    args[n++] = BOX;
    args[n] = "true";
    world_expect(refusals[_i].driver, 125, "", refusals[_i].err, args);
    EXPECT(0, refusals[_i].at_start ? "web created\n" : "", "", "ps", "-a", "--format",
           "{{.Names}} {{.State}}");
}
END_TEST

/* --- what is kept ----------------------------------------------------------------------------- */

static char *container_file(const char *name, const char *file)
{
    cleanup_free char *id = world_inspect(name, "{{.Id}}");

    return str_format("%s/containers/%s/%s", world_root(), id, file);
}

/* docker's file, which other programs read: members and their order. */
START_TEST(json_lines_are_docker_s)
{
    cleanup_free char *path = NULL, *start = NULL, *id = NULL;
    cleanup_buf struct buf text = {0};
    struct err err = {0};
    char *time;

    EXPECT(0, NULL, NULL, "run", "--name", "web", "--log-opt", "labels=b,none", "--log-opt",
           "env-regex=^X.", "--log-opt", "tag={{.Name}}/{{ .ImageName }}", "--label", "b=1",
           "--label", "c=2", "-e", "XY=5", "-e", "Y=6", BOX, "sh", "-c",
           "printf 'a\"\\\\\\t\\001<\\377\\303\\244\\n'");
    path = world_inspect("web", "{{.LogPath}}");
    ck_assert_msg(!file_load(AT_FDCWD, path, 4096, &text, &err), "%s", err.message);
    start = str_copy(
        "{\"log\":\"a\\\"\\\\\\t\\u0001<\xef\xbf\xbd\xc3\xa4\\n\",\"stream\":\"stdout\",\"attrs\":{"
        "\"XY\":\"5\",\"b\":\"1\",\"tag\":\"web/box:1\"},\"time\":\"");
    ck_assert_msg(str_starts(text.data, start), "%s", text.data);
    time = text.data + strlen(start);
    ck_assert_str_eq(time + strcspn(time, "\""), "\"}\n");
    EXPECT(0, "XY=5,b=1,tag=web%2Fbox%3A1 a\"\\\t\001<\xef\xbf\xbd\xc3\xa4\n", "", "logs",
           "--details", "web");
    id = world_inspect("web", "{{.HostConfig.LogConfig.Type}}");
    ck_assert_str_eq(id, "json-file");
}
END_TEST

START_TEST(local_keeps_every_byte)
{
    EXPECT(0, NULL, NULL, "run", "--name", "web", "--log-driver", "local", BOX, "sh", "-c",
           "printf 'a\\377b\\n'; echo err >&2; usleep 1000; printf 'c\\nno end'");
    EXPECT(0, "a\377b\nc\nno end", "err\n", "logs", "web");
    EXPECT(0, "c\nno end", "", "logs", "--tail", "2", "web");
    EXPECT(0, "", "", "logs", "--tail", "0", "web");
    EXPECT(0, "\n", "", "inspect", "-f", "{{.LogPath}}", "web");
    EXPECT(0, "", "", "logs", "--since", "1h", "--until", "30m", "web");
}
END_TEST

/* What a shim was killed at is cut off, and does not spoil what comes behind it. */
START_TEST(a_torn_entry_is_cut_off)
{
    static const char torn[] = "\x40\0\0\0\1half";
    cleanup_free char *path = NULL;
    cleanup_close int fd = -1;

    EXPECT(0, NULL, NULL, "run", "--name", "web", "--log-driver", "local", BOX, "sh", "-c",
           "echo one; echo two");
    path = container_file("web", "local.log");
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    ck_assert_int_eq(write(fd, torn, sizeof torn - 1), (int)sizeof torn - 1);
    EXPECT(0, "one\ntwo\n", "", "logs", "web");
    EXPECT(0, "one\ntwo\n", "", "start", "-a", "web");
    EXPECT(0, "one\ntwo\none\ntwo\n", "", "logs", "web");
    EXPECT(0, "two\none\ntwo\n", "", "logs", "--tail", "3", "web");
}
END_TEST

START_TEST(info_knows_them)
{
    EXPECT(0, "journald json-file local none \n", "", "info", "-f",
           "{{range .Plugins.Log}}{{.}} {{end}}");
    ck_assert_ptr_nonnull(
        strstr(EXPECT(0, NULL, "", "info"), "\n  Log: journald json-file local none\n"));
    ck_assert_ptr_nonnull(strstr(EXPECT(0, NULL, "", "info"), "\n Runtimes: cooper"));
}
END_TEST

START_TEST(none_keeps_nothing)
{
    static const char words[] =
        "Error response from daemon: configured logging driver does not support reading\n";

    EXPECT(0, "out\n", "", "run", "--name", "web", "--log-driver", "none", BOX, "echo", "out");
    EXPECT(1, "", words, "logs", "web");
    EXPECT(1, "", words, "logs", "-f", "web");
}
END_TEST

/* --- rotation --------------------------------------------------------------------------------- */

static const struct {
    const char *driver, *compress;
} rotations[] = {
    {"json-file", "true"}, {"json-file", "false"}, {"local", "true"}, {"local", "false"}};

static int count_files(const char *name, const char *ending)
{
    cleanup_free char *path = container_file(name, ".");
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)))
        count += str_ends(entry->d_name, ending);
    closedir(dir);
    return count;
}

/* 1 to `last`, a line each. */
static char *sequence(int first, int last)
{
    struct buf text = {0};

    for (int i = first; i <= last; i++)
        buf_printf(&text, "%d\n", i);
    return buf_steal(&text);
}

/* Without its last newline, as world_output() has it; too long to be printed. */
static void expect_log(const char *text, char *log)
{
    size_t n = strlen(text) - 1;

    ck_assert_msg(strlen(log) == n && !memcmp(log, text, n), "%zu bytes instead of %zu",
                  strlen(log), n);
    free(log);
}

START_TEST(no_line_is_lost_by_rotation)
{
    cleanup_free char *all = sequence(1, 60000), *end = sequence(30001, 60000);
    cleanup_free char *compress = str_format("compress=%s", rotations[_i].compress);
    bool packed = !strcmp(rotations[_i].compress, "true");

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--log-driver", rotations[_i].driver,
           "--log-opt", "max-size=100k", "--log-opt", "max-file=90", "--log-opt", compress, BOX,
           "seq", "60000");
    EXPECT(0, "0\n", "", "wait", "web");
    expect_log(all, OUTPUT("logs", "web"));
    expect_log(end, OUTPUT("logs", "--tail", "30000", "web"));
    ck_assert_int_gt(count_files("web", "log.1") + count_files("web", "log.1.gz"), 0);
    ck_assert_msg((count_files("web", ".gz") > 0) == packed, "%d", count_files("web", ".gz"));
    ck_assert_int_eq(count_files("web", ".gz.new"), 0);
}
END_TEST

START_TEST(many_files_are_read)
{
    cleanup_free char *all = sequence(1, 10000);

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--log-opt", "max-size=500", "--log-opt",
           "max-file=4000", BOX, "seq", "10000");
    EXPECT(0, "0\n", "", "wait", "web");
    ck_assert_int_gt(count_files("web", ""), 1100);
    expect_log(all, OUTPUT("logs", "web"));
}
END_TEST

/* Who follows sees each line once, however often the file is another one. */
START_TEST(following_goes_on_across_rotation)
{
    cleanup_free char *log = world_path("followed"), *all = sequence(1, 60000);
    cleanup_free char *compress = str_format("compress=%s", rotations[_i].compress), *last = NULL;
    cleanup_buf struct buf seen = {0};
    struct err err = {0};
    pid_t reader;

    unlink(log);
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--log-driver", rotations[_i].driver,
           "--log-opt", "max-size=100k", "--log-opt", "max-file=90", "--log-opt", compress, BOX,
           "sh", "-c", "seq 10; until test -e /go; do usleep 5000; done; seq 11 60000");
    reader = START(log, "logs", "-f", "web");
    last = run_wait_for_text(log, "\n10\n", 20);
    ck_assert_ptr_nonnull(last);
    EXPECT(0, "", "", "exec", "web", "touch", "/go");
    ck_assert_int_eq(run_wait(reader, 60), 0);
    ck_assert_msg(!file_load(AT_FDCWD, log, 8 << 20, &seen, &err), "%s", err.message);
    ck_assert_msg(str_equal(seen.data, all), "%zu bytes instead of %zu", seen.len, strlen(all));
}
END_TEST

/* --- runs ------------------------------------------------------------------------------------- */

START_TEST(following_goes_on_across_restarts)
{
    cleanup_free char *log = world_path("followed"), *text = NULL;
    pid_t reader;

    unlink(log);
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--restart", "on-failure:2", BOX, "sh", "-c",
           "echo run $(cat /n 2>/dev/null || true)x; echo $(cat /n 2>/dev/null)x >/n; "
           "until test -e /go; do usleep 5000; done; exit 1");
    reader = START(log, "logs", "-f", "web");
    text = run_wait_for_text(log, "run x\n", 20);
    ck_assert_ptr_nonnull(text);
    EXPECT(0, "", "", "exec", "web", "touch", "/go");
    ck_assert_int_eq(run_wait(reader, 60), 0);
    free(text);
    text = run_wait_for_text(log, "run xxx\n", 1);
    ck_assert_str_eq(text, "run x\nrun xx\nrun xxx\n");
}
END_TEST

START_TEST(following_goes_on_across_the_command_restart)
{
    cleanup_free char *log = world_path("followed"), *text = NULL;
    pid_t reader;

    unlink(log);
    EXPECT(0, NULL, "", "run", "-d", "--name", "web", BOX, "sh", "-c", "echo hello; sleep 600");
    reader = START(log, "logs", "-f", "web");
    text = run_wait_for_text(log, "hello\n", 20);
    ck_assert_ptr_nonnull(text);
    EXPECT(0, "web\n", "", "restart", "-t", "0", "web");
    free(text);
    text = run_wait_for_text(log, "hello\nhello\n", 20);
    ck_assert_ptr_nonnull(text);
    EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
    ck_assert_int_eq(run_wait(reader, 20), 0);
}
END_TEST

static void wait_logged(const char *name, const char *text)
{
    for (int i = world_ticks(20); i > 0; i--) {
        if (strstr(EXPECT(0, NULL, NULL, "logs", name), text))
            return;
        world_tick();
    }
    ck_abort_msg("'%s' never said '%s'", name, text);
}

/* A moment that is still to come ends it, also while the container goes on. */
START_TEST(following_ends_when_told)
{
    char until[40];

    EXPECT(0, NULL, "", "run", "-d", "--name", "web", "--log-driver", _i ? "local" : "json-file",
           BOX, "sh", "-c", "echo a; echo b; echo c; sleep 600");
    wait_logged("web", "c\n");
    clock_format(clock_now() + 300000000, until);
    EXPECT(0, "b\nc\n", "", "logs", "-f", "--tail", "2", "--until", until, "web");
    clock_format(clock_now() + 300000000, until);
    EXPECT(0, "", "", "logs", "-f", "--tail", "0", "--until", until, "web");
    EXPECT(0, "running\n", "", "inspect", "-f", "{{.State.Status}}", "web");
}
END_TEST

/* Other programs may have written entries, and a disk may have been full: what is there is read. */
static const struct {
    const char *line, *out;
} lines[] = {
    {"{\"log\":\"plain\\n\",\"stream\":\"stdout\",\"time\":\"2026-02-28T23:59:59.5Z\"}",
     "2026-02-28T23:59:59.500000000Z plain\n"},
    {"{\"log\":\"\\u003ctag\\u003e \\\"q\\\" \\\\ "
     "\\/\\n\",\"stream\":\"stdout\",\"time\":\"2028-02-29T00:"
     "00:00Z\"}",
     "2028-02-29T00:00:00.000000000Z <tag> \"q\" \\ /\n"},
    {"{\"time\":\"2026-12-31T12:00:00.000000001Z\",\"stream\":\"stdout\",\"log\":\"turned\\n\"}",
     "2026-12-31T12:00:00.000000001Z turned\n"},
    {"{\"log\":\"east\\n\",\"stream\":\"stdout\",\"time\":\"2026-03-01T02:30:00.25+02:00\"}",
     "2026-03-01T00:30:00.250000000Z east\n"},
    {"{\"log\":\"torn", ""},
    {"not an entry", ""},
    {"{\"log\":5,\"stream\":\"stdout\",\"time\":\"2026-03-01T00:00:00Z\"}", ""},
};

START_TEST(entries_of_others_are_read)
{
    cleanup_free char *path = NULL, *text = str_format("%s\n", lines[_i].line);
    cleanup_close int fd = -1;

    EXPECT(0, "", NULL, "run", "--name", "web", BOX, "true");
    path = world_inspect("web", "{{.LogPath}}");
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
    EXPECT(0, lines[_i].out, "", "logs", "-t", "web");
}
END_TEST

/* --- without waiting -------------------------------------------------------------------------- */

static pid_t find_child(pid_t parent, const char *name)
{
    cleanup_free char *path = str_format("/proc/%d/task/%d/children", (int)parent, (int)parent);
    cleanup_strv struct strv pids = {0};
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    ck_assert_msg(!file_load(AT_FDCWD, path, 4096, &text, &err), "%s", err.message);
    strv_split(&pids, text.data ? text.data : "", ' ');
    for (size_t i = 0; i < pids.len; i++) {
        cleanup_free char *file = str_format("/proc/%s/comm", pids.items[i]);
        cleanup_buf struct buf comm = {0};

        if (!file_load(AT_FDCWD, file, 64, &comm, &err) && str_starts(comm.data, name))
            return atoi(pids.items[i]);
    }
    return 0;
}

/* Its name is the first thing it does. */
static pid_t child_called(pid_t parent, const char *name)
{
    for (int i = world_ticks(20); i > 0; i--) {
        pid_t found = find_child(parent, name);

        if (found)
            return found;
        world_tick();
    }
    ck_abort_msg("no '%s' among the children of %d", name, (int)parent);
}

/* A writer that stands still, as at a disk that hangs, holds up nothing; and what there was room
 * for is written when it goes on. */
START_TEST(a_disk_that_hangs_holds_up_nobody)
{
    cleanup_free char *id = OUTPUT(
        "run", "-d", "--name", "web", "--log-opt", "mode=non-blocking", "--log-opt",
        "max-buffer-size=200k", BOX, "sh", "-c",
        "echo first; until test -e /go; do usleep 5000; done; seq 300000; touch /done; sleep 600");
    pid_t writer = child_called(world_shim_of(id), "cooper-log");
    cleanup_free char *text = NULL;

    world_wait_log("web", "first");
    ck_assert_int_eq(kill(writer, SIGSTOP), 0);
    EXPECT(0, "", "", "exec", "web", "touch", "/go");
    EXPECT(0, "", "", "exec", "web", "sh", "-c", "until test -e /done; do usleep 5000; done");
    ck_assert_int_eq(kill(writer, SIGCONT), 0);
    EXPECT(0, "web\n", "", "stop", "-t", "0", "web");
    text = OUTPUT("logs", "web");
    ck_assert_msg(str_starts(text, "first\n1\n2\n3\n"), "%.40s", text);
    ck_assert_uint_lt(strlen(text), 1000000); /* most of it had no room */
}
END_TEST

/* --- the journal ------------------------------------------------------------------------------ */

static int journal_socket(void)
{
    cleanup_free char *path = world_path("journal");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    unlink(path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("COOPER_JOURNAL_SOCKET", path, 1);
    return fd;
}

/* The next packet's field, by the journal's protocol; "" if it has none. Caller frees. */
static char *field_of(const char *packet, size_t len, const char *name)
{
    const char *at = packet, *end = packet + len;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *equals = memchr(at, '=', (size_t)(newline - at));
        size_t n = (size_t)((equals ? equals : newline) - at), size = 0;
        bool found = n == strlen(name) && !memcmp(at, name, n);

        if (equals) {
            if (found)
                return str_copy_n(equals + 1, (size_t)(newline - equals - 1));
            at = newline + 1;
            continue;
        }
        memcpy(&size, newline + 1, 8);
        ck_assert_uint_le(size, (size_t)(end - newline) - 10);
        if (found)
            return str_copy_n(newline + 9, size);
        at = newline + 9 + size + 1;
    }
    return str_copy("");
}

START_TEST(the_journal_hears_it)
{
    static const char *const expected[][2] = {
        {"MESSAGE", "a line"},          {"PRIORITY", "6"},
        {"CONTAINER_NAME", "web"},      {"CONTAINER_TAG", "t-web"},
        {"SYSLOG_IDENTIFIER", "t-web"}, {"IMAGE_NAME", BOX},
        {"MY_LABEL", "x=\ny"},          {"NO", ""}};
    cleanup_close int journal = journal_socket();
    cleanup_free char *id = NULL, *text = NULL;
    char packet[65536];
    ssize_t n;

    EXPECT(0, "a line\n", "bad\n", "run", "--name", "web", "--log-driver", "journald", "--log-opt",
           "tag=t-{{.Name}}", "--log-opt", "labels=my.label", "--label", "my.label=x=\ny", BOX,
           "sh", "-c", "echo a line; usleep 10000; echo bad >&2");
    n = recv(journal, packet, sizeof packet, 0);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        cleanup_free char *value = field_of(packet, (size_t)n, expected[i][0]);

        ck_assert_msg(str_equal(value, expected[i][1]), "%s: '%s'", expected[i][0], value);
    }
    id = world_inspect("web", "{{.Id}}");
    text = field_of(packet, (size_t)n, "CONTAINER_ID_FULL");
    ck_assert_str_eq(text, id);
    n = recv(journal, packet, sizeof packet, 0);
    free(text);
    text = field_of(packet, (size_t)n, "PRIORITY");
    ck_assert_str_eq(text, "3");
    EXPECT(0, "a line\n", "bad\n", "logs", "web"); /* from what is kept beside it */
    EXPECT(0, "a line\n", "", "run", "--name", "far", "--log-driver", "journald", "--log-opt",
           "cache-disabled=true", BOX, "echo", "a line");
    EXPECT(1, "", "configured logging driver does not support reading\n", "logs", "far");
}
END_TEST

static void add_tests(TCase *t)
{
    tcase_add_loop_test(t, drivers_explain, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(t, json_lines_are_docker_s);
    tcase_add_test(t, local_keeps_every_byte);
    tcase_add_test(t, a_torn_entry_is_cut_off);
    tcase_add_test(t, info_knows_them);
    tcase_add_test(t, none_keeps_nothing);
    tcase_add_loop_test(t, no_line_is_lost_by_rotation, 0, 4);
    tcase_add_test(t, many_files_are_read);
    tcase_add_loop_test(t, following_goes_on_across_rotation, 0, 4);
    tcase_add_test(t, following_goes_on_across_restarts);
    tcase_add_test(t, following_goes_on_across_the_command_restart);
    tcase_add_loop_test(t, following_ends_when_told, 0, 2);
    tcase_add_loop_test(t, entries_of_others_are_read, 0, sizeof lines / sizeof *lines);
    tcase_add_test(t, a_disk_that_hangs_holds_up_nobody);
    tcase_add_test(t, the_journal_hears_it);
}

SUITE(log_drivers)
{
    TCase *t = tcase_create("log_drivers");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    add_tests(t);
    suite_add_tcase(suite, t);
}
