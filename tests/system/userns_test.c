/* User namespaces: whose ids the container's are outside, new and joined, as root and as an
 * ordinary user. */
#include "support/suite.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "bundle.h"
#include "container.h"

START_TEST(ids_are_others_outside)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(
        bundle, "ids + cat /proc/self/uid_map + put /tmp/mine x + stat /tmp/mine + "
                "wait");
    cleanup_free char *file = str_format("%s/rootfs/tmp/mine", bundle);
    struct running r;
    struct stat st;
    char proc[64];

    container_start(bundle, config, &r);
    container_await(&r, "stat /tmp/mine: 100644 0:0 ");
    snprintf(proc, sizeof proc, "/proc/%d", runtime_pid(r.c));
    ck_assert(!stat(proc, &st));
    ck_assert_uint_eq(st.st_uid, OUTSIDE);
    ck_assert(!stat(file, &st));
    ck_assert_uint_eq(st.st_uid, OUTSIDE);
    ck_assert_uint_eq(st.st_gid, OUTSIDE);
    container_end(&r);
}
END_TEST

static ino_t namespace_of(pid_t pid, const char *file, ino_t *ret_owner)
{
    cleanup_free char *path = str_format("/proc/%d/ns/%s", pid, file);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_close int owner = ioctl(fd, NS_GET_USERNS);
    struct stat st;

    ck_assert(!fstat(owner, &st));
    *ret_owner = st.st_ino;
    ck_assert(!fstat(fd, &st));
    return st.st_ino;
}

/* Root of the user namespace has power over these because they are its own. */
START_TEST(every_new_namespace_belongs_to_it)
{
    static const char *const files[] = {"mnt", "pid", "net", "ipc", "uts", "cgroup"};
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "wait");
    ino_t user, owner, ignored;
    struct running r;

    container_start(bundle, config, &r);
    user = namespace_of(runtime_pid(r.c), "user", &ignored);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        ck_assert(namespace_of(runtime_pid(r.c), files[i], &owner) !=
                  namespace_of(getpid(), files[i], &ignored));
        ck_assert_msg(owner == user, "%s belongs to another user namespace", files[i]);
    }
    container_end(&r);
}
END_TEST

/* What only the host's root may read stays closed to the container's, and so does what only it may
 * do to the kernel. */
START_TEST(its_root_is_nobody_on_the_host)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *secret = str_format("%s/secret", bundle);
    cleanup_json json_t *config = config_in_userns(
        bundle, "cat /secret + stat /secret + put /proc/sys/kernel/panic 1 + status "
                "CapEff");
    cleanup_outcome struct outcome o;
    struct err err = {0};

    ck_assert(!file_store(AT_FDCWD, secret, "x", 1, 0600, false, &err));
    container_append(config, "mounts", container_mount("bind", secret, "/secret", "bind"));
    container_set(config, "linux.readonlyPaths", json_array());
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "status CapEff"), "00000000a80425fb");
    ck_assert_str_eq(answer(&o, "cat /secret"), "EACCES");
    ck_assert_str_eq(answer(&o, "stat /secret"), "100600 65534:65534 0:0 1");
    ck_assert_str_eq(answer(&o, "put /proc/sys/kernel/panic 1"), "EACCES");
}
END_TEST

/* The directories that lead to the bundle may be closed to everybody but the host's root. */
START_TEST(the_bundle_may_be_roots_alone)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "true + exit 7");
    cleanup_outcome struct outcome o;

    ck_assert(!chmod(bundle, 0700));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_int_eq(WEXITSTATUS(o.status), 7);
}
END_TEST

/* Our own groups are the host's: `docker` or `disk` inside would open the host's files. */
START_TEST(the_callers_groups_stay_outside)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "ids");
    const gid_t ours[] = {4, 6};
    cleanup_outcome struct outcome o;

    ck_assert(!setgroups(2, ours));
    container_set(config, "process.user.additionalGids", json_pack("[i,i]", 20, 30));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "ids"), "0 0 [0 20 30 ]");
}
END_TEST

/* Not even raising it could be done by the process itself: its file in /proc is the host root's. */
START_TEST(the_oom_score_is_set)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "cat /proc/self/oom_score_adj + wait");
    struct executed e;
    struct running r;

    container_set(config, "process.oomScoreAdj", json_integer(77));
    container_start(bundle, config, &r);
    container_await(&r, "oom_score_adj: <77");
    container_exec(&r, bundle, config, "cat /proc/self/oom_score_adj", NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    ck_assert_ptr_ne(strstr(e.output, "oom_score_adj: <77"), NULL);
    free(e.output);
    container_end(&r);
}
END_TEST

