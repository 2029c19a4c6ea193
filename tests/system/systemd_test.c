/* The manager "systemd", against the real one. */
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
#include "ordinary.h"
#include "support/run.h"
#include "systemd_world.h"

TAG("needs-systemd", systemd_world_missing)

static const char *no_limits(void)
{
    return runtime_cgroup_version(NULL) == 2 ? systemd_world_missing()
                                             : "version 2's controllers are not here";
}
TAG("needs-systemd-limits", no_limits)

struct unit {
    struct runtime_container *c;
    struct runtime_cgroup_place place;
    int in, out;
};

static int create(json_t *config, const char *bundle, struct unit *ret, struct err *err)
{
    struct runtime_request request = {.id = strrchr(bundle, '/') + 1,
                                      .bundle = bundle,
                                      .config = config,
                                      .cgroup_manager = RUNTIME_CGROUP_SYSTEMD};
    int in[2], out[2], r;

    ck_assert(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
    request.stdio[0] = in[0];
    request.stdio[1] = request.stdio[2] = out[1];
    r = runtime_create(&request, &ret->c, err);
    close(in[0]);
    close(out[1]);
    ret->in = in[1];
    ret->out = out[0];
    if (!r)
        ret->place = runtime_cgroup_place(ret->c);
    return r;
}

static void begin(json_t *config, const char *bundle, const char *path, struct unit *ret)
{
    struct err err = {0};

    container_set(config, "linux.cgroupsPath", path ? json_string(path) : json_null());
    ck_assert_msg(!create(config, bundle, ret, &err) && !runtime_start(ret->c, &err), "%s",
                  err.message);
}

static int end(struct unit *u)
{
    struct err err = {0};
    int status;

    close(u->in);
    ck_assert_int_eq(waitpid(runtime_pid(u->c), &status, 0), runtime_pid(u->c));
    close(u->out);
    ck_assert_msg(!runtime_destroy(u->c, &err), "%s", err.message);
    runtime_free(u->c);
    return status;
}

/* What systemd says of a unit: "32" for MemoryMax. Static. */
static const char *property(const char *unit, const char *name)
{
    static char text[4096];
    struct run_result r = {0};

    RUN(&r, NULL, "systemctl", "show", "--value", "-p", name, unit);
    snprintf(text, sizeof text, "%.*s", (int)strcspn(r.out.data, "\n"), r.out.data);
    run_free(&r);
    return text;
}

static const char *value(const struct unit *u, const char *file)
{
    static char text[4096];
    cleanup_free char *path = str_format("/sys/fs/cgroup%s/%s", u->place.path, file);
    cleanup_buf struct buf content = {0};
    struct err err = {0};

    if (file_load(AT_FDCWD, path, sizeof text - 1, &content, &err) < 0)
        return "(none)";
    content.data[strcspn(content.data, "\n")] = 0;
    return strcpy(text, content.data);
}

START_TEST(a_scope_is_made_and_removed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "cat /proc/self/cgroup + wait");
    cleanup_free char *group = NULL;
    struct unit u;

    begin(config, bundle, "a-b.slice:pre:one", &u);
    ck_assert_str_eq(u.place.path, "/a.slice/a-b.slice/pre-one.scope");
    ck_assert_str_eq(property("pre-one.scope", "ActiveState"), "active");
    ck_assert_str_eq(property("pre-one.scope", "Slice"), "a-b.slice");
    ck_assert_str_eq(property("pre-one.scope", "Delegate"), "yes");
    ck_assert_str_eq(property("pre-one.scope", "ControlGroup"), u.place.path);
    group = str_format("/sys/fs/cgroup%s", u.place.path);
    ck_assert(!access(group, F_OK));
    ck_assert_int_eq(end(&u), 0);
    ck_assert_str_eq(property("pre-one.scope", "LoadState"), "not-found");
    ck_assert(access(group, F_OK) < 0);
}
END_TEST

START_TEST(without_a_path_it_is_in_the_system_slice)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_free char *wanted =
        str_format("/system.slice/cooper-%s.scope", strrchr(bundle, '/') + 1);
    struct unit u;

    begin(config, bundle, NULL, &u);
    ck_assert_str_eq(u.place.path, wanted);
    ck_assert_int_eq(end(&u), 0);
}
END_TEST

static const struct {
    const char *path, *message;
} bad_paths[] = {
    {"/cooper/x", "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, "
                  "got \"/cooper/x\" instead"},
    {"a.slice:b", "expected cgroupsPath to be of format"},
    {"a.slice:b:c:d", "expected cgroupsPath to be of format"},
    {"a--b.slice:p:n", "invalid slice name: a--b.slice"},
    {"a:p:n", "invalid slice name: a"},
    {"../a.slice:p:n", "invalid slice name: ../a.slice"},
    {"a.slice:p:n/../../x", "cannot be the name of a systemd unit"},
};

