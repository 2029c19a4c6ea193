/* exec: one more process in a container. */
#include "runtime/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "system/container.h"

static struct box box;

static void up(void)
{
    tool_box(&box, "term");
    tool_up(&box, "waiting");
}

static void down(void)
{
    EXPECT(0, "", "", "delete", "--force", box.id);
    tool_gone(&box);
    tool_free(&box);
}

#define PROBE "/bin/probe"

static const struct {
    const char *args[12]; /* between "exec" and the probe's words: flags, id is put in */
    const char *words[4];
    const char *out;
} flags[] = {
    {{NULL}, {"ids"}, "ids: 0 0 [0 ]\n"},
    {{"--user", "1000"}, {"ids"}, "ids: 1000 0 [0 ]\n"},
    {{"-u", "1000:29"}, {"ids"}, "ids: 1000 29 [29 ]\n"},
    {{"-u=app"}, {"ids"}, "ids: 1000 1001 [10 29 1001 ]\n"},
    {{"-u", "1:2", "-g", "7", "--additional-gids=8"}, {"ids"}, "ids: 1 2 [2 7 8 ]\n"},
    {{"--env", "A=one two", "-e", "B=="}, {"env", "A"}, "env A: one two\n"},
    {{"-e", "B=="}, {"env", "B"}, "env B: =\n"},
    {{"--cwd", "/tmp"}, {"link", "/proc/self/cwd"}, "link /proc/self/cwd: /tmp\n"},
    {{"--no-new-privs"}, {"status", "NoNewPrivs"}, "status NoNewPrivs: 1\n"},
    {{"--no-new-privs=false"}, {"status", "NoNewPrivs"}, "status NoNewPrivs: 0\n"},
    {{NULL}, {"status", "CapBnd"}, "status CapBnd: 00000000a80425fb\n"},
    {{"--cap", "CAP_SYS_TIME"}, {"status", "CapBnd"}, "status CapBnd: 00000000aa0425fb\n"},
    {{"-c", "CAP_SYS_TIME"}, {"status", "CapEff"}, "status CapEff: 00000000aa0425fb\n"},
    {{"-c", "CAP_SYS_TIME"}, {"status", "CapAmb"}, "status CapAmb: 0000000000000000\n"},
    {{NULL}, {"status", "Seccomp"}, "status Seccomp: 2\n"},
};

START_TEST(flags_change_the_process)
{
    cleanup_strv struct strv args = {0};

    strv_add(&args, "exec");
    for (size_t i = 0; flags[_i].args[i]; i++)
        strv_add(&args, flags[_i].args[i]);
    strv_add(&args, box.id);
    strv_add(&args, PROBE);
    for (size_t i = 0; i < 4 && flags[_i].words[i]; i++)
        strv_add(&args, flags[_i].words[i]);
    tool_expect("flags", 0, flags[_i].out, "", (const char *const *)args.items);
}
END_TEST

static const struct {
    const char *args[4], *message;
    int code;
} failures[] = {
    {{"nosuch"}, "executable file not found in $PATH", 127},
    {{"/bin/nosuch"}, "stat /bin/nosuch: no such file or directory", 127},
    {{"/etc/passwd"}, "permission denied", 126},
    {{"/etc"}, "is a directory", 126},
    {{NULL}, "process args cannot be empty", 255},
};

START_TEST(what_cannot_be_executed_says_why)
{
    cleanup_free char *whole =
        str_format("exec failed: %s%s", _i < 4 ? "unable to start container process: " : "",
                   _i < 4 ? "exec: " : "");

    EXPECT(failures[_i].code, "", failures[_i].message, "exec", box.id, failures[_i].args[0]);
    EXPECT(failures[_i].code, "", whole, "exec", box.id, failures[_i].args[0]);
}
END_TEST

static const struct {
    const char *flag, *value, *message;
} bad_flags[] = {
    {"--cwd", "/no/such",
     "cannot enter the working directory '/no/such': no such file or directory"},
    {"--user", "nobody-here", "unable to find user nobody-here"},
    {"--user", "99999999999", "not in the range 0-2147483647"},
    {"--env", "NOVALUE", "invalid environment variable"},
    {"--additional-gids", "staff", "invalid value"},
    {"--process", "/no/such", "/no/such"},
    {"--console-socket", "/no/such", "cannot use console socket"},
    {"--cgroup", "nosuch", "nosuch"},
    {"--preserve-fds", "77", "unable to stat preserved-fd"},
};

START_TEST(bad_flags_say_why)
{
    EXPECT(255, "", bad_flags[_i].message, "exec", bad_flags[_i].flag, bad_flags[_i].value, box.id,
           PROBE, "true");
}
END_TEST

/* As with runc, what a newer kernel may have is asked for and passed over, but not in silence. */
START_TEST(an_unknown_capability_is_a_warning)
{
    EXPECT(9, NULL, "ignoring unknown or unavailable capabilities: [CAP_NOPE]", "exec", "--cap",
           "CAP_NOPE", box.id, PROBE, "exit", "9");
}
END_TEST

