/* Which namespaces a container has: new ones, those it joins by path, and none of its own. */
#include "support/suite.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"

static void join(json_t *config, const char *type, const char *path)
{
    container_remove_namespace(config, type);
    container_append(config, "linux.namespaces",
                     json_pack("{s:s,s:s}", "type", type, "path", path));
}

/* --- time ------------------------------------------------------------------------------------- */

static long long seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec;
}

static const char clocks[] = "clock monotonic + clock boottime";

static void check_clocks(const struct outcome *o, long long monotonic, long long boottime)
{
    long long m = atoll(answer(o, "clock monotonic")), b = atoll(answer(o, "clock boottime"));

    /* However slow this machine is, it took less than an hour. */
    ck_assert_msg(m - seconds(CLOCK_MONOTONIC) - monotonic <= 1 &&
                      seconds(CLOCK_MONOTONIC) + monotonic - m < 3600,
                  "monotonic is %lld", m);
    ck_assert_msg(b - seconds(CLOCK_BOOTTIME) - boottime <= 1 &&
                      seconds(CLOCK_BOOTTIME) + boottime - b < 3600,
                  "boottime is %lld", b);
}

static json_t *clock_config(const char *bundle, const char *command)
{
    json_t *config = container_config_of(bundle, "traits", command);

    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "time"));
    container_set(config, "linux.timeOffsets",
                  json_pack("{s:{s:i,s:i},s:{s:i}}", "monotonic", "secs", 1000000, "nanosecs",
                            999999999, "boottime", "secs", 2000000));
    return config;
}

START_TEST(a_container_has_clocks_of_its_own)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = clock_config(bundle, clocks);
    cleanup_outcome struct outcome o, without;

    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    check_clocks(&o, 1000000, 2000000);
    json_object_del(json_object_get(config, "linux"), "timeOffsets");
    container_run(bundle, config, &without);
    ck_assert_msg(!without.created && !without.started, "%s", without.err.message);
    check_clocks(&without, 0, 0);
}
END_TEST

START_TEST(exec_reads_the_containers_clocks)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = clock_config(bundle, clocks);
    cleanup_json json_t *process = json_deep_copy(json_object_get(config, "process"));
    struct outcome o = {0};
    struct executed e;
    struct running r;

    container_set(config, "process.args", json_pack("[s,s]", "/bin/probe", "wait"));
    container_start(bundle, config, &r);
    container_exec_process(&r, bundle, config, process, NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    o.output = e.output;
    check_clocks(&o, 1000000, 2000000);
    outcome_free(&o);
    container_end(&r);
}
END_TEST

/* The namespace of the clocks belongs to a user namespace that has to be there before it. */
START_TEST(clocks_in_a_user_namespace)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = clock_config(bundle, clocks);
    cleanup_free char *rootfs = str_format("%s/rootfs", bundle);
    cleanup_outcome struct outcome o;

    ck_assert(!chown(rootfs, 5000, 5000));
    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    container_set(config, "linux.uidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 5000, "size", 1000));
    container_set(config, "linux.gidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", 5000, "size", 1000));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    check_clocks(&o, 1000000, 2000000);
}
END_TEST

/* --- joined ----------------------------------------------------------------------------------- */

static const struct {
    const char *type, *file;
} kinds[] = {
    {"network", "net"},   {"ipc", "ipc"}, {"uts", "uts"},
    {"cgroup", "cgroup"}, {"pid", "pid"}, {"time", "time"},
};