START_TEST(other_paths_are_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    struct err err = {0};
    struct unit u;

    container_set(config, "linux.cgroupsPath", json_string(bad_paths[_i].path));
    ck_assert_int_eq(create(config, bundle, &u, &err), -EINVAL);
    ck_assert_msg(strstr(err.message, bad_paths[_i].message) != NULL, "%s", err.message);
}
END_TEST

START_TEST(a_unit_that_exists_is_refused_and_left_alone)
{
    cleanup_free char *bundle = container_bundle(), *other = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    struct err err = {0};
    struct unit u, second;

    begin(config, bundle, ":p:same", &u);
    ck_assert_int_lt(create(config, other, &second, &err), 0);
    ck_assert_ptr_ne(strstr(err.message, "p-same.scope"), NULL);
    ck_assert_str_eq(property("p-same.scope", "ActiveState"), "active");
    ck_assert_int_eq(end(&u), 0);
}
END_TEST

START_TEST(it_is_frozen_and_thawed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "fork 3 + wait");
    struct err err = {0};
    struct unit u;

    begin(config, bundle, ":p:cold", &u);
    ck_assert_msg(!runtime_cgroup_freeze(&u.place, true, &err), "%s", err.message);
    ck_assert_int_eq(runtime_cgroup_frozen(&u.place, &err), 1);
    ck_assert_str_eq(property("p-cold.scope", "FreezerState"), "frozen");
    ck_assert_msg(!runtime_cgroup_freeze(&u.place, false, &err), "%s", err.message);
    ck_assert_str_eq(property("p-cold.scope", "FreezerState"), "running");
    ck_assert_int_eq(end(&u), 0);
}
END_TEST

START_TEST(a_frozen_one_is_removed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "fork 3 + wait");
    struct err err = {0};
    struct unit u;

    begin(config, bundle, ":p:ice", &u);
    ck_assert_msg(!runtime_cgroup_freeze(&u.place, true, &err), "%s", err.message);
    ck_assert_msg(!runtime_cgroup_destroy_at(&u.place, &err), "%s", err.message);
    ck_assert_str_eq(property("p-ice.scope", "LoadState"), "not-found");
    ck_assert_int_eq(end(&u), SIGKILL);
}
END_TEST

START_TEST(exec_joins_the_scope)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_json json_t *process = NULL;
    struct runtime_exec_request request;
    struct err err = {0};
    int console = -1;
    struct unit u;
    pid_t pid;

    begin(config, bundle, ":p:exec", &u);
    process = json_deep_copy(json_object_get(config, "process"));
    json_put(process, "args", json_pack("[s,s]", "probe", "wait"));
    request = (struct runtime_exec_request){.init = runtime_pid(u.c),
                                            .init_pidfd = runtime_pidfd(u.c),
                                            .bundle = bundle,
                                            .config = config,
                                            .process = process,
                                            .cgroup = u.place,
                                            .stdio = {-1, -1, -1}};
    ck_assert_msg(!runtime_exec(&request, &pid, &console, &err), "%s", err.message);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(end(&u), 0);
}
END_TEST

/* The command, whose protected copy must still find the helper. */
START_TEST(cooper_runtime_uses_it)
{
    static const char *const environment[] = {"COOPER_LIBEXEC", NULL};
    const struct run_options options = {.environment = environment};
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *root = str_format("%s/state", container_dir());
    cleanup_free char *file = str_format("%s/config.json", bundle);
    cleanup_json json_t *config = container_config(bundle, "cat /proc/self/cgroup");
    struct run_result r = {0};
    struct err err = {0};

    container_set(config, "linux.cgroupsPath", json_string(":p:command"));
    json_object_del(json_at(config, "annotations"), "org.cooper.seccomp");
    ck_assert_msg(!json_store(AT_FDCWD, file, config, 0600, false, &err), "%s", err.message);
    RUN_OK(&r, &options, BUILD_DIR "/bin/cooper-runtime", "--root", root, "--systemd-cgroup", "run",
           "--bundle", bundle, "command");
    ck_assert_msg(strstr(r.out.data, "0::/\n") != NULL, "%s", r.out.data);
    run_free(&r);
    ck_assert_str_eq(property("p-command.scope", "LoadState"), "not-found");
}
END_TEST

