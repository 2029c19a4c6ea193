/* linux.maskedPaths and linux.readonlyPaths. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "bundle.h"

static void fill_image(const char *bundle)
{
    put_dir(bundle, "rootfs/secret/sub");
    put_file(bundle, "rootfs/secret/key", "s3cret");
    put_file(bundle, "rootfs/etc/key", "s3cret");
    put_link(bundle, "rootfs/etc/link", "key");
    put_link(bundle, "rootfs/etc/dirlink", "/secret");
    put_link(bundle, "rootfs/etc/dangling", "/nowhere");
    put_file(bundle, "rootfs/etc/a*b", "s3cret");
    put_file(bundle, "rootfs/etc/aXb", "not masked");
}

/* What is masked, and what then is to be found where. */
static const struct {
    const char *path, *question, *answer;
} masks[] = {
    {"/etc/key", "size /etc/key", "0"},
    {"etc/key", "size /etc/key", "0"},
    {"/etc//../etc/./key", "size /etc/key", "0"},
    {"/secret", "list /secret", "[]"},
    {"/secret/", "cat /secret/key", "ENOENT"},
    {"/secret", "put /secret/new x", "EROFS"},
    {"/secret/sub", "cat /secret/key", "s3cret"},
    {"/etc/link", "size /etc/key", "0"}, /* a link is what it leads to, inside */
    {"/etc/dirlink", "list /secret", "[]"},
    {"/etc/dangling", "link /etc/dangling", "/nowhere"}, /* nothing to hide */
    {"/missing", "list /missing", "ENOENT"},
    {"/missing/deep", "list /missing", "ENOENT"},
    {"/etc/key/below", "cat /etc/key", "s3cret"},
    {"/etc/a*b", "size /etc/a*b", "0"},
    {"/etc/a*b", "cat /etc/aXb", "not masked"}, /* no pattern */
    {"/etc/*", "cat /etc/key", "s3cret"},
    {"/proc/version", "size /proc/version", "0"},
    {"/proc/fs", "list /proc/fs", "[]"},
    {"/sys/kernel", "list /sys/kernel", "[]"},
    {"/proc", "list /proc", "[]"},
};

START_TEST(a_masked_path_is_empty)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, masks[_i].question);
    cleanup_outcome struct outcome o;

    fill_image(bundle);
    container_set(config, "linux.maskedPaths", json_pack("[s]", masks[_i].path));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, masks[_i].question), masks[_i].answer);
}
END_TEST

/* Directories share one empty tmpfs that nobody can fill. */
START_TEST(all_masked_directories_are_one_file_system)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "mounted /secret + mounted /root + mounted /proc/keys");
    cleanup_outcome struct outcome o;
    char first[256];

    fill_image(bundle);
    container_set(config, "linux.maskedPaths",
                  json_pack("[s,s,s]", "/secret", "/root", "/proc/keys"));
    run_well(bundle, config, &o);
    ck_assert(str_starts(answer(&o, "mounted /secret"), "ro,nosuid,nodev,noexec,"));
    snprintf(first, sizeof first, "%s", answer(&o, "mounted /secret"));
    ck_assert_str_eq(answer(&o, "mounted /root"), first);
    ck_assert_ptr_ne(strstr(answer(&o, "mounted /proc/keys"), " - devtmpfs "), NULL);
}
END_TEST

START_TEST(the_root_is_not_masked)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");

    container_set(config, "linux.maskedPaths", json_pack("[s]", "/tmp/.."));
    run_refused(bundle, config, EINVAL, "linux.maskedPaths: cannot mask '/tmp/..'");
}
END_TEST

/* --- read-only
 * ------------------------------------------------------------------------------------
 */

static const struct {
    const char *path, *question, *answer;
} readonlys[] = {
    {"/secret", "put /secret/key x", "EROFS"},
    {"/secret", "put /secret/sub/new x", "EROFS"},
    {"/secret", "cat /secret/key", "s3cret"},
    {"/secret/sub", "put /secret/new x", "ok"},
    {"/etc/key", "put /etc/key x", "EROFS"},
    {"/etc/dirlink", "put /secret/key x", "EROFS"},
    {"/mnt", "put /mnt/below/new x", "EROFS"}, /* with what is mounted there */
    {"/missing", "put /etc/key x", "ok"},
    {"/etc/*", "put /etc/key x", "ok"},
    {"/proc/sys", "put /proc/sys/kernel/hostname x", "EROFS"},
    {"/proc", "put /proc/self/oom_score_adj 5", "EROFS"},
};

START_TEST(a_read_only_path_is)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, readonlys[_i].question);
    cleanup_outcome struct outcome o;

    fill_image(bundle);
    container_append(config, "mounts", container_mount("tmpfs", "tmpfs", "/mnt/below", ""));
    container_set(config, "linux.maskedPaths", json_array());
    container_set(config, "linux.readonlyPaths", json_pack("[s]", readonlys[_i].path));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, readonlys[_i].question), readonlys[_i].answer);
}
END_TEST

/* The mount is another, but not less careful. */
START_TEST(a_read_only_path_keeps_the_flags_around_it)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "mounted /x/sub + mounted /proc/sys");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "dir/sub");
    container_append(config, "mounts", bind_mount("dir", "/x", "bind,nosuid,nodev,noexec,noatime"));
    container_append(config, "linux.readonlyPaths", json_string("/x/sub"));
    run_well(bundle, config, &o);
    ck_assert(str_starts(answer(&o, "mounted /x/sub"), "ro,nosuid,nodev,noexec,noatime "));
    ck_assert(str_starts(answer(&o, "mounted /proc/sys"), "ro,nosuid,nodev,noexec,"));
}
END_TEST

/* Both lists: what is masked below a read-only path stays so. */
START_TEST(a_mask_below_a_read_only_path_holds)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "size /proc/sys/kernel/version + put /proc/sys/kernel/hostname x");
    cleanup_outcome struct outcome o;

    container_append(config, "linux.maskedPaths", json_string("/proc/sys/kernel/version"));
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "size /proc/sys/kernel/version"), "0");
    ck_assert_str_eq(answer(&o, "put /proc/sys/kernel/hostname x"), "EROFS");
}
END_TEST

/* Not to be undone from inside a user namespace either, where all of this is done with its rights.
 */
START_TEST(masks_hold_in_a_user_namespace)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        config_in_userns(bundle, "size /proc/keys + list /sys/firmware + mounted /proc/keys + "
                                 "mounted /proc/sys");
    cleanup_outcome struct outcome o;

    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "size /proc/keys"), "0");
    ck_assert_str_eq(answer(&o, "list /sys/firmware"), "[]");
    ck_assert(str_starts(answer(&o, "mounted /proc/sys"), "ro,"));
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(masks)
{
    TCase *t = tcase_create("masks");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(a_masked_path_is_empty, masks);
    tcase_add_test(t, all_masked_directories_are_one_file_system);
    tcase_add_test(t, the_root_is_not_masked);
    LOOP(a_read_only_path_is, readonlys);
    tcase_add_test(t, a_read_only_path_keeps_the_flags_around_it);
    tcase_add_test(t, a_mask_below_a_read_only_path_holds);
    tcase_add_test(t, masks_hold_in_a_user_namespace);
    suite_add_tcase(suite, t);
}
