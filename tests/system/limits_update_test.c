/* Limits of a living container changed: in every direction, in the order the kernel takes, and with
 * effect on processes that run already. */
#include "support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"

static bool v1(void)
{
    return runtime_cgroup_version(NULL) == 1;
}

static json_t *resources_of(const char *text)
{
    cleanup_free char *copy = str_copy(text);
    struct err err = {0};
    json_t *json;

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json = json_parse(copy, strlen(copy), "resources", &err);
    ck_assert_msg(json != NULL, "%s: %s", copy, err.message);
    return json;
}

static int update(const struct running *r, const char *resources, struct err *err)
{
    cleanup_json json_t *json = resources_of(resources);
    struct runtime_cgroup_place place = runtime_cgroup_place(r->c);

    return runtime_cgroup_update(&place, json, err);
}

static void update_ok(const struct running *r, const char *resources)
{
    struct err err = {0};

    ck_assert_msg(!update(r, resources, &err), "%s: %s", resources, err.message);
}

/* The content of a file of the group, in a static buffer: version 1's or version 2's. */
static const char *value(const struct running *r, const char *v1_file, const char *v2_file)
{
    static char text[4096];
    struct runtime_cgroup_place place = runtime_cgroup_place(r->c);
    size_t n = strcspn(v1_file, "/");
    cleanup_free char *path =
        v1() ? str_format("%s/%.*s%s%s", place.root, (int)n, v1_file, place.path, v1_file + n)
             : str_format("%s%s/%s", place.root, place.path, v2_file);
    cleanup_buf struct buf content = {0};
    struct err err = {0};

    if (file_load(AT_FDCWD, path, sizeof text - 1, &content, &err) < 0)
        return "(none)";
    content.data[strcspn(content.data, "\n")] = 0;
    return strcpy(text, content.data);
}

/* Each from the one before: up, down, sideways, to nothing. */
static const struct {
    const char *resources, *memory, *swap_v1, *swap_v2;
} memory_steps[] = {
    {"{'memory':{'limit':67108864,'swap':134217728}}", "67108864", "134217728", "67108864"},
    {"{'memory':{'limit':33554432,'swap':50331648}}", "33554432", "50331648", "16777216"},
    {"{'memory':{'limit':268435456,'swap':268435456}}", "268435456", "268435456", "0"},
    {"{'memory':{'limit':33554432,'swap':33554432}}", "33554432", "33554432", "0"},
    {"{'memory':{'swap':67108864}}", "33554432", "67108864", "33554432"},
    {"{'memory':{'limit':50331648}}", "50331648", "67108864", "33554432"},
    {"{'memory':{'limit':33554432,'swap':-1}}", "33554432", "9223372036854771712", "max"},
    {"{'memory':{'limit':-1,'swap':-1}}", "9223372036854771712", "9223372036854771712", "max"},
    {"{'memory':{'limit':33554432,'swap':67108864}}", "33554432", "67108864", "33554432"},
    {"{'memory':{'limit':-1}}", "9223372036854771712", "9223372036854771712", "max"},
    {"{'memory':{'reservation':8388608}}", "9223372036854771712", "9223372036854771712", "max"},
};

START_TEST(memory_and_swap_go_up_and_down)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    struct running r;

    container_start(bundle, config, &r);
    for (size_t i = 0; i < sizeof memory_steps / sizeof *memory_steps; i++) {
        const char *memory = memory_steps[i].memory, *swap;

        update_ok(&r, memory_steps[i].resources);
        if (!v1() && strlen(memory) > 15)
            memory = "max";
        ck_assert_str_eq(value(&r, "memory/memory.limit_in_bytes", "memory.max"), memory);
        swap = value(&r, "memory/memory.memsw.limit_in_bytes", "memory.swap.max");
        if (strcmp(swap, "(none)") != 0)
            ck_assert_str_eq(swap, v1() ? memory_steps[i].swap_v1 : memory_steps[i].swap_v2);
    }
    ck_assert_str_eq(value(&r, "memory/memory.soft_limit_in_bytes", "memory.low"), "8388608");
    ck_assert_int_eq(container_end(&r), 0);
}
END_TEST

