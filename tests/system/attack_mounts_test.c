/* Images whose paths want the mounts elsewhere: each after a hole another engine once had. */
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

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(attack_mounts)
{
    TCase *t = tcase_create("attack_mounts");

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
    suite_add_tcase(suite, t);
}
