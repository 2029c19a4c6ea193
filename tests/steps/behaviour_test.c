/* What the judge does not look at: the image of the chapters, the devices, the files of /proc,
 * fewer capabilities than fourteen, two kegs that unpack one image at the same time,
 * hardware addresses. */
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "steps/steps.h"
#include "support/run.h"

#define ROOTFS BUILD_DIR "/rootfs"
#define IMAGE  "oci:" BUILD_DIR "/image:latest"

static char *store; /* of images, for one test */

static void make_store(void)
{
    store = temp_dir();
    setenv("KEG_STORE", store, 1);
}

static void remove_store(void)
{
    temp_dir_remove(store);
}

/* Runs a command in the rootfs with the keg of a step; its output. */
static void expect_output(int step, const char *script, const char *wanted)
{
    struct run_result r = {0};

    if (!steps_name(step))
        return;
    RUN(&r, NULL, steps_keg(step), ROOTFS, "sh", "-c", script);
    ck_assert_msg(r.code == 0 && str_equal(r.out.data, wanted),
                  "step %d: '%s' gave %d\n%.2000s%.2000s", step, script, r.code, r.out.data,
                  r.err.data);
    run_free(&r);
}

START_TEST(the_machine_cannot_be_changed_through_proc)
{
    expect_output(_i, "echo 1 2>/dev/null >/proc/sys/kernel/panic || echo refused", "refused\n");
    expect_output(_i, "{ echo h >/proc/sysrq-trigger; } 2>/dev/null || echo refused", "refused\n");
}
END_TEST

START_TEST(harmless_devices_are_there_and_no_others)
{
    expect_output(_i, "ls /dev; echo x >/dev/null && head -c 3 /dev/zero | wc -c",
                  "fd\nfull\nnull\nrandom\ntty\nurandom\nzero\n3\n");
}
END_TEST

START_TEST(nothing_can_be_mounted)
{
    expect_output(_i, "mount -t tmpfs none /tmp 2>/dev/null || echo refused", "refused\n");
}
END_TEST

/* A caller with less cannot give more. */
START_TEST(a_capability_the_caller_lacks_is_lacking_inside)
{
    struct run_result r = {0};

    if (!steps_name(_i))
        return;
    RUN(&r, NULL, "setpriv", "--bounding-set=-chown", steps_keg(_i), ROOTFS, "grep", "CapBnd",
        _i == 1 ? "/etc/passwd" : "/proc/self/status");
    if (_i == 1)
        ck_assert_int_eq(r.code, 1); /* there is no /proc yet: it ran, and found nothing */
    else
        ck_assert_str_eq(r.out.data, "CapBnd:\t00000000a80425fa\n");
    run_free(&r);
}
END_TEST

START_TEST(the_image_runs_as_its_configuration_says)
{
    struct run_result r = {0};

    if (!steps_name(_i))
        return;
    RUN_OK(&r, NULL, steps_keg(_i), IMAGE);
    ck_assert_str_eq(r.out.data, "Hello, reader, from /www\nThree layers made this tree.\n");
    RUN_OK(&r, NULL, steps_keg(_i), IMAGE, "ls", "/usr/share/news", "/etc");
    ck_assert_str_eq(r.out.data, "/etc:\ngroup\nmotd\npasswd\n\n/usr/share/news:\nwednesday\n");
    run_free(&r);
}
END_TEST

START_TEST(two_kegs_may_unpack_an_image_at_once)
{
    cleanup_free char *log = str_format("%s/log", store);
    pid_t kegs[4];

    if (!steps_name(_i))
        return;
    for (int i = 0; i < 4; i++)
        kegs[i] = run_start(NULL, log, (const char *const[]){steps_keg(_i), IMAGE, "true", NULL});
    for (int i = 0; i < 4; i++) {
        struct run_result r = {0};
        int code = run_wait(kegs[i], 20);

        RUN(&r, NULL, "cat", log);
        ck_assert_msg(code == 0, "one of four gave %d: %.3000s", code, r.out.data);
        run_free(&r);
    }
}
END_TEST

/* What lies in the store is shared by all kegs: none of them changes it. */
START_TEST(the_store_stays_as_it_was_unpacked)
{
    struct run_result before = {0}, after = {0};

    if (!steps_name(_i))
        return;
    RUN_OK(&before, NULL, steps_keg(_i), IMAGE, "cat", "/etc/motd");
    RUN_OK(&before, NULL, steps_keg(_i), "--user", "0", IMAGE, "sh", "-c",
           "rm -r /etc /www; echo x >/x");
    RUN_OK(&after, NULL, steps_keg(_i), IMAGE, "sh", "-c", "ls /; cat /etc/motd");
    ck_assert_str_eq(after.out.data, "bin\ndev\netc\nhome\nproc\nroot\nsbin\nsys\ntmp\nusr\nwww\n"
                                     "Three layers made this tree.\n");
    run_free(&before);
    run_free(&after);
}
END_TEST

/* Neighbours remember it, and send to it when another keg has the address. */
START_TEST(an_address_keeps_its_hardware_address)
{
    struct run_result r = {0};

    if (!steps_name(_i))
        return;
    RUN_OK(&r, NULL, steps_keg(_i), "--address", "10.99.0.21", ROOTFS, "ip", "link", "show",
           "eth0");
    ck_assert_msg(strstr(r.out.data, "02:00:0a:63:00:15"), "%s", r.out.data);
    run_free(&r);
}
END_TEST

SUITE(behaviour)
{
    TCase *t = tcase_create("behaviour");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, steps_separate, NULL);
    tcase_add_checked_fixture(t, make_store, remove_store);
    tcase_add_loop_test(t, the_machine_cannot_be_changed_through_proc, 2, 7);
    tcase_add_loop_test(t, harmless_devices_are_there_and_no_others, 4, 7);
    tcase_add_loop_test(t, nothing_can_be_mounted, 1, 7);
    tcase_add_loop_test(t, a_capability_the_caller_lacks_is_lacking_inside, 1, 7);
    tcase_add_loop_test(t, the_image_runs_as_its_configuration_says, 5, 7);
    tcase_add_loop_test(t, two_kegs_may_unpack_an_image_at_once, 5, 7);
    tcase_add_loop_test(t, the_store_stays_as_it_was_unpacked, 5, 7);
    tcase_add_loop_test(t, an_address_keeps_its_hardware_address, 6, 7);
    suite_add_tcase(suite, t);
}
