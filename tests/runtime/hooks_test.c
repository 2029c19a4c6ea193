/* The six kinds of hooks: when, where, with which state, and what happens when one fails. */
#include "runtime/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "system/container.h"

static const char *const kinds[] = {"prestart",       "createRuntime", "createContainer",
                                    "startContainer", "poststart",     "poststop"};

/* A file of the bundle's; NULL if there is none. The caller frees it. */
static char *load(const struct box *box, const char *name)
{
    cleanup_free char *path = str_format("%s/%s", box->bundle, name);
    struct buf text = {0};
    struct err err = {0};

    return file_load(AT_FDCWD, path, 1 << 20, &text, &err) < 0 ? NULL : buf_steal(&text);
}

/* A hook of each kind that runs on the host: startContainer's has to be in the container. */
static void record_all(const struct box *box)
{
    for (size_t i = 0; i < 6; i++) {
        cleanup_free char *script =
            str_format("cat >%1$s/%2$s; echo %2$s >>%1$s/order; pwd >%1$s/%2$s.pwd; readlink "
                       "/proc/self/ns/mnt "
                       "/proc/self/ns/pid >%1$s/%2$s.ns; ls /proc/self/fd >%1$s/%2$s.fd",
                       box->bundle, kinds[i]);

        if (strcmp(kinds[i], "startContainer") != 0)
            tool_hook(box, kinds[i], script, 0);
    }
}

static json_t *state_of(const struct box *box, const char *kind)
{
    cleanup_free char *text = load(box, kind);
    struct err err = {0};
    json_t *state;

    ck_assert_msg(text != NULL, "the hook %s did not run", kind);
    state = json_parse(text, strlen(text), kind, &err);
    ck_assert_msg(state != NULL, "%s", err.message);
    ck_assert_str_eq(json_str(state, "id", ""), box->id);
    ck_assert_str_eq(json_str(state, "bundle", ""), box->bundle);
    ck_assert_str_eq(json_str(state, "ociVersion", ""), "1.2.0");
    ck_assert_str_eq(json_str(json_at(state, "annotations"), "mark", ""), "here");
    return state;
}

static void expect_state(const struct box *box, const char *kind, const char *status, pid_t pid)
{
    cleanup_json json_t *state = state_of(box, kind);

    ck_assert_msg(!strcmp(json_str(state, "status", ""), status), "%s had %s, expected %s", kind,
                  json_str(state, "status", ""), status);
    ck_assert_int_eq(json_int(state, "pid", 0), pid);
}

static void expect_file(const struct box *box, const char *kind, const char *suffix,
                        const char *expected)
{
    cleanup_free char *name = str_format("%s.%s", kind, suffix), *text = load(box, name);

    ck_assert_msg(text && !strcmp(text, expected), "%s: '%s', expected '%s'", name, text, expected);
}

static char *own_namespaces(void)
{
    char mnt[64] = "", pid[64] = "";

    ck_assert(readlink("/proc/self/ns/mnt", mnt, sizeof mnt - 1) > 0);
    ck_assert(readlink("/proc/self/ns/pid", pid, sizeof pid - 1) > 0);
    return str_format("%s\n%s\n", mnt, pid);
}

START_TEST(hooks_run_in_order_with_the_right_state)
{
    cleanup_box struct box box;
    cleanup_free char *order = NULL, *here = NULL, *bundle = NULL, *rootfs = NULL, *inside = NULL;
    pid_t pid;

    tool_box(&box, "term");
    container_annotate(box.config, "mark", "here");
    record_all(&box);
    CREATE(&box, NULL);
    pid = tool_pid(box.id);
    order = load(&box, "order");
    ck_assert_str_eq(order, "prestart\ncreateRuntime\ncreateContainer\n");
    expect_state(&box, "prestart", "creating", pid);
    expect_state(&box, "createRuntime", "creating", pid);
    expect_state(&box, "createContainer", "creating", 1);
    EXPECT(0, "", "", "start", box.id);
    expect_state(&box, "poststart", "running", pid);
    EXPECT(0, "", "", "delete", "-f", box.id);
    expect_state(&box, "poststop", "stopped", 0);
    free(order);
    order = load(&box, "order");
    ck_assert_str_eq(order, "prestart\ncreateRuntime\ncreateContainer\npoststart\npoststop\n");

    here = own_namespaces();
    bundle = str_format("%s\n", box.bundle);
    rootfs = str_format("%s/rootfs\n", box.bundle);
    for (size_t i = 0; i < 6; i++) {
        bool in_container = !strcmp(kinds[i], "createContainer");

        if (!strcmp(kinds[i], "startContainer"))
            continue;
        expect_file(&box, kinds[i], "pwd", in_container ? rootfs : bundle);
        expect_file(&box, kinds[i], "fd", "0\n1\n2\n3\n"); /* 3 is how ls reads the directory */
        if (!in_container)
            expect_file(&box, kinds[i], "ns", here);
    }
    inside = load(&box, "createContainer.ns");
    ck_assert_str_ne(inside, here);
    tool_gone(&box);
}
END_TEST

