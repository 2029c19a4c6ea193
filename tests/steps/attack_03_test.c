/* Chapter 3's attacks: they work against the keg of step 2 and fail against that of step 3.
 *
 * They end by themselves. In case they do not, all of them run in a control group that holds more
 * than they ask for: the net. A keg of step 3 leaves it for the one it makes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "steps/steps.h"
#include "support/run.h"
#include "support/suite.h"

#define ROOTFS BUILD_DIR "/rootfs"

enum { MEMORY, PIDS, NETS };

static char *nets[NETS];    /* one directory twice with version 2 */
static struct run_result r; /* of the last keg */

static bool is_v2(void)
{
    struct statfs fs;

    return !statfs("/sys/fs/cgroup", &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* What fails here fails the tests: they cannot enter the net. */
static void write_to(const char *directory, const char *name, const char *text)
{
    cleanup_free char *path = str_format("%s/%s", directory, name);
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        fprintf(stderr, "cannot write '%s' to '%s': %s\n", text, path, strerror(errno));
}

static void spread_net(void)
{
    static const char *const controllers[] = {"memory", "pids"};

    if (is_v2())
        write_to("/sys/fs/cgroup", "cgroup.subtree_control", "+memory +pids");
    for (int i = 0; i < NETS; i++) {
        nets[i] = str_format("/sys/fs/cgroup%s%s/keg-net-%d", is_v2() ? "" : "/",
                             is_v2() ? "" : controllers[i], (int)getpid());
        mkdir(nets[i], 0755);
    }
    write_to(nets[MEMORY], is_v2() ? "memory.max" : "memory.limit_in_bytes", "512m");
    write_to(nets[PIDS], "pids.max", "1000");
}

static void take_net_away(void)
{
    for (int i = 0; i < NETS; i++) {
        rmdir(nets[i]);
        free(nets[i]);
    }
}

static void forget_result(void)
{
    run_free(&r);
}

/* Runs "keg OPTIONS ROOTFS COMMAND" in the net; the command's end is in `r`. */
static int attack(int step, const char *options, const char *command)
{
    cleanup_free char *line =
        str_format("echo 0 >'%s/cgroup.procs' && echo 0 >'%s/cgroup.procs' && exec '%s' %s '%s' %s",
                   nets[MEMORY], nets[PIDS], steps_keg(step), options, ROOTFS, command);
    struct run_options brief = {.timeout_s = 30};

    RUN(&r, &brief, "sh", "-c", line);
    return r.code;
}

START_TEST(fork_bomb_works_in_step_2)
{
    ck_assert_msg(attack(2, "", "/attacks/fork-bomb") == 0, "%s", r.out.data);
}
END_TEST

START_TEST(fork_bomb_fails_in_step_3)
{
    ck_assert_msg(attack(3, "--pids 20", "/attacks/fork-bomb") == 1, "%s", r.out.data);
    ck_assert_msg(str_starts(r.out.data, "18 processes, then: "), "%s", r.out.data);
}
END_TEST

START_TEST(memory_hog_works_in_step_2)
{
    ck_assert_msg(attack(2, "", "/attacks/memory-hog") == 0, "%s", r.out.data);
}
END_TEST

START_TEST(memory_hog_fails_in_step_3)
{
    ck_assert_msg(attack(3, "--memory 64m", "/attacks/memory-hog") == 137, "%s", r.out.data);
    ck_assert_msg(strstr(r.out.data, "128 MB") == NULL, "%s", r.out.data);
}
END_TEST

/* The processor time that a loop in the keg got in a second and a half. The shell in the keg says
 * it of its children: what keg itself used outside of the group does not count. */
static double loop(int step, const char *options)
{
    double user = -1, kernel = 0;
    const char *line;

    attack(step, options, "sh -c 'timeout 1.5 sh -c \"while :; do :; done\"; times'");
    line = strchr(r.out.data, '\n');
    if (line)
        sscanf(line, " 0m%lfs 0m%lfs", &user, &kernel);
    ck_assert_msg(user >= 0, "%s%s", r.out.data, r.err.data);
    return user + kernel;
}

START_TEST(cpu_hog_works_in_step_2_and_not_in_step_3)
{
    double free_one = loop(2, ""), held = loop(3, "--cpus 0.1");

    ck_assert_msg(held < 0.5, "with --cpus 0.1 it got %.2f s", held);
    ck_assert_msg(free_one > held, "%.2f s without a limit, %.2f s with one", free_one, held);
}
END_TEST

START_TEST(nobody_inside_raises_the_limit)
{
    attack(3, "--pids 20",
           "sh -c 'mount -t cgroup2 none /tmp || mount -t cgroup -o pids none /tmp || exit 7'");
    ck_assert_int_eq(r.code, 7);
}
END_TEST

SUITE(attack_03)
{
    TCase *t = tcase_create("limits");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 90);
    /* Unchecked: taken away also when a test fails. */
    tcase_add_unchecked_fixture(t, spread_net, take_net_away);
    tcase_add_checked_fixture(t, NULL, forget_result);
    tcase_add_test(t, fork_bomb_works_in_step_2);
    tcase_add_test(t, fork_bomb_fails_in_step_3);
    tcase_add_test(t, memory_hog_works_in_step_2);
    tcase_add_test(t, memory_hog_fails_in_step_3);
    tcase_add_test(t, cpu_hog_works_in_step_2_and_not_in_step_3);
    tcase_add_test(t, nobody_inside_raises_the_limit);
    suite_add_tcase(suite, t);
}