/* Root need not be mapped. */
START_TEST(one_user_is_enough)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "ids + put /tmp/x x");
    cleanup_free char *tmp = str_format("%s/rootfs/tmp", bundle);
    cleanup_outcome struct outcome o;

    container_set(config, "linux.uidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 1000, "hostID", OUTSIDE, "size", 1));
    container_set(config, "linux.gidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 1001, "hostID", OUTSIDE, "size", 1));
    container_set(config, "process.user", json_pack("{s:i,s:i}", "uid", 1000, "gid", 1001));
    json_object_set_new(json_array_get(json_at(config, "mounts"), 2), "options",
                        json_pack("[s]", "newinstance")); /* devpts: no gid=5 */
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "ids"), "1000 1001 [1001 ]");
    ck_assert_str_eq(answer(&o, "put /tmp/x x"), "ok");
}
END_TEST

static const struct {
    const char *path, *value, *message; /* value: JSON */
} refused[] = {
    {"linux.uidMappings", "[]", "user namespaces enabled, but no uid mappings found"},
    {"linux.gidMappings", "[]", "user namespaces enabled, but no gid mappings found"},
    {"linux.namespaces", "[{\"type\":\"mount\"}]",
     "user namespace mappings specified, but user namespace isn't enabled in the config"},
    {"linux.uidMappings", "[{\"containerID\":0,\"hostID\":1,\"size\":0}]", "linux.uidMappings"},
    {"linux.uidMappings", "[{\"containerID\":0,\"hostID\":-1,\"size\":1}]", "hostID"},
    {"linux.uidMappings", "[{\"containerID\":4294967294,\"hostID\":1,\"size\":2}]",
     "ends above 4294967294"},
    {"linux.uidMappings",
     "[{\"containerID\":0,\"hostID\":1,\"size\":10},{\"containerID\":5,\"hostID\":50,\"size\":10}]",
     "linux.uidMappings"}, /* overlapping: the kernel's verdict */
    {"process.user.uid", "70000", "cannot become user 70000: it is not mapped"},
    {"process.user.gid", "70000", "one of those of process.user is not mapped"},
};

START_TEST(what_cannot_be_mapped_is_an_error)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "true");
    cleanup_outcome struct outcome o;

    container_set(config, refused[_i].path, json_loads(refused[_i].value, JSON_DECODE_ANY, NULL));
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_msg(strstr(o.err.message, refused[_i].message) != NULL, "%s", o.err.message);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* neither the usher nor init is left */
}
END_TEST

/* --- exec and joining ------------------------------------------------------------------------- */

START_TEST(exec_enters_it)
{
    static const char *const files[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "wait");
    struct outcome o = {0};
    struct executed e;
    struct running r;

    container_set(config, "linux.resources.pids.limit", json_integer(6));
    container_start(bundle, config, &r);
    container_exec(&r, bundle, config,
                   "ids + fds + cat /proc/self/uid_map + status CapEff + status Seccomp + "
                   "self + env HOME + link /proc/self/ns/user + link /proc/self/ns/mnt + "
                   "link /proc/self/ns/pid + link /proc/self/ns/net + link /proc/self/ns/ipc + "
                   "link /proc/self/ns/uts + link /proc/self/ns/cgroup + fork 50",
                   "app", &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    o.output = e.output;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        cleanup_free char *there = str_format("/proc/%d/ns/%s", runtime_pid(r.c), files[i]);
        cleanup_free char *command = str_format("link /proc/self/ns/%s", files[i]);
        char expected[64] = "";

        ck_assert_int_gt(readlink(there, expected, sizeof expected - 1), 0);
        ck_assert_str_eq(answer(&o, command), expected);
    }
    ck_assert_str_eq(answer(&o, "ids"), "1000 1001 [10 29 1001 ]");
    ck_assert_str_eq(answer(&o, "fds"), "0 1 2 ");
    ck_assert_str_eq(answer(&o, "status CapEff"), "0000000000000000");
    ck_assert_str_eq(answer(&o, "status Seccomp"), "2");
    ck_assert_str_eq(answer(&o, "env HOME"), "/home/app");
    ck_assert_str_eq(answer(&o, "fork 50"), "4 EAGAIN"); /* it counts in the container's group */
    outcome_free(&o);
    container_end(&r);
}
END_TEST

static void join(json_t *config, pid_t pid, const char *type, const char *file)
{
    cleanup_free char *path = str_format("/proc/%d/ns/%s", pid, file);

    container_remove_namespace(config, type);
    container_append(config, "linux.namespaces",
                     json_pack("{s:s,s:s}", "type", type, "path", path));
}

