/* An ordinary user runs containers: with nothing but himself mapped, and with the ranges that the
 * administrator granted. Each test stops being root first. */
#include "support/suite.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"
#include "support/run.h"

enum { USER = 54321, FIRST = 4321000, COUNT = 65536 }; /* the user, and the ids granted to him */

static const char *probe_uidmap(void)
{
    return run_has_program("newuidmap") && run_has_program("newgidmap")
               ? NULL
               : "no newuidmap here (Debian's package uidmap)";
}
TAG("uidmap", probe_uidmap)

/* --- being the user --------------------------------------------------------------------------- */

/* In this mount namespace a file has a line more. */
static void append_line(const char *file, const char *line)
{
    cleanup_free char *copy = str_format("%s/%s", container_dir(), strrchr(file, '/') + 1);
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    if (file_load(AT_FDCWD, file, 1 << 20, &text, &err) < 0)
        buf_add_str(&text, "");
    buf_printf(&text, "%s\n", line);
    if (file_store(AT_FDCWD, copy, text.data, text.len, 0644, false, &err) < 0 ||
        mount(copy, file, NULL, MS_BIND, NULL) < 0)
        perror(file);
}

static void grant_ranges(void)
{
    cleanup_free char *range = str_format("cooper-rootless:%d:%d", FIRST, COUNT);
    cleanup_free char *user = str_format("cooper-rootless:x:%d:%d::/:/bin/sh", USER, USER);
    cleanup_free char *group = str_format("cooper-rootless:x:%d:", USER);

    container_setup();
    append_line("/etc/passwd", user);
    append_line("/etc/group", group);
    append_line("/etc/subuid", range);
    append_line("/etc/subgid", range);
}

static void take_ranges(void)
{
    static const char *const files[] = {"/etc/passwd", "/etc/group", "/etc/subuid", "/etc/subgid"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        umount2(files[i], MNT_DETACH);
    container_teardown();
}

/* The bundle is his, and so are we from now on. */
static void become_user(const char *bundle)
{
    cleanup_free char *owner = str_format("%d:%d", USER, USER);
    struct run_result r = {0};

    RUN_OK(&r, NULL, "chown", "-R", owner, bundle);
    run_free(&r);
    ck_assert(!setgroups(0, NULL) && !setresgid(USER, USER, USER) && !setresuid(USER, USER, USER));
    /* As if he had logged in: a process that was root a moment ago hides its /proc. */
    ck_assert(!prctl(PR_SET_DUMPABLE, 1));
}

static json_t *one_range(int inside, int outside, int size)
{
    return json_pack("{s:i,s:i,s:i}", "containerID", inside, "hostID", outside, "size", size);
}

/* Himself as root, and with `ranges` what was granted as all others. */
static json_t *rootless_config(const char *bundle, const char *command, bool ranges)
{
    static const char *const maps[] = {"linux.uidMappings", "linux.gidMappings"};
    json_t *config = container_config(bundle, command);

    container_append(config, "linux.namespaces", json_pack("{s:s}", "type", "user"));
    for (size_t i = 0; i < 2; i++) {
        container_append(config, maps[i], one_range(0, USER, 1));
        if (ranges)
            container_append(config, maps[i], one_range(1, FIRST, COUNT));
    }
    if (!ranges) /* devpts: group 5 is not there */
        json_object_set_new(json_array_get(json_at(config, "mounts"), 2), "options",
                            json_pack("[s,s]", "newinstance", "ptmxmode=0666"));
    json_object_del(json_object_get(config, "linux"), "resources");
    return config;
}

static void owned_by(const char *bundle, const char *path, uid_t uid)
{
    cleanup_free char *full = str_format("%s/rootfs%s", bundle, path);
    struct stat st;

    ck_assert(!stat(full, &st));
    ck_assert_uint_eq(st.st_uid, uid);
}

/* --- himself ---------------------------------------------------------------------------------- */

START_TEST(a_user_is_root_in_his_container)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = rootless_config(
        bundle,
        "ids + cat /proc/self/uid_map + cat /proc/self/setgroups + put /tmp/x x + open /dev/null + "
        "status CapEff + self + list /dev/pts",
        false);
    cleanup_outcome struct outcome o;

    become_user(bundle);
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_int_eq(strncmp(answer(&o, "ids"), "0 0 [", 5), 0);
    ck_assert_str_eq(answer(&o, "cat /proc/self/uid_map"), "         0      54321          1\n");
    ck_assert_str_eq(answer(&o, "cat /proc/self/setgroups"), "deny\n");
    ck_assert_str_eq(answer(&o, "open /dev/null"), "ok");
    ck_assert_str_eq(answer(&o, "status CapEff"), "00000000a80425fb");
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "pid=1 "), NULL);
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "host=inside "), NULL);
    owned_by(bundle, "/tmp/x", USER);
}
END_TEST

START_TEST(exec_works_for_a_user)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = rootless_config(bundle, "put /tmp/mark x + wait", false);
    struct outcome o = {0};
    struct executed e;
    struct running r;

    become_user(bundle);
    container_start(bundle, config, &r);
    container_await(&r, "mark x: ok");
    container_exec(&r, bundle, config,
                   "fds + cat /tmp/mark + self + status CapEff + status Seccomp", NULL, &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    o.output = e.output;
    ck_assert_str_eq(answer(&o, "cat /tmp/mark"), "x");
    ck_assert_ptr_ne(strstr(answer(&o, "self"), "ppid=0 "), NULL);
    ck_assert_str_eq(answer(&o, "fds"), "0 1 2 ");
    ck_assert_str_eq(answer(&o, "status CapEff"), "00000000a80425fb");
    ck_assert_str_eq(answer(&o, "status Seccomp"), "2");
    outcome_free(&o);
    container_end(&r);
}
END_TEST

