/* run: in the foreground and detached; descriptors handed down. */
#include "runtime/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "system/container.h"

static const struct {
    const char *command;
    int code;
} ends[] = {{"true", 0}, {"exit 7", 7}, {"exit 255", 255}};

START_TEST(run_ends_as_its_program_does)
{
    cleanup_box struct box box;

    tool_box(&box, ends[_i].command);
    EXPECT(ends[_i].code, NULL, "", "run", "--bundle", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

/* PID 1 cannot kill itself; a container without a PID namespace has no PID 1. */
START_TEST(run_says_128_and_the_signal)
{
    cleanup_box struct box box;

    tool_box(&box, "die 9");
    container_remove_namespace(box.config, "pid");
    tool_write(&box);
    EXPECT(137, NULL, "", "run", "--bundle", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(run_passes_stdin_and_stdout)
{
    cleanup_box struct box box;
    struct run_options input = {.input = "some bytes", .input_len = 10};
    cleanup_run struct run_result r = {0};

    tool_box(&box, "wait + fds");
    tool_run(&r, &input, (const char *const[]){"run", "-b", box.bundle, box.id, NULL});
    ck_assert_str_eq(r.err.data, "");
    ck_assert_str_eq(r.out.data, "wait: eof\nfds: 0 1 2 \n");
    tool_gone(&box);
}
END_TEST

START_TEST(run_forwards_signals)
{
    cleanup_box struct box box;
    cleanup_free char *said = NULL;
    pid_t pid;

    tool_box(&box, "term + exit 3");
    pid = START(box.log, "run", "-b", box.bundle, box.id);
    free(tool_await(&box, "waiting"));
    ck_assert_str_eq(tool_status(box.id), "running");
    ck_assert(!kill(pid, SIGTERM));
    ck_assert_int_eq(run_wait(pid, 60), 3);
    said = tool_await(&box, "signal 15");
    tool_gone(&box);
}
END_TEST

START_TEST(run_detached_leaves_it_running)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL;
    struct buf text = {0};
    struct err err = {0};

    tool_box(&box, "term");
    path = str_format("%s/pid", box.bundle);
    ck_assert_int_eq(
        run_wait(START(box.log, "run", "--detach", "--pid-file", path, "-b", box.bundle, box.id),
                 60),
        0);
    free(tool_await(&box, "waiting"));
    ck_assert_str_eq(tool_status(box.id), "running");
    ck_assert(!file_load(AT_FDCWD, path, 32, &text, &err));
    ck_assert_int_eq(atoi(text.data), tool_pid(box.id));
    buf_free(&text);
    EXPECT(0, "", "", "kill", box.id);
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(run_keep_keeps_the_record)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    EXPECT(0, "", "", "run", "--keep", "-b", box.bundle, box.id);
    ck_assert_str_eq(tool_status(box.id), "stopped");
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

/* Somebody else deletes it while it runs: its end is still reported, and nothing is left. */
START_TEST(run_may_be_deleted_by_others)
{
    cleanup_box struct box box;
    pid_t pid;

    tool_box(&box, "term");
    pid = START(box.log, "run", "-b", box.bundle, box.id);
    free(tool_await(&box, "waiting"));
    EXPECT(0, "", "", "delete", "--force", box.id);
    ck_assert_int_eq(run_wait(pid, 60), 137);
    tool_gone(&box);
}
END_TEST

/* What only one command knows is lost with it, so it has to be a child of this one. */
START_TEST(run_killed_leaves_what_delete_finds)
{
    cleanup_box struct box box;
    pid_t pid;

    tool_box(&box, "term");
    pid = START(box.log, "run", "-b", box.bundle, box.id);
    free(tool_await(&box, "waiting"));
    ck_assert(!kill(pid, SIGKILL));
    ck_assert_int_eq(run_wait(pid, 60), 137);
    ck_assert_str_eq(tool_status(box.id), "running");
    EXPECT(1, "", "that is not stopped: running", "delete", box.id);
    EXPECT(0, "", "", "delete", "-f", box.id);
    tool_gone(&box);
}
END_TEST

/* --- descriptors ------------------------------------------------------------------------------ */

/* Runs it with descriptors 3 and 4 open, and what else `script` says (a shell's words). */
static void run_with_descriptors(struct run_result *ret, const struct box *box, const char *script)
{
    cleanup_free char *line = str_format("exec 3</etc/hostname 4</etc/passwd 5<&- 6<&-; %s " RUNTIME
                                         " --root %s run -b %s",
                                         script, tool_root(), box->bundle);
    cleanup_free char *all = str_format("%s \"$@\" %s", line, box->id);

    RUN(ret, NULL, "sh", "-c", all, "sh", "--preserve-fds=2");
}

START_TEST(preserved_descriptors_arrive)
{
    cleanup_box struct box box;
    cleanup_run struct run_result r = {0};

    tool_box(&box, "fds + link /proc/self/fd/3 + link /proc/self/fd/4");
    run_with_descriptors(&r, &box, "");
    ck_assert_msg(r.code == 0, "%s", r.err.data);
    /* Their paths are outside of the container's root: only the end is known there. */
    ck_assert(str_starts(r.out.data, "fds: 0 1 2 3 4 \n"));
    ck_assert_ptr_ne(strstr(r.out.data, "/etc/hostname"), NULL);
    ck_assert_ptr_ne(strstr(r.out.data, "/etc/passwd"), NULL);
}
END_TEST

START_TEST(descriptors_that_are_not_open_are_an_error)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    EXPECT(1, "", "unable to stat preserved-fd", "run", "--preserve-fds", "900", "-b", box.bundle,
           box.id);
    EXPECT(1, "", "not in the range", "run", "--preserve-fds", "-1", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

/* sd_listen_fds(3): the first ones are those of LISTEN_FDS, and the program is told. */
START_TEST(socket_activation_is_passed_on)
{
    cleanup_box struct box box;
    cleanup_run struct run_result r = {0};

    tool_box(&box, "fds + env LISTEN_FDS + env LISTEN_PID + env LISTEN_FDNAMES");
    run_with_descriptors(
        &r, &box, "exec 5</dev/null; export LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$; exec");
    ck_assert_msg(r.code == 0, "%s", r.err.data);
    ck_assert_str_eq(r.out.data, "fds: 0 1 2 3 4 5 \nenv LISTEN_FDS: 1\nenv LISTEN_PID: 1\n"
                                 "env LISTEN_FDNAMES: web\n");
    /* Meant for another process. */
    run_with_descriptors(&r, &box, "exec 5</dev/null; export LISTEN_FDS=1 LISTEN_PID=1; exec");
    ck_assert_str_eq(r.out.data,
                     "fds: 0 1 2 3 4 \nenv LISTEN_FDS: (unset)\nenv LISTEN_PID: (unset)\n"
                     "env LISTEN_FDNAMES: (unset)\n");
}
END_TEST

/* Where pivot_root(2) cannot be used the container's root is still the only one in sight. */
START_TEST(no_pivot_is_no_way_out)
{
    cleanup_box struct box box;

    tool_box(&box, "list /tmp + list /proc/1/root/tmp + list /../../..//tmp + put /tmp/x y");
    EXPECT(0,
           "list /tmp: []\nlist /proc/1/root/tmp: []\nlist /../../..//tmp: []\nput /tmp/x y: ok\n",
           "", "run", "--no-pivot", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

/* --- what is read ----------------------------------------------------------------------------- */

static const struct {
    const char *version, *message; /* NULL: fine */
} versions[] = {
    {"1.0.0", NULL},
    {"1.0.2-dev", NULL},
    {"1.1.0+dev", NULL},
    {"1.3.0", NULL},
    {"0.9.0", "ociVersion 0.9.0 is not supported: 1.0 to 1.3 are"},
    {"1.4.0", "ociVersion 1.4.0 is not supported"},
    {"2.0.0", "ociVersion 2.0.0 is not supported"},
    {"banana", "ociVersion \\\"banana\\\" is not a version"},
};

START_TEST(versions_of_the_specification)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    json_put_str(box.config, "ociVersion", versions[_i].version);
    tool_write(&box);
    if (versions[_i].message)
        EXPECT(1, "", versions[_i].message, "run", "-b", box.bundle, box.id);
    else
        EXPECT(0, "", "", "run", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(a_bundle_that_is_none_says_so)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL, *other = NULL;
    struct err err = {0};

    tool_box(&box, "true");
    EXPECT(1, "", "bundle '/no/such'", "run", "-b", "/no/such", box.id);
    path = str_format("%s/config.json", box.bundle);
    other = str_format("%s/other.json", box.bundle);
    ck_assert(!rename(path, other));
    EXPECT(1, "", "JSON specification file", "run", "-b", box.bundle, box.id);
    EXPECT(1, "", "JSON specification file other.json not found", "run", "-b", box.bundle,
           "--config", "other.json", box.id);
    EXPECT(0, "", "", "run", "-b", box.bundle, "-f", other, box.id);
    ck_assert(!file_store(AT_FDCWD, path, "{\"ociVersion\":", 14, 0644, false, &err));
    EXPECT(1, "", "config.json", "run", "-b", box.bundle, box.id);
    ck_assert(!file_store(AT_FDCWD, path, "{}", 2, 0644, false, &err));
    EXPECT(1, "", "has no ociVersion", "run", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(a_failing_run_leaves_nothing)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    container_append(box.config, "mounts",
                     container_mount("bind", "/no/such/source", "/x", "bind"));
    tool_write(&box);
    EXPECT(1, "", "/no/such/source", "run", "-b", box.bundle, box.id);
    tool_gone(&box);
    EXPECT(1, "", "/no/such/source", "create", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

SUITE(run)
{
    TCase *t = tcase_create("run");

    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_loop_test(t, run_ends_as_its_program_does, 0, 3);
    tcase_add_test(t, run_says_128_and_the_signal);
    tcase_add_test(t, run_passes_stdin_and_stdout);
    tcase_add_test(t, run_forwards_signals);
    tcase_add_test(t, run_detached_leaves_it_running);
    tcase_add_test(t, run_keep_keeps_the_record);
    tcase_add_test(t, run_may_be_deleted_by_others);
    tcase_add_test(t, run_killed_leaves_what_delete_finds);
    tcase_add_test(t, preserved_descriptors_arrive);
    tcase_add_test(t, descriptors_that_are_not_open_are_an_error);
    tcase_add_test(t, socket_activation_is_passed_on);
    tcase_add_test(t, no_pivot_is_no_way_out);
    tcase_add_loop_test(t, versions_of_the_specification, 0, 8);
    tcase_add_test(t, a_bundle_that_is_none_says_so);
    tcase_add_test(t, a_failing_run_leaves_nothing);
    suite_add_tcase(suite, t);
}
