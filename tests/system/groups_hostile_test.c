/* A container that does in its own groups what it can, against those who must end it: processes
 * without end, groups without end and without bottom, groups renamed, threads spread. Nothing may
 * be left. */
#include "support/suite.h"

#include <fcntl.h>
#include <sched.h>
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

static const char *no_version_2(void)
{
    return !v1() || runtime_cgroup_version("/sys/fs/cgroup/unified") == 2
               ? NULL
               : "there is no tree of version 2";
}
TAG("needs-a-tree-of-version-2", no_version_2)

/* A container whose /sys/fs/cgroup can be written. */
static json_t *writable_config(const char *bundle, const char *command)
{
    json_t *config = container_config_of(bundle, "greedy", command), *mount;
    size_t i;

    json_array_foreach(json_at(config, "mounts"), i,
                       mount) if (!strcmp(json_str(mount, "destination", ""), "/sys/fs/cgroup"))
        json_put(mount, "options", json_pack("[s,s]", "rw", "nosuid"));
    return config;
}

/* Where a container can make groups; in version 1 the first, in version 2 the only tree. */
#define OWN (v1() ? "/sys/fs/cgroup/pids" : "/sys/fs/cgroup")

static void assert_gone(const char *path)
{
    static const char *const trees[] = {"",         "/unified", "/memory",  "/pids",  "/cpu",
                                        "/cpuacct", "/devices", "/freezer", "/blkio", "/systemd"};

    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        cleanup_free char *full = str_format("/sys/fs/cgroup%s%s", trees[i], path);

        ck_assert_msg(access(full, F_OK) < 0, "'%s' is left", full);
    }
}

/* Starts it, waits for the word, and destroys the group while the container does its worst. */
static void destroy_while(json_t *config, const char *bundle, const char *word, const char *root)
{
    cleanup_free char *path = str_copy(json_str(config, "linux.cgroupsPath", NULL));
    struct runtime_cgroup_place place = {.root = root, .path = path};
    struct err err = {0};
    struct running r;
    int status;

    container_start(bundle, config, &r);
    container_await(&r, word);
    ck_assert_msg(!runtime_cgroup_destroy_at(&place, &err), "%s", err.message);
    ck_assert_int_eq(waitpid(runtime_pid(r.c), &status, 0), runtime_pid(r.c));
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_msg(!runtime_destroy(r.c, &err), "%s", err.message); /* the other trees, if any */
    assert_gone(path);
    runtime_free(r.c);
    close(r.in);
    close(r.out);
}

START_TEST(a_fork_bomb_is_ended)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config_of(bundle, "greedy", "bomb");

    container_set(config, "linux.resources.pids.limit", json_integer(300));
    destroy_while(config, bundle, "bomb: lit", NULL);
}
END_TEST

/* A host without a tree of version 2, as far as the runtime can see: links to version 1's. */
static char *root_of_version_1(void)
{
    static const char *const trees[] = {"memory", "pids", "cpu", "cpuacct", "devices", "freezer"};
    char *root = str_format("%s/v1-%d", container_dir(), getpid());

    ck_assert(!mkdir(root, 0755));
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        cleanup_free char *from = str_format("/sys/fs/cgroup/%s", trees[i]);
        cleanup_free char *to = str_format("%s/%s", root, trees[i]);

        ck_assert(!symlink(from, to));
    }
    return root;
}

/* No cgroup.kill there: freeze, kill, thaw. */
START_TEST(a_fork_bomb_is_ended_in_version_1)
{
    cleanup_free char *bundle = container_bundle(), *root = root_of_version_1();
    cleanup_json json_t *config = container_config_of(bundle, "greedy", "bomb");

    container_set(config, "linux.resources.pids.limit", json_integer(300));
    destroy_while(config, bundle, "bomb: lit", root);
}
END_TEST

/* While they multiply, and without an init whose end would be theirs: one that is missed goes on
 * for ever, with all its children. */
START_TEST(every_process_gets_the_signal_in_version_1)
{
    cleanup_free char *bundle = container_bundle(), *root = root_of_version_1();
    cleanup_json json_t *config = container_config_of(bundle, "greedy", "bomb");
    struct runtime_cgroup_place place = {.root = root};
    struct err err = {0};
    struct running r;

    container_set(config, "linux.resources.pids.limit", json_integer(200));
    container_remove_namespace(config, "pid");
    container_start(bundle, config, &r);
    place.path = runtime_cgroup_place(r.c).path;
    container_await(&r, "bomb: lit");
    while (runtime_cgroup_count(root, place.path, &err) < 100)
        sched_yield(); /* until it is one */
    ck_assert_msg(!runtime_cgroup_signal(&place, SIGKILL, &err), "%s", err.message);
    while (runtime_cgroup_count(root, place.path, &err) > 0)
        sched_yield(); /* the test's time limit ends this if one lives on */
    ck_assert_int_eq(container_end(&r), SIGKILL);
}
END_TEST

