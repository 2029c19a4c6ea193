/* Chapter 1's attack: reading a file of the host. It works without a keg, and with chroot(2) called
 * carelessly. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "steps/steps.h"
#include "support/run.h"
#include "support/suite.h"

static struct run_options at_the_top = {.directory = SOURCE_DIR};
#define ROOTFS BUILD_DIR "/rootfs"

START_TEST(a_program_out_of_the_rootfs_reads_the_hosts_files)
{
    struct run_result r = {0};

    RUN_OK(&r, NULL, ROOTFS "/bin/sh", "-c", "head -n 1 /etc/shadow");
    ck_assert_ptr_nonnull(strchr(r.out.data, ':'));
    run_free(&r);
}
END_TEST

START_TEST(a_keg_does_not_let_it)
{
    struct run_result r = {0};

    RUN(&r, NULL, steps_keg(1), ROOTFS, "head", "-n", "1", "/etc/shadow");
    ck_assert_int_eq(r.code, 1);
    RUN(&r, NULL, steps_keg(1), ROOTFS, "head", "-n", "1", "../../../../../../../../etc/shadow");
    ck_assert_int_eq(r.code, 1);
    ck_assert_str_eq(r.out.data, "");
    run_free(&r);
}
END_TEST

/* It names build/rootfs, so it is run where that is: in the directory above it. */
START_TEST(chroot_alone_is_no_wall_while_the_working_directory_is_outside)
{
    cleanup_free char *above = str_format("%s/above", BUILD_DIR);
    struct run_result r = {0};

    RUN_OK(&r, NULL, "sh", "-c", "mkdir -p \"$0\" && ln -sfn .. \"$0/build\"", above);
    at_the_top.directory = above;
    RUN(&r, &at_the_top, ROOTFS "/attacks/chroot-without-chdir");
    ck_assert_int_eq(r.code, 0);
    run_free(&r);
}
END_TEST

SUITE(attack_01)
{
    TCase *t = tcase_create("reading the host's files");

    tcase_set_tags(t, "needs-root");
    tcase_add_test(t, a_program_out_of_the_rootfs_reads_the_hosts_files);
    tcase_add_test(t, a_keg_does_not_let_it);
    tcase_add_test(t, chroot_alone_is_no_wall_while_the_working_directory_is_outside);
    suite_add_tcase(suite, t);
}
