/* The user's program: how it is found, who it is, what it is told; exec into a running
 * container; cooper-init. */
#include "support/suite.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"

/* --- exit codes and errors -------------------------------------------------------------------- */

START_TEST(the_exit_code_is_the_programs)
{
    cleanup_outcome struct outcome o, killed;

    container_probe("exit 42", &o);
    ck_assert(WIFEXITED(o.status) && WEXITSTATUS(o.status) == 42);
    container_probe("call 62 0 9",
                    &killed); /* PID 1 cannot kill itself: kill(0, SIGKILL) is ignored */
    ck_assert(WIFEXITED(killed.status));
}
END_TEST

static const struct {
    const char *program;
    int exit_status;
    const char *message;
    bool created; /* what only execve(2) finds out is an error of the start */
} bad_programs[] = {
    {"nosuch", 127, "exec: \"nosuch\": executable file not found in $PATH", false},
    {"/bin/nosuch", 127, "exec: \"/bin/nosuch\": stat /bin/nosuch: no such file or directory",
     false},
    {"/etc/passwd", 126, "exec: \"/etc/passwd\": permission denied", false},
    {"/etc", 126, "exec: \"/etc\": is a directory", false},
    {"/bin/garbage", 126, "exec /bin/garbage: exec format error", true},
    {"/bin/script", 127, "exec /bin/script: no such file or directory", true},
    {"", 127, "exec: \"\": executable file not found in $PATH", false},
};

static void put_program(const char *bundle, const char *name, const char *text)
{
    cleanup_free char *path = str_format("%s/rootfs/bin/%s", bundle, name);
    struct err err = {0};

    ck_assert(!file_store(AT_FDCWD, path, text, strlen(text), 0755, false, &err));
}

START_TEST(a_program_that_cannot_run_says_why)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    put_program(bundle, "garbage", "\x01\x02\x03");
    put_program(bundle, "script", "#!/no/such/interpreter\n");
    container_set(config, "process.args", json_pack("[s]", bad_programs[_i].program));
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created == 0, bad_programs[_i].created);
    ck_assert_int_lt(o.created ? o.created : o.started, 0);
    ck_assert_str_eq(o.err.message, bad_programs[_i].message);
    ck_assert_int_eq(o.err.exit_status, bad_programs[_i].exit_status);
}
END_TEST

START_TEST(path_is_searched_in_order)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    container_set(config, "process.args", json_pack("[s,s]", "probe", "self"));
    container_set(config, "process.env", json_pack("[s]", "PATH=/nowhere:/etc:/bin"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.started, "%s", o.err.message);
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "pid=1 "), NULL);
}
END_TEST

static const struct {
    const char *path, *value; /* JSON */
} bad_configs[] = {
    {"process.args", "[]"},
    {"process.args", "[\"a\\u0000b\"]"},
    {"process.cwd", "\"relative\""},
    {"process.user.uid", "4294967296"},
    {"process.user.uid", "-1"},
    {"process.user.uid", "\"1000\""},
    {"process.user.uid", "1.5"},
    {"process.user", "\"root\""},
    {"process.user.additionalGids", "5"},
    {"process.noNewPrivileges", "\"true\""},
    {"process.capabilities", "[\"CAP_CHOWN\"]"},
    {"process.rlimits", "[{\"type\":\"RLIMIT_CORE\",\"soft\":1}]"},
    {"process.rlimits", "[{\"type\":\"RLIMIT_CORE\",\"soft\":\"1\",\"hard\":1}]"},
    {"root.readonly", "1"},
    {"linux", "[]"},
    {"linux.seccomp", "true"},
    {"linux.maskedPaths", "\"/proc\""},
    {"process.capabilities.bounding", "[1]"},
    {"process.env", "[\"NOTHING\"]"},
    {"process.env", "[\"=x\"]"},
    {"process.rlimits", "[{\"type\":\"RLIMIT_NOPE\",\"soft\":1,\"hard\":1}]"},
    {"process.rlimits", "[{\"type\":\"RLIMIT_CORE\",\"soft\":2,\"hard\":1}]"},
    {"root", "{}"},
    {"process.rlimits", "[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":1},"
                        "{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":1}]"},
    {"hooks", "{\"prestart\":[{\"path\":\"true\"}]}"},
    {"linux.namespaces", "[]"},
    {"linux.namespaces", "[{\"type\":\"mount\"},{\"type\":\"mount\"}]"},
    {"linux.namespaces", "[{\"type\":\"nope\"}]"},
    {"linux.cgroupsPath", "\"/a/../b\""},
    {"linux.resources.devices", "[{\"allow\":false,\"access\":\"x\"}]"},
    {"linux.rootfsPropagation", "\"sideways\""},
    {"mounts", "[{\"destination\":\"\",\"type\":\"tmpfs\"}]"},
    {"mounts", "[{\"destination\":\"/x\",\"type\":\"nosuchfs\"}]"},
    {"mounts", "[{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/no/such/"
               "source\",\"options\":[\"bind\"]}]"},
    {"mounts", "[{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"size=banana\"]}]"},
};

