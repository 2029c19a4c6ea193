/* linux.devices and /dev: nodes of every type, what is there already, and a user namespace. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "bundle.h"

static void add_device(json_t *config, const char *json)
{
    json_error_t where;
    json_t *device = json_loads(json, 0, &where);

    ck_assert_msg(device != NULL, "%s", json);
    container_append(config, "linux.devices", device);
}

static const struct {
    const char *device, *path, *found;
} devices[] = {
    {"{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":5}", "/dev/a", "020666 0:0 1:5 0"},
    {"{\"path\":\"/dev/a\",\"type\":\"u\",\"major\":1,\"minor\":5,\"fileMode\":384}", "/dev/a",
     "020600 0:0 1:5 0"},
    {"{\"path\":\"/dev/a\",\"type\":\"b\",\"major\":7,\"minor\":300,\"fileMode\":0}", "/dev/a",
     "060000 0:0 7:300 0"},
    {"{\"path\":\"/dev/a\",\"type\":\"p\",\"fileMode\":416,\"uid\":5,\"gid\":6}", "/dev/a",
     "010640 5:6 0:0 0"},
    {"{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":3,\"uid\":4294967294,\"gid\":7}",
     "/dev/a", "020666 4294967294:7 1:3 0"},
    {"{\"path\":\"/dev/deep/er/a\",\"type\":\"c\",\"major\":1,\"minor\":3}", "/dev/deep/er/a",
     "020666 0:0 1:3 0"},
    {"{\"path\":\"/srv/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":3}", "/srv/dev/a",
     "020666 0:0 1:3 0"},
    {"{\"path\":\"/dev/../run/a\",\"type\":\"c\",\"major\":1,\"minor\":3}", "/run/a",
     "020666 0:0 1:3 0"},
    {"{\"path\":\"/dev/null\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":432,\"gid\":9}",
     "/dev/null", "020660 0:9 1:3 0"}, /* what is listed is as listed */
    {"{\"path\":\"/dev/ptmx\",\"type\":\"c\",\"major\":5,\"minor\":2}", "/dev/ptmx",
     "120777 0:0 0:0 8"}, /* but this is always the link to the container's own */
};

START_TEST(a_device_is_what_the_list_says)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *question = str_format("stat %s", devices[_i].path);
    cleanup_json json_t *config = container_config(bundle, question);
    cleanup_outcome struct outcome o;

    add_device(config, devices[_i].device);
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, question), devices[_i].found);
}
END_TEST

static const struct {
    const char *device;
    int error;
    const char *words;
} bad_devices[] = {
    {"{\"type\":\"c\",\"major\":1,\"minor\":3}", EINVAL,
     "linux.devices: '': the path is not absolute"},
    {"{\"path\":\"dev/a\",\"type\":\"c\",\"major\":1,\"minor\":3}", EINVAL,
     "'dev/a': the path is not"},
    {"{\"path\":\"/dev/a\",\"type\":\"x\",\"major\":1,\"minor\":3}", EINVAL,
     "the type 'x' is none of"},
    {"{\"path\":\"/dev/a\",\"major\":1,\"minor\":3}", EINVAL, "the type '' is none of"},
    {"{\"path\":\"/dev/a\",\"type\":\"c\",\"minor\":3}", EINVAL,
     "'major' is missing or not a number"},
    {"{\"path\":\"/dev/a\",\"type\":\"b\",\"major\":7}", EINVAL,
     "'minor' is missing or not a number"},
    {"{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":-1,\"minor\":3}", EINVAL, "'major'"},
    {"{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":3,\"uid\":4294967296}", EINVAL,
     "'uid'"},
    {"{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":\"0666\"}", EINVAL,
     "'fileMode'"},
    {"{\"path\":\"/\",\"type\":\"c\",\"major\":1,\"minor\":3}", EINVAL, "'/'"},
    {"{\"path\":\"/dev\",\"type\":\"c\",\"major\":1,\"minor\":3}", EEXIST,
     "there is something else already"},
    {"{\"path\":\"/etc/passwd\",\"type\":\"p\"}", EEXIST, "cannot make the device '/etc/passwd'"},
    {"{\"path\":\"/etc/passwd/a\",\"type\":\"p\"}", ENOTDIR, "cannot make the"},
};

START_TEST(a_bad_device_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");

    add_device(config, bad_devices[_i].device);
    run_refused(bundle, config, bad_devices[_i].error, bad_devices[_i].words);
}
END_TEST

/* The same node twice is one; another one of the same name is an error. */
START_TEST(a_device_that_is_there_already)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "stat /dev/a + stat /srv/zero");
    cleanup_free char *zero = path_in(bundle, "rootfs/srv/zero");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "rootfs/srv");
    ck_assert(!mknod(zero, S_IFCHR | 0600, makedev(1, 5)));
    add_device(config, "{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":5}");
    add_device(config, "{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":5}");
    add_device(config, "{\"path\":\"/srv/zero\",\"type\":\"c\",\"major\":1,\"minor\":5}");
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "stat /dev/a"), "020666 0:0 1:5 0");
    ck_assert_str_eq(answer(&o, "stat /srv/zero"), "020600 0:0 1:5 0"); /* left as it was */
    add_device(config, "{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":7}");
    run_refused(bundle, config, EEXIST, "'/dev/a': there is something else already");
}
END_TEST

