/* Which group a container gets, who joins it, and what it shows. */
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
#include "bundle.h"
#include "container.h"

static const char *probe_version_2(void)
{
    return runtime_cgroup_version(NULL) == 2 ? NULL : "this host has control groups of version 1";
}
TAG("needs-cgroup2", probe_version_2)

static bool v1(void)
{
    return runtime_cgroup_version(NULL) == 1;
}

/* A file of the container's group, in the controller's tree or in the one of version 2. */
static char *group_file(const struct running *r, const char *controller, const char *file)
{
    struct runtime_cgroup_place place = runtime_cgroup_place(r->c);

    return str_format("%s%s%s%s%s", place.root, v1() ? "/" : "", v1() ? controller : "", place.path,
                      file);
}

static void poke(const char *path, const char *text)
{
    struct err err = {0};

    ck_assert_msg(!file_poke(AT_FDCWD, path, text, &err), "%s", err.message);
}

/* The same path twice: the second is refused, and the first lives on. */
START_TEST(a_group_somebody_lives_in_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_outcome struct outcome o = {0};
    struct running r;

    container_start(bundle, config, &r);
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EBUSY);
    ck_assert_ptr_ne(strstr(o.err.message, "container's cgroup is not empty: 1 process(es) found"),
                     NULL);
    ck_assert_int_eq(container_end(&r), 0);
}
END_TEST

START_TEST(an_empty_group_is_taken_over)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    const char *path = json_str(config, "linux.cgroupsPath", NULL);
    cleanup_free char *full = str_format("/sys/fs/cgroup%s%s", v1() ? "/pids" : "", path);
    cleanup_outcome struct outcome o = {0};
    struct err err = {0};

    ck_assert_msg(!file_make_dirs(AT_FDCWD, full, 0755, &err), "%s", err.message);
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert(access(full, F_OK) < 0);
}
END_TEST

/* What a killed engine may have left: the group is frozen, and the newcomer must not be. */
START_TEST(a_frozen_empty_group_is_thawed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    struct runtime_cgroup_place place = {.path = json_str(config, "linux.cgroupsPath", NULL)};
    cleanup_outcome struct outcome o = {0};
    cleanup_free char *full = str_format("/sys/fs/cgroup%s%s", v1() ? "/freezer" : "", place.path);
    struct err err = {0};

    ck_assert_msg(!file_make_dirs(AT_FDCWD, full, 0755, &err), "%s", err.message);
    ck_assert_msg(!runtime_cgroup_freeze(&place, true, &err), "%s", err.message);
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
}
END_TEST

START_TEST(too_little_memory_to_begin_with_is_said)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o = {0};

    container_set(config, "linux.resources.memory.limit", json_integer(4096));
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -ENOMEM);
    ck_assert_str_eq(o.err.message, "container init was OOM-killed (memory limit too low?)");
}
END_TEST

/* --- joining ---------------------------------------------------------------------------------- */

static void exec_in(struct running *r, const char *bundle, const json_t *config,
                    const char *subgroup, struct executed *ret, const char *command)
{
    cleanup_json json_t *process = json_deep_copy(json_object_get(config, "process"));
    int out[2], console = -1;
    struct runtime_exec_request request = {.init = runtime_pid(r->c),
                                           .init_pidfd = runtime_pidfd(r->c),
                                           .bundle = bundle,
                                           .config = config,
                                           .process = process,
                                           .subgroup = subgroup,
                                           .stdio = {-1, -1, -1}};
    pid_t pid = 0;

    *ret = (struct executed){0};
    json_put(process, "args", json_pack("[s,s,s]", "/bin/probe", "cat", command));
    ck_assert(!pipe2(out, O_CLOEXEC));
    request.stdio[1] = request.stdio[2] = out[1];
    ret->result = runtime_exec(&request, &pid, &console, &ret->err);
    close(out[1]);
    ret->output = read_all(out[0]);
    close(out[0]);
    if (!ret->result)
        ck_assert_int_eq(waitpid(pid, &ret->status, 0), pid);
}

