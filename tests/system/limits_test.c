/* Each limit shown by what it stops, and nothing left behind. */
#include "support/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"

START_TEST(a_memory_hog_is_killed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "hog 64");
    cleanup_outcome struct outcome o;

    container_set(config, "linux.resources.memory.limit", json_integer(16 << 20));
    container_set(config, "linux.resources.memory.swap", json_integer(16 << 20));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert(WIFSIGNALED(o.status) && WTERMSIG(o.status) == SIGKILL);
    ck_assert(o.oom_killed);
    ck_assert_ptr_eq(strstr(o.output, "64 MiB"), NULL);
}
END_TEST

START_TEST(below_the_limit_nothing_is_killed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "hog 8");
    cleanup_outcome struct outcome o;

    container_set(config, "linux.resources.memory.limit", json_integer(64 << 20));
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "hog 8"), "8 MiB");
    ck_assert(!o.oom_killed);
}
END_TEST

START_TEST(a_fork_bomb_stops_at_the_limit)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "fork 100");
    cleanup_outcome struct outcome o;

    container_set(config, "linux.resources.pids.limit", json_integer(20));
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "fork 100"), "19 EAGAIN");
}
END_TEST

/* The kernel's own count of periods in which the group was stopped, not a clock. */
static unsigned long long throttled(const char *bundle)
{
    const char *id = strrchr(bundle, '/') + 1;
    cleanup_free char *v1 = str_format("/sys/fs/cgroup/cpu" TEST_CGROUPS "/%s/cpu.stat", id);
    cleanup_free char *v2 = str_format("/sys/fs/cgroup" TEST_CGROUPS "/%s/cpu.stat", id);
    cleanup_buf struct buf text = {0};
    struct err err = {0};
    const char *found;

    ck_assert_msg(
        !file_load(AT_FDCWD, runtime_cgroup_version(NULL) == 1 ? v1 : v2, 1 << 16, &text, &err),
        "%s", err.message);
    found = strstr(text.data, "nr_throttled ");
    ck_assert_msg(found != NULL, "%s", text.data);
    return strtoull(found + strlen("nr_throttled "), NULL, 10);
}

START_TEST(a_cpu_quota_throttles)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "burn 60 + wait");
    struct running r;

    container_set(config, "linux.resources.cpu.quota", json_integer(10000));
    container_set(config, "linux.resources.cpu.period", json_integer(100000));
    container_start(bundle, config, &r);
    container_await(&r, "burn 60: done");
    ck_assert_uint_gt(throttled(bundle), 1);
    ck_assert_int_eq(container_end(&r), 0);
}
END_TEST

START_TEST(without_a_quota_nothing_throttles)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "burn 60 + wait");
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "burn 60: done");
    ck_assert_uint_eq(throttled(bundle), 0);
    container_end(&r);
}
END_TEST

/* docker's defaults of shares in both languages. */
START_TEST(cpu_shares_and_cpus_are_set)
{
    bool v1 = runtime_cgroup_version(NULL) == 1;
    const char *shares = v1 ? "cat /sys/fs/cgroup/cpu/cpu.shares" : "cat /sys/fs/cgroup/cpu.weight";
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command = str_format("%s + status Cpus_allowed_list", shares);
    cleanup_json json_t *config = container_config(bundle, command);
    cleanup_outcome struct outcome o;

    container_set(config, "linux.resources.cpu.shares", json_integer(512));
    container_set(config, "linux.resources.cpu.cpus", json_string("0"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, shares), v1 ? "512\n" : "20\n");
    ck_assert_str_eq(answer(&o, "status Cpus_allowed_list"), "0");
}
END_TEST

START_TEST(memory_and_swap_are_translated)
{
    bool v1 = runtime_cgroup_version(NULL) == 1;
    const char *memory =
        v1 ? "cat /sys/fs/cgroup/memory/memory.limit_in_bytes" : "cat /sys/fs/cgroup/memory.max";
    const char *low = v1 ? "cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes"
                         : "cat /sys/fs/cgroup/memory.low";
    const char *swap = v1 ? "cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"
                          : "cat /sys/fs/cgroup/memory.swap.max";
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command = str_format("%s + %s + %s", memory, low, swap);
    cleanup_json json_t *config = container_config(bundle, command);
    cleanup_outcome struct outcome o;

    container_set(config, "linux.resources.memory.limit", json_integer(32 << 20));
    container_set(config, "linux.resources.memory.reservation", json_integer(8 << 20));
    container_set(config, "linux.resources.memory.swap", json_integer(48 << 20));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, memory), "33554432\n");
    ck_assert_str_eq(answer(&o, low), "8388608\n");
    if (strcmp(answer(&o, swap), "ENOENT"))
        ck_assert_str_eq(answer(&o, swap), v1 ? "50331648\n" : "16777216\n");
}
END_TEST

static const char *const bad_cpusets[] = {"0-4294967295", "abc", "0-99999", "0;1"};

START_TEST(a_huge_cpuset_is_refused_at_once)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    container_set(config, "linux.resources.cpu.cpus", json_string(bad_cpusets[_i]));
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EINVAL);
}
END_TEST

static const char *const bad_paths[] = {"relative",   "/",     "/../escape",
                                        "/a/../../b", "/a//b", "/a/."};

START_TEST(a_cgroup_path_that_is_not_plain_is_refused)
{
    struct err err = {0};

    ck_assert_int_eq(runtime_cgroup_destroy(NULL, bad_paths[_i], &err), -EINVAL);
}
END_TEST

/* --- ends ------------------------------------------------------------------------------------- */