/* Whatever config.json mounts on /dev, the standard ones are there; unless it is the host's. */
static const struct {
    const char *type, *source, *options, *present;
} places[] = {
    {NULL, NULL, NULL, "120777 0:0 0:0 8"}, /* the image's own directory */
    {"tmpfs", "tmpfs", "mode=755", "120777 0:0 0:0 8"},
    {"tmpfs", "tmpfs", "mode=755,ro", "120777 0:0 0:0 8"},
    {"bind", "dir", "bind", "ENOENT"}, /* bound: left as it is */
};

START_TEST(the_standard_ones_are_made_where_dev_is)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "stat /dev/ptmx");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "dir");
    container_set(config, "mounts", json_array());
    container_set(config, "linux.maskedPaths", json_array());
    container_set(config, "linux.readonlyPaths", json_array());
    if (places[_i].type)
        container_append(
            config, "mounts",
            container_mount(places[_i].type, places[_i].source, "//dev/", places[_i].options));
    add_device(config, "{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1,\"minor\":5}");
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "stat /dev/ptmx"), places[_i].present);
    ck_assert(!exists(bundle, "dir/null") && !exists(bundle, "dir/a"));
}
END_TEST

/* An image's own /dev/ptmx would be the host's terminals. */
START_TEST(an_images_ptmx_is_replaced)
{
    cleanup_free char *bundle = container_bundle(), *ptmx = path_in(bundle, "rootfs/dev/ptmx");
    cleanup_json json_t *config = container_config(bundle, "link /dev/ptmx");
    cleanup_outcome struct outcome o;

    put_dir(bundle, "rootfs/dev");
    ck_assert(!mknod(ptmx, S_IFCHR | 0666, makedev(5, 2)));
    json_array_remove(json_at(config, "mounts"), 1);
    run_well(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "link /dev/ptmx"), "pts/ptmx");
}
END_TEST

/* --- in a user namespace
 * --------------------------------------------------------------------------
 */

/* Nodes cannot be made there: they are the host's, on mounts of their own. */
START_TEST(in_a_user_namespace_they_are_the_hosts)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        config_in_userns(bundle, "stat /dev/null + mounted /dev/null + put /dev/null x + "
                                 "size /dev/zero + stat /dev/kmsg + stat /dev/pipe + link /dev/fd");
    cleanup_outcome struct outcome o;
    struct stat st;

    ck_assert(!stat("/dev/kmsg", &st));
    add_device(config, "{\"path\":\"/dev/kmsg\",\"type\":\"c\",\"major\":1,\"minor\":11}");
    add_device(config, "{\"path\":\"/dev/pipe\",\"type\":\"p\",\"fileMode\":384}");
    run_well(bundle, config, &o);
    ck_assert_ptr_ne(strstr(answer(&o, "stat /dev/null"), " 65534:65534 1:3 "), NULL);
    ck_assert_str_ne(answer(&o, "mounted /dev/null"), "no");
    ck_assert_str_eq(answer(&o, "put /dev/null x"), "ok");
    ck_assert_str_eq(answer(&o, "size /dev/zero"), "65536");
    ck_assert_ptr_ne(strstr(answer(&o, "stat /dev/kmsg"), " 1:11 "), NULL);
    ck_assert_str_eq(answer(&o, "stat /dev/pipe"), "010600 0:0 0:0 0");
    ck_assert_str_eq(answer(&o, "link /dev/fd"), "/proc/self/fd");
}
END_TEST

static const struct {
    const char *device;
    int error;
    const char *words;
} not_lent[] = {
    {"{\"path\":\"/dev/null2\",\"type\":\"c\",\"major\":1,\"minor\":3}", ENOENT,
     "cannot make the device '/dev/null2': not allowed to make it, and the host's"},
    {"{\"path\":\"/dev/kmsg\",\"type\":\"c\",\"major\":1,\"minor\":3}", EPERM,
     "not allowed to make it, and the host's is another one"},
    {"{\"path\":\"/etc/hostname\",\"type\":\"c\",\"major\":1,\"minor\":3}", EPERM,
     "the host's is another one"},
};

START_TEST(only_the_right_device_is_lent)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = config_in_userns(bundle, "true");

    add_device(config, not_lent[_i].device);
    run_refused(bundle, config, not_lent[_i].error, not_lent[_i].words);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(devices)
{
    TCase *t = tcase_create("devices");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(a_device_is_what_the_list_says, devices);
    LOOP(a_bad_device_is_refused, bad_devices);
    tcase_add_test(t, a_device_that_is_there_already);
    LOOP(the_standard_ones_are_made_where_dev_is, places);
    tcase_add_test(t, an_images_ptmx_is_replaced);
    tcase_add_test(t, in_a_user_namespace_they_are_the_hosts);
    LOOP(only_the_right_device_is_lent, not_lent);
    suite_add_tcase(suite, t);
}