START_TEST(exec_can_join_a_group_below)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_free char *below = NULL;
    struct executed e;
    struct running r;

    container_start(bundle, config, &r);
    below = group_file(&r, "pids", "/side");
    ck_assert(!mkdir(below, 0755));
    exec_in(&r, bundle, config, "side", &e, "/proc/self/cgroup");
    ck_assert_msg(!e.result, "%s", e.err.message);
    ck_assert_msg(strstr(e.output, v1() ? "pids:/side\n" : "0::/side\n") != NULL, "%s", e.output);
    if (v1()) /* and the limits of the container for the rest */
        ck_assert_msg(strstr(e.output, ":memory:/\n") != NULL, "%s", e.output);
    free(e.output);
    exec_in(&r, bundle, config, "nowhere", &e, "/proc/self/cgroup");
    ck_assert_int_eq(e.result, -ENOENT);
    free(e.output);
    exec_in(&r, bundle, config, "../..", &e, "/proc/self/cgroup");
    ck_assert_int_eq(e.result, -EINVAL);
    free(e.output);
    container_end(&r);
}
END_TEST

/* A service manager inside moves everybody into groups of its own, and hands controllers down to
 * them: from then on nobody can be in the container's own group. Done from outside here. */
START_TEST(exec_goes_where_init_is)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    const char *path = json_str(config, "linux.cgroupsPath", NULL);
    cleanup_free char *group = str_format("/sys/fs/cgroup%s", path);
    cleanup_free char *below = str_format("%s/init.scope", group);
    cleanup_free char *procs = str_format("%s/cgroup.procs", below);
    cleanup_free char *down = str_format("%s/cgroup.subtree_control", group), *pid = NULL;
    struct executed e;
    struct running r;

    container_start(bundle, config, &r);
    pid = str_format("%d", runtime_pid(r.c));
    ck_assert(!mkdir(below, 0755));
    poke(procs, pid);
    poke(down, "+pids");
    exec_in(&r, bundle, config, NULL, &e, "/proc/self/cgroup");
    ck_assert_msg(!e.result, "%s", e.err.message);
    ck_assert_msg(strstr(e.output, "0::/init.scope\n") != NULL, "%s", e.output);
    free(e.output);
    container_end(&r);
}
END_TEST

/* --- delegation ------------------------------------------------------------------------------- */

static uid_t owner_of(const char *group, const char *file)
{
    cleanup_free char *path = str_format("%s/%s", group, file);
    struct stat st;

    ck_assert_msg(!stat(path, &st), "%s", path);
    return st.st_uid;
}

/* The root of a user namespace may make groups below its own, and not touch its own limits. */
START_TEST(a_writable_group_belongs_to_the_containers_root)
{
    cleanup_free char *bundle = container_bundle(), *group = NULL;
    cleanup_json json_t *config = config_in_userns(
        bundle, "put /sys/fs/cgroup/memory.max 4096 + put /sys/fs/cgroup/cgroup.procs 0 + wait");
    json_t *mount;
    struct running r;
    size_t i;

    json_array_foreach(json_at(config, "mounts"), i,
                       mount) if (!strcmp(json_str(mount, "destination", ""), "/sys/fs/cgroup"))
        json_put(mount, "options", json_pack("[s,s]", "rw", "nosuid"));
    container_start(bundle, config, &r);
    container_await(&r, "put /sys/fs/cgroup/memory.max 4096: EACCES\n"
                        "put /sys/fs/cgroup/cgroup.procs 0: ok");
    group = str_format("/sys/fs/cgroup%s", runtime_cgroup_place(r.c).path);
    ck_assert_uint_eq(owner_of(group, "."), OUTSIDE);
    ck_assert_uint_eq(owner_of(group, "cgroup.subtree_control"), OUTSIDE);
    ck_assert_uint_eq(owner_of(group, "memory.max"), 0);
    ck_assert_uint_eq(owner_of(group, "pids.max"), 0);
    container_end(&r);
}
END_TEST

START_TEST(a_group_that_is_only_shown_stays_the_hosts)
{
    cleanup_free char *bundle = container_bundle(), *group = NULL;
    cleanup_json json_t *config = config_in_userns(bundle, "wait");
    struct running r;

    container_start(bundle, config, &r);
    group = str_format("/sys/fs/cgroup%s", runtime_cgroup_place(r.c).path);
    ck_assert_uint_eq(owner_of(group, "."), 0);
    container_end(&r);
}
END_TEST

/* --- the view --------------------------------------------------------------------------------- */

