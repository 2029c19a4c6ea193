/* Chapter 2's attacks: they work against the keg that is only a chroot, and not against namespaces.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "steps/steps.h"
#include "support/run.h"
#include "support/suite.h"

#define ROOTFS BUILD_DIR "/rootfs"
#define SECRET "only for the host\n"

/* The directory of a secret of the host's; it belongs to the test that runs. */
static char *directory, *secret;
static pid_t victim;

static void make_secret(void)
{
    struct err err = {0};

    directory = temp_dir();
    secret = str_format("%s/secret", directory);
    if (file_create(AT_FDCWD, secret, SECRET, strlen(SECRET), 0600, &err) < 0)
        abort();
}

static void remove_secret(void)
{
    temp_dir_remove(directory);
    free(secret);
}

START_TEST(a_second_chroot_leads_out_of_step_1)
{
    struct run_result r = {0};

    RUN(&r, NULL, steps_keg(1), ROOTFS, "/attacks/chroot-escape", "cat", secret);
    ck_assert_int_eq(r.code, 0);
    ck_assert_ptr_nonnull(strstr(r.out.data, SECRET));
    run_free(&r);
}
END_TEST

START_TEST(in_step_2_there_is_nowhere_to_go)
{
    struct run_result r = {0};

    RUN(&r, NULL, steps_keg(2), ROOTFS, "/attacks/chroot-escape", "cat", secret);
    ck_assert_int_eq(r.code, 1);
    ck_assert_ptr_null(strstr(r.out.data, SECRET));
    run_free(&r);
}
END_TEST

static void start_victim(void)
{
    victim = run_start(NULL, NULL, (const char *const[]){"sleep", "1000", NULL});
}

static void end_victim(void)
{
    if (victim)
        run_stop(victim);
}

/* What `number`'s keg gives when its command attacks the victim. */
static int attack_victim(int number)
{
    cleanup_free char *pid = str_format("%d", (int)victim);
    struct run_result r = {0};
    int code;

    RUN(&r, NULL, steps_keg(number), ROOTFS, "/attacks/host-processes", pid);
    code = r.code;
    run_free(&r);
    return code;
}

START_TEST(step_1_ends_a_process_of_the_host)
{
    ck_assert_int_eq(attack_victim(1), 0);
    ck_assert_int_eq(run_wait(victim, 10), 128 + SIGTERM);
    victim = 0;
}
END_TEST

START_TEST(step_2_does_not_know_it)
{
    ck_assert_int_eq(attack_victim(2), 1);
    ck_assert_int_eq(kill(victim, 0), 0);
}
END_TEST

/* What the chapter says about /proc/1/exe: root inside cannot even read where it leads. */
START_TEST(kegs_own_file_is_out_of_reach)
{
    struct run_result r = {0};

    RUN(&r, NULL, steps_keg(2), ROOTFS, "readlink", "/proc/1/exe");
    ck_assert_int_eq(r.code, 1);
    RUN(&r, NULL, steps_keg(2), ROOTFS, "sh", "-c", ": >>/proc/1/exe");
    ck_assert_int_eq(r.code, 1);
    run_free(&r);
}
END_TEST

/* And about /proc/sys: some of its files want user 0 and no capability. */
START_TEST(the_kernels_knobs_cannot_be_turned)
{
    struct run_result r = {0};

    RUN(&r, NULL, steps_keg(2), ROOTFS, "sh", "-c",
        "cat /proc/sys/kernel/core_pattern >/proc/sys/kernel/core_pattern");
    ck_assert_int_eq(r.code, 1);
    ck_assert_ptr_nonnull(strstr(r.err.data, "Read-only file system"));
    run_free(&r);
}
END_TEST

SUITE(attack_02)
{
    TCase *escape = tcase_create("chroot escape"), *processes = tcase_create("host processes"),
          *proc = tcase_create("what /proc shows");

    tcase_add_unchecked_fixture(escape, make_secret, remove_secret);
    tcase_add_test(escape, a_second_chroot_leads_out_of_step_1);
    tcase_add_test(escape, in_step_2_there_is_nowhere_to_go);
    tcase_add_checked_fixture(processes, start_victim, end_victim);
    tcase_add_test(processes, step_1_ends_a_process_of_the_host);
    tcase_add_test(processes, step_2_does_not_know_it);
    tcase_add_test(proc, kegs_own_file_is_out_of_reach);
    tcase_add_test(proc, the_kernels_knobs_cannot_be_turned);
    tcase_set_tags(escape, "needs-root");
    tcase_set_tags(processes, "needs-root");
    tcase_set_tags(proc, "needs-root");
    suite_add_tcase(suite, escape);
    suite_add_tcase(suite, processes);
    suite_add_tcase(suite, proc);
}
