/* Images and configurations that want out, each after a hole another engine once had; and mounts.
 */
#include "support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "bundle.h"
#include "container.h"

/* The image's directory is a symlink to a host path, absolute or by "..": the mount lands inside.
 */
static const char *const escapes[] = {"%s/outside", "../../../../../../../../%s/outside"};

START_TEST(a_symlinked_mount_point_stays_inside)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "cat /data/file + put /data/made x");
    cleanup_free char *source = path_in(bundle, "source"), *target = NULL;
    cleanup_outcome struct outcome o;

    put_dir(bundle, "source");
    put_dir(bundle, "outside");
    put_file(bundle, "source/file", "content");
    target = _i ? str_format("../../../../../../..%s/outside", bundle)
                : str_format("%s/outside", bundle);
    put_link(bundle, "rootfs/data", target);
    container_append(config, "mounts", bind_mount(source, "/data", "rbind,rw"));
    container_run(bundle, config, &o);
    /* Either it is mounted where the link leads inside, or it is refused; never outside. */
    ck_assert(!exists(bundle, "outside/made"));
    ck_assert(!exists(bundle, "outside/file"));
    if (!o.created)
        ck_assert_str_eq(answer(&o, "cat /data/file"), "content");
}
END_TEST

/* CVE-2019-19921, CVE-2023-27561: masks would guard the wrong place. */
static const char *const fixed_places[] = {"proc", "sys"};

START_TEST(proc_and_sys_must_not_be_symlinks)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *link = str_format("rootfs/%s", fixed_places[_i]);
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "rootfs/elsewhere");
    put_link(bundle, link, "/elsewhere");
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -ELOOP);
    ck_assert_ptr_ne(strstr(o.err.message, "symlink"), NULL);
}
END_TEST

/* CVE-2024-45310: a dangling link as a mount point must not create what it names on the host. */
START_TEST(a_dangling_link_creates_nothing_outside)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *outside = path_in(bundle, "created"), *source = path_in(bundle, "source");
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    put_file(bundle, "source", "x");
    put_link(bundle, "rootfs/data", outside);
    container_append(config, "mounts", bind_mount(source, "/data", "bind"));
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/data/sub", "size=1m"));
    container_run(bundle, config, &o);
    ck_assert(!exists(bundle, "created"));
}
END_TEST

/* A working directory through a link, and one that goes up: made inside or refused. */
static const char *const directories[] = {"/escape/made", "/../../../made", "/escape"};

START_TEST(a_working_directory_stays_inside)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "self");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "outside");
    cleanup_free char *outside = path_in(bundle, "outside");
    put_link(bundle, "rootfs/escape", outside);
    container_set(config, "process.cwd", json_string(directories[_i]));
    container_run(bundle, config, &o);
    ck_assert(!exists(bundle, "outside/made"));
    ck_assert(access("/made", F_OK) < 0);
    if (!o.created)
        ck_assert_ptr_ne(strstr(answer(&o, "self"), "cwd=/"), NULL);
}
END_TEST

/* CVE-2021-30465 and CVE-2025-31133: /dev is the image's link, or holds the image's own null. */
START_TEST(an_images_own_dev_is_not_trusted)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    json_array_remove(json_at(config, "mounts"), 1); /* no tmpfs on /dev */
    json_array_remove(json_at(config, "mounts"), 1); /* nor devpts, */
    put_dir(bundle, "rootfs/dev");
    put_file(bundle, "rootfs/dev/null", "not a device");
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EEXIST);
    ck_assert_ptr_ne(strstr(o.err.message, "/dev/null"), NULL);
}
END_TEST

START_TEST(a_symlinked_dev_is_populated_inside)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *outside = path_in(bundle, "outside");
    cleanup_json json_t *config = container_config(bundle, "stat /dev/null");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "outside");
    put_link(bundle, "rootfs/dev", outside);
    container_run(bundle, config, &o);
    ck_assert(!exists(bundle, "outside/null"));
    ck_assert(!exists(bundle, "outside/pts"));
}
END_TEST

