/* create, start, state, kill, delete, list: a container's life as containerd leads it. */
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

/* What `create` leaves waits, has run nothing of the user's, and does what is left when it is
 * started. */
START_TEST(create_waits_for_start)
{
    cleanup_box struct box box;
    cleanup_free char *said = NULL;
    struct proc_id init;

    tool_box(&box, "self + term");
    CREATE(&box, NULL);
    ck_assert_str_eq(tool_status(box.id), "created");
    ck_assert(!proc_identify(tool_pid(box.id), &init));
    ck_assert_msg(!run_wait_for_text(box.log, "self", 0), "it ran before it was started");
    EXPECT(0, "", "", "start", box.id);
    said = tool_await(&box, "waiting");
    ck_assert_ptr_ne(strstr(said, "self: pid=1 "), NULL);
    ck_assert_str_eq(tool_status(box.id), "running");
    ck_assert_msg(proc_alive(&init), "started as another process");
    EXPECT(0, "", "", "kill", box.id, "TERM");
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(state_is_runcs_document)
{
    static const char *const members[] = {
        "ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "annotations", "owner"};
    cleanup_box struct box box;
    cleanup_json json_t *state = NULL;
    cleanup_free char *rootfs = NULL;
    const char *name;
    json_t *value;
    size_t i = 0;

    tool_box(&box, "term");
    container_annotate(box.config, "a.dotted/name", "value");
    tool_write(&box);
    CREATE(&box, NULL);
    state = tool_state(box.id);
    rootfs = str_format("%s/rootfs", box.bundle);
    json_object_foreach(state, name, value)
    {
        ck_assert_uint_lt(i, sizeof members / sizeof *members);
        ck_assert_str_eq(name, members[i++]);
    }
    ck_assert_uint_eq(i, sizeof members / sizeof *members);
    ck_assert_str_eq(json_str(state, "ociVersion", ""), "1.2.0");
    ck_assert_str_eq(json_str(state, "id", ""), box.id);
    ck_assert_str_eq(json_str(state, "bundle", ""), box.bundle);
    ck_assert_str_eq(json_str(state, "rootfs", ""), rootfs);
    ck_assert_str_eq(
        json_string_value(json_object_get(json_at(state, "annotations"), "a.dotted/name")),
        "value");
    ck_assert_str_eq(json_str(state, "owner", "?"), "");
    EXPECT(0, "", "", "delete", "--force", box.id);
    tool_gone(&box);
}
END_TEST

/* The words that containerd, Podman and Docker look for. */
START_TEST(what_cannot_be_done_says_why)
{
    cleanup_box struct box box;

    tool_box(&box, "term");
    EXPECT(1, "", "container does not exist", "state", box.id);
    EXPECT(1, "", "container does not exist", "start", box.id);
    EXPECT(1, "", "container does not exist", "kill", box.id);
    EXPECT(1, "", "container does not exist", "delete", box.id);
    EXPECT(0, "", "", "delete", "--force", box.id);
    tool_up(&box, "waiting");
    EXPECT(1, "", "container with given ID already exists", "create", "-b", box.bundle, box.id);
    EXPECT(1, "", "cannot start an already running container", "start", box.id);
    EXPECT(1, "", "that is not stopped: running", "delete", box.id);
    EXPECT(1, "", "unknown signal \\\"FOO\\\"", "kill", box.id, "FOO");
    ck_assert_str_eq(tool_status(box.id), "running");
    EXPECT(0, "", "", "kill", box.id, "9");
    tool_await_status(box.id, "stopped");
    EXPECT(1, "", "container not running", "kill", box.id, "KILL");
    EXPECT(1, "", "cannot start a container that has stopped", "start", box.id);
    EXPECT(255, "", "cannot exec in a stopped container", "exec", box.id, "/bin/probe", "true");
    EXPECT(1, "", "container with given ID already exists", "create", "-b", box.bundle, box.id);
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

static const char *const bad_ids[] = {"a/b", "..", ".", "", "a b", "a\n"};

START_TEST(an_id_is_a_file_name)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    EXPECT(1, "", "container", "create", "-b", box.bundle, bad_ids[_i]);
    EXPECT(1, "", "container", "state", bad_ids[_i]);
    EXPECT(1, "", "container", "delete", bad_ids[_i]);
}
END_TEST

/* What a later command needs does not depend on the bundle: Podman removes it first. */
START_TEST(the_bundle_may_go)
{
    cleanup_box struct box box;
    cleanup_free char *config = NULL;

    tool_box(&box, "term");
    tool_up(&box, "waiting");
    config = str_format("%s/config.json", box.bundle);
    ck_assert(!unlink(config));
    EXPECT(0, "env HOME: /root\n", "", "exec", box.id, "/bin/probe", "env", "HOME");
    EXPECT(0, "", "", "delete", "-f", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(delete_ends_what_was_only_created)
{
    cleanup_box struct box box;
    struct proc_id init;

    tool_box(&box, "put /tmp/ran yes");
    CREATE(&box, NULL);
    ck_assert(!proc_identify(tool_pid(box.id), &init));
    EXPECT(0, "", "", "delete", box.id);
    ck_assert(!proc_alive(&init));
    tool_gone(&box);
}
END_TEST

START_TEST(delete_force_ends_all_of_it)
{
    cleanup_box struct box box;
    struct proc_id init;

    tool_box(&box, "fork 20 + term");
    tool_up(&box, "waiting");
    ck_assert(!proc_identify(tool_pid(box.id), &init));
    EXPECT(0, "", "", "delete", "--force", box.id);
    ck_assert(!proc_alive(&init));
    tool_gone(&box);
    EXPECT(1, "", "container does not exist", "state", box.id);
}
END_TEST

/* PID 1 of a namespace is not killed by what it does not handle; one that waits handles it. */
START_TEST(a_created_container_can_be_killed)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    CREATE(&box, NULL);
    EXPECT(0, "", "", "kill", box.id);
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(list_shows_all_of_them)
{
    cleanup_box struct box one, two;
    cleanup_free char *ids = NULL;
    cleanup_json json_t *list = NULL;
    struct err err = {0};
    const char *out;

    tool_box(&one, "term");
    tool_box(&two, "term");
    EXPECT(0, "", "", "list", "--quiet");
    EXPECT(0, "[]\n", "", "list", "--format", "json");
    CREATE(&one, NULL);
    tool_up(&two, "waiting");
    ids = str_format("%s\n%s\n", one.id, two.id);
    EXPECT(0, ids, "", "list", "-q");
    out = EXPECT(0, NULL, "", "list", "--format=json");
    list = json_parse(out, strlen(out), "list", &err);
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(json_str(json_array_get(list, 0), "status", ""), "created");
    ck_assert_str_eq(json_str(json_array_get(list, 1), "status", ""), "running");
    ck_assert_str_eq(json_str(json_array_get(list, 1), "owner", ""), "root");
    out = EXPECT(0, NULL, "", "list");
    ck_assert_ptr_ne(strstr(out, "ID "), NULL);
    ck_assert_ptr_ne(strstr(out, two.bundle), NULL);
    EXPECT(1, "", "invalid format option", "list", "-f", "xml");
    EXPECT(0, "", "", "delete", "-f", one.id);
    EXPECT(0, "", "", "delete", "-f", two.id);
}
END_TEST

START_TEST(the_pid_file_names_init)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL, *pid = NULL;
    struct buf text = {0};
    struct err err = {0};

    tool_box(&box, "term");
    path = str_format("%s/pid", box.bundle);
    CREATE(&box, "--pid-file", path);
    ck_assert(!file_load(AT_FDCWD, path, 32, &text, &err));
    pid = str_format("%d", (int)tool_pid(box.id));
    ck_assert_str_eq(text.data, pid);
    buf_free(&text);
    EXPECT(0, "", "", "delete", box.id);
}
END_TEST

static const struct {
    const char *program, *message;
    int code;
} bad_programs[] = {
    {"nosuch", "exec: \\\"nosuch\\\": executable file not found in $PATH", 127},
    {"/bin/nosuch", "exec: \\\"/bin/nosuch\\\": stat /bin/nosuch: no such file or directory", 127},
    {"/etc/passwd", "exec: \\\"/etc/passwd\\\": permission denied", 126},
};

/* At create, not only at start: that is when containerd and Podman report to their user. */
START_TEST(create_looks_for_the_program)
{
    cleanup_box struct box box;

    tool_box(&box, "true");
    container_set(box.config, "process.args", json_pack("[s]", bad_programs[_i].program));
    tool_write(&box);
    EXPECT(bad_programs[_i].code, "", bad_programs[_i].message, "create", "-b", box.bundle, box.id);
    tool_gone(&box);
    EXPECT(bad_programs[_i].code, "", bad_programs[_i].message, "run", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(start_reports_what_only_execve_finds_out)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL;
    struct err err = {0};

    tool_box(&box, "true");
    path = str_format("%s/rootfs/bin/garbage", box.bundle);
    ck_assert(!file_store(AT_FDCWD, path, "\1\2\3", 3, 0755, false, &err));
    container_set(box.config, "process.args", json_pack("[s]", "/bin/garbage"));
    tool_write(&box);
    CREATE(&box, NULL);
    EXPECT(126, "", "exec /bin/garbage: exec format error", "start", box.id);
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

SUITE(lifecycle)
{
    TCase *t = tcase_create("lifecycle");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_test(t, create_waits_for_start);
    tcase_add_test(t, state_is_runcs_document);
    tcase_add_test(t, what_cannot_be_done_says_why);
    tcase_add_loop_test(t, an_id_is_a_file_name, 0, 6);
    tcase_add_test(t, the_bundle_may_go);
    tcase_add_test(t, delete_ends_what_was_only_created);
    tcase_add_test(t, delete_force_ends_all_of_it);
    tcase_add_test(t, a_created_container_can_be_killed);
    tcase_add_test(t, list_shows_all_of_them);
    tcase_add_test(t, the_pid_file_names_init);
    tcase_add_loop_test(t, create_looks_for_the_program, 0, 3);
    tcase_add_test(t, start_reports_what_only_execve_finds_out);
    suite_add_tcase(suite, t);
}
