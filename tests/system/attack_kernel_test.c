/* Images and configurations that want something else in the place of the kernel's own files:
 * /dev/null, the console, terminals, /proc and its settings; each after a hole another engine once
 * had. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "bundle.h"

static void check_secret(const char *bundle)
{
    cleanup_free char *path = path_in(bundle, "secret");
    cleanup_buf struct buf text = {0};
    struct err err = {0};
    struct stat st;

    ck_assert(!file_load(AT_FDCWD, path, 100, &text, &err));
    ck_assert_str_eq(text.data, "the host's");
    ck_assert(!stat(path, &st));
    ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
    ck_assert_uint_eq(st.st_uid, 0);
}

static char *make_secret(const char *bundle)
{
    char *path = path_in(bundle, "secret");

    put_file(bundle, "secret", "the host's");
    ck_assert(!chmod(path, 0600));
    return path;
}

static void remove_mount(json_t *config, const char *destination)
{
    json_t *mounts = json_at(config, "mounts");

    for (size_t i = json_array_size(mounts); i-- > 0;)
        if (str_starts(json_str(json_array_get(mounts, i), "destination", ""), destination))
            json_array_remove(mounts, i);
}

/* --- /dev/null: CVE-2025-31133
 * --------------------------------------------------------------------
 */

/* The volume on /dev has a link in the place of null. What masks a file is the host's all the same.
 */
START_TEST(masks_do_not_come_from_the_image)
{
    cleanup_free char *bundle = container_bundle(), *secret = make_secret(bundle);
    cleanup_json json_t *config =
        container_config(bundle, "stat /proc/keys + size /proc/keys + put /proc/keys x");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "volume");
    put_link(bundle, "volume/null", secret);
    remove_mount(config, "/dev");
    container_append(config, "mounts", bind_mount("volume", "/dev", "rbind"));
    run_well(bundle, config, &o);
    ck_assert_ptr_ne(strstr(answer(&o, "stat /proc/keys"), " 1:3 "), NULL);
    ck_assert_str_eq(answer(&o, "size /proc/keys"), "0");
    check_secret(bundle);
}
END_TEST

/* An image without a mount on /dev, with all sorts of things where nodes and links go. */
static const struct {
    const char *name;
    mode_t type; /* S_IFLNK: to the host's secret */
    dev_t device;
    int error; /* 0: it is replaced, or harmless */
} forged[] = {
    {"null", S_IFLNK, 0, EEXIST},
    {"null", S_IFREG, 0, EEXIST},
    {"null", S_IFCHR, 0x101 /* 1:1, mem */, EEXIST},
    {"zero", S_IFBLK, 0x105, EEXIST},
    {"tty", S_IFIFO, 0, EEXIST},
    {"ptmx", S_IFLNK, 0, 0},
    {"ptmx", S_IFREG, 0, 0},
    {"fd", S_IFLNK, 0, 0},
    {"stdout", S_IFLNK, 0, 0},
};

START_TEST(forged_nodes_are_not_accepted)
{
    cleanup_free char *bundle = container_bundle(), *secret = make_secret(bundle);
    cleanup_free char *path = str_format("%s/rootfs/dev/%s", bundle, forged[_i].name);
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o = {0};

    put_dir(bundle, "rootfs/dev");
    if (forged[_i].type == S_IFLNK)
        ck_assert(!symlink(secret, path));
    else
        ck_assert(!mknod(path, forged[_i].type | 0666, forged[_i].device));
    remove_mount(config, "/dev");
    if (forged[_i].error)
        run_refused(bundle, config, forged[_i].error, forged[_i].name);
    else
        run_well(bundle, config, &o);
    check_secret(bundle);
}
END_TEST

/* A host whose /dev/null is something else masks nothing with it: no container then. */
START_TEST(a_host_without_null_is_noticed)
{
    cleanup_free char *bundle = container_bundle(), *secret = make_secret(bundle);
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    ck_assert(!mount(secret, "/dev/null", NULL, MS_BIND, NULL));
    container_run(bundle, config, &o);
    ck_assert(!umount2("/dev/null", MNT_DETACH));
    ck_assert_int_eq(o.created, -ENODEV);
    ck_assert_ptr_ne(strstr(o.err.message, "is not the null device"), NULL);
    check_secret(bundle);
}
END_TEST

/* --- terminals: CVE-2025-52565 and before
 * ---------------------------------------------------------
 */