/* Without a cgroup namespace the names are the host's; what is mounted is still only its own. */
START_TEST(without_a_namespace_only_its_own_group_is_mounted)
{
    const char *max = v1() ? "cat /sys/fs/cgroup/pids/pids.max" : "cat /sys/fs/cgroup/pids.max";
    const char *list = v1() ? "list /sys/fs/cgroup/pids" : "list /sys/fs/cgroup";
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command = str_format("%s + %s + cat /proc/self/cgroup", max, list);
    cleanup_json json_t *config = container_config(bundle, command);
    cleanup_outcome struct outcome o = {0};

    container_remove_namespace(config, "cgroup");
    container_set(config, "linux.resources.pids.limit", json_integer(23));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, max), "23\n");
    ck_assert_ptr_eq(strstr(answer(&o, list), "cooper"), NULL);
    ck_assert_ptr_ne(strstr(answer(&o, "cat /proc/self/cgroup"), TEST_CGROUPS), NULL);
}
END_TEST

/* --- none ------------------------------------------------------------------------------------- */

static int create_without(json_t *config, const char *bundle, struct runtime_container **ret,
                          int out, struct err *err)
{
    struct runtime_request request = {.id = "none",
                                      .bundle = bundle,
                                      .config = config,
                                      .stdio = {-1, out, out},
                                      .cgroup_manager = RUNTIME_CGROUP_DISABLED};

    return runtime_create(&request, ret, err);
}

START_TEST(disabled_means_the_callers_group)
{
    const char *write = v1() ? "put /sys/fs/cgroup/x y" : "put /sys/fs/cgroup/cgroup.procs 0";
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *command = str_format("cat /proc/self/cgroup + %s", write);
    cleanup_json json_t *config = container_config(bundle, command);
    cleanup_outcome struct outcome o = {0};
    struct runtime_container *c;
    struct err err = {0};
    int out[2];

    container_set(config, "mounts", json_array());
    container_append(config, "mounts", container_mount("proc", "proc", "/proc", "nosuid"));
    container_append(config, "mounts",
                     container_mount("cgroup", "cgroup", "/sys/fs/cgroup", "rw,nosuid"));
    ck_assert(!pipe2(out, O_CLOEXEC));
    ck_assert_msg(!create_without(config, bundle, &c, out[1], &err), "%s", err.message);
    ck_assert_str_eq(runtime_cgroup_place(c).path, "");
    close(out[1]);
    ck_assert_msg(!runtime_start(c, &err), "%s", err.message);
    o.output = read_all(out[0]);
    close(out[0]);
    ck_assert_int_eq(waitpid(runtime_pid(c), NULL, 0), runtime_pid(c));
    ck_assert_ptr_eq(strstr(answer(&o, "cat /proc/self/cgroup"), "cooper"), NULL);
    ck_assert_str_eq(answer(&o, write), "EROFS"); /* it is not the container's to change */
    ck_assert_msg(!runtime_destroy(c, &err), "%s", err.message);
    runtime_free(c);
}
END_TEST

START_TEST(disabled_takes_no_limits)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    struct runtime_container *c;
    struct err err = {0};

    container_set(config, "linux.resources.pids.limit", json_integer(7));
    ck_assert_int_eq(create_without(config, bundle, &c, -1, &err), -EINVAL);
    ck_assert_str_eq(err.message, "linux.resources.pids.limit: the container has no control group "
                                  "(--cgroup-manager disabled)");
}
END_TEST

SUITE(groups_place)
{
    TCase *t = tcase_create("place");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_group_somebody_lives_in_is_refused);
    tcase_add_test(t, an_empty_group_is_taken_over);
    tcase_add_test(t, a_frozen_empty_group_is_thawed);
    tcase_add_test(t, too_little_memory_to_begin_with_is_said);
    tcase_add_test(t, exec_can_join_a_group_below);
    tcase_add_test(t, without_a_namespace_only_its_own_group_is_mounted);
    tcase_add_test(t, disabled_means_the_callers_group);
    tcase_add_test(t, disabled_takes_no_limits);
    suite_add_tcase(suite, t);
    t = tcase_create("place, version 2");
    tcase_set_timeout(t, 60);
    tcase_set_tags(t, "needs-cgroup2");
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, exec_goes_where_init_is);
    tcase_add_test(t, a_writable_group_belongs_to_the_containers_root);
    tcase_add_test(t, a_group_that_is_only_shown_stays_the_hosts);
    suite_add_tcase(suite, t);
}