static bool path_exists(const char *group)
{
    static const char *const hierarchies[] = {
        "", "/memory", "/pids", "/cpu", "/cpuacct", "/devices", "/freezer", "/blkio", "/cpuset"};

    for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies; i++) {
        cleanup_free char *path = str_format("/sys/fs/cgroup%s%s", hierarchies[i], group);

        if (!access(path, F_OK))
            return true;
    }
    return false;
}

static bool group_exists(const char *id)
{
    cleanup_free char *group = str_format(TEST_CGROUPS "/%s", id);

    return path_exists(group);
}

/* A group below a parent of the test's own: the one of all tests is other runs' as well. */
static void move_group(json_t *config, const char *bundle, const char *parent)
{
    cleanup_free char *path = str_format("%s/%s", parent, strrchr(bundle, '/') + 1);

    container_set(config, "linux.cgroupsPath", json_string(path));
}

START_TEST(no_cgroup_is_left)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_free char *parent = str_format("/cooper-test-%d", (int)getpid());
    struct running r;

    move_group(config, bundle, parent);
    container_start(bundle, config, &r);
    ck_assert(path_exists(json_str(config, "linux.cgroupsPath", "")));
    container_end(&r);
    ck_assert(!path_exists(json_str(config, "linux.cgroupsPath", "")));
    ck_assert(!path_exists(parent));
}
END_TEST

/* A container that shares the host's PID namespace can leave processes behind its init. */
START_TEST(destroy_kills_what_is_left)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "fork 5");
    cleanup_free char *group = str_format(TEST_CGROUPS "/%s", strrchr(bundle, '/') + 1);
    struct runtime_container *c;
    struct runtime_request request = {
        .id = "x", .bundle = bundle, .config = config, .stdio = {-1, -1, -1}};
    struct err err = {0};
    int status;

    container_remove_namespace(config, "pid");
    ck_assert_msg(!runtime_create(&request, &c, &err) && !runtime_start(c, &err), "%s",
                  err.message);
    ck_assert_int_eq(waitpid(runtime_pid(c), &status, 0), runtime_pid(c));
    ck_assert_int_eq(runtime_cgroup_count(NULL, group, &err), 5);
    ck_assert_msg(!runtime_destroy(c, &err), "%s", err.message);
    ck_assert_int_eq(runtime_cgroup_count(NULL, group, &err), -ENOENT);
    runtime_free(c);
}
END_TEST

/* What cleans up after a killed shim: only the path is known. */
START_TEST(a_group_can_be_destroyed_by_its_path)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "fork 3 + wait");
    cleanup_free char *group = str_format(TEST_CGROUPS "/%s", strrchr(bundle, '/') + 1);
    struct err err = {0};
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "fork 3: 3 no limit");
    ck_assert_int_eq(runtime_cgroup_count(NULL, group, &err), 4);
    ck_assert_msg(!runtime_cgroup_destroy(NULL, group, &err), "%s", err.message);
    ck_assert(!group_exists(strrchr(bundle, '/') + 1));
    ck_assert_int_eq(runtime_cgroup_destroy(NULL, group, &err), 0); /* and again */
    ck_assert_int_eq(container_end(&r), SIGKILL);
}
END_TEST

/* Nested groups a privileged container made are removed with it. */
START_TEST(groups_below_are_removed_too)
{
    bool v1 = runtime_cgroup_version(NULL) == 1;
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_free char *base = str_format("/sys/fs/cgroup%s" TEST_CGROUPS "/%s", v1 ? "/memory" : "",
                                         strrchr(bundle, '/') + 1);
    cleanup_free char *deep = str_format("%s/a/b", base);
    struct err err = {0};
    struct running r;

    container_start(bundle, config, &r);
    ck_assert_msg(!file_make_dirs(AT_FDCWD, deep, 0755, &err), "%s", err.message);
    container_end(&r);
    ck_assert(access(base, F_OK) < 0);
}
END_TEST

static void run_below(const char *parent, int count)
{
    for (int i = 0; i < count; i++) {
        cleanup_free char *bundle = container_bundle();
        cleanup_json json_t *config = container_config(bundle, "true");
        cleanup_outcome struct outcome o;

        move_group(config, bundle, parent);
        container_run(bundle, config, &o);
        ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    }
}

/* Many containers at once below one parent that comes and goes: nobody trips over anybody. */
START_TEST(two_engines_share_a_parent)
{
    cleanup_free char *parent = str_format("/cooper-test-%d", (int)getpid());
    pid_t workers[4];

    for (int i = 0; i < 4; i++) {
        workers[i] = fork();
        if (!workers[i]) {
            run_below(parent, 8);
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status = -1;

        ck_assert_int_eq(waitpid(workers[i], &status, 0), workers[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert(!path_exists(parent));
}
END_TEST

SUITE(limits)
{
    TCase *t = tcase_create("limits");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_memory_hog_is_killed);
    tcase_add_test(t, below_the_limit_nothing_is_killed);
    tcase_add_test(t, a_fork_bomb_stops_at_the_limit);
    tcase_add_test(t, a_cpu_quota_throttles);
    tcase_add_test(t, without_a_quota_nothing_throttles);
    tcase_add_test(t, cpu_shares_and_cpus_are_set);
    tcase_add_test(t, memory_and_swap_are_translated);
    tcase_add_loop_test(t, a_huge_cpuset_is_refused_at_once, 0,
                        sizeof bad_cpusets / sizeof *bad_cpusets);
    tcase_add_loop_test(t, a_cgroup_path_that_is_not_plain_is_refused, 0,
                        sizeof bad_paths / sizeof *bad_paths);
    tcase_add_test(t, no_cgroup_is_left);
    tcase_add_test(t, destroy_kills_what_is_left);
    tcase_add_test(t, a_group_can_be_destroyed_by_its_path);
    tcase_add_test(t, groups_below_are_removed_too);
    tcase_add_test(t, two_engines_share_a_parent);
    suite_add_tcase(suite, t);
}
