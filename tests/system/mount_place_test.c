/* Where mounts go: destinations as people write them and as images have them. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "bundle.h"

/* --- names ------------------------------------------------------------------------------------ */

static const struct {
    const char *destination, *place;
} names[] = {
    {"/x", "/x"},
    {"x", "/x"}, /* relative means relative to the root */
    {"x/y", "/x/y"},
    {"/x/", "/x"},
    {"//x//y", "/x/y"},
    {"/./x/./y/.", "/x/y"},
    {"/tmp/../x", "/x"},
    {"/../../x", "/x"}, /* no further up than the root */
    {"../../x", "/x"},
    {"/new/one/../two", "/new/two"},
    {"/a/b/c/d/e/f/g", "/a/b/c/d/e/f/g"},
    {"/with blank/and\ttab", "/with\\040blank/and\\011tab"},
    {"/link", "/tmp/real"}, /* -> /tmp/real */
    {"/link/sub", "/tmp/real/sub"},
    {"/up/real", "/tmp/real"}, /* -> ../../tmp */
    {"/dangling", "/nowhere"}, /* -> /nowhere, which is not there */
    {"/dangling/sub", "/nowhere/sub"},
    {"/tmp/again/sub", "/nowhere/sub"}, /* -> ../dangling */
    {"/half/sub", "/tmp/not/yet/sub"},  /* -> /tmp/not/yet */
};

static void make_links(const char *bundle)
{
    put_dir(bundle, "rootfs/tmp/real");
    put_link(bundle, "rootfs/link", "/tmp/real");
    put_link(bundle, "rootfs/up", "../../tmp");
    put_link(bundle, "rootfs/dangling", "/nowhere");
    put_link(bundle, "rootfs/tmp/again", "../dangling");
    put_link(bundle, "rootfs/half", "/tmp/not/yet");
}

START_TEST(a_destination_is_found_or_made)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *question = str_format("mounted %s", names[_i].place);
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    make_links(bundle);
    container_set(config, "process.args",
                  json_pack("[s,s,s]", "/bin/probe", "mounted", names[_i].place));
    container_append(config, "mounts",
                     container_mount("tmpfs", "tmpfs", names[_i].destination, "size=16k"));
    run_well(bundle, config, &o);
    ck_assert_msg(strstr(answer(&o, question), "size=16k") != NULL, "%s", o.output);
    ck_assert(!exists(bundle, "nowhere") && access("/nowhere", F_OK) < 0);
}
END_TEST

/* The same for a file: what is made is an empty file, and what is there stays as it was. */
START_TEST(a_file_is_found_or_made)
{
    cleanup_free char *bundle = container_bundle(), *source = path_in(bundle, "source");
    cleanup_free char *question = str_format("mounted %s", names[_i].place);
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o = {0};

    if (!strcmp(names[_i].destination, "/link") || !strcmp(names[_i].destination, "/up/real") ||
        strchr(names[_i].destination, '\t') || str_ends(names[_i].destination, "/.") ||
        str_ends(names[_i].destination, "x/"))
        return; /* a directory, or the name of one */
    make_links(bundle);
    put_file(bundle, "source", "x");
    container_set(config, "process.args",
                  json_pack("[s,s,s]", "/bin/probe", "mounted", names[_i].place));
    container_append(config, "mounts", bind_mount(source, names[_i].destination, "bind,ro"));
    run_well(bundle, config, &o);
    ck_assert_msg(str_starts(answer(&o, question), "ro,"), "%s", o.output);
    ck_assert(!exists(bundle, "nowhere") && access("/nowhere", F_OK) < 0);
}
END_TEST