START_TEST(a_bad_config_is_an_error_and_leaves_nothing)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_free char *group = str_format(TEST_CGROUPS "/%s", strrchr(bundle, '/') + 1);
    cleanup_outcome struct outcome o;
    struct err err = {0};
    json_error_t where;

    container_set(config, bad_configs[_i].path,
                  json_loads(bad_configs[_i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where));
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_str_ne(o.err.message, "");
    ck_assert_int_eq(o.err.exit_status, 125);
    ck_assert_int_eq(runtime_cgroup_count(NULL, group, &err), -ENOENT);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, not even a zombie */
}
END_TEST

/* --- who -------------------------------------------------------------------------------------- */

static const struct {
    const char *user, *ids, *home;
} users[] = {
    {"root", "0 0 [0 10 500 ]", "/root"},
    {"app", "1000 1001 [10 29 1001 ]", "/home/app"},
    {"1000", "1000 1001 [10 29 1001 ]", "/home/app"},
    {"app:wheel", "1000 10 [10 ]", "/home/app"},
    {"app:4000", "1000 4000 [4000 ]", "/home/app"},
    {"1234", "1234 0 [0 ]", "/"}, /* a number, whatever is called so */
    {"55:66", "55 66 [66 ]", "/"},
    {":wheel", "0 10 [10 ]", "/root"},
};

START_TEST(users_are_looked_up_in_the_image)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "ids + env HOME");
    cleanup_outcome struct outcome o;

    container_annotate(config, "org.cooper.user", users[_i].user);
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "ids"), users[_i].ids);
    ck_assert_str_eq(answer(&o, "env HOME"), users[_i].home);
}
END_TEST

static const struct {
    const char *user, *message;
} bad_users[] = {
    {"nosuch", "unable to find user nosuch: no matching entries in passwd file"},
    {"app:nosuch", "unable to find group nosuch: no matching entries in group file"},
    {"4294967296", "uids and gids must be in range 0-2147483647: '4294967296'"},
    {"2147483648", "uids and gids must be in range 0-2147483647: '2147483648'"},
    {"0:99999999999999999999",
     "uids and gids must be in range 0-2147483647: '99999999999999999999'"},
    {"-1", "unable to find user -1: no matching entries in passwd file"},
};

START_TEST(a_user_that_is_not_there_is_an_error)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    container_annotate(config, "org.cooper.user", bad_users[_i].user);
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_str_eq(o.err.message, bad_users[_i].message);
}
END_TEST

START_TEST(a_user_who_is_not_root_has_no_capabilities)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "status CapPrm + status CapEff + status CapBnd + status CapAmb + "
                                 "put /etc/passwd x + status Seccomp");
    cleanup_outcome struct outcome o;

    container_annotate(config, "org.cooper.user", "app");
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "status CapPrm"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status CapEff"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status CapAmb"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status CapBnd"), "00000000a80425fb");
    ck_assert_str_eq(answer(&o, "put /etc/passwd x"), "EACCES");
    ck_assert_str_eq(answer(&o, "status Seccomp"), "2");
}
END_TEST

/* A program only root may run is not run by anybody else with root's help. */
START_TEST(the_program_is_run_with_the_users_rights)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *program = str_format("%s/rootfs/bin/probe", bundle);
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    ck_assert(!chmod(program, 0700));
    container_annotate(config, "org.cooper.user", "app");
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_str_eq(o.err.message, "exec: \"/bin/probe\": permission denied");
    ck_assert_int_eq(o.err.exit_status, 126);
}
END_TEST