START_TEST(freezing_stops_a_bomb_in_version_1)
{
    cleanup_free char *bundle = container_bundle(), *root = root_of_version_1();
    cleanup_json json_t *config = container_config_of(bundle, "greedy", "bomb");
    cleanup_with(runtime_pids_free) struct runtime_pids one = {0}, two = {0};
    struct runtime_cgroup_place place = {.root = root};
    struct err err = {0};
    struct running r;

    container_set(config, "linux.resources.pids.limit", json_integer(100));
    container_start(bundle, config, &r);
    place.path = runtime_cgroup_place(r.c).path;
    container_await(&r, "bomb: lit");
    ck_assert_msg(!runtime_cgroup_freeze(&place, true, &err), "%s", err.message);
    ck_assert_int_eq(runtime_cgroup_frozen(&place, &err), 1);
    ck_assert_msg(!runtime_cgroup_pids(&place, true, &one, &err), "%s", err.message);
    ck_assert_msg(!runtime_cgroup_pids(&place, true, &two, &err), "%s", err.message);
    ck_assert_uint_eq(one.len, two.len);
    ck_assert(!memcmp(one.items, two.items, one.len * sizeof *one.items));
    ck_assert_msg(!runtime_cgroup_destroy_at(&place, &err), "%s", err.message);
    ck_assert_int_eq(container_end(&r), SIGKILL);
}
END_TEST

/* --- groups inside ---------------------------------------------------------------------------- */

START_TEST(deep_groups_with_a_process_are_removed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command = str_format("nest %s 100 + wait", OWN);
    cleanup_json json_t *config = writable_config(bundle, command);

    destroy_while(config, bundle, "wait: on", NULL);
}
END_TEST

/* Deeper than a path may be long, and more than there may be descriptors. */
START_TEST(groups_without_bottom_are_removed)
{
    cleanup_free char *bundle = container_bundle(), *path = NULL;
    cleanup_json json_t *config = container_config(bundle, "wait");
    struct err err = {0};
    struct running r;
    int at, made = 0;

    container_start(bundle, config, &r);
    path = str_format("/sys/fs/cgroup%s%s", v1() ? "/pids" : "", runtime_cgroup_place(r.c).path);
    at = open(path, O_PATH | O_DIRECTORY);
    while (made < 1500 && !mkdirat(at, "0123456789", 0755)) {
        int below = openat(at, "0123456789", O_PATH | O_DIRECTORY);

        close(at);
        at = below;
        made++;
    }
    close(at);
    ck_assert_int_ge(made, 1000);
    ck_assert_msg(!runtime_destroy(r.c, &err), "%s", err.message);
    ck_assert(access(path, F_OK) < 0);
    waitpid(runtime_pid(r.c), NULL, 0);
    runtime_free(r.c);
}
END_TEST

START_TEST(groups_that_are_made_meanwhile_are_removed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command = str_format("burrow %s", OWN);
    cleanup_json json_t *config = writable_config(bundle, command);

    destroy_while(config, bundle, "digging", NULL);
}
END_TEST

/* Threads in groups of their own (version 2; on a hybrid host in the tree beside). */
START_TEST(threaded_groups_are_listed_and_removed)
{
    cleanup_free char *bundle = container_bundle(), *group = NULL, *type = NULL, *threads = NULL;
    cleanup_json json_t *config = container_config(bundle, "fork 3 + wait");
    cleanup_free char *pid = NULL;
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;

    container_start(bundle, config, &r);
    container_await(&r, "no limit");
    place = runtime_cgroup_place(r.c);
    group = str_format("/sys/fs/cgroup%s%s/t", v1() ? "/unified" : "", place.path);
    type = str_format("%s/cgroup.type", group);
    threads = str_format("%s/cgroup.threads", group);
    pid = str_format("%d", runtime_pid(r.c));
    ck_assert(!mkdir(group, 0755));
    ck_assert_msg(!file_poke(AT_FDCWD, type, "threaded", &err) &&
                      !file_poke(AT_FDCWD, threads, pid, &err),
                  "%s", err.message);
    ck_assert_int_eq(runtime_cgroup_count(place.root, place.path, &err), 4);
    ck_assert_msg(!runtime_cgroup_freeze(&place, true, &err), "%s", err.message);
    ck_assert_msg(!runtime_cgroup_freeze(&place, false, &err), "%s", err.message);
    ck_assert_msg(!runtime_cgroup_destroy_at(&place, &err), "%s", err.message);
    ck_assert(access(group, F_OK) < 0);
    ck_assert_int_eq(container_end(&r), SIGKILL);
}
END_TEST

/* A parent that is threaded already: the container's group can only be threaded, too. There
 * cgroup.kill does not work (killing is for whole processes), and limits of memory are refused. */
