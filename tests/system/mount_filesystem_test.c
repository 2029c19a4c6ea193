/* New file systems: tmpfs and the kernel's own; where a user namespace may not have them. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "bundle.h"

START_TEST(a_tmpfs_has_its_size)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "mounted /scratch + stat /scratch");
    cleanup_outcome struct outcome o;

    container_append(
        config, "mounts",
        container_mount("tmpfs", "tmpfs", "/scratch", "nosuid,nodev,noexec,size=64k,mode=1770"));
    run_well(bundle, config, &o);
    ck_assert(str_starts(answer(&o, "mounted /scratch"), "rw,nosuid,nodev,noexec,"));
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /scratch"), "size=64k"), NULL);
    ck_assert(str_starts(answer(&o, "stat /scratch"), "041770"));
}
END_TEST

/* The mode of what it covers, unless one is given; where nothing was, the kernel's. */
static const struct {
    const char *destination, *options, *mode;
} modes[] = {
    {"/secret", "", "040711"},
    {"/secret", "size=1m", "040711"},
    {"/secret", "mode=1750", "041750"},
    {"/secret", "size=1m,mode=700", "040700"},
    {"/tmp", "", "041777"},
    {"/new", "", "041777"},
    {"/new/below", "size=1m", "041777"},
};

START_TEST(a_tmpfs_has_the_mode_of_what_it_covers)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *secret = path_in(bundle, "rootfs/secret"),
                      *tmp = path_in(bundle, "rootfs/tmp");
    cleanup_free char *question = str_format("stat %s", modes[_i].destination);
    cleanup_json json_t *config = container_config(bundle, question);
    cleanup_outcome struct outcome o;

    put_dir(bundle, "rootfs/secret");
    ck_assert(!chmod(secret, 0711) && !chmod(tmp, 01777));
    container_append(config, "mounts",
                     container_mount("tmpfs", "tmpfs", modes[_i].destination, modes[_i].options));
    run_well(bundle, config, &o);
    ck_assert_msg(str_starts(answer(&o, question), modes[_i].mode), "%s", answer(&o, question));
}
END_TEST

/* --- "tmpcopyup"
 * ----------------------------------------------------------------------------------
 */

static void make_tree(const char *bundle)
{
    cleanup_free char *top = path_in(bundle, "rootfs/data");
    cleanup_free char *file = path_in(bundle, "rootfs/data/sub/file");

    put_dir(bundle, "rootfs/data/sub");
    put_file(bundle, "rootfs/data/sub/file", "the image's");
    put_link(bundle, "rootfs/data/link", "/etc/passwd");
    ck_assert(!chown(file, 12, 34) && !chmod(file, 04751));
    ck_assert(!chown(top, 56, 78) && !chmod(top, 02750));
}

START_TEST(a_tmpfs_begins_with_what_was_there)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "stat /data + cat /data/sub/file + stat /data/sub/file + "
                                 "link /data/link + put /data/sub/file changed");
    cleanup_outcome struct outcome o;

    make_tree(bundle);
    container_append(config, "mounts",
                     container_mount("tmpfs", "tmpfs", "/data", "size=1m,tmpcopyup"));
    run_well(bundle, config, &o);
    ck_assert(str_starts(answer(&o, "stat /data"), "042750 56:78 "));
    ck_assert_str_eq(answer(&o, "cat /data/sub/file"), "the image's");
    ck_assert(str_starts(answer(&o, "stat /data/sub/file"), "104751 12:34 "));
    ck_assert_str_eq(answer(&o, "link /data/link"), "/etc/passwd");
    ck_assert_str_eq(answer(&o, "put /data/sub/file changed"), "ok");
    cleanup_json json_t *again = container_config(bundle, "cat /data/sub/file");
    cleanup_outcome struct outcome second;
    run_well(bundle, again, &second);
    ck_assert_str_eq(answer(&second, "cat /data/sub/file"), "the image's");
}
END_TEST

static const struct {
    const char *options, *top;
} copies[] = {
    {"tmpcopyup,mode=1700", "041700 "},
    {"tmpcopyup,uid=5,gid=6", "042750 5:6 "},
    {"tmpcopyup,ro", "042750 56:78 "},
};

START_TEST(what_the_options_say_is_not_replaced)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "stat /data + cat /data/sub/file + put /data/new x");
    cleanup_outcome struct outcome o;

    make_tree(bundle);
    container_append(config, "mounts",
                     container_mount("tmpfs", "tmpfs", "/data", copies[_i].options));
    run_well(bundle, config, &o);
    ck_assert_msg(str_starts(answer(&o, "stat /data"), copies[_i].top), "%s",
                  answer(&o, "stat /data"));
    ck_assert_str_eq(answer(&o, "cat /data/sub/file"), "the image's");
    ck_assert_str_eq(answer(&o, "put /data/new x"),
                     strstr(copies[_i].options, "ro") ? "EROFS" : "ok");
}
END_TEST

/* Larger than the tmpfs: an error, and not half a directory. */
START_TEST(a_copy_that_does_not_fit_is_an_error)
{
    cleanup_free char *bundle = container_bundle(), *big = path_in(bundle, "rootfs/data/big");
    cleanup_json json_t *config = container_config(bundle, "true");

    make_tree(bundle);
    put_file(bundle, "rootfs/data/big", "");
    ck_assert(!truncate(big, 1 << 20));
    container_append(config, "mounts",
                     container_mount("tmpfs", "tmpfs", "/data", "size=64k,tmpcopyup"));
    run_refused(bundle, config, ENOSPC,
                "'tmpcopyup' cannot copy what is there: 'big': No space left");
}
END_TEST

