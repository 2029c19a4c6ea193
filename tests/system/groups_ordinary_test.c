/* An ordinary user: groups only where some were delegated to him, and a container without one if he
 * asked for no limits. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"
#include "ordinary.h"

static const char *probe_version_2(void)
{
    return runtime_cgroup_version(NULL) == 2 ? NULL : "nothing can be delegated in version 1";
}
TAG("needs-delegation", probe_version_2)

START_TEST(without_a_group_it_runs)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_of_user(bundle, "ids");
    struct attempt a;

    attempt(bundle, config, RUNTIME_CGROUPFS, NULL, &a);
    ck_assert_msg(!a.created, "%s", a.message);
    ck_assert_str_eq(a.path, "");
    ck_assert_ptr_ne(strstr(a.output, "ids: 0 0"), NULL);
}
END_TEST

START_TEST(without_a_group_no_limit_is_taken)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_of_user(bundle, "ids");
    struct attempt a;

    container_set(config, "linux.resources.pids.limit", json_integer(9));
    attempt(bundle, config, RUNTIME_CGROUPFS, NULL, &a);
    ck_assert_int_eq(a.created, -EACCES);
    ck_assert_msg(strstr(a.message,
                         "linux.resources.pids.limit needs a control group that this user "
                         "may write to") != NULL,
                  "%s", a.message);
}
END_TEST

/* --- delegated -----------------------------------------------------------------------------------
 * As systemd does it: a group that is the user's, with his session in a group below. */

static char *delegated, *session;

static void give(const char *file)
{
    cleanup_free char *path = str_format("%s%s", delegated, file);

    ck_assert_msg(!chown(path, USER, USER), "%s", path);
}

static void delegate(void)
{
    static const char *const files[] = {
        "",         "/cgroup.procs",        "/cgroup.subtree_control", "/cgroup.threads",
        "/session", "/session/cgroup.procs"};
    cleanup_free char *below = NULL;
    struct err err = {0};

    delegated = str_format("/sys/fs/cgroup" TEST_CGROUPS "/%d-user", getpid());
    session = str_format("%s/session/cgroup.procs", delegated);
    below = str_format("%s/session", delegated);
    ck_assert_msg(!file_make_dirs(AT_FDCWD, below, 0755, &err) &&
                      !file_poke(AT_FDCWD, "/sys/fs/cgroup" TEST_CGROUPS "/cgroup.subtree_control",
                                 "+memory +pids", &err),
                  "%s", err.message);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        give(files[i]);
}

static void undelegate(void)
{
    struct err ignored = {0};

    runtime_cgroup_destroy(NULL, delegated + strlen("/sys/fs/cgroup"), &ignored);
    free(delegated);
    free(session);
}

/* "relative" is below the group above his session's. */
START_TEST(in_a_delegated_group_limits_hold)
{
    cleanup_free char *bundle = container_bundle(), *group = NULL;
    cleanup_json json_t *config =
        config_of_user(bundle, "cat /sys/fs/cgroup/pids.max + fork 50 + cat /proc/self/cgroup");
    struct attempt a;

    delegate();
    container_set(config, "linux.cgroupsPath", json_string("mine/one"));
    container_set(config, "linux.resources.pids.limit", json_integer(9));
    attempt(bundle, config, RUNTIME_CGROUPFS, session, &a);
    ck_assert_msg(!a.created, "%s", a.message);
    group = str_format("%s/mine/one", delegated);
    ck_assert_str_eq(a.path, group + strlen("/sys/fs/cgroup"));
    ck_assert_msg(strstr(a.output, "pids.max: <9\n") != NULL, "%s", a.output);
    ck_assert_msg(strstr(a.output, "fork 50: 8 EAGAIN") != NULL, "%s", a.output);
    ck_assert(access(group, F_OK) < 0);
    undelegate();
}
END_TEST

/* A controller that was not handed to him is said to be missing, and where. */
START_TEST(a_controller_that_was_not_delegated_is_named)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_of_user(bundle, "ids");
    struct attempt a;

    delegate();
    container_set(config, "linux.cgroupsPath", json_string("mine/two"));
    container_set(config, "linux.resources.cpu.quota", json_integer(50000));
    attempt(bundle, config, RUNTIME_CGROUPFS, session, &a);
    ck_assert_int_lt(a.created, 0);
    ck_assert_msg(strstr(a.message, "linux.resources.cpu.quota: the group '" TEST_CGROUPS
                                    "' does not hand down the controller 'cpu'") != NULL,
                  "%s", a.message);
    undelegate();
}
END_TEST

SUITE(groups_ordinary)
{
    TCase *t = tcase_create("ordinary");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, without_a_group_it_runs);
    tcase_add_test(t, without_a_group_no_limit_is_taken);
    suite_add_tcase(suite, t);
    t = tcase_create("delegated");
    tcase_set_timeout(t, 60);
    tcase_set_tags(t, "needs-delegation");
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, in_a_delegated_group_limits_hold);
    tcase_add_test(t, a_controller_that_was_not_delegated_is_named);
    suite_add_tcase(suite, t);
}