START_TEST(below_a_threaded_group_a_container_runs_and_ends)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "fork 3 + wait");
    const char *tree = v1() ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
    cleanup_free char *path = str_format(TEST_CGROUPS "/%d-d/m/c", getpid());
    cleanup_free char *domain = str_format("%s" TEST_CGROUPS "/%d-d", tree, getpid());
    cleanup_free char *middle = str_format("%s/m", domain);
    cleanup_free char *type = str_format("%s/cgroup.type", middle);
    struct err err = {0};
    struct running r;

    ck_assert_msg(!file_make_dirs(AT_FDCWD, middle, 0755, &err) &&
                      !file_poke(AT_FDCWD, type, "threaded", &err),
                  "%s", err.message);
    container_set(config, "linux.cgroupsPath", json_string(path));
    if (v1()) {
        cleanup_outcome struct outcome o = {0};

        container_run(bundle, config, &o); /* its limits are version 1's: it just goes on */
        ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    } else {
        container_start(bundle, config, &r);
        container_await(&r, "no limit");
        ck_assert_int_eq(runtime_cgroup_count(NULL, path, &err), 4);
        ck_assert_int_eq(container_end(&r), 0);
    }
    ck_assert(access(domain, F_OK) < 0);
}
END_TEST

/* In version 1 a group can be renamed: a path read before is then another group's, or none. */
START_TEST(renamed_groups_do_not_confuse)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command = str_format("juggle %s", OWN), *path = NULL;
    cleanup_json json_t *config = writable_config(bundle, command);
    struct err err = {0};
    struct running r;

    container_start(bundle, config, &r);
    path = str_copy(runtime_cgroup_place(r.c).path);
    container_await(&r, "juggling");
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(runtime_cgroup_count(NULL, path, &err), 1);
    ck_assert_msg(!runtime_cgroup_destroy(NULL, path, &err), "%s", err.message);
    assert_gone(path);
    container_end(&r);
}
END_TEST

/* --- escapes ---------------------------------------------------------------------------------- */

/* CVE-2022-0492: whoever can write release_agent runs a program on the host. Only the root of a
 * tree has that file, and nobody shows it one; nor may it mount a tree for itself. */
START_TEST(no_release_agent_is_in_reach)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command =
        str_format("change %s/release_agent /x + change %s/notify_on_release 1", OWN, OWN);
    cleanup_json json_t *config = writable_config(bundle, command);
    cleanup_outcome struct outcome o = {0};

    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_msg(!strncmp(o.output, "change: ENOENT", 14), "%s", o.output);
}
END_TEST

START_TEST(no_tree_can_be_mounted)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "mount /tmp + put /sys/fs/cgroup/x y");
    cleanup_outcome struct outcome o = {0};

    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "mount /tmp"), "EPERM");
    ck_assert_str_eq(answer(&o, "put /sys/fs/cgroup/x y"), "EROFS");
}
END_TEST

/* Up and out: the root of what is mounted is the end, also for "..". */
START_TEST(the_parents_group_is_out_of_reach)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command = str_format("enter %s/../cgroup.procs + make %s/../escape + "
                                            "enter %s/cgroup.procs",
                                            OWN, OWN, OWN);
    cleanup_json json_t *config = writable_config(bundle, command);
    cleanup_outcome struct outcome o = {0};

    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_msg(strstr(o.output, "enter: ENOENT") == o.output, "%s", o.output);
    ck_assert_msg(strstr(o.output, "enter: ok") != NULL, "%s", o.output);
    /* in version 1 the directory above is a tmpfs of the container's own */
    ck_assert(access("/sys/fs/cgroup/pids" TEST_CGROUPS "/escape", F_OK) < 0);
    ck_assert(access("/sys/fs/cgroup" TEST_CGROUPS "/escape", F_OK) < 0);
}
END_TEST

SUITE(groups_hostile)
{
    TCase *t = tcase_create("hostile");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_fork_bomb_is_ended);
    if (v1()) {
        tcase_add_test(t, a_fork_bomb_is_ended_in_version_1);
        tcase_add_test(t, every_process_gets_the_signal_in_version_1);
        tcase_add_test(t, freezing_stops_a_bomb_in_version_1);
    }
    tcase_add_test(t, deep_groups_with_a_process_are_removed);
    tcase_add_test(t, groups_without_bottom_are_removed);
    tcase_add_test(t, groups_that_are_made_meanwhile_are_removed);
    tcase_add_test(t, renamed_groups_do_not_confuse);
    tcase_add_test(t, no_release_agent_is_in_reach);
    tcase_add_test(t, no_tree_can_be_mounted);
    tcase_add_test(t, the_parents_group_is_out_of_reach);
    suite_add_tcase(suite, t);
    t = tcase_create("threads");
    tcase_set_timeout(t, 60);
    tcase_set_tags(t, "needs-a-tree-of-version-2");
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, threaded_groups_are_listed_and_removed);
    tcase_add_test(t, below_a_threaded_group_a_container_runs_and_ends);
    suite_add_tcase(suite, t);
}