/* CVE-2015-3631: a file of /proc covered by one of the attacker's. */
static const char *const proc_places[] = {"/proc/self/attr", "/proc/sys/kernel", "/proc/version",
                                          "/proc/1/fd"};

START_TEST(nothing_is_mounted_in_proc)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    container_append(config, "mounts",
                     container_mount("tmpfs", "tmpfs", proc_places[_i], "size=1m"));
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
}
END_TEST

/* Reached by a link the image has elsewhere. */
START_TEST(nothing_is_mounted_in_proc_by_a_detour)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    put_link(bundle, "rootfs/detour", "/proc/sys");
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/detour", "size=1m"));
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -EPERM);
}
END_TEST

/* --- ordinary mounts ----------------------------------------------------------------------------
 */

START_TEST(binds_are_writable_or_not)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *source = path_in(bundle, "source");
    cleanup_json json_t *config = container_config(
        bundle, "put /rw/a x + put /ro/b x + cat /ro/a + put /ro/sub/c x + cat /one");
    cleanup_free char *file = path_in(bundle, "source/one"), *sub = path_in(bundle, "source/sub");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "source/sub");
    put_file(bundle, "source/one", "1");
    ck_assert(!mount("tmpfs", sub, "tmpfs", 0, NULL));
    container_append(config, "mounts", bind_mount(source, "/rw", "rbind,rprivate"));
    container_append(config, "mounts", bind_mount(source, "/ro", "rbind,rro,rprivate"));
    container_append(config, "mounts", bind_mount(file, "/one", "bind,ro"));
    container_run(bundle, config, &o);
    umount2(sub, MNT_DETACH);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "put /rw/a x"), "ok");
    ck_assert_str_eq(answer(&o, "put /ro/b x"), "EROFS");
    ck_assert_str_eq(answer(&o, "cat /ro/a"), "x");
    ck_assert_str_eq(answer(&o, "put /ro/sub/c x"), "EROFS"); /* recursively */
    ck_assert_str_eq(answer(&o, "cat /one"), "1");
    ck_assert(exists(bundle, "source/a"));
}
END_TEST

/* A host that mounts something nosuid,nodev,noexec means it inside too. */
START_TEST(binds_keep_the_flags_of_their_source)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *source = path_in(bundle, "source");
    cleanup_json json_t *config = container_config(bundle, "cat /proc/self/mountinfo");
    cleanup_outcome struct outcome o;
    const char *line;

    put_dir(bundle, "source");
    ck_assert(!mount("tmpfs", source, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    container_append(config, "mounts", bind_mount(source, "/data", "rbind,ro"));
    container_run(bundle, config, &o);
    umount2(source, MNT_DETACH);
    ck_assert_msg(!o.created, "%s", o.err.message);
    line = strstr(answer(&o, "cat /proc/self/mountinfo"), " /data ");
    ck_assert_ptr_ne(line, NULL);
    ck_assert_int_eq(strncmp(line, " /data ro,nosuid,nodev,noexec,", 30), 0);
}
END_TEST

START_TEST(a_directory_on_a_file_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *source = path_in(bundle, "source");
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "source");
    container_append(config, "mounts", bind_mount(source, "/etc/passwd", "rbind"));
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -ENOTDIR);
    ck_assert_ptr_ne(strstr(o.err.message, "not a directory"), NULL);
}
END_TEST