/* What is in the place of the console or of the terminals' multiplexer, with a volume on /dev or
 * /dev/pts. */
static const struct {
    const char *mounted_on, *name;
    mode_t type;
    int error;
} consoles[] = {
    {"/dev", "console", S_IFLNK, ELOOP},  {"/dev", "console", S_IFDIR, EISDIR},
    {"/dev/pts", "ptmx", S_IFLNK, ELOOP}, {"/dev/pts", "ptmx", S_IFREG, EPERM},
    {"/dev/pts", "ptmx", S_IFCHR, EPERM}, /* the host's own: 5:2 */
    {"/dev/pts", "ptmx", S_IFIFO, EPERM},
};

START_TEST(a_forged_console_is_not_written_to)
{
    cleanup_free char *bundle = container_bundle(), *secret = make_secret(bundle);
    cleanup_free char *path = str_format("%s/volume/%s", bundle, consoles[_i].name);
    cleanup_json json_t *config = container_config(bundle, "tty");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "volume");
    if (consoles[_i].type == S_IFLNK)
        ck_assert(!symlink(secret, path));
    else if (consoles[_i].type == S_IFDIR)
        ck_assert(!mkdir(path, 0755));
    else
        ck_assert(!mknod(path, consoles[_i].type | 0666, makedev(5, 2)));
    container_set(config, "process.terminal", json_true());
    if (!strcmp(consoles[_i].mounted_on, "/dev")) {
        /* the terminals themselves are the container's own, further up */
        put_dir(bundle, "volume/pts");
        remove_mount(config, "/dev");
        container_append(config, "mounts", bind_mount("volume", "/dev", "rbind"));
        container_append(
            config, "mounts",
            container_mount("devpts", "devpts", "/dev/pts", "newinstance,ptmxmode=0666"));
    } else {
        remove_mount(config, "/dev/pts");
        container_append(config, "mounts", bind_mount("volume", "/dev/pts", "rbind"));
    }
    container_run(bundle, config, &o);
    ck_assert_msg(o.created < 0, "it was accepted");
    ck_assert_msg(strstr(o.err.message, consoles[_i].name) != NULL, "%s", o.err.message);
    check_secret(bundle);
}
END_TEST

/* --- /proc: CVE-2019-16884, CVE-2019-19921, CVE-2023-28642
 * ----------------------------------------
 */

/* Without a procfs an image may have a forged one; it is a directory like others. */
START_TEST(a_forged_proc_is_just_a_directory)
{
    cleanup_free char *bundle = container_bundle(), *secret = make_secret(bundle);
    cleanup_json json_t *config = container_config(
        bundle, "cat /proc/self/attr/exec + size /proc/keys + list /proc/self/attr");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "rootfs/proc/self/attr");
    put_link(bundle, "rootfs/proc/self/attr/exec", secret);
    put_file(bundle, "rootfs/proc/keys", "forged");
    put_link(bundle, "rootfs/proc/timer_list", secret);
    remove_mount(config, "/proc");
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "cat /proc/self/attr/exec"), "ENOENT");
    ck_assert_str_eq(answer(&o, "size /proc/keys"), "0"); /* masked like any other path */
    check_secret(bundle);
}
END_TEST

/* --- settings: CVE-2022-0811, CVE-2025-52881
 * -------------------------------------------------------
 */

static const char *const sysctl_places[] = {"/run/proc", "/proc"};

/* The container's /proc is forged, missing, or covered in the right place: the setting is made, and
 * nothing else is written to. */
START_TEST(a_setting_reaches_the_kernel_or_nothing)
{
    cleanup_free char *bundle = container_bundle(), *secret = make_secret(bundle);
    cleanup_free char *question = str_format("cat %s/sys/net/ipv4/ip_forward", sysctl_places[_i]);
    cleanup_json json_t *config = container_config(bundle, question);
    cleanup_outcome struct outcome o;

    put_dir(bundle, "rootfs/proc/sys/net/ipv4");
    put_link(bundle, "rootfs/proc/sys/net/ipv4/ip_forward", secret);
    put_file(bundle, "forged", "0");
    container_set(config, "linux.sysctl", json_pack("{s:s}", "net.ipv4.ip_forward", "1"));
    if (!_i) {
        remove_mount(config, "/proc");
        container_append(config, "mounts", container_mount("proc", "proc", "/run/proc", ""));
    }
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, question), "1\n");
    check_secret(bundle);
}
END_TEST

static const char *const covers[] = {"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net", "/proc/sys"};