/* Its program is the container's, and it sees what the program will see. */
START_TEST(start_container_hooks_run_inside_before_the_program)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL, *text = NULL;
    json_t *hook;

    tool_box(&box, "cat /tmp/hook");
    hook = json_pack("{s:s,s:[s,s,s,s]}", "path", "/bin/probe", "args", "probe", "put", "/tmp/hook",
                     "was here");
    container_append(box.config, "hooks.startContainer", hook);
    tool_write(&box);
    CREATE(&box, NULL);
    path = str_format("%s/rootfs/tmp/hook", box.bundle);
    ck_assert_msg(access(path, F_OK) < 0, "it ran before the container was started");
    EXPECT(0, "", "", "start", box.id);
    text = tool_await(&box, "cat /tmp/hook: <was here>");
    EXPECT(0, "", "", "delete", "-f", box.id);
}
END_TEST

/* What a hook changes in the container's root is there when the program starts, whatever the root
 * is made read-only afterwards: that is what they are for. */
START_TEST(create_hooks_find_the_root_writable)
{
    cleanup_box struct box box;
    cleanup_free char *script = NULL;

    tool_box(&box, "cat /tmp/made + put /tmp/more x");
    container_set(box.config, "root.readonly", json_true());
    tool_hook(&box, "createContainer", "echo made >tmp/made", 0);
    EXPECT(0, "cat /tmp/made: <made\n>\nput /tmp/more x: EROFS\n", "", "run", "-b", box.bundle,
           box.id);
    tool_gone(&box);
}
END_TEST

/* The container's limits hold already, and its namespaces can be entered by the pid. */
START_TEST(create_runtime_hooks_reach_the_namespaces)
{
    cleanup_box struct box box;
    cleanup_free char *script = NULL, *there = NULL, *here = own_namespaces();

    tool_box(&box, "true");
    script = str_format("pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/ns/mnt "
                        "/proc/$pid/ns/pid >%s/there; cat /proc/$pid/cgroup >%s/cgroup",
                        box.bundle, box.bundle);
    tool_hook(&box, "createRuntime", script, 0);
    EXPECT(0, "", "", "run", "-b", box.bundle, box.id);
    there = load(&box, "there");
    ck_assert(there && str_starts(there, "mnt:[") && strcmp(there, here) != 0);
    free(there);
    there = load(&box, "cgroup");
    ck_assert_ptr_ne(strstr(there, json_str(box.config, "linux.cgroupsPath", "?")), NULL);
}
END_TEST

static const struct {
    const char *script, *message;
    int timeout;
} failures[] = {
    {"echo out; echo bad >&2; exit 3",
     "error running hook: exit status 3, stdout: out\\n, stderr: bad\\n", 0},
    {"kill -9 $$", "error running hook: signal: killed, stdout: , stderr: ", 0},
    {"sleep 1000 & sleep 1000", "hook ran past specified timeout of 1.0s", 1},
};

/* Of the first three kinds: the container is torn down. The second hook of a kind does not run. */
START_TEST(a_failing_create_hook_ends_it)
{
    const char *kind = kinds[_i % 3];
    cleanup_box struct box box;
    cleanup_free char *stop = NULL, *never = NULL, *text = NULL, *which = NULL;

    tool_box(&box, "true");
    never = str_format("touch %s/never", box.bundle);
    stop = str_format("touch %s/stopped", box.bundle);
    tool_hook(&box, kind, failures[_i / 3].script, failures[_i / 3].timeout);
    tool_hook(&box, kind, never, 0);
    tool_hook(&box, "poststart", never, 0);
    tool_hook(&box, "poststop", stop, 0);
    which = str_format("error running %s hook #0: %s", kind, failures[_i / 3].message);
    EXPECT(1, "", which, "create", "-b", box.bundle, box.id);
    tool_gone(&box);
    text = load(&box, "never");
    ck_assert_ptr_eq(text, NULL);
    text = load(&box, "stopped");
    ck_assert_ptr_ne(text, NULL);
}
END_TEST

/* The timeout ends what the hook has started, too: nothing of it goes on. */
START_TEST(a_timeout_ends_the_whole_hook)
{
    cleanup_box struct box box;
    cleanup_free char *script = NULL, *pid = NULL;
    struct proc_id child;

    tool_box(&box, "true");
    script = str_format("sleep 1000 & echo $! >%s/child; wait", box.bundle);
    tool_hook(&box, "createRuntime", script, 1);
    EXPECT(1, "", "timeout", "run", "-b", box.bundle, box.id);
    pid = load(&box, "child");
    ck_assert_ptr_ne(pid, NULL);
    while (!proc_identify(atoi(pid), &child)) /* it is dying, or the test's time runs out */
        ;
    tool_gone(&box);
}
END_TEST