/* --- limits ----------------------------------------------------------------------------------- */

START_TEST(limits_are_properties_and_in_force)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait + fork 100 + wait");
    struct run_result r = {0};
    struct unit u;

    container_set(config, "linux.resources.memory.limit", json_integer(32 << 20));
    container_set(config, "linux.resources.memory.swap", json_integer(48 << 20));
    container_set(config, "linux.resources.memory.reservation", json_integer(8 << 20));
    container_set(config, "linux.resources.cpu.shares", json_integer(512));
    container_set(config, "linux.resources.cpu.quota", json_integer(50000));
    container_set(config, "linux.resources.cpu.period", json_integer(200000));
    container_set(config, "linux.resources.cpu.cpus", json_string("0"));
    container_set(config, "linux.resources.pids.limit", json_integer(20));
    container_append(config, "linux.resources.hugepageLimits",
                     json_pack("{s:s,s:i}", "pageSize", "2MB", "limit", 4 << 20));
    container_annotate(config, "org.systemd.property.TimeoutStopSec", "uint64 17");
    begin(config, bundle, ":p:limits", &u);
    ck_assert_str_eq(property("p-limits.scope", "MemoryMax"), "33554432");
    ck_assert_str_eq(property("p-limits.scope", "MemorySwapMax"), "16777216");
    ck_assert_str_eq(property("p-limits.scope", "MemoryLow"), "8388608");
    ck_assert_str_eq(property("p-limits.scope", "CPUWeight"), "20");
    ck_assert_str_eq(property("p-limits.scope", "CPUQuotaPerSecUSec"), "250ms");
    ck_assert_str_eq(property("p-limits.scope", "CPUQuotaPeriodUSec"), "200ms");
    ck_assert_str_eq(property("p-limits.scope", "AllowedCPUs"), "0");
    ck_assert_str_eq(property("p-limits.scope", "TasksMax"), "20");
    ck_assert_str_eq(property("p-limits.scope", "DevicePolicy"), "strict");
    ck_assert_str_eq(property("p-limits.scope", "TimeoutStopUSec"), "17s");
    /* what systemd has no property for is in the file all the same */
    ck_assert_str_eq(value(&u, "hugetlb.2MB.max"), "4194304");
    /* and stands when it reads its configuration again */
    RUN_OK(&r, NULL, "systemctl", "daemon-reload");
    run_free(&r);
    ck_assert_str_eq(value(&u, "memory.max"), "33554432");
    ck_assert_str_eq(value(&u, "cpu.max"), "50000 200000");
    ck_assert_str_eq(value(&u, "pids.max"), "20");
    ck_assert_int_eq(end(&u), 0);
}
END_TEST

START_TEST(an_update_reaches_systemd)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait");
    cleanup_json json_t *resources = json_pack("{s:{s:i},s:{s:i},s:{s:i}}", "memory", "limit",
                                               64 << 20, "pids", "limit", 9, "cpu", "quota", 30000);
    struct err err = {0};
    struct unit u;

    container_set(config, "linux.resources.memory.limit", json_integer(32 << 20));
    container_set(config, "linux.resources.cpu.period", json_integer(200000));
    begin(config, bundle, ":p:update", &u);
    ck_assert_msg(!runtime_cgroup_update(&u.place, resources, &err), "%s", err.message);
    ck_assert_str_eq(property("p-update.scope", "MemoryMax"), "67108864");
    ck_assert_str_eq(property("p-update.scope", "TasksMax"), "9");
    ck_assert_str_eq(property("p-update.scope", "CPUQuotaPerSecUSec"), "150ms");
    ck_assert_str_eq(value(&u, "memory.max"), "67108864");
    ck_assert_str_eq(value(&u, "cpu.max"), "30000 200000");
    ck_assert_int_eq(end(&u), 0);
}
END_TEST

/* The devices are limited by both programs, ours and systemd's: what is allowed must be in both. */
START_TEST(an_allowed_device_opens_and_others_do_not)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "mknod /tmp/tun c 10 200 + open /tmp/tun + mknod /tmp/mem c 1 1 + "
                                 "open /tmp/mem + mknod /tmp/n c 1 3 + open /tmp/n");
    struct unit u;

    container_append(config, "linux.resources.devices",
                     json_pack("{s:b,s:s,s:i,s:i,s:s}", "allow", 1, "type", "c", "major", 10,
                               "minor", 200, "access", "rwm"));
    begin(config, bundle, ":p:devices", &u);
    {
        cleanup_outcome struct outcome o = {.output = read_all(u.out)};

        ck_assert_str_eq(answer(&o, "open /tmp/tun"), "ok");
        ck_assert_str_eq(answer(&o, "open /tmp/mem"), "EPERM");
        ck_assert_str_eq(answer(&o, "open /tmp/n"), "ok");
    }
    end(&u);
}
END_TEST

