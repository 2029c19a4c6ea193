/* Volumes that are filled from the image. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "bundle.h"

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

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(seed)
{
    TCase *t = tcase_create("seed");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, an_empty_volume_is_filled_from_the_image);
    tcase_add_test(t, a_volume_with_content_is_left_alone);
    tcase_add_test(t, seeding_does_not_copy_the_host);
    suite_add_tcase(suite, t);
}
