/* An ordinary user: groups only where some were delegated to him, and a container without one if he
 * asked for no limits. */
#include "support/suite.h"

#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "bundle.h"
#include "container.h"

#define USER 54321

static const char *probe_version_2(void)
{
    return runtime_cgroup_version(NULL) == 2 ? NULL : "nothing can be delegated in version 1";
}
TAG("needs-delegation", probe_version_2)

static int give_to_user(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return lchown(path, USER, USER);
}

/* Only himself is mapped, to root. The bundle becomes his. */
static json_t *config_of_user(const char *bundle, const char *command)
{
    json_t *config = config_in_userns(bundle, command), *mount;
    size_t i;

    json_array_foreach(json_at(config, "mounts"), i,
                       mount) if (!strcmp(json_str(mount, "type", ""),
                                          "devpts")) /* the group "tty" is not mapped */
        json_put(mount, "options", json_pack("[s,s,s]", "nosuid", "noexec", "newinstance"));
    ck_assert(!nftw(bundle, give_to_user, 16, FTW_PHYS));

    container_set(config, "linux.uidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", USER, "size", 1));
    container_set(config, "linux.gidMappings",
                  json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", USER, "size", 1));
    json_object_del(json_at(config, "process"), "oomScoreAdj");
    return config;
}

/* What becomes of a container that a child of ours makes as an ordinary user; in `group`, if given.
 */
struct attempt {
    int created; /* 0 or -errno */
    char path[256], message[ERR_MESSAGE_MAX], output[4096];
};

static void become_user(const char *group)
{
    struct err err = {0};

    if (group && file_poke(AT_FDCWD, group, "0", &err) < 0)
        _exit(3);
    if (setgroups(0, NULL) < 0 || setresgid(USER, USER, USER) < 0 ||
        setresuid(USER, USER, USER) < 0)
        _exit(4);
    prctl(PR_SET_DUMPABLE, 1); /* or /proc/self is root's */
}

static void make_container(const char *bundle, const json_t *config, struct attempt *ret)
{
    struct runtime_request request = {
        .id = "o", .bundle = bundle, .config = config, .stdio = {-1, -1, -1}};
    struct runtime_container *c;
    cleanup_free char *output = NULL;
    struct err err = {0};
    int out[2];

    if (pipe2(out, O_CLOEXEC) < 0)
        _exit(5);
    request.stdio[1] = request.stdio[2] = out[1];
    ret->created = runtime_create(&request, &c, &err);
    close(out[1]);
    if (!ret->created) {
        snprintf(ret->path, sizeof ret->path, "%s", runtime_cgroup_place(c).path);
        ret->created = runtime_start(c, &err);
        output = read_all(out[0]);
        snprintf(ret->output, sizeof ret->output, "%s", output);
        waitpid(runtime_pid(c), NULL, 0);
        runtime_destroy(c, &err);
    }
    snprintf(ret->message, sizeof ret->message, "%s", err.message);
}

static void attempt(const char *bundle, const json_t *config, const char *group,
                    struct attempt *ret)
{
    int answer[2];
    pid_t pid;

    ck_assert(!pipe(answer));
    pid = fork();
    if (!pid) {
        struct attempt mine = {0};

        become_user(group);
        make_container(bundle, config, &mine);
        _exit(file_write(answer[1], &mine, sizeof mine) < 0);
    }
    close(answer[1]);
    ck_assert_int_eq(file_read(answer[0], ret, sizeof *ret), sizeof *ret);
    close(answer[0]);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(without_a_group_it_runs)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_of_user(bundle, "ids");
    struct attempt a;

    attempt(bundle, config, NULL, &a);
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
    attempt(bundle, config, NULL, &a);
    ck_assert_int_eq(a.created, -EACCES);
    ck_assert_msg(strstr(a.message,
                         "linux.resources.pids.limit needs a control group that this user "
                         "may write to") != NULL,
                  "%s", a.message);
}
END_TEST

/* --- delegated -----------------------------------------------------------------------------------
 * As systemd does it: a group that is the user's, with his session in a group below. */

#define DELEGATED "/sys/fs/cgroup" TEST_CGROUPS "/user"

static void give(const char *path)
{
    ck_assert_msg(!chown(path, USER, USER), "%s", path);
}

static void delegate(void)
{
    static const char *const given[] = {DELEGATED,
                                        DELEGATED "/cgroup.procs",
                                        DELEGATED "/cgroup.subtree_control",
                                        DELEGATED "/cgroup.threads",
                                        DELEGATED "/session",
                                        DELEGATED "/session/cgroup.procs"};
    struct err err = {0};

    ck_assert_msg(!file_make_dirs(AT_FDCWD, DELEGATED "/session", 0755, &err) &&
                      !file_poke(AT_FDCWD, "/sys/fs/cgroup" TEST_CGROUPS "/cgroup.subtree_control",
                                 "+memory +pids", &err),
                  "%s", err.message);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        give(given[i]);
}

static void undelegate(void)
{
    struct err ignored = {0};

    runtime_cgroup_destroy(NULL, TEST_CGROUPS "/user", &ignored);
    rmdir("/sys/fs/cgroup" TEST_CGROUPS);
}

/* "relative" is below the group above his session's. */
START_TEST(in_a_delegated_group_limits_hold)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        config_of_user(bundle, "cat /sys/fs/cgroup/pids.max + fork 50 + cat /proc/self/cgroup");
    struct attempt a;

    delegate();
    container_set(config, "linux.cgroupsPath", json_string("mine/one"));
    container_set(config, "linux.resources.pids.limit", json_integer(9));
    attempt(bundle, config, DELEGATED "/session/cgroup.procs", &a);
    ck_assert_msg(!a.created, "%s", a.message);
    ck_assert_str_eq(a.path, TEST_CGROUPS "/user/mine/one");
    ck_assert_msg(strstr(a.output, "pids.max: <9\n") != NULL, "%s", a.output);
    ck_assert_msg(strstr(a.output, "fork 50: 8 EAGAIN") != NULL, "%s", a.output);
    ck_assert(access(DELEGATED "/mine/one", F_OK) < 0);
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
    attempt(bundle, config, DELEGATED "/session/cgroup.procs", &a);
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