START_TEST(a_namespace_is_joined_by_path)
{
    cleanup_free char *first = container_bundle(), *second = container_bundle();
    cleanup_json json_t *owner = container_config(first, "wait");
    cleanup_free char *command = str_format("link /proc/self/ns/%s", kinds[_i].file);
    cleanup_json json_t *config = container_config(second, command);
    cleanup_free char *path = NULL;
    cleanup_outcome struct outcome o;
    char expected[64] = "";
    struct running r;

    container_append(owner, "linux.namespaces", json_pack("{s:s}", "type", "time"));
    container_start(first, owner, &r);
    path = str_format("/proc/%d/ns/%s", runtime_pid(r.c), kinds[_i].file);
    join(config, kinds[_i].type, path);
    container_run(second, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_int_gt(readlink(path, expected, sizeof expected - 1), 0);
    ck_assert_str_eq(answer(&o, command), expected);
    container_end(&r);
}
END_TEST

/* Through the joined one a process sees the other's: signals, /proc, ptrace. */
START_TEST(a_joined_pid_namespace_shows_its_processes)
{
    cleanup_free char *first = container_bundle(), *second = container_bundle();
    cleanup_json json_t *owner = container_config(first, "wait");
    cleanup_json json_t *config = container_config(second, "self + cat /proc/1/cmdline");
    cleanup_free char *path = NULL;
    cleanup_outcome struct outcome o;
    struct running r;

    container_start(first, owner, &r);
    path = str_format("/proc/%d/ns/pid", runtime_pid(r.c));
    join(config, "pid", path);
    container_run(second, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_ptr_eq(strstr(answer(&o, "self"), "pid=1 "), NULL);
    ck_assert_str_eq(answer(&o, "cat /proc/1/cmdline"), "/bin/probe"); /* up to its first NUL */
    container_end(&r);
}
END_TEST

static const struct {
    const char *type, *path, *message;
} bad_paths[] = {
    {"network", "/proc/self/ns/pid", "'/proc/self/ns/pid' is not a namespace of type 'network'"},
    {"network", "/dev/null", "'/dev/null' is not a namespace"},
    {"network", "/etc/passwd", "'/etc/passwd' is not a namespace"},
    {"network", "/nowhere", "cannot open namespace '/nowhere': No such file or directory"},
    {"network", "proc/self/ns/net", "'proc/self/ns/net' is not an absolute path"},
    {"user", "/proc/self/ns/net", "is not a namespace of type 'user'"},
};

START_TEST(a_path_to_something_else_is_an_error)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    join(config, bad_paths[_i].type, bad_paths[_i].path);
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_msg(strstr(o.err.message, bad_paths[_i].message) != NULL, "%s", o.err.message);
}
END_TEST

/* A fifo in the place of a namespace: opening it must not wait for somebody at its other end. */
START_TEST(a_fifo_for_a_namespace_does_not_hang)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_free char *fifo = str_format("%s/fifo", bundle);
    cleanup_outcome struct outcome o;

    ck_assert(!mkfifo(fifo, 0600));
    join(config, "ipc", fifo);
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EINVAL);
}
END_TEST

/* --- not of its own --------------------------------------------------------------------------- */

/* Naming the host's namespace is the same as not naming any: what would change it is refused. */
static const struct {
    const char *type, *file, *member, *value, *message;
} shared[] = {
    {"uts", "uts", "hostname", "\"x\"", "unable to set hostname without a private UTS namespace"},
    {"uts", "uts", "domainname", "\"x\"",
     "unable to set domainname without a private UTS namespace"},
    {"network", "net", "linux.sysctl", "{\"net.ipv4.ip_forward\":\"1\"}", "would change the host"},
    {"ipc", "ipc", "linux.sysctl", "{\"kernel.shmmax\":\"1\"}", "would change the host"},
    {"mount", "mnt", "root.readonly", "false", "without a private MNT namespace"},
};

static void set_member(json_t *config, int i)
{
    json_object_del(config, "hostname");
    container_set(config, shared[i].member, json_loads(shared[i].value, JSON_DECODE_ANY, NULL));
}

START_TEST(the_hosts_namespaces_stay_as_they_are)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_free char *path = str_format("/proc/self/ns/%s", shared[_i].file);
    cleanup_outcome struct outcome none, named;

    set_member(config, _i);
    container_remove_namespace(config, shared[_i].type);
    container_run(bundle, config, &none);
    ck_assert_int_lt(none.created, 0);
    ck_assert_msg(strstr(none.err.message, shared[_i].message) != NULL, "%s", none.err.message);
    join(config, shared[_i].type, path);
    container_run(bundle, config, &named);
    ck_assert_int_lt(named.created, 0);
    ck_assert_msg(strstr(named.err.message, shared[_i].message) != NULL, "%s", named.err.message);
}
END_TEST

/* setns(2) into the user namespace one is in fails: such a path means nothing but "no other". */
START_TEST(our_own_user_namespace_is_none)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "self + wait");
    struct executed e;
    struct running r;

    join(config, "user", "/proc/self/ns/user");
    container_start(bundle, config, &r);
    container_await(&r, "pid=1 ");
    container_exec(&r, bundle, config, "ids", NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    ck_assert_str_eq(e.output, "ids: 0 0 [0 ]\n");
    free(e.output);
    container_end(&r);
}
END_TEST

static void without_mounts(json_t *config)
{
    container_remove_namespace(config, "mount");
    json_object_del(config, "mounts");
    json_object_del(json_object_get(config, "linux"), "maskedPaths");
    json_object_del(json_object_get(config, "linux"), "readonlyPaths");
}

