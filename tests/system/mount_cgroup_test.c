/* Mounts of type "cgroup" and "cgroup2", on hosts with either version. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "bundle.h"

static bool is_unified(void)
{
    return runtime_cgroup_version(NULL) == 2;
}

/* Without the one at /sys/fs/cgroup; the test has its own. */
static json_t *bare_config(const char *bundle, const char *command, bool userns)
{
    json_t *config = userns ? config_in_userns(bundle, command) : container_config(bundle, command);

    json_array_remove(json_at(config, "mounts"), 4);
    return config;
}

/* Is there a tree of version 2, alone or beside version 1's? */
static const char *no_second_version(void)
{
    return is_unified() || !access("/sys/fs/cgroup/unified/cgroup.procs", F_OK)
               ? NULL
               : "this host has no tree of version 2";
}
TAG("some-cgroup2", no_second_version)

static const struct {
    bool userns, namespaced;
    const char *options, *attributes, *written; /* an answer to an attempt to make a group */
} views[] = {
    {false, true, "ro", "ro,nosuid,nodev,noexec", "EROFS"},
    {false, true, "rw", "rw,nosuid,nodev,noexec", "ok"},
    {false, true, "rro", "ro,nosuid,nodev,noexec", "EROFS"},
    {false, false, "ro", "ro,nosuid,nodev,noexec", "EROFS"},
    {false, false, "rw", "rw,nosuid,nodev,noexec", "ok"},
    {true, true, "ro", "ro,nosuid,nodev,noexec", "EROFS"},
    {true, true, "rw", "rw,nosuid,nodev,noexec", NULL}, /* version 2's is delegated, 1's is not */
    {true, false, "ro", "ro,nosuid,nodev,noexec", "EROFS"},
};

/* It shows the container's own group and nothing above it, namespace or not. */
START_TEST(the_containers_group_is_the_root)
{
    cleanup_free char *bundle = container_bundle();
    const char *dir = is_unified() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";
    cleanup_free char *procs = str_format("cat %s/cgroup.procs", dir);
    cleanup_free char *make = str_format("mkdir %s/below", dir);
    cleanup_free char *up = str_format("list %s/cooper-test", dir);
    cleanup_free char *mounted = str_format("mounted %s", dir);
    cleanup_free char *command =
        str_format("%s + %s + %s + rmdir %s/below + %s", procs, make, up, dir, mounted);
    cleanup_json json_t *config = bare_config(bundle, command, views[_i].userns);
    cleanup_outcome struct outcome o;

    if (!views[_i].namespaced)
        container_remove_namespace(config, "cgroup");
    container_append(config, "mounts",
                     container_mount("cgroup", "cgroup", "/sys/fs/cgroup", views[_i].options));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, procs), "1\n");
    ck_assert_str_eq(answer(&o, up), "ENOENT");
    ck_assert_msg(str_starts(answer(&o, mounted), views[_i].attributes), "%s", o.output);
    ck_assert_str_eq(answer(&o, make), views[_i].written ? views[_i].written
                                       : is_unified()    ? "ok"
                                                         : "EACCES");
}
END_TEST

/* Version 2's tree by its own type, which beside version 1 shows the group without controllers. */
static const bool second[] = {true, false};

START_TEST(the_second_version_is_mounted_by_name)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        bare_config(bundle, "mounted /run/groups + cat /run/groups/cgroup.procs", false);
    cleanup_outcome struct outcome o;

    if (!second[_i])
        container_remove_namespace(config, "cgroup");
    container_append(config, "mounts",
                     container_mount("cgroup2", "cgroup2", "/run/groups", "ro,nosuid"));
    run_well(bundle, config, &o);
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /run/groups"), " - cgroup2 "), NULL);
    ck_assert(str_starts(answer(&o, "mounted /run/groups"), "ro,nosuid,nodev,noexec"));
    ck_assert_str_eq(answer(&o, "cat /run/groups/cgroup.procs"), "1\n");
}
END_TEST

/* Its options are for it; version 1 has none. */
START_TEST(options_of_the_file_system)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = bare_config(bundle, "mounted /run/groups", false);
    cleanup_outcome struct outcome o;

    container_append(config, "mounts",
                     container_mount("cgroup2", "cgroup2", "/run/groups", "nsdelegate,ro"));
    run_well(bundle, config, &o);
    ck_assert_str_ne(answer(&o, "mounted /run/groups"), "no");
    container_append(config, "mounts",
                     container_mount("cgroup2", "cgroup2", "/run/other", "no-such-option"));
    run_refused(bundle, config, EINVAL, "option 'no-such-option'");
}
END_TEST

START_TEST(a_wrong_option_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = bare_config(bundle, "true", false);

    container_append(config, "mounts",
                     container_mount("cgroup", "cgroup", "/sys/fs/cgroup", "ro,no-such-option"));
    run_refused(bundle, config, EINVAL,
                "cannot mount 'cgroup' on '/sys/fs/cgroup': option "
                "'no-such-option'");
}
END_TEST

/* The host's /sys is bound with all that is in it, and the container's group covers the host's. */
START_TEST(it_covers_the_hosts_in_a_bound_sys)
{
    cleanup_free char *bundle = container_bundle();
    const char *dir = is_unified() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";
    cleanup_free char *procs = str_format("cat %s/cgroup.procs", dir);
    cleanup_free char *up = str_format("list %s/cooper-test", dir);
    cleanup_free char *command = str_format("%s + %s", procs, up);
    cleanup_json json_t *config = container_config(bundle, command);
    cleanup_outcome struct outcome o;

    json_array_set_new(json_at(config, "mounts"), 3, bind_mount("/sys", "/sys", "rbind,rro"));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, procs), "1\n");
    ck_assert_str_eq(answer(&o, up), "ENOENT");
}
END_TEST

/* mount(2) refuses a file system on its own root (EBUSY), as it is in a bound /sys; move_mount(2)
 * does not. */
START_TEST(the_second_version_covers_itself)
{
    const char *dir = is_unified() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *procs = str_format("cat %s/cgroup.procs", dir);
    cleanup_free char *up = str_format("list %s/cooper-test", dir);
    cleanup_free char *command = str_format("%s + %s", procs, up);
    cleanup_json json_t *config = bare_config(bundle, command, false);
    cleanup_outcome struct outcome o;

    json_array_set_new(json_at(config, "mounts"), 3, bind_mount("/sys", "/sys", "rbind,rro"));
    container_append(config, "mounts", container_mount("cgroup2", "cgroup2", dir, "ro"));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, procs), "1\n");
    ck_assert_str_eq(answer(&o, up), "ENOENT");
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(mount_cgroup)
{
    TCase *t = tcase_create("mount_cgroup");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(the_containers_group_is_the_root, views);
    tcase_add_test(t, a_wrong_option_is_refused);
    tcase_add_test(t, it_covers_the_hosts_in_a_bound_sys);
    suite_add_tcase(suite, t);

    t = tcase_create("version 2");
    tcase_set_tags(t, "some-cgroup2");
    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(the_second_version_is_mounted_by_name, second);
    tcase_add_test(t, options_of_the_file_system);
    tcase_add_test(t, the_second_version_covers_itself);
    suite_add_tcase(suite, t);
}