/* With the host's network, for whom none was made. */
START_TEST(a_user_may_share_the_network)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = rootless_config(bundle, "link /proc/self/ns/net", false);
    cleanup_outcome struct outcome o;
    char ours[64] = "";

    container_remove_namespace(config, "network");
    json_array_set_new(json_at(config, "mounts"), 3,
                       container_mount("none", "/sys", "/sys", "rbind,nosuid,noexec,nodev,ro"));
    json_array_remove(json_at(config, "mounts"), 4); /* the control groups are in there */
    container_set(config, "linux.maskedPaths", json_array());
    become_user(bundle);
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_int_gt(readlink("/proc/self/ns/net", ours, sizeof ours - 1), 0);
    ck_assert_str_eq(answer(&o, "link /proc/self/ns/net"), ours);
}
END_TEST

static const struct {
    const char *member, *value, *message;
} refused[] = {
    {"process.user.additionalGids", "[5]",
     "cannot set any additional groups in a rootless container"},
    {"process.user.uid", "1", "cannot become user 1: it is not mapped"},
    {"linux.namespaces", "[{\"type\":\"mount\"}]", "user namespace isn't enabled"},
    {"process.oomScoreAdj", "-500", "CAP_SYS_RESOURCE"},
    {"process.scheduler", "{\"policy\":\"SCHED_OTHER\",\"nice\":-20}", "CAP_SYS_NICE"},
};

START_TEST(what_a_user_may_not_is_said)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = rootless_config(bundle, "true", false);
    cleanup_outcome struct outcome o;

    container_set(config, refused[_i].member, json_loads(refused[_i].value, JSON_DECODE_ANY, NULL));
    become_user(bundle);
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_msg(strstr(o.err.message, refused[_i].message) != NULL, "%s", o.err.message);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(without_a_user_namespace_it_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    become_user(bundle);
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_str_eq(o.err.message, "rootless container requires user namespaces");
}
END_TEST

/* --- granted ranges --------------------------------------------------------------------------- */

START_TEST(ranges_are_mapped_by_the_helpers)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = rootless_config(
        bundle, "ids + cat /proc/self/setgroups + put /tmp/x x + stat /tmp/x", true);
    cleanup_free char *tmp = str_format("%s/rootfs/tmp", bundle);
    cleanup_outcome struct outcome o;

    container_set(config, "process.user",
                  json_pack("{s:i,s:i,s:[i,i]}", "uid", 1000, "gid", 1001, "additionalGids", 5, 6));
    ck_assert(!chmod(tmp, 01777));
    become_user(bundle);
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "ids"), "1000 1001 [5 6 1001 ]");
    ck_assert_str_eq(answer(&o, "cat /proc/self/setgroups"), "allow\n");
    ck_assert_str_eq(answer(&o, "stat /tmp/x"), "100644 1000:1001 0:0 1");
    owned_by(bundle, "/tmp/x", FIRST + 999);
}
END_TEST

START_TEST(exec_works_with_ranges)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = rootless_config(bundle, "wait", true);
    struct executed e;
    struct running r;

    become_user(bundle);
    container_start(bundle, config, &r);
    container_exec(&r, bundle, config, "ids", "app", &e);
    ck_assert_msg(!e.result, "%s", e.err.message);
    ck_assert_str_eq(e.output, "ids: 1000 1001 [10 29 1001 ]\n");
    free(e.output);
    container_end(&r);
}
END_TEST

START_TEST(what_was_not_granted_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = rootless_config(bundle, "true", true);
    cleanup_outcome struct outcome o;

    container_append(config, "linux.uidMappings", one_range(70000, 0, 1)); /* the host's root */
    become_user(bundle);
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EPERM);
    ck_assert_ptr_ne(strstr(o.err.message, "linux.uidMappings: 'newuidmap' refused: newuidmap: "),
                     NULL);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(without_the_helpers_it_is_said_what_is_missing)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = rootless_config(bundle, "true", true);
    cleanup_outcome struct outcome o;

    become_user(bundle);
    setenv("PATH", "/nowhere", 1);
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -ENOENT);
    ck_assert_ptr_ne(strstr(o.err.message, "these mappings need the program 'newuidmap'"), NULL);
}
END_TEST

SUITE(rootless)
{
    TCase *t = tcase_create("rootless"), *ranges = tcase_create("granted ranges");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_user_is_root_in_his_container);
    tcase_add_test(t, exec_works_for_a_user);
    tcase_add_test(t, a_user_may_share_the_network);
    tcase_add_loop_test(t, what_a_user_may_not_is_said, 0, sizeof refused / sizeof *refused);
    tcase_add_test(t, without_a_user_namespace_it_is_refused);
    suite_add_tcase(suite, t);
    tcase_set_tags(ranges, "uidmap");
    tcase_set_timeout(ranges, 30);
    tcase_add_unchecked_fixture(ranges, grant_ranges, take_ranges);
    tcase_add_test(ranges, ranges_are_mapped_by_the_helpers);
    tcase_add_test(ranges, exec_works_with_ranges);
    tcase_add_test(ranges, what_was_not_granted_is_refused);
    tcase_add_test(ranges, without_the_helpers_it_is_said_what_is_missing);
    suite_add_tcase(suite, ranges);
}