static const struct {
    const char *resources, *quota, *period, *max;
} cpu_steps[] = {
    {"{'cpu':{'quota':50000,'period':100000}}", "50000", "100000", "50000 100000"},
    {"{'cpu':{'quota':10000,'period':20000}}", "10000", "20000", "10000 20000"},
    {"{'cpu':{'quota':400000,'period':800000}}", "400000", "800000", "400000 800000"},
    {"{'cpu':{'period':500000}}", "400000", "500000", "400000 500000"},
    {"{'cpu':{'quota':100000}}", "100000", "500000", "100000 500000"},
    {"{'cpu':{'quota':-1}}", "-1", "500000", "max 500000"},
    {"{'cpu':{'period':100000}}", "-1", "100000", "max 100000"},
};

/* Below a group that allows half a processor, where each step has only one order that works. */
START_TEST(quota_and_period_go_up_and_down)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_free char *path =
        str_format(TEST_CGROUPS "/%d-half/%s", getpid(), strrchr(bundle, '/') + 1);
    cleanup_free char *above =
        str_format("/sys/fs/cgroup%s" TEST_CGROUPS "/%d-half/%s", v1() ? "/cpu" : "", getpid(),
                   v1() ? "cpu.cfs_quota_us" : "cpu.max");
    struct err err = {0};
    struct running r;

    container_set(config, "linux.cgroupsPath", json_string(path));
    container_start(bundle, config, &r);
    ck_assert_msg(!file_poke(AT_FDCWD, above, "80000", &err), "%s", err.message);
    for (size_t i = 0; i < sizeof cpu_steps / sizeof *cpu_steps; i++) {
        update_ok(&r, cpu_steps[i].resources);
        ck_assert_str_eq(value(&r, "cpu/cpu.cfs_quota_us", "cpu.max"),
                         v1() ? cpu_steps[i].quota : cpu_steps[i].max);
        if (v1())
            ck_assert_str_eq(value(&r, "cpu/cpu.cfs_period_us", ""), cpu_steps[i].period);
    }
    ck_assert_int_eq(container_end(&r), 0);
}
END_TEST

START_TEST(burst_and_idleness_change)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    struct running r;

    container_start(bundle, config, &r);
    update_ok(&r, "{'cpu':{'quota':50000,'burst':40000}}");
    update_ok(&r, "{'cpu':{'quota':20000,'burst':10000}}");
    update_ok(&r, "{'cpu':{'quota':60000,'burst':60000}}");
    ck_assert_str_eq(value(&r, "cpu/cpu.cfs_burst_us", "cpu.max.burst"), "60000");
    update_ok(&r, "{'cpu':{'burst':0}}");
    ck_assert_str_eq(value(&r, "cpu/cpu.cfs_burst_us", "cpu.max.burst"), "0");
    update_ok(&r, "{'cpu':{'idle':1}}");
    ck_assert_str_eq(value(&r, "cpu/cpu.idle", "cpu.idle"), "1");
    update_ok(&r, "{'cpu':{'idle':0,'shares':512}}");
    ck_assert_str_eq(value(&r, "cpu/cpu.shares", "cpu.weight"), v1() ? "512" : "20");
    ck_assert_int_eq(container_end(&r), 0);
}
END_TEST

/* In version 1 the container was in no group of this controller before. */
START_TEST(processors_change_for_those_who_run)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "fork 3 + wait + status Cpus_allowed_list");
    struct err err = {0};
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "no limit");
    update_ok(&r, "{'cpu':{'cpus':'0'}}");
    ck_assert_str_eq(value(&r, "cpuset/cpuset.cpus", "cpuset.cpus"), "0");
    ck_assert_int_eq(update(&r, "{'cpu':{'cpus':'4000'}}", &err), -ERANGE);
    close(r.in);
    container_await(&r, "Cpus_allowed_list: 0\n");
    r.in = -1;
    container_end(&r);
}
END_TEST

/* What has grown beyond a new limit of processes stays; it only cannot grow. */
START_TEST(fewer_processes_than_there_are)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "fork 8 + wait + fork 1");
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "no limit");
    update_ok(&r, "{'pids':{'limit':4}}");
    close(r.in);
    container_await(&r, "fork 1: 0 EAGAIN");
    r.in = -1;
    container_end(&r);
}
END_TEST

