/* pause, resume, ps, update, events, spec, features. */
#include "runtime/tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "system/container.h"

static json_t *parse(const char *text)
{
    struct err err = {0};
    json_t *json = json_parse(text, strlen(text), "the output", &err);

    ck_assert_msg(json != NULL, "%s: %s", err.message, text);
    return json;
}

/* --- pause and resume ------------------------------------------------------------------------- */

/* A signal that arrives while it is paused is answered after resume, not before. */
START_TEST(a_paused_container_stands_still)
{
    cleanup_box struct box box;

    tool_box(&box, "term");
    tool_up(&box, "waiting");
    EXPECT(0, "", "", "pause", box.id);
    ck_assert_str_eq(tool_status(box.id), "paused");
    EXPECT(1, "", "container not running", "pause", box.id);
    EXPECT(255, "", "cannot exec in a paused container", "exec", box.id, "/bin/probe", "true");
    EXPECT(1, "", "that is not stopped: paused", "delete", box.id);
    EXPECT(1, "", "cannot start a container in the paused state", "start", box.id);
    EXPECT(0, "", "", "kill", box.id, "TERM");
    ck_assert_msg(!run_wait_for_text(box.log, "signal 15", 0), "it ran although it was paused");
    EXPECT(0, "", "", "resume", box.id);
    free(tool_await(&box, "signal 15"));
    tool_await_status(box.id, "stopped");
    EXPECT(1, "", "container not paused", "resume", box.id);
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(kill_9_ends_a_paused_container)
{
    cleanup_box struct box box;

    tool_box(&box, "term");
    tool_up(&box, "waiting");
    EXPECT(0, "", "", "pause", box.id);
    EXPECT(0, "", "", "kill", box.id, "KILL");
    tool_await_status(box.id, "stopped");
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(delete_force_ends_a_paused_container)
{
    cleanup_box struct box box;

    tool_box(&box, "fork 5 + term");
    tool_up(&box, "waiting");
    EXPECT(0, "", "", "pause", box.id);
    EXPECT(0, "", "", "delete", "-f", box.id);
    tool_gone(&box);
}
END_TEST

/* --- ps --------------------------------------------------------------------------------------- */

START_TEST(ps_lists_the_containers_processes)
{
    cleanup_box struct box box;
    cleanup_json json_t *pids = NULL;
    cleanup_free char *pid = NULL;
    const char *out;

    tool_box(&box, "fork 3 + term");
    tool_up(&box, "waiting");
    pids = parse(EXPECT(0, NULL, "", "ps", "--format", "json", box.id));
    ck_assert_uint_eq(json_array_size(pids), 4);
    ck_assert_int_eq(json_integer_value(json_array_get(pids, 0)), tool_pid(box.id));
    out = EXPECT(0, NULL, "", "ps", box.id);
    ck_assert(str_starts(out, "UID "));
    ck_assert_ptr_ne(strstr(out, "/bin/probe fork 3"), NULL);
    ck_assert_msg(!strstr(out, "tests/runtime"), "a process of the host's: %s", out);
    pid = str_format("%d", (int)tool_pid(box.id));
    out = EXPECT(0, NULL, "", "ps", box.id, "-o", "pid,ppid,comm");
    ck_assert_ptr_ne(strstr(out, pid), NULL);
    EXPECT(1, "", "couldn't find PID field in ps output", "ps", box.id, "-o", "comm");
    EXPECT(1, "", "invalid format option", "ps", "-f", "xml", box.id);
    EXPECT(0, "", "", "kill", box.id, "9");
    tool_await_status(box.id, "stopped");
    EXPECT(0, "[]\n", "", "ps", "-f", "json", box.id);
    EXPECT(0, "", "", "delete", box.id);
}
END_TEST

/* --- kill --all, --regex ---------------------------------------------------------------------- */

/* Where the PID namespace is the host's, what init leaves behind lives on, and can be reached. */
START_TEST(kill_all_reaches_what_outlives_init)
{
    cleanup_box struct box box;
    cleanup_json json_t *before = NULL, *after = NULL;

    tool_box(&box, "fork 3 + term");
    container_remove_namespace(box.config, "pid");
    tool_write(&box);
    tool_up(&box, "waiting");
    EXPECT(0, "", "", "kill", box.id, "KILL");
    tool_await_status(box.id, "stopped");
    before = parse(EXPECT(0, NULL, "", "ps", "-f", "json", box.id));
    ck_assert_uint_eq(json_array_size(before), 3);
    EXPECT(0, "", "", "kill", "--all", box.id, "KILL");
    for (size_t i = 0; i < 3; i++) {
        pid_t pid = (pid_t)json_integer_value(json_array_get(before, i));
        struct proc_id id;

        while (!proc_identify(pid, &id))
            ;
    }
    EXPECT(0, "", "", "delete", box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(a_regular_expression_means_several)
{
    cleanup_box struct box one, two;
    cleanup_free char *pattern = NULL;

    tool_box(&one, "term");
    tool_box(&two, "term");
    tool_up(&one, "waiting");
    tool_up(&two, "waiting");
    pattern = str_format("^(%s|%s)$", one.id, two.id);
    EXPECT(0, "", "", "kill", "--regex", pattern, "KILL");
    tool_await_status(one.id, "stopped");
    tool_await_status(two.id, "stopped");
    EXPECT(1, "", "invalid regular expression", "delete", "--regex", "(");
    EXPECT(0, "", "", "delete", "--regex", pattern);
    tool_gone(&one);
    tool_gone(&two);
}
END_TEST

/* --- update ----------------------------------------------------------------------------------- */

static json_t *usage(const char *id)
{
    return parse(EXPECT(0, NULL, "", "events", "--stats", id));
}

static void expect_pids_limit(const char *id, json_int_t limit)
{
    cleanup_json json_t *event = usage(id);

    ck_assert_int_eq(json_int(event, "data.pids.limit", -1), limit);
}

/* The limit bites afterwards: three processes and no more. */
START_TEST(update_changes_what_it_names)
{
    cleanup_box struct box box;
    struct run_options input = {.input = "{\"pids\":{\"limit\":40},\"memory\":{\"limit\":0}}",
                                .input_len = 43};
    cleanup_run struct run_result r = {0};
    cleanup_free char *file = NULL;
    struct err err = {0};

    tool_box(&box, "term");
    tool_up(&box, "waiting");
    input.input_len = strlen(input.input);
    tool_run(&r, &input, (const char *const[]){"update", "--resources", "-", box.id, NULL});
    ck_assert_msg(!r.code, "%s", r.err.data);
    expect_pids_limit(box.id, 40);
    EXPECT(0, "", "", "update", "--pids-limit", "4", box.id);
    expect_pids_limit(box.id, 4);
    EXPECT(0, "fork 9: 2 EAGAIN\n", "", "exec", box.id, "/bin/probe", "fork", "9");
    EXPECT(0, "", "", "update", "--memory", "64m", "--cpu-share=512", box.id);
    expect_pids_limit(box.id, 4);
    file = str_format("%s/resources.json", box.bundle);
    ck_assert(!file_store(AT_FDCWD, file, "{\"pids\":{\"limit\":50}}", 21, 0644, false, &err));
    EXPECT(0, "", "", "update", "-r", file, box.id);
    expect_pids_limit(box.id, 50);
    EXPECT(1, "", "invalid value for memory: invalid size: 'lots'", "update", "--memory", "lots",
           box.id);
    EXPECT(1, "", "parse error", "update", "--pids-limit", "x", box.id);
    EXPECT(1, "", "'/tmp': cannot read: Is a directory", "update", "-r", "/tmp", box.id);
    EXPECT(1, "", "linux.resources.cpu.quota -5 is too small", "update", "--cpu-quota", "-5",
           box.id);
    EXPECT(1, "", "made without linux.intelRdt", "update", "--l3-cache-schema", "L3:0=f", box.id);
    EXPECT(0, "", "", "delete", "-f", box.id);
    EXPECT(1, "", "container does not exist", "update", "--pids-limit", "4", box.id);
}
END_TEST

/* --- events ----------------------------------------------------------------------------------- */

static const char *const sections[] = {"cpu.usage.total",
                                       "cpu.usage.kernel",
                                       "cpu.usage.user",
                                       "cpu.throttling",
                                       "cpuset",
                                       "memory.usage.usage",
                                       "memory.usage.limit",
                                       "memory.raw",
                                       "pids.current",
                                       "blkio",
                                       "hugetlb",
                                       "intel_rdt"};

START_TEST(events_stats_is_runcs_document)
{
    cleanup_box struct box box;
    cleanup_json json_t *event = NULL;

    tool_box(&box, "burn 50 + term");
    tool_up(&box, "waiting");
    event = usage(box.id);
    ck_assert_str_eq(json_str(event, "type", ""), "stats");
    ck_assert_str_eq(json_str(event, "id", ""), box.id);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        cleanup_free char *path = str_format("data.%s", sections[i]);

        ck_assert_msg(json_at(event, path) != NULL, "no %s", path);
    }
    ck_assert_int_ge(json_int(event, "data.cpu.usage.total", 0), 40000000);
    ck_assert_int_eq(json_int(event, "data.pids.current", 0), 1);
    EXPECT(1, "", "duration interval must be greater than 0", "events", "--interval", "0s", box.id);
    EXPECT(1, "", "parse error", "events", "--interval", "soon", box.id);
    EXPECT(0, "", "", "delete", "-f", box.id);
    EXPECT(1, "", "container does not exist", "events", "--stats", box.id);
}
END_TEST

/* A line at each interval, a line when memory runs out, and it ends when the container does. */
START_TEST(events_follows_a_container)
{
    cleanup_box struct box box;
    cleanup_free char *log = NULL;
    pid_t watcher;

    tool_box(&box, "term + hog 64");
    container_set(box.config, "linux.resources.memory.limit", json_integer(16 << 20));
    container_set(box.config, "linux.resources.memory.swap", json_integer(16 << 20));
    tool_write(&box);
    tool_up(&box, "waiting");
    log = str_format("%s/events", box.bundle);
    watcher = START(log, "events", "--interval", "50ms", box.id);
    free(run_wait_for_text(log, "\"type\":\"stats\"", 20));
    EXPECT(0, "", "", "kill", box.id, "TERM");
    ck_assert_int_eq(run_wait(watcher, 60), 0);
    free(run_wait_for_text(log, "{\"type\":\"oom\",\"id\":\"", 0));
    tool_await_status(box.id, "stopped");
    EXPECT(1, "", "is not running", "events", box.id);
    EXPECT(0, "", "", "delete", box.id);
}
END_TEST

/* --- spec and features ------------------------------------------------------------------------ */

START_TEST(spec_writes_a_bundle_that_runs)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL;
    cleanup_json json_t *config = NULL;
    struct err err = {0};

    tool_box(&box, "true");
    path = str_format("%s/config.json", box.bundle);
    EXPECT(1, "", "File config.json exists. Remove it first", "spec", "--bundle", box.bundle);
    ck_assert(!unlink(path));
    EXPECT(0, "", "", "spec", "--bundle", box.bundle);
    config = json_load(AT_FDCWD, path, 1 << 20, &err);
    ck_assert_msg(config != NULL, "%s", err.message);
    ck_assert(json_flag(config, "process.terminal", false));
    container_set(config, "process.terminal", json_false());
    container_set(config, "process.args",
                  json_pack("[s,s,s,s,s,s,s,s,s]", "/bin/probe", "self", "+", "status",
                            "NoNewPrivs", "+", "put", "/file", "x"));
    container_set(config, "linux.cgroupsPath",
                  json_incref(json_at(box.config, "linux.cgroupsPath")));
    json_decref(box.config);
    box.config = json_incref(config);
    tool_write(&box);
    EXPECT(0,
           "self: pid=1 ppid=0 sid=1 cwd=/ host=cooper umask=0022 name=probe dumpable=1\n"
           "status NoNewPrivs: 1\nput /file x: EROFS\n",
           "", "run", "-b", box.bundle, box.id);
    tool_gone(&box);
}
END_TEST

START_TEST(spec_rootless_maps_the_caller)
{
    cleanup_box struct box box;
    cleanup_free char *path = NULL, *text = NULL;
    cleanup_json json_t *config = NULL;
    struct err err = {0};

    tool_box(&box, "true");
    path = str_format("%s/other.json", box.bundle);
    EXPECT(0, "", "", "spec", "--rootless", "-b", box.bundle, "-f", "other.json");
    config = json_load(AT_FDCWD, path, 1 << 20, &err);
    ck_assert_int_eq(
        json_int(json_array_get(json_at(config, "linux.uidMappings"), 0), "hostID", -1), geteuid());
    ck_assert_ptr_eq(json_at(config, "linux.resources"), NULL);
    text = json_text(config, 0);
    ck_assert_ptr_ne(strstr(text, "{\"type\": \"user\"}"), NULL);
    ck_assert_ptr_eq(strstr(text, "network"), NULL);
    ck_assert_ptr_eq(strstr(text, "gid=5"), NULL);
}
END_TEST

static bool holds(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item) if (!strcmp(json_string_value(item), text)) return true;
    return false;
}

START_TEST(features_is_ocis_document)
{
    cleanup_json json_t *features = parse(EXPECT(0, NULL, "", "features"));

    ck_assert_str_eq(json_str(features, "ociVersionMin", ""), "1.0.0");
    ck_assert_str_eq(json_str(features, "ociVersionMax", ""), "1.3.0");
    ck_assert_uint_eq(json_array_size(json_at(features, "hooks")), 6);
    ck_assert(holds(json_at(features, "mountOptions"), "rro"));
    ck_assert(holds(json_at(features, "linux.namespaces"), "time"));
    ck_assert(holds(json_at(features, "linux.capabilities"), "CAP_SYS_ADMIN"));
    ck_assert(json_flag(features, "linux.cgroup.v2", false));
    ck_assert(json_flag(features, "linux.seccomp.enabled", false));
    ck_assert(holds(json_at(features, "linux.seccomp.actions"), "SCMP_ACT_NOTIFY"));
    ck_assert(holds(json_at(features, "linux.seccomp.operators"), "SCMP_CMP_MASKED_EQ"));
    ck_assert(holds(json_at(features, "linux.seccomp.archs"), "SCMP_ARCH_RISCV64"));
    ck_assert(
        holds(json_at(features, "linux.seccomp.supportedFlags"), "SECCOMP_FILTER_FLAG_SPEC_ALLOW"));
    ck_assert(json_flag(features, "linux.apparmor.enabled", false));
    ck_assert(json_flag(features, "linux.selinux.enabled", false));
    ck_assert(holds(json_at(features, "linux.memoryPolicy.modes"), "MPOL_BIND"));
}
END_TEST

SUITE(commands)
{
    TCase *t = tcase_create("commands");

    tcase_set_timeout(t, 90);
    tcase_add_unchecked_fixture(t, tool_setup, tool_teardown);
    tcase_add_test(t, a_paused_container_stands_still);
    tcase_add_test(t, kill_9_ends_a_paused_container);
    tcase_add_test(t, delete_force_ends_a_paused_container);
    tcase_add_test(t, ps_lists_the_containers_processes);
    tcase_add_test(t, kill_all_reaches_what_outlives_init);
    tcase_add_test(t, a_regular_expression_means_several);
    tcase_add_test(t, update_changes_what_it_names);
    tcase_add_test(t, events_stats_is_runcs_document);
    tcase_add_test(t, events_follows_a_container);
    tcase_add_test(t, spec_writes_a_bundle_that_runs);
    tcase_add_test(t, spec_rootless_maps_the_caller);
    tcase_add_test(t, features_is_ocis_document);
    suite_add_tcase(suite, t);
}