/* Its exec has to find the same root: the host's would be the alternative. */
START_TEST(exec_without_a_mount_namespace_stays_inside)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    struct executed e;
    struct running r;

    without_mounts(config);
    container_start(bundle, config, &r);
    container_exec(&r, bundle, config, "list / + self", NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    ck_assert_ptr_ne(strstr(e.output, "list /: ["), NULL);
    ck_assert_ptr_eq(strstr(e.output, "proc "), NULL);
    ck_assert_ptr_ne(strstr(e.output, "cwd=/ "), NULL);
    free(e.output);
    container_end(&r);
}
END_TEST

/* Then its root is a change of directory, and nothing is mounted that would stay on the host. */
START_TEST(a_container_without_a_mount_namespace)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "list / + put /tmp/x x + self");
    cleanup_free char *file = str_format("%s/rootfs/tmp/x", bundle);
    cleanup_free char *dev = str_format("%s/rootfs/dev", bundle);
    cleanup_outcome struct outcome o;

    without_mounts(config);
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_ptr_eq(strstr(answer(&o, "list /"), "proc "), NULL);
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "cwd=/ "), NULL);
    ck_assert(!access(file, F_OK));
    ck_assert_int_lt(access(dev, F_OK), 0);
}
END_TEST

START_TEST(a_mount_namespace_is_joined)
{
    cleanup_free char *first = container_bundle(), *second = container_bundle();
    cleanup_json json_t *owner = container_config(first, "wait");
    cleanup_json json_t *config =
        container_config(second, "stat /dev/null + list /tmp + put /tmp/y y");
    cleanup_free char *path = NULL, *mark = str_format("%s/rootfs/tmp/mark", first);
    cleanup_outcome struct outcome o;
    struct running r;
    struct err err = {0};

    ck_assert(!file_store(AT_FDCWD, mark, "x", 1, 0644, false, &err));
    container_start(first, owner, &r);
    path = str_format("/proc/%d/ns/mnt", runtime_pid(r.c));
    without_mounts(config);
    join(config, "mount", path);
    container_set(config, "root.path", json_string("/"));
    container_run(second, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "list /tmp"), "[mark ]");
    ck_assert_ptr_ne(strstr(answer(&o, "stat /dev/null"), "020666 0:0 1:3"), NULL);
    container_end(&r);
}
END_TEST

START_TEST(names_of_its_own)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config_of(bundle, "traits", "domain");
    char before[256], after[256];
    cleanup_outcome struct outcome o;

    ck_assert(!getdomainname(before, sizeof before));
    container_set(config, "domainname", json_string("inside.example"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "domain"), "inside.example");
    ck_assert(!getdomainname(after, sizeof after));
    ck_assert_str_eq(before, after);
}
END_TEST

static const struct {
    const char *member, *value, *message;
} bad_offsets[] = {
    {"linux.timeOffsets", "{\"realtime\":{\"secs\":1}}", "there is no clock 'realtime'"},
    {"linux.timeOffsets", "{\"boottime\":{\"nanosecs\":1000000000}}", "nanosecs 1000000000"},
    {"linux.timeOffsets", "{\"boottime\":{\"secs\":-999999999}}", "linux.timeOffsets"},
    {"linux.namespaces", "[{\"type\":\"mount\"}]", "time namespace isn't enabled in the config"},
    {"linux.namespaces", "[{\"type\":\"mount\"},{\"type\":\"time\",\"path\":\"/proc/1/ns/time\"}]",
     "both namespace path and time offsets specified"},
};

START_TEST(offsets_that_cannot_be_are_errors)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = clock_config(bundle, clocks);
    cleanup_outcome struct outcome o;

    container_set(config, bad_offsets[_i].member,
                  json_loads(bad_offsets[_i].value, JSON_DECODE_ANY, NULL));
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_msg(strstr(o.err.message, bad_offsets[_i].message) != NULL, "%s", o.err.message);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(namespaces)
{
    TCase *t = tcase_create("namespaces");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_container_has_clocks_of_its_own);
    tcase_add_test(t, exec_reads_the_containers_clocks);
    tcase_add_test(t, clocks_in_a_user_namespace);
    LOOP(a_namespace_is_joined_by_path, kinds);
    tcase_add_test(t, a_joined_pid_namespace_shows_its_processes);
    LOOP(a_path_to_something_else_is_an_error, bad_paths);
    tcase_add_test(t, a_fifo_for_a_namespace_does_not_hang);
    LOOP(the_hosts_namespaces_stay_as_they_are, shared);
    tcase_add_test(t, our_own_user_namespace_is_none);
    tcase_add_test(t, a_container_without_a_mount_namespace);
    tcase_add_test(t, exec_without_a_mount_namespace_stays_inside);
    tcase_add_test(t, a_mount_namespace_is_joined);
    tcase_add_test(t, names_of_its_own);
    LOOP(offsets_that_cannot_be_are_errors, bad_offsets);
    suite_add_tcase(suite, t);
}