START_TEST(settings_are_not_covered)
{
    cleanup_free char *bundle = container_bundle(), *secret = make_secret(bundle);
    cleanup_json json_t *config = container_config(bundle, "true");

    put_dir(bundle, "net/ipv4");
    container_append(config, "mounts", bind_mount(_i ? "net" : secret, covers[_i], "rbind"));
    run_refused(bundle, config, EPERM, "it is inside /proc");
    check_secret(bundle);
}
END_TEST

/* --- control groups: CVE-2022-0492
 * -----------------------------------------------------------------
 */

/* The program that the host's kernel would run when a group becomes empty. */
START_TEST(release_agent_is_out_of_reach)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(
        bundle,
        "put /sys/fs/cgroup/memory/release_agent /x + put /sys/fs/cgroup/pids/release_agent "
        "/x + put /sys/fs/cgroup/memory/notify_on_release 1");
    cleanup_outcome struct outcome o;

    if (_i) { /* also where they may be written to */
        container_set(json_array_get(json_at(config, "mounts"), 4), "options",
                      json_pack("[s]", "nosuid"));
        container_set(config, "root.readonly", json_true());
    }
    run_well(bundle, config, &o);
    for (const char *line = strstr(o.output, "release_agent"); line;
         line = strstr(line + 1, "release_agent"))
        ck_assert_msg(strncmp(strchr(line, ':'), ": ok", 4), "%s", o.output);
}
END_TEST

/* --- devices
 * ---------------------------------------------------------------------------------------
 */

/* A node of the host's disk in the image, in a volume or on a tmpfs: nodev is no help where it is
 * not asked for, the group's rules are. */
START_TEST(the_hosts_devices_do_not_open)
{
    cleanup_free char *bundle = container_bundle(), *disk = path_in(bundle, "rootfs/tmp/disk");
    cleanup_json json_t *config = container_config(
        bundle,
        "open /tmp/disk + open /vol/mem + mknod /scratch/disk b 254 0 + open /scratch/disk + "
        "mknod /dev/sda b 8 0 + open /dev/sda");
    cleanup_free char *mem = path_in(bundle, "volume/mem");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "volume");
    ck_assert(!mknod(disk, S_IFBLK | 0666, makedev(254, 0)));
    ck_assert(!mknod(mem, S_IFCHR | 0666, makedev(1, 1)));
    container_append(config, "mounts", bind_mount("volume", "/vol", "rbind"));
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/scratch", ""));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "open /tmp/disk"), "EPERM");
    ck_assert_str_eq(answer(&o, "open /vol/mem"), "EPERM");
    ck_assert_str_eq(answer(&o, "open /scratch/disk"), "EPERM");
    ck_assert_str_eq(answer(&o, "open /dev/sda"), "EPERM");
}
END_TEST

/* In a user namespace the kernel itself refuses: to make one, and to open one that is there. */
START_TEST(nor_in_a_user_namespace)
{
    cleanup_free char *bundle = container_bundle(), *disk = path_in(bundle, "rootfs/tmp/disk");
    cleanup_json json_t *config = config_in_userns(
        bundle, "mknod /tmp/mine b 254 0 + open /tmp/disk + mknod /scratch/mine c 1 3 "
                "+ put /scratch/mine x");
    cleanup_outcome struct outcome o;

    ck_assert(!mknod(disk, S_IFBLK | 0666, makedev(254, 0)));
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/scratch", ""));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "mknod /tmp/mine b 254 0"), "EPERM");
    ck_assert_str_ne(answer(&o, "open /tmp/disk"), "ok");
    ck_assert_str_eq(answer(&o, "mknod /scratch/mine c 1 3"), "EPERM");
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(attack_kernel)
{
    TCase *t = tcase_create("attack_kernel");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, masks_do_not_come_from_the_image);
    LOOP(forged_nodes_are_not_accepted, forged);
    tcase_add_test(t, a_host_without_null_is_noticed);
    LOOP(a_forged_console_is_not_written_to, consoles);
    tcase_add_test(t, a_forged_proc_is_just_a_directory);
    LOOP(a_setting_reaches_the_kernel_or_nothing, sysctl_places);
    LOOP(settings_are_not_covered, covers);
    tcase_add_loop_test(t, release_agent_is_out_of_reach, 0, 2);
    tcase_add_test(t, the_hosts_devices_do_not_open);
    tcase_add_test(t, nor_in_a_user_namespace);
    suite_add_tcase(suite, t);
}