START_TEST(no_limit_of_processes_again)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "fork 8 + wait + fork 30");
    struct running r;

    container_set(config, "linux.resources.pids.limit", json_integer(5));
    container_start(bundle, config, &r);
    container_await(&r, "fork 8: 4 EAGAIN");
    update_ok(&r, "{'pids':{'limit':0}}"); /* means: leave it */
    ck_assert_str_eq(value(&r, "pids/pids.max", "pids.max"), "5");
    update_ok(&r, "{'pids':{'limit':-1}}");
    close(r.in);
    container_await(&r, "fork 30: 30 no limit");
    r.in = -1;
    container_end(&r);
}
END_TEST

/* Refused as a whole: nothing of it has been written. */
START_TEST(a_wrong_update_changes_nothing)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    struct err err = {0};
    struct running r;

    container_set(config, "linux.resources.pids.limit", json_integer(5));
    container_start(bundle, config, &r);
    ck_assert_int_eq(update(&r, "{'pids':{'limit':9},'cpu':{'idle':7}}", &err), -EINVAL);
    ck_assert_str_eq(value(&r, "pids/pids.max", "pids.max"), "5");
    ck_assert_int_eq(container_end(&r), 0);
}
END_TEST

/* Version 1's kernel refuses, version 2's would begin to kill: there we ask first, if told to. */
START_TEST(less_memory_than_is_used_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "hog 40 + wait");
    struct err err = {0};
    struct running r;

    container_set(config, "linux.resources.memory.limit", json_integer(128 << 20));
    container_start(bundle, config, &r);
    container_await(&r, "40 MiB");
    ck_assert_int_eq(update(&r, "{'memory':{'limit':8388608,'checkBeforeUpdate':true}}", &err),
                     -EBUSY);
    ck_assert_ptr_ne(strstr(err.message, "linux.resources.memory.limit"), NULL);
    ck_assert_int_eq(container_end(&r), 0);
}
END_TEST

/* --- devices ---------------------------------------------------------------------------------- */

#define TUN "'type':'c','major':10,'minor':200,'access':'rwm'"

static void assert_opens(struct running *r, const char *bundle, const json_t *config,
                         const char *wanted)
{
    struct executed e;

    container_exec(r, bundle, config, "open /tmp/tun", NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    ck_assert_str_eq(e.output, wanted);
    free(e.output);
}

START_TEST(devices_are_allowed_and_denied)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "mknod /tmp/tun c 10 200 + wait");
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "mknod /tmp/tun c 10 200: ok");
    assert_opens(&r, bundle, config, "open /tmp/tun: EPERM\n");
    update_ok(&r, "{'devices':[{'allow':true," TUN "}]}");
    assert_opens(&r, bundle, config, "open /tmp/tun: ok\n");
    update_ok(&r, "{'pids':{'limit':100}}"); /* says nothing of devices: as they were */
    assert_opens(&r, bundle, config, "open /tmp/tun: ok\n");
    update_ok(&r, "{'devices':[{'allow':true,'access':'rwm'},{'allow':false," TUN "}]}");
    assert_opens(&r, bundle, config, "open /tmp/tun: EPERM\n");
    update_ok(&r, "{'devices':[{'allow':true,'access':'rwm'}]}");
    assert_opens(&r, bundle, config, "open /tmp/tun: ok\n");
    update_ok(&r, "{'devices':[]}");
    assert_opens(&r, bundle, config, "open /tmp/tun: EPERM\n");
    container_end(&r);
}
END_TEST

SUITE(limits_update)
{
    TCase *t = tcase_create("update");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, memory_and_swap_go_up_and_down);
    tcase_add_test(t, quota_and_period_go_up_and_down);
    tcase_add_test(t, burst_and_idleness_change);
    tcase_add_test(t, processors_change_for_those_who_run);
    tcase_add_test(t, fewer_processes_than_there_are);
    tcase_add_test(t, no_limit_of_processes_again);
    tcase_add_test(t, a_wrong_update_changes_nothing);
    tcase_add_test(t, less_memory_than_is_used_is_refused);
    tcase_add_test(t, devices_are_allowed_and_denied);
    suite_add_tcase(suite, t);
}
