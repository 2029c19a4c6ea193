/* Chapter 4's attacks: they work where kegs share a writable directory in which device files open,
 * and not against an overlay that is mounted "nodev". */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "steps/steps.h"
#include "support/run.h"
#include "support/suite.h"

#define ROOTFS BUILD_DIR "/rootfs"
#define DIARY  "a page of the diary\n"

/* A disk of our own, behind a loop device, that belongs to the test. */
static char *directory, *disk;

static int change_for_everybody(int number)
{
    struct run_options options = {.environment = (const char *const[]){"ROOTFS=" ROOTFS, NULL}};
    struct run_result r = {0};
    int code;

    RUN(&r, &options, SOURCE_DIR "/tutorial/attacks/change-for-everybody.sh", steps_keg(number));
    code = r.code;
    run_free(&r);
    return code;
}

START_TEST(in_step_3_one_changes_it_for_everybody)
{
    ck_assert_int_eq(change_for_everybody(3), 0);
}
END_TEST

START_TEST(in_step_4_each_changes_it_for_itself)
{
    ck_assert_int_eq(change_for_everybody(4), 1);
}
END_TEST

static void make_disk(void)
{
    struct run_result r = {0};
    struct err err = {0};
    cleanup_free char *image = NULL;

    directory = temp_dir();
    image = str_format("%s/disk", directory);
    if (file_create(AT_FDCWD, image, DIARY, strlen(DIARY), 0600, &err) < 0 ||
        truncate(image, 1 << 20) < 0)
        abort();
    RUN(&r, NULL, "losetup", "--find", "--show", image);
    if (r.code)
        abort();
    disk = str_copy_n(r.out.data, strcspn(r.out.data, "\n"));
    run_free(&r);
}

static void remove_disk(void)
{
    struct run_result r = {0};

    RUN(&r, NULL, "losetup", "--detach", disk);
    run_free(&r);
    free(disk);
    temp_dir_remove(directory);
}

/* In a root of its own: step 3 really makes the device file there. */
static int raw_device(int number, bool *ret_read)
{
    cleanup_free char *root = str_format("%s/root", directory);
    struct run_result r = {0};
    int code;

    RUN_OK(&r, NULL, "cp", "-a", ROOTFS, root);
    RUN(&r, NULL, steps_keg(number), root, "/attacks/raw-device", strrchr(disk, '/') + 1);
    code = r.code;
    *ret_read = strstr(r.out.data, DIARY) != NULL;
    RUN_OK(&r, NULL, "rm", "-r", root);
    run_free(&r);
    return code;
}

START_TEST(step_3_opens_a_disk_of_the_host)
{
    bool read;

    ck_assert_int_eq(raw_device(3, &read), 0);
    ck_assert(read);
}
END_TEST

START_TEST(step_4_does_not_open_it)
{
    bool read;

    ck_assert_int_eq(raw_device(4, &read), 1);
    ck_assert(!read);
}
END_TEST

SUITE(attack_04)
{
    TCase *change = tcase_create("change for everybody"), *device = tcase_create("raw device");

    tcase_add_test(change, in_step_3_one_changes_it_for_everybody);
    tcase_add_test(change, in_step_4_each_changes_it_for_itself);
    tcase_add_unchecked_fixture(device, make_disk, remove_disk);
    tcase_add_test(device, step_3_opens_a_disk_of_the_host);
    tcase_add_test(device, step_4_does_not_open_it);
    tcase_set_timeout(change, 60);
    tcase_set_timeout(device, 60);
    tcase_set_tags(change, "needs-root");
    tcase_set_tags(device, "needs-root");
    suite_add_tcase(suite, change);
    suite_add_tcase(suite, device);
}