/* What was made to mount on: 0755 for directories, and for files what others may read. */
START_TEST(what_is_made_is_ordinary)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;
    struct stat st;

    put_file(bundle, "source", "x");
    container_append(config, "mounts", bind_mount("source", "/made/dir/file", "bind"));
    run_well(bundle, config, &o);
    cleanup_free char *dir = path_in(bundle, "rootfs/made/dir");
    cleanup_free char *file = path_in(bundle, "rootfs/made/dir/file");
    ck_assert(!stat(dir, &st));
    ck_assert_uint_eq(st.st_mode, S_IFDIR | 0755);
    ck_assert(!stat(file, &st));
    ck_assert_uint_eq(st.st_mode, S_IFREG | 0644);
    ck_assert_int_eq(st.st_size, 0);
}
END_TEST

/* --- order ------------------------------------------------------------------------------------ */

/* As listed: a later one covers an earlier one, and may go into it. */
START_TEST(mounts_are_made_in_their_order)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "cat /x/in/file + list /x + mounted /x/in + mounted /y");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "dir");
    put_file(bundle, "dir/file", "inner");
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/x", "size=32k"));
    container_append(config, "mounts", bind_mount("dir", "/x/in", "bind"));
    container_append(config, "mounts", container_mount("tmpfs", "first", "/y", ""));
    container_append(config, "mounts", container_mount("tmpfs", "second", "/y", ""));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "cat /x/in/file"), "inner");
    ck_assert_str_eq(answer(&o, "list /x"), "[in ]");
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /y"), " second "), NULL);
}
END_TEST

/* A read-only tmpfs still takes the mount points of what comes after it. */
START_TEST(a_read_only_tmpfs_takes_mount_points_first)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "cat /x/in/file + put /x/new y + mounted /dev + stat /dev/null + "
                                 "put /dev/new y");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "dir");
    put_file(bundle, "dir/file", "inner");
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/x", "ro"));
    container_append(config, "mounts", bind_mount("dir", "/x/in", "bind"));
    json_array_append_new(json_object_get(json_array_get(json_at(config, "mounts"), 1), "options"),
                          json_string("ro"));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "cat /x/in/file"), "inner");
    ck_assert_str_eq(answer(&o, "put /x/new y"), "EROFS");
    ck_assert(str_starts(answer(&o, "mounted /dev"), "ro,"));
    ck_assert_ptr_ne(strstr(answer(&o, "stat /dev/null"), " 1:3 "), NULL);
    ck_assert_str_eq(answer(&o, "put /dev/new y"), "EROFS");
}
END_TEST

/* --- what is refused
 * ------------------------------------------------------------------------------
 */

static const struct {
    const char *type, *source, *destination, *options;
    int error;
    const char *words;
} refused[] = {
    {"tmpfs", "tmpfs", "/", "", EINVAL, "the destination is the root itself"},
    {"bind", "/tmp", "/tmp/..", "bind", EINVAL, "the destination is the root itself"},
    {"tmpfs", "tmpfs", ".", "", EINVAL, "the destination is the root itself"},
    {"tmpfs", "tmpfs", "/etc/passwd/x", "", ENOTDIR,
     "cannot open the mount point: Not a directory"},
    {"tmpfs", "tmpfs", "/loop/x", "", ELOOP, "Too many levels of symbolic links"},
    {"tmpfs", "tmpfs", "/grows/x", "", ELOOP, "Too many levels of symbolic links"},
    {"tmpfs", "tmpfs", "/proc", "", EPERM,
     "'/proc' cannot be mounted because it is not of type proc"},
    {"bind", "/tmp", "/proc", "bind", EPERM,
     "'/proc' cannot be mounted because it is not of type proc"},
    {"bind", "/proc/sys", "/proc", "bind", EPERM, "it is not of type proc"},
    {"bind", "/tmp", "/etc/../proc/", "bind", EPERM, "it is not of type proc"},
    {"tmpfs", "tmpfs", "/proc/sys", "", EPERM,
     "'/proc/sys' cannot be mounted because it is inside /proc"},
    {"proc", "proc", "/proc/sys", "", EPERM,
     "'/proc/sys' cannot be mounted because it is inside /proc"},
    {"proc", "proc", "/proc/1/attr", "", EPERM, "it is inside /proc"},
    {"sysfs", "sysfs", "/proc/bus", "", EPERM, "it is inside /proc"},
};