static void expect_same(const struct outcome *o, pid_t pid, const char *file)
{
    cleanup_free char *there = str_format("/proc/%d/ns/%s", pid, file);
    cleanup_free char *command = str_format("link /proc/self/ns/%s", file);
    char expected[64] = "";

    ck_assert_int_gt(readlink(there, expected, sizeof expected - 1), 0);
    ck_assert_str_eq(answer(o, command), expected);
}

/* A pod: the second container has the user, network, IPC and host name namespaces of the first,
 * which belong to the first one's user namespace; its own mounts and processes. */
static void pod(const char *first, json_t **ret, struct running *r, const char *second)
{
    cleanup_json json_t *config = config_in_userns(first, "wait");

    container_start(first, config, r);
    *ret = config_in_userns(second, "ids + link /proc/self/ns/user + link /proc/self/ns/net + link "
                                    "/proc/self/ns/ipc + link /proc/self/ns/uts + link "
                                    "/proc/self/ns/pid + self");
    join(*ret, runtime_pid(r->c), "user", "user");
    join(*ret, runtime_pid(r->c), "network", "net");
    join(*ret, runtime_pid(r->c), "ipc", "ipc");
    join(*ret, runtime_pid(r->c), "uts", "uts");
}

START_TEST(a_pod_shares_one)
{
    cleanup_free char *first = container_bundle(), *second = container_bundle();
    cleanup_json json_t *config = NULL;
    cleanup_outcome struct outcome o;
    struct running r;

    pod(first, &config, &r, second);
    container_run(second, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    expect_same(&o, runtime_pid(r.c), "user");
    expect_same(&o, runtime_pid(r.c), "net");
    expect_same(&o, runtime_pid(r.c), "ipc");
    expect_same(&o, runtime_pid(r.c), "uts");
    ck_assert_str_eq(answer(&o, "ids"), "0 0 [0 ]");
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "pid=1 "), NULL);
    container_end(&r);
}
END_TEST

START_TEST(a_pod_may_share_its_processes)
{
    cleanup_free char *first = container_bundle(), *second = container_bundle();
    cleanup_json json_t *config = NULL;
    cleanup_outcome struct outcome o;
    struct running r;

    pod(first, &config, &r, second);
    join(config, runtime_pid(r.c), "pid", "pid");
    container_run(second, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    expect_same(&o, runtime_pid(r.c), "pid");
    ck_assert_ptr_eq(strstr(answer(&o, "self"), "pid=1 "), NULL);
    container_end(&r);
}
END_TEST

START_TEST(other_mappings_than_the_joined_ones_are_refused)
{
    cleanup_free char *first = container_bundle(), *second = container_bundle();
    cleanup_json json_t *config = NULL;
    cleanup_outcome struct outcome o;
    struct running r;

    pod(first, &config, &r, second);
    container_set(config, "linux.uidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", OUTSIDE, "size", 65535));
    container_run(second, config, &o);
    ck_assert_int_eq(o.created, -EINVAL);
    ck_assert_ptr_ne(strstr(o.err.message, "non-matching mapping"), NULL);
    container_end(&r);
}
END_TEST

/* The network is another engine's and belongs to the host, the user namespace is new. */
START_TEST(a_hosts_namespace_is_joined_first)
{
    cleanup_free char *first = container_bundle(), *second = container_bundle();
    cleanup_json json_t *plain = container_config(first, "wait");
    cleanup_json json_t *config = config_in_userns(second, "link /proc/self/ns/net");
    cleanup_outcome struct outcome o;
    struct running r;

    container_start(first, plain, &r);
    join(config, runtime_pid(r.c), "network", "net");
    json_array_remove(json_at(config, "mounts"), 3); /* sysfs shows a network: it must be ours */
    container_set(config, "linux.maskedPaths", json_array());
    json_array_remove(json_at(config, "mounts"), 3); /* and the groups below it */
    container_run(second, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    expect_same(&o, runtime_pid(r.c), "net");
    container_end(&r);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(userns)
{
    TCase *t = tcase_create("userns");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, ids_are_others_outside);
    tcase_add_test(t, every_new_namespace_belongs_to_it);
    tcase_add_test(t, its_root_is_nobody_on_the_host);
    tcase_add_test(t, the_bundle_may_be_roots_alone);
    tcase_add_test(t, the_callers_groups_stay_outside);
    tcase_add_test(t, the_oom_score_is_set);
    tcase_add_test(t, one_user_is_enough);
    LOOP(what_cannot_be_mapped_is_an_error, refused);
    tcase_add_test(t, exec_enters_it);
    tcase_add_test(t, a_pod_shares_one);
    tcase_add_test(t, a_pod_may_share_its_processes);
    tcase_add_test(t, other_mappings_than_the_joined_ones_are_refused);
    tcase_add_test(t, a_hosts_namespace_is_joined_first);
    suite_add_tcase(suite, t);
}