START_TEST(a_tmpfs_has_its_size)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "cat /proc/self/mountinfo + stat /scratch");
    cleanup_outcome struct outcome o;
    const char *line;

    container_append(
        config, "mounts",
        container_mount("tmpfs", "tmpfs", "/scratch", "nosuid,nodev,noexec,size=64k,mode=1770"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    line = strstr(answer(&o, "cat /proc/self/mountinfo"), " /scratch ");
    ck_assert_ptr_ne(line, NULL);
    ck_assert_int_eq(strncmp(line, " /scratch rw,nosuid,nodev,noexec,", 33), 0);
    ck_assert_ptr_ne(strstr(line, "size=64k"), NULL);
    ck_assert_int_eq(strncmp(answer(&o, "stat /scratch"), "041770", 6), 0);
}
END_TEST

/* --- volumes filled from the image ---------------------------------------------------------------
 */

static void make_image_data(const char *bundle)
{
    cleanup_free char *file = path_in(bundle, "rootfs/data/file"),
                      *twin = path_in(bundle, "rootfs/data/sub/twin");
    cleanup_free char *data = path_in(bundle, "rootfs/data");

    put_dir(bundle, "rootfs/data/sub");
    put_file(bundle, "rootfs/data/file", "content");
    put_link(bundle, "rootfs/data/link", "/etc/passwd");
    put_link(bundle, "rootfs/data/dangling", "../../../../outside");
    ck_assert(!link(file, twin));
    ck_assert(!chown(file, 12, 34) && !chmod(file, 04711));
    ck_assert(!chown(data, 56, 78) && !chmod(data, 02750));
    setxattr(file, "user.note", "kept", 4, 0); /* where the file system has user attributes */
}

START_TEST(an_empty_volume_is_filled_from_the_image)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *volume = path_in(bundle, "volume"), *copy = path_in(bundle, "volume/file");
    cleanup_json json_t *config =
        container_config(bundle, "stat /data + stat /data/file + cat /data/file + link /data/link "
                                 "+ link /data/dangling + put /data/new x");
    cleanup_outcome struct outcome o;
    struct stat st;

    put_dir(bundle, "volume");
    make_image_data(bundle);
    container_append(config, "mounts", bind_mount(volume, "/data", "rbind,x-cooper.seed"));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_int_eq(strncmp(answer(&o, "stat /data"), "042750 56:78", 12), 0);
    ck_assert_str_eq(answer(&o, "stat /data/file"), "104711 12:34 0:0 7");
    ck_assert_str_eq(answer(&o, "cat /data/file"), "content");
    ck_assert_str_eq(answer(&o, "link /data/link"), "/etc/passwd");
    ck_assert_str_eq(answer(&o, "link /data/dangling"), "../../../../outside");
    ck_assert(exists(bundle, "volume/new"));
    ck_assert(!exists(bundle, "rootfs/data/new"));
    ck_assert(!stat(copy, &st));
    ck_assert_int_eq(st.st_nlink, 2); /* the hard link within the tree */
}
END_TEST

START_TEST(a_volume_with_content_is_left_alone)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *volume = path_in(bundle, "volume");
    cleanup_json json_t *config = container_config(bundle, "list /data");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "volume");
    put_file(bundle, "volume/mine", "x");
    make_image_data(bundle);
    container_append(config, "mounts", bind_mount(volume, "/data", "rbind,x-cooper.seed"));
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "list /data"), "[mine ]");
}
END_TEST

/* The place in the image is a link out of it: nothing of the host is copied into the volume. */
START_TEST(seeding_does_not_copy_the_host)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *volume = path_in(bundle, "volume"), *secret = path_in(bundle, "secret");
    cleanup_json json_t *config = container_config(bundle, "list /data");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "volume");
    put_dir(bundle, "secret");
    put_file(bundle, "secret/key", "host's");
    put_link(bundle, "rootfs/data", secret);
    container_append(config, "mounts", bind_mount(volume, "/data", "rbind,x-cooper.seed"));
    container_run(bundle, config, &o);
    ck_assert(!exists(bundle, "volume/key"));
}
END_TEST

/* --- the filter, tried from inside
 * ---------------------------------------------------------------- */

static const struct {
    const char *call, *result;
} calls[] = {
    {"call 165", "EPERM"},            /* mount */
    {"call 272 0x10000000", "EPERM"}, /* unshare(CLONE_NEWUSER) */
    {"call 56 0x10000000", "EPERM"},  /* clone(CLONE_NEWUSER) */
    {"call 435", "ENOSYS"},           /* clone3 */
    {"call 41 40 1 0", "EPERM"},      /* socket(AF_VSOCK) */
    {"call 41 38 5 0", "EPERM"},      /* socket(AF_ALG) */
    {"call 41 1 1 0", "ok"},          /* socket(AF_UNIX) */
    {"call 135 0x40000", "EPERM"},    /* personality(ADDR_NO_RANDOMIZE) */
    {"call 135 0xffffffff", "ok"},    /* personality, query */
    {"call 250 0 0", "EPERM"},        /* keyctl */
    {"call 425 1 0", "EPERM"},        /* io_uring_setup */
    {"call 321 0 0 0", "EPERM"},      /* bpf */
    {"call 9999", "ENOSYS"},          /* nobody's */
};