/* What leads out of the image in its place is not copied in. */
START_TEST(copying_up_stays_inside)
{
    cleanup_free char *bundle = container_bundle(), *outside = path_in(bundle, "outside");
    cleanup_json json_t *config = container_config(bundle, "list /data");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "outside");
    put_file(bundle, "outside/key", "the host's");
    put_link(bundle, "rootfs/data", outside);
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/data", "tmpcopyup"));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "list /data"), "[]");
}
END_TEST

/* --- read-only
 * ------------------------------------------------------------------------------------
 */

/* The kernel's file systems are one for all: "ro" is for this mount, not for the host's. */
START_TEST(read_only_is_for_this_mount)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "mounted /run/sys");
    cleanup_outcome struct outcome o;
    struct statfs fs;

    container_append(config, "mounts", container_mount("sysfs", "sysfs", "/run/sys", "ro"));
    run_well(bundle, config, &o);
    ck_assert(str_starts(answer(&o, "mounted /run/sys"), "ro,"));
    ck_assert(str_ends(answer(&o, "mounted /run/sys"), " - sysfs sysfs rw"));
    ck_assert(!statfs("/sys", &fs) && !(fs.f_flags & 1 /* ST_RDONLY */));
}
END_TEST

/* Others are read-only as a whole: a device that is could not be mounted otherwise. */
START_TEST(other_file_systems_are_read_only_as_a_whole)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "mounted /x");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "a");
    put_dir(bundle, "b");
    cleanup_free char *options = str_format("lowerdir=%s/a:%s/b,ro", bundle, bundle);
    container_append(config, "mounts", container_mount("overlay", "overlay", "/x", options));
    run_well(bundle, config, &o);
    ck_assert(str_starts(answer(&o, "mounted /x"), "ro,"));
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /x"), " - overlay overlay ro,"), NULL);
}
END_TEST

/* --- in a user namespace
 * --------------------------------------------------------------------------
 */

/* What a namespace that is the host's has to show is bound from there; with the options asked for.
 */
START_TEST(a_shared_network_shows_the_hosts_sysfs)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        config_in_userns(bundle, "mounted /sys + mounted /sys/fs/cgroup + list /sys/fs/cgroup");
    cleanup_outcome struct outcome o;

    container_remove_namespace(config, "network");
    json_array_remove(json_at(config, "mounts"), 4); /* no control groups: */
    run_well(bundle, config, &o);
    ck_assert(str_starts(answer(&o, "mounted /sys"), "ro,nosuid,nodev,noexec"));
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /sys"), " - sysfs "), NULL);
    ck_assert_str_eq(answer(&o, "list /sys/fs/cgroup"), "[]"); /* nor the host's */
}
END_TEST

START_TEST(shared_processes_show_the_hosts_procfs)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "mounted /proc + link /proc/self");
    cleanup_outcome struct outcome o;

    container_remove_namespace(config, "pid");
    run_well(bundle, config, &o);
    ck_assert(str_starts(answer(&o, "mounted /proc"), "rw,nosuid,nodev,noexec"));
    ck_assert_int_gt(atoi(answer(&o, "link /proc/self")), 1);
}
END_TEST

/* Queues of other containers are not shown instead of one's own. */
START_TEST(what_has_no_equivalent_is_an_error)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "true");

    if (!access("/dev/mqueue", F_OK))
        return;
    container_remove_namespace(config, "ipc");
    run_refused(bundle, config, EPERM,
                "mounts[5]: cannot mount 'mqueue' on '/dev/mqueue': in a user namespace");
}
END_TEST

/* --- labels
 * ---------------------------------------------------------------------------------------
 */

static const char *selinux_is_off(void)
{
    return access("/sys/fs/selinux/enforce", F_OK) ? NULL : "this host has SELinux";
}
TAG("no-selinux", selinux_is_off)

START_TEST(a_label_needs_selinux)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    container_set(config, "linux.mountLabel",
                  json_string("system_u:object_r:container_file_t:s0:c1,c2"));
    run_refused(
        bundle, config, ENOTSUP,
        "linux.mountLabel 'system_u:object_r:container_file_t:s0:c1,c2': SELinux is disabled "
        "or not supported on this host");
    container_set(config, "linux.mountLabel", json_string(""));
    run_well(bundle, config, &o);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(mount_filesystem)
{
    TCase *t = tcase_create("mount_filesystem");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_tmpfs_has_its_size);
    LOOP(a_tmpfs_has_the_mode_of_what_it_covers, modes);
    tcase_add_test(t, a_tmpfs_begins_with_what_was_there);
    LOOP(what_the_options_say_is_not_replaced, copies);
    tcase_add_test(t, a_copy_that_does_not_fit_is_an_error);
    tcase_add_test(t, copying_up_stays_inside);
    tcase_add_test(t, read_only_is_for_this_mount);
    tcase_add_test(t, other_file_systems_are_read_only_as_a_whole);
    tcase_add_test(t, a_shared_network_shows_the_hosts_sysfs);
    tcase_add_test(t, shared_processes_show_the_hosts_procfs);
    tcase_add_test(t, what_has_no_equivalent_is_an_error);
    suite_add_tcase(suite, t);

    t = tcase_create("labels");
    tcase_set_tags(t, "no-selinux");
    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_label_needs_selinux);
    suite_add_tcase(suite, t);
}
