/* New file systems: tmpfs and the kernel's own. */
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

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(mount_filesystem)
{
    TCase *t = tcase_create("mount_filesystem");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_tmpfs_has_its_size);
    suite_add_tcase(suite, t);
}