/* CVE-2024-9676: it would block whoever opens it. */
START_TEST(a_fifo_for_passwd_does_not_hang)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *passwd = str_format("%s/rootfs/etc/passwd", bundle);
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    ck_assert(!unlink(passwd) && !mkfifo(passwd, 0644));
    container_annotate(config, "org.cooper.user", "root");
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_ptr_ne(strstr(o.err.message, "not a regular file"), NULL);
}
END_TEST

/* podman's --security-opt mask=/etc/passwd */
START_TEST(a_masked_passwd_is_an_empty_one)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "ids");
    cleanup_outcome struct outcome o;

    container_set(config, "linux.maskedPaths", json_pack("[s]", "/etc/passwd"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_int_eq(strncmp(answer(&o, "ids"), "0 0 ", 4), 0);
}
END_TEST

START_TEST(an_image_without_passwd_takes_numbers)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *etc = str_format("%s/rootfs/etc", bundle);
    cleanup_json json_t *config = container_config(bundle, "ids + env HOME");
    cleanup_outcome struct outcome o;
    struct err err = {0};

    ck_assert(!file_remove_tree(AT_FDCWD, etc, &err));
    container_annotate(config, "org.cooper.user", "5:6");
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "ids"), "5 6 [6 ]");
}
END_TEST

START_TEST(the_environment_is_what_was_given)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "environment");
    cleanup_outcome struct outcome o;

    setenv("LEAK", "from the engine", 1);
    container_set(config, "process.env", json_pack("[s,s]", "A=1", "HOME=/given"));
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "environment"), "A=1;HOME=/given;");
}
END_TEST

START_TEST(the_working_directory_is_made)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "self + stat /srv/a/b");
    cleanup_outcome struct outcome o;

    container_set(config, "process.cwd", json_string("/srv/a/b"));
    container_run(bundle, config, &o);
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "cwd=/srv/a/b "), NULL);
    ck_assert_int_eq(strncmp(answer(&o, "stat /srv/a/b"), "040755 0:0", 10), 0);
}
END_TEST

/* --- exec ------------------------------------------------------------------------------------- */

START_TEST(exec_joins_everything)
{
    static const char *const kinds[] = {"mnt", "pid", "net", "ipc", "uts", "cgroup"};
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "put /tmp/mark x + wait");
    struct executed e;
    struct outcome o = {0};
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "put /tmp/mark x: ok");
    container_exec(
        &r, bundle, config,
        "fds + link /proc/self/ns/mnt + link /proc/self/ns/pid + link /proc/self/ns/net + "
        "link /proc/self/ns/ipc + link /proc/self/ns/uts + link /proc/self/ns/cgroup + "
        "cat /tmp/mark + status CapEff + status CapInh + status Seccomp + status CapBnd + self + "
        "cat /proc/self/cgroup + link /proc/self/fd/0 + env HOME",
        NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    o.output = e.output;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cleanup_free char *there = str_format("/proc/%d/ns/%s", runtime_pid(r.c), kinds[i]);
        cleanup_free char *command = str_format("link /proc/self/ns/%s", kinds[i]);
        char expected[64] = "";

        ck_assert_int_gt(readlink(there, expected, sizeof expected - 1), 0);
        ck_assert_str_eq(answer(&o, command), expected);
    }
    ck_assert_str_eq(answer(&o, "cat /tmp/mark"), "x");
    ck_assert_str_eq(answer(&o, "status CapEff"), "00000000a80425fb");
    ck_assert_str_eq(answer(&o, "status CapBnd"), "00000000a80425fb");
    ck_assert_str_eq(answer(&o, "status CapInh"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status Seccomp"), "2");
    ck_assert_str_eq(answer(&o, "fds"), "0 1 2 ");
    ck_assert_str_eq(answer(&o, "link /proc/self/fd/0"), "/dev/null");
    ck_assert_str_eq(answer(&o, "env HOME"), "/root");
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "ppid=0 "), NULL);
    ck_assert_ptr_eq(strstr(answer(&o, "cat /proc/self/cgroup"), "/cooper"), NULL);
    outcome_free(&o);
    container_end(&r);
}
END_TEST

/* Our own PID namespace for children is back: the next child is an ordinary one. */
START_TEST(exec_leaves_the_caller_as_it_was)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    char before[64] = "", after[64] = "";
    struct executed e;
    struct running r;

    ck_assert_int_gt(readlink("/proc/self/ns/pid_for_children", before, 63), 0);
    container_start(bundle, config, &r);
    container_exec(&r, bundle, config, "exit 9", NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    ck_assert(WIFEXITED(e.status) && WEXITSTATUS(e.status) == 9);
    ck_assert_int_gt(readlink("/proc/self/ns/pid_for_children", after, 63), 0);
    ck_assert_str_eq(before, after);
    free(e.output);
    container_end(&r);
}
END_TEST