START_TEST(a_failing_start_hook_ends_it)
{
    cleanup_box struct box box;

    tool_box(&box, "term");
    container_append(
        box.config, "hooks.startContainer",
        json_pack("{s:s,s:[s,s,s]}", "path", "/bin/probe", "args", "probe", "exit", "5"));
    tool_write(&box);
    CREATE(&box, NULL);
    EXPECT(1, "", "error running startContainer hook #0: error running hook: exit status 5",
           "start", box.id);
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(a_failing_poststart_hook_ends_it)
{
    cleanup_box struct box box;

    tool_box(&box, "term");
    tool_hook(&box, "poststart", "exit 6", 0);
    CREATE(&box, NULL);
    EXPECT(1, "", "error running poststart hook #0: error running hook: exit status 6", "start",
           box.id);
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
    EXPECT(1, NULL, "exit status 6", "run", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

/* What is gone cannot be kept by a hook: it is a warning, and all that was to be removed is. */
START_TEST(a_failing_poststop_hook_is_a_warning)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    tool_hook(&box, "poststop", "echo no >&2; exit 7", 0);
    EXPECT(0, "",
           "level=warning msg=\"error running poststop hook #0: error running hook: exit status 7",
           "run", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

static const struct {
    const char *hook, *message;
} bad_hooks[] = {
    {"{\"path\":\"true\"}", "path 'true' is not an absolute path"},
    {"{}", "is not an absolute path"},
    {"{\"path\":\"/no/such\"}", "fork/exec /no/such: no such file or directory"},
    {"{\"path\":\"/etc/passwd\"}", "fork/exec /etc/passwd: "},
    {"{\"path\":\"/bin/true\",\"timeout\":0}", "is not greater than zero"},
    {"{\"path\":\"/bin/true\",\"args\":[1]}", "is not a string"},
    {"{\"path\":\"/bin/true\",\"args\":\"x\"}", "args is not an array"},
    {"{\"path\":\"/bin/true\",\"env\":{}}", "env is not an array"},
};

START_TEST(a_bad_hook_says_why)
{
    cleanup_box struct box box;
    json_error_t where;

    tool_box(&box, "true");
    container_append(box.config, "hooks.createRuntime", json_loads(bad_hooks[_i].hook, 0, &where));
    tool_write(&box);
    EXPECT(1, "", bad_hooks[_i].message, "run", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

/* Its own environment, or what `cooper-runtime` was given; arguments as they are. */
START_TEST(arguments_and_environment)
{
    cleanup_box struct box box;
    cleanup_free char *script = NULL, *text = NULL;
    struct run_options with = {.environment = (const char *const[]){"GIVEN=yes", NULL}};
    cleanup_run struct run_result r = {0};
    json_t *hook;

    tool_box(&box, "true");
    script = str_format("echo \"$0 $1|$GIVEN|$OWN\" >>%s/said", box.bundle);
    hook = json_pack("{s:s,s:[s,s,s,s,s]}", "path", "/bin/sh", "args", "sh", "-c", script, "zero",
                     "a b");
    container_append(box.config, "hooks.createRuntime", json_deep_copy(hook));
    json_put(hook, "env", json_pack("[s]", "OWN=mine"));
    container_append(box.config, "hooks.createRuntime", hook);
    tool_write(&box);
    tool_run(&r, &with, (const char *const[]){"run", "-b", box.bundle, box.id, NULL});
    ck_assert_msg(!r.code, "%s", r.err.data);
    text = load(&box, "said");
    ck_assert_str_eq(text, "zero a b|yes|\nzero a b||mine\n");
}
END_TEST

/* A hook that says much and does not read what it is told blocks nobody. */
START_TEST(a_talkative_hook_does_not_block)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    tool_hook(&box, "createRuntime", "head -c 1000000 /dev/zero; head -c 300000 /dev/zero >&2", 0);
    EXPECT(0, "", "", "run", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

SUITE(hooks)
{
    TCase *t = tcase_create("hooks");

    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_test(t, hooks_run_in_order_with_the_right_state);
    tcase_add_test(t, start_container_hooks_run_inside_before_the_program);
    tcase_add_test(t, create_hooks_find_the_root_writable);
    tcase_add_test(t, create_runtime_hooks_reach_the_namespaces);
    tcase_add_loop_test(t, a_failing_create_hook_ends_it, 0, 9);
    tcase_add_test(t, a_timeout_ends_the_whole_hook);
    tcase_add_test(t, a_failing_start_hook_ends_it);
    tcase_add_test(t, a_failing_poststart_hook_ends_it);
    tcase_add_test(t, a_failing_poststop_hook_is_a_warning);
    tcase_add_loop_test(t, a_bad_hook_says_why, 0, 6);
    tcase_add_test(t, arguments_and_environment);
    tcase_add_test(t, a_talkative_hook_does_not_block);
    suite_add_tcase(suite, t);
}