START_TEST(the_filter_answers)
{
#if defined(__x86_64__)
    cleanup_outcome struct outcome o;

    container_probe(calls[_i].call, &o);
    ck_assert_str_eq(answer(&o, calls[_i].call), calls[_i].result);
#endif
}
END_TEST

/* With every capability and no filter, but a fresh mount namespace: the masks hold against a
 * remount only because CAP_SYS_ADMIN is missing; with the default set it is. */
START_TEST(mounts_cannot_be_changed_back)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(
        bundle, "remount /proc/sys + mount /tmp + put /proc/sys/kernel/hostname x");
    cleanup_outcome struct outcome o;

    json_object_clear(json_object_get(config, "annotations")); /* not the filter: the capability */
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "remount /proc/sys"), "EPERM");
    ck_assert_str_eq(answer(&o, "mount /tmp"), "EPERM");
    ck_assert_str_eq(answer(&o, "put /proc/sys/kernel/hostname x"), "EROFS");
}
END_TEST

/* Never without the filter that was asked for. */
static const char *const bad_filters[] = {"/no/such/file", "filter"};

START_TEST(a_filter_that_cannot_be_loaded_stops_it)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    put_file(bundle, "filter", "not a multiple");
    container_annotate(config, "org.cooper.seccomp", bad_filters[_i]);
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
}
END_TEST

START_TEST(a_compiled_filter_file_is_used)
{
    static const char profile[] =
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"chdir\"],"
        "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":13}]}";
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *json = path_in(bundle, "profile.json"), *out = path_in(bundle, "filter");
    cleanup_json json_t *config = container_config(bundle, "call 80 0 + status Seccomp");
    cleanup_outcome struct outcome o;
    struct strv none = {0};
    struct err err = {0};

    put_file(bundle, "profile.json", profile);
    cleanup_close int fd = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_msg(!runtime_seccomp_compile_file(json, &none, fd, &err), "%s", err.message);
    container_annotate(config, "org.cooper.seccomp", "filter");
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "status Seccomp"), "2");
#if defined(__x86_64__)
    ck_assert_str_eq(answer(&o, "call 80 0"), "EACCES");
#endif
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(attack)
{
    TCase *t = tcase_create("attack");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(a_symlinked_mount_point_stays_inside, escapes);
    LOOP(proc_and_sys_must_not_be_symlinks, fixed_places);
    tcase_add_test(t, a_dangling_link_creates_nothing_outside);
    LOOP(a_working_directory_stays_inside, directories);
    tcase_add_test(t, an_images_own_dev_is_not_trusted);
    tcase_add_test(t, a_symlinked_dev_is_populated_inside);
    LOOP(nothing_is_mounted_in_proc, proc_places);
    tcase_add_test(t, nothing_is_mounted_in_proc_by_a_detour);
    tcase_add_test(t, binds_are_writable_or_not);
    tcase_add_test(t, binds_keep_the_flags_of_their_source);
    tcase_add_test(t, a_directory_on_a_file_is_refused);
    tcase_add_test(t, a_tmpfs_has_its_size);
    tcase_add_test(t, an_empty_volume_is_filled_from_the_image);
    tcase_add_test(t, a_volume_with_content_is_left_alone);
    tcase_add_test(t, seeding_does_not_copy_the_host);
    LOOP(the_filter_answers, calls);
    tcase_add_test(t, mounts_cannot_be_changed_back);
    LOOP(a_filter_that_cannot_be_loaded_stops_it, bad_filters);
    tcase_add_test(t, a_compiled_filter_file_is_used);
    suite_add_tcase(suite, t);
}