START_TEST(a_bad_destination_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");

    put_link(bundle, "rootfs/loop", "loop");
    put_link(bundle, "rootfs/grows", "grows/and/more");
    container_append(config, "mounts",
                     container_mount(refused[_i].type, refused[_i].source, refused[_i].destination,
                                     refused[_i].options));
    run_refused(bundle, config, refused[_i].error, refused[_i].words);
}
END_TEST

/* --- in /proc and /sys
 * ----------------------------------------------------------------------------
 */

/* What LXCFS and the like put there. */
static const char *const replaceable[] = {"/proc/cpuinfo",   "/proc/meminfo", "/proc/stat",
                                          "/proc/uptime",    "/proc/loadavg", "/proc/swaps",
                                          "/proc/diskstats", "/proc/./uptime"};

START_TEST(harmless_files_of_proc_are_replaced)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *question = str_format("cat %s", replaceable[_i]);
    cleanup_json json_t *config = container_config(bundle, question);
    cleanup_outcome struct outcome o;

    put_file(bundle, "source", "the container's truth");
    container_append(config, "mounts", bind_mount("source", replaceable[_i], "bind,ro"));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, question), "the container's truth");
}
END_TEST

/* The host's procfs as the container's, as people do for a shared PID namespace. */
START_TEST(a_procfs_may_be_bound_on_proc)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "mounted /proc + cat /proc/kcore");
    cleanup_outcome struct outcome o;

    container_remove_namespace(config, "pid");
    json_array_set_new(json_at(config, "mounts"), 0, bind_mount("/proc", "/proc", "rbind"));
    run_well(bundle, config, &o);
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /proc"), " - proc "), NULL);
}
END_TEST

/* Elsewhere a procfs is a file system like others, and in /sys are places to mount on. */
START_TEST(the_kernels_file_systems_may_be_elsewhere)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "mounted /run/proc + link /run/proc/self + mounted /run/sys + "
                                 "mounted /sys/fs/fuse/connections + mounted /run/mq");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "dir");
    container_append(config, "mounts", container_mount("proc", "proc", "/run/proc", "hidepid=2"));
    container_append(config, "mounts", container_mount("sysfs", "sysfs", "/run/sys", "ro"));
    container_append(config, "mounts", container_mount("mqueue", "mqueue", "/run/mq", "nosuid"));
    if (!access("/sys/fs/fuse/connections", F_OK))
        container_append(config, "mounts", bind_mount("dir", "/sys/fs/fuse/connections", "bind"));
    run_well(bundle, config, &o);
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /run/proc"), "hidepid="), NULL);
    ck_assert_str_eq(answer(&o, "link /run/proc/self"), "1");
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /run/sys"), " - sysfs "), NULL);
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /run/mq"), " - mqueue "), NULL);
    if (!access("/sys/fs/fuse/connections", F_OK))
        ck_assert_str_ne(answer(&o, "mounted /sys/fs/fuse/connections"), "no");
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(mount_place)
{
    TCase *t = tcase_create("mount_place");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(a_destination_is_found_or_made, names);
    LOOP(a_file_is_found_or_made, names);
    tcase_add_test(t, what_is_made_is_ordinary);
    tcase_add_test(t, mounts_are_made_in_their_order);
    tcase_add_test(t, a_read_only_tmpfs_takes_mount_points_first);
    LOOP(a_bad_destination_is_refused, refused);
    LOOP(harmless_files_of_proc_are_replaced, replaceable);
    tcase_add_test(t, a_procfs_may_be_bound_on_proc);
    tcase_add_test(t, the_kernels_file_systems_may_be_elsewhere);
    suite_add_tcase(suite, t);
}