/* --- an ordinary user's manager ------------------------------------------------------------------
 * Started as a service of the system's, as logind would have it: user@UID.service. */

static const char service[] = "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nUser="
                              "1\nGroup=1\nDelegate=yes\n"
                              "ExecStart=/lib/systemd/systemd --user --unit=default.target\n"
                              "Environment=HOME=/tmp XDG_RUNTIME_DIR=/run/user/1\n"
                              "Environment=SYSTEMD_UNIT_PATH=/run/user/1/systemd/user.control:"
                              "/run/user/1/systemd/transient:/run/units\n";

#define MANAGER_GROUP "/system.slice/user1.service"

static void start_users_manager(void)
{
    static const char procs[] = "/sys/fs/cgroup" MANAGER_GROUP "/test/cgroup.procs";
    struct run_result r = {0};
    struct err err = {0};

    ck_assert_msg(!file_make_dirs(AT_FDCWD, "/run/user/1", 0755, &err) &&
                      !chown("/run/user/1", USER, USER) && !chmod("/run/user/1", 0700) &&
                      !file_store(AT_FDCWD, "/run/units/user1.service", service, strlen(service),
                                  0644, false, &err),
                  "%s", err.message);
    RUN_OK(&r, NULL, "systemctl", "daemon-reload");
    RUN_OK(&r, NULL, "systemctl", "start", "user1.service");
    run_free(&r);
    /* a leaf for ourselves, where the user's shell would be */
    ck_assert(!mkdir("/sys/fs/cgroup" MANAGER_GROUP "/test", 0755));
    ck_assert(!chown("/sys/fs/cgroup" MANAGER_GROUP "/test", USER, USER) &&
              !chown(procs, USER, USER));
    setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
}

START_TEST(an_ordinary_users_scope_is_his_managers)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        config_of_user(bundle, "wait + cat /sys/fs/cgroup/pids.max + fork 50");
    struct attempt a;

    start_users_manager();
    container_set(config, "linux.cgroupsPath", json_string("a-b.slice:p:n"));
    container_set(config, "linux.resources.pids.limit", json_integer(9));
    container_set(config, "linux.resources.memory.limit", json_integer(64 << 20));
    attempt(bundle, config, RUNTIME_CGROUP_SYSTEMD,
            "/sys/fs/cgroup" MANAGER_GROUP "/test/cgroup.procs", &a);
    ck_assert_msg(!a.created, "%s", a.message);
    ck_assert_str_eq(a.path, MANAGER_GROUP "/a.slice/a-b.slice/p-n.scope");
    ck_assert_msg(strstr(a.output, "pids.max: <9\n") != NULL, "%s", a.output);
    ck_assert_msg(strstr(a.output, "fork 50: 8 EAGAIN") != NULL, "%s", a.output);
    ck_assert_msg(strstr(a.executed, "0::/\n") != NULL, "%s", a.executed);
    ck_assert(access("/sys/fs/cgroup" MANAGER_GROUP "/a.slice/a-b.slice/p-n.scope", F_OK) < 0);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name, const char *tag)
{
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 60);
    tcase_set_tags(t, tag);
    tcase_add_unchecked_fixture(t, systemd_world_begin, systemd_world_end);
    suite_add_tcase(suite, t);
    return t;
}

SUITE(systemd)
{
    TCase *t = new_case(suite, "scopes", "needs-systemd");

    tcase_add_test(t, a_scope_is_made_and_removed);
    tcase_add_test(t, without_a_path_it_is_in_the_system_slice);
    tcase_add_loop_test(t, other_paths_are_refused, 0, sizeof bad_paths / sizeof *bad_paths);
    tcase_add_test(t, a_unit_that_exists_is_refused_and_left_alone);
    tcase_add_test(t, it_is_frozen_and_thawed);
    tcase_add_test(t, a_frozen_one_is_removed);
    tcase_add_test(t, exec_joins_the_scope);
    tcase_add_test(t, cooper_runtime_uses_it);
    t = new_case(suite, "limits", "needs-systemd-limits");
    tcase_add_test(t, limits_are_properties_and_in_force);
    tcase_add_test(t, an_update_reaches_systemd);
    tcase_add_test(t, an_allowed_device_opens_and_others_do_not);
    tcase_add_test(t, an_ordinary_users_scope_is_his_managers);
}