START_TEST(exec_ends_as_its_program_does)
{
    EXPECT(9, NULL, "", "exec", box.id, PROBE, "exit", "9");
    EXPECT(137, NULL, "", "exec", box.id, PROBE, "die", "9");
    EXPECT(0, "status --all: ", "", "exec", box.id, PROBE, "status", "--all");
}
END_TEST

/* containerd's and Podman's way: the whole process in a file, nothing of the container's own. */
START_TEST(the_process_may_be_a_document)
{
    cleanup_free char *path = str_format("%s/process.json", box.bundle);
    struct err err = {0};
    cleanup_json json_t *process = json_pack(
        "{s:[s,s,s,s],s:[s],s:s,s:{s:i,s:i,s:i}}", "args", PROBE, "environment", "+", "self", "env",
        "ONLY=this", "cwd", "/tmp", "user", "uid", 1000, "gid", 1001, "umask", 027);
    const char *out;

    ck_assert(!json_store(AT_FDCWD, path, process, 0644, false, &err));
    out = EXPECT(0, NULL, "", "exec", "--process", path, box.id);
    ck_assert_ptr_ne(strstr(out, "environment: ONLY=this;HOME=/home/app;\n"), NULL);
    ck_assert_ptr_ne(strstr(out, "cwd=/tmp "), NULL);
    ck_assert_ptr_ne(strstr(out, "umask=0027 "), NULL);
}
END_TEST

/* The command goes, its process stays, and the pid file names it. */
START_TEST(exec_detached_leaves_it_running)
{
    cleanup_free char *log = str_format("%s/exec.log", box.bundle);
    cleanup_free char *pid_file = str_format("%s/exec.pid", box.bundle), *said = NULL;
    struct buf text = {0};
    struct proc_id id;
    struct err err = {0};

    ck_assert_int_eq(
        run_wait(START(log, "exec", "-d", "--pid-file", pid_file, box.id, PROBE, "term"), 60), 0);
    free(run_wait_for_text(log, "waiting", 60));
    ck_assert(!file_load(AT_FDCWD, pid_file, 32, &text, &err));
    ck_assert(!proc_identify(atoi(text.data), &id));
    ck_assert(!kill(id.pid, SIGTERM));
    said = run_wait_for_text(log, "signal 15", 60);
    ck_assert_ptr_ne(said, NULL);
    buf_free(&text);
}
END_TEST

START_TEST(exec_forwards_signals)
{
    cleanup_free char *log = str_format("%s/exec.log", box.bundle);
    pid_t pid = START(log, "exec", box.id, PROBE, "term", "+", "exit", "4");

    free(run_wait_for_text(log, "waiting", 60));
    ck_assert(!kill(pid, SIGTERM));
    ck_assert_int_eq(run_wait(pid, 60), 4);
}
END_TEST

/* Before its program runs, a container is made already: Podman looks into such ones. */
START_TEST(exec_works_in_a_created_container)
{
    cleanup_box struct box waiting;

    tool_box(&waiting, "term");
    CREATE(&waiting, NULL);
    EXPECT(0, "env HOME: /root\n", "", "exec", waiting.id, PROBE, "env", "HOME");
    ck_assert_str_eq(tool_status(waiting.id), "created");
    EXPECT(0, "", "", "delete", waiting.id);
}
END_TEST

START_TEST(preserved_descriptors_arrive)
{
    cleanup_free char *line = str_format("exec 3</etc/hostname; exec " RUNTIME
                                         " --root %s exec --preserve-fds 1 %s " PROBE " fds",
                                         tool_root(), box.id);
    cleanup_run struct run_result r = {0};

    RUN(&r, NULL, "sh", "-c", line);
    ck_assert_msg(!r.code, "%s", r.err.data);
    ck_assert_str_eq(r.out.data, "fds: 0 1 2 3 \n");
}
END_TEST

SUITE(exec)
{
    TCase *t = tcase_create("exec");

    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_checked_fixture(t, up, down);
    tcase_add_loop_test(t, flags_change_the_process, 0, sizeof flags / sizeof *flags);
    tcase_add_loop_test(t, what_cannot_be_executed_says_why, 0, 5);
    tcase_add_loop_test(t, bad_flags_say_why, 0, sizeof bad_flags / sizeof *bad_flags);
    tcase_add_test(t, an_unknown_capability_is_a_warning);
    tcase_add_test(t, exec_ends_as_its_program_does);
    tcase_add_test(t, the_process_may_be_a_document);
    tcase_add_test(t, exec_detached_leaves_it_running);
    tcase_add_test(t, exec_forwards_signals);
    tcase_add_test(t, exec_works_in_a_created_container);
    tcase_add_test(t, preserved_descriptors_arrive);
    suite_add_tcase(suite, t);
}