START_TEST(exec_counts_in_the_cgroup_and_as_the_user)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    struct outcome o = {0};
    struct executed e;
    struct running r;

    container_set(config, "linux.resources.pids.limit", json_integer(6));
    container_start(bundle, config, &r);
    container_exec(&r, bundle, config, "ids + status CapEff + fork 50", "app", &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    o.output = e.output;
    ck_assert_str_eq(answer(&o, "ids"), "1000 1001 [10 29 1001 ]");
    ck_assert_str_eq(answer(&o, "status CapEff"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "fork 50"), "4 EAGAIN");
    outcome_free(&o);
    container_end(&r);
}
END_TEST

START_TEST(exec_reports_what_it_cannot_run)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_free char *program = str_format("%s/rootfs/bin/probe", bundle);
    struct executed e;
    struct running r;

    container_start(bundle, config, &r);
    ck_assert(!unlink(program));
    container_exec(&r, bundle, config, "true", NULL, &e);
    ck_assert_int_lt(e.result, 0);
    ck_assert_int_eq(e.err.exit_status, 127);
    ck_assert_str_eq(e.err.message,
                     "exec: \"/bin/probe\": stat /bin/probe: no such file or directory");
    free(e.output);
    container_end(&r);
}
END_TEST

/* --- the end of it all ------------------------------------------------------------------------ */

/* The parent dies before start: init must not wait for ever. */
START_TEST(init_ends_with_its_parent)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_free char *group = str_format(TEST_CGROUPS "/%s", strrchr(bundle, '/') + 1);
    int alive[2], status;
    struct err err = {0};
    struct pollfd end;
    pid_t parent;
    char c;

    ck_assert(!pipe(alive)); /* inherited as stdin: its end closes when the last holder dies */
    parent = fork();
    if (!parent) {
        struct runtime_request request = {
            .id = "p", .bundle = bundle, .config = config, .stdio = {alive[1], -1, -1}};
        struct runtime_container *created;

        close(alive[0]);
        _exit(runtime_create(&request, &created, &err) ? 1 : 0);
    }
    close(alive[1]);
    ck_assert_int_eq(waitpid(parent, &status, 0), parent);
    ck_assert_int_eq(status, 0);
    end = (struct pollfd){.fd = alive[0], .events = POLLIN};
    ck_assert_int_eq(poll(&end, 1, 10000), 1);
    ck_assert_int_eq(read(alive[0], &c, 1), 0);
    ck_assert_int_eq(runtime_cgroup_destroy(NULL, group, &err), 0);
}
END_TEST

SUITE(process)
{
    TCase *t = tcase_create("process");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, the_exit_code_is_the_programs);
    tcase_add_loop_test(t, a_program_that_cannot_run_says_why, 0,
                        sizeof bad_programs / sizeof *bad_programs);
    tcase_add_test(t, path_is_searched_in_order);
    tcase_add_loop_test(t, a_bad_config_is_an_error_and_leaves_nothing, 0,
                        sizeof bad_configs / sizeof *bad_configs);
    tcase_add_loop_test(t, users_are_looked_up_in_the_image, 0, sizeof users / sizeof *users);
    tcase_add_loop_test(t, a_user_that_is_not_there_is_an_error, 0,
                        sizeof bad_users / sizeof *bad_users);
    tcase_add_test(t, a_user_who_is_not_root_has_no_capabilities);
    tcase_add_test(t, the_program_is_run_with_the_users_rights);
    tcase_add_test(t, a_fifo_for_passwd_does_not_hang);
    tcase_add_test(t, a_masked_passwd_is_an_empty_one);
    tcase_add_test(t, an_image_without_passwd_takes_numbers);
    tcase_add_test(t, the_environment_is_what_was_given);
    tcase_add_test(t, the_working_directory_is_made);
    tcase_add_test(t, exec_joins_everything);
    tcase_add_test(t, exec_leaves_the_caller_as_it_was);
    tcase_add_test(t, exec_counts_in_the_cgroup_and_as_the_user);
    tcase_add_test(t, exec_reports_what_it_cannot_run);
    tcase_add_test(t, init_ends_with_its_parent);
    suite_add_tcase(suite, t);
}
