/* Limits that bite: each test tries to get past one and is stopped. The same tests run under cgroup
 * v1 and v2 (make check-vm), whatever the files are called. */
#include "engine/world.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/cleanup.h"

/* tail keeps what it has read until a newline comes; from /dev/zero none does. */
#define HOG "tail", "/dev/zero"

START_TEST(memory_hog_is_killed)
{
    cleanup_free char *state = NULL;

    EXPECT(137, "", NULL, "run", "--name", "hog", "-m", "16m", "--memory-swap", "16m", BOX, HOG);
    state = world_inspect("hog", "{{.State.OOMKilled}} {{.State.ExitCode}} {{.HostConfig.Memory}}");
    ck_assert_str_eq(state, "true 137 16777216");
}
END_TEST

/* The hog is a child here: the kernel takes it and leaves PID 1 to tell. */
START_TEST(memory_hog_below_pid_1)
{
    EXPECT(9, "still here\n", NULL, "run", "--name", "hog", "-m", "16m", "--memory-swap", "16m",
           BOX, "sh", "-c", "tail /dev/zero; echo still here; exit 9");
}
END_TEST

START_TEST(no_hog_no_oom)
{
    EXPECT(0, "", "", "run", "--name", "modest", "-m", "64m", BOX, "true");
    EXPECT(0, "false\n", "", "inspect", "-f", "{{.State.OOMKilled}}", "modest");
}
END_TEST

/* Counts how many of 30 children could be born; the shell gives up at the first it cannot have. */
#define FORK_MANY                                                                                  \
    "n=0; while [ $n -lt 30 ]; do sleep 30 & n=$((n + 1)); echo $n > /tmp/n; done; echo all"

START_TEST(fork_bomb_is_stopped)
{
    const char *out =
        EXPECT(0, NULL, NULL, "run", "--rm", "--pids-limit", "10", BOX, "sh", "-c",
               "sh -c '" FORK_MANY "' 2>/tmp/e; cat /tmp/n; grep -c \"can't fork\" /tmp/e");
    int born = 0, refused = 0;

    ck_assert_msg(sscanf(out, "%d\n%d\n", &born, &refused) == 2, "%s", out);
    ck_assert_msg(born < 10 && born > 3 && refused == 1, "%s", out);
}
END_TEST

START_TEST(without_a_limit_all_are_born)
{
    EXPECT(0, "all\n", "", "run", "--rm", BOX, "sh", "-c", FORK_MANY);
}
END_TEST

/* A tenth of a processor: a busy loop of a second and a half of wall clock gets about 0.15 s of it.
 */
START_TEST(cpu_quota_holds)
{
    const char *out = EXPECT(0, NULL, NULL, "run", "--rm", "--cpus", "0.1", BOX, "sh", "-c",
                             "timeout 1.5 sh -c 'while :; do :; done'; times | tail -n 1");
    int minutes = 0;
    double user = 0;

    ck_assert_msg(sscanf(out, "%dm%lfs", &minutes, &user) == 2, "%s", out);
    ck_assert_msg(!minutes && user < 0.5, "it used %s", out);
}
END_TEST

/* The figures arrive where the kernel keeps them, under either version's names. */
static const struct {
    const char *flags[5];
    const char *v2, *v1; /* file below /sys/fs/cgroup as seen inside */
    const char *v2_value, *v1_value;
} file_cases[] = {
    {{"-m", "64m"}, "memory.max", "memory/memory.limit_in_bytes", "67108864\n", "67108864\n"},
    {{"--cpus", "1.5"}, "cpu.max", "cpu/cpu.cfs_quota_us", "150000 100000\n", "150000\n"},
    {{"--cpu-shares", "512"}, "cpu.weight", "cpu/cpu.shares", "20\n", "512\n"},
    {{"--cpuset-cpus", "0"}, "cpuset.cpus", "cpuset/cpuset.cpus", "0\n", "0\n"},
    {{"--cpuset-mems", "0"}, "cpuset.mems", "cpuset/cpuset.mems", "0\n", "0\n"},
    {{"--pids-limit", "77"}, "pids.max", "pids/pids.max", "77\n", "77\n"},
    {{"-m", "64m", "--memory-swap", "96m"},
     "memory.swap.max",
     "memory/memory.memsw.limit_in_bytes",
     "33554432\n",
     "100663296\n"},
};

START_TEST(figures_reach_the_kernel)
{
    cleanup_free char *script = str_format("cd /sys/fs/cgroup; cat %s 2>/dev/null || cat %s",
                                           file_cases[_i].v2, file_cases[_i].v1);
    const char *argv[16] = {"run", "--rm"};
    cleanup_run struct run_result r = {0};
    size_t n = 2;

    for (size_t i = 0; file_cases[_i].flags[i]; i++)
        argv[n++] = file_cases[_i].flags[i];
    memcpy(argv + n, (const char *[]){BOX, "sh", "-c", script}, 4 * sizeof *argv);
    world_run(&r, NULL, argv);
    ck_assert_msg(str_equal(r.out.data, file_cases[_i].v2_value) ||
                      str_equal(r.out.data, file_cases[_i].v1_value),
                  "case %d: %s%s", _i, r.out.data, r.err.data);
}
END_TEST

/* A disk of this machine, "/dev/vda", with its number as the kernel writes it. */
static char *some_disk(char *ret_number, size_t size)
{
    cleanup_run struct run_result r = {0};
    char name[64];

    run_argv_ok(&r, NULL,
                (const char *const[]){"sh", "-c",
                                      "cd /sys/block; for i in *; do test -b /dev/$i && "
                                      "echo $i $(cat $i/dev) && break; done",
                                      NULL});
    if (!r.out.len || sscanf(r.out.data, "%63s %15s", name, ret_number) != 2)
        return NULL;
    ck_assert_uint_gt(size, 15);
    return str_format("/dev/%s", name);
}

static const struct {
    const char *flag, *value, *v1, *v1_value, *v2_value;
} disk_cases[] = {
    {"--device-read-bps", "1mb", "read_bps", "1048576", "rbps=1048576"},
    {"--device-write-bps", "2kb", "write_bps", "2048", "wbps=2048"},
    {"--device-read-iops", "50", "read_iops", "50", "riops=50"},
    {"--device-write-iops", "60", "write_iops", "60", "wiops=60"},
};

START_TEST(limits_of_disks_reach_the_kernel)
{
    char number[16];
    cleanup_free char *disk = some_disk(number, sizeof number);
    cleanup_free char *flag =
        str_format("%s=%s:%s", disk_cases[_i].flag, disk ? disk : "", disk_cases[_i].value);
    cleanup_free char *script = str_format("cd /sys/fs/cgroup; cat io.max 2>/dev/null || cat "
                                           "blkio/blkio.throttle.%s_device",
                                           disk_cases[_i].v1);
    const char *out;

    if (!disk) /* a machine without any */
        return;
    out = EXPECT(0, NULL, "", "run", "--rm", flag, BOX, "sh", "-c", script);
    ck_assert_msg(str_starts(out, number), "%s", out);
    ck_assert_msg(strstr(out, disk_cases[_i].v1_value) || strstr(out, disk_cases[_i].v2_value),
                  "%s", out);
}
END_TEST

/* A container cannot lift its own limits. */
START_TEST(limits_are_out_of_reach)
{
    EXPECT(1, "", "Read-only file system", "run", "--rm", "-m", "16m", BOX, "sh", "-c",
           "cd /sys/fs/cgroup; test -e memory.max && echo max > memory.max || "
           "echo -1 > memory/memory.limit_in_bytes");
}
END_TEST

START_TEST(devices_are_out_of_reach)
{
    EXPECT(0, "zero\n", NULL, "run", "--rm", BOX, "sh", "-c",
           "mknod /tmp/z c 1 5 && test $(head -c1 /tmp/z | wc -c) = 1 && echo zero;"
           "mknod /tmp/mem c 1 1; head -c1 /tmp/mem && echo mem;"
           "mknod /tmp/tun c 10 200; (: < /tmp/tun) && echo tun; true");
}
END_TEST

/* What cannot be given is said, on standard error, and only then; --log-level error keeps it quiet.
 */
START_TEST(a_capability_we_do_not_have_is_a_warning)
{
    bool ours = prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1;

    EXPECT(0, "", ours ? "" : "WARNING: CAP_SYS_RESOURCE is not given", "run", "--rm", "--cap-add",
           "SYS_RESOURCE", BOX, "true");
    EXPECT(0, "", "", "--log-level", "error", "run", "--rm", "--cap-add", "SYS_RESOURCE", BOX,
           "true");
    EXPECT(0, "", "", "run", "--rm", "--cap-add", "NET_ADMIN", BOX, "true");
}
END_TEST

SUITE(limits)
{
    TCase *t = tcase_create("limits");

    tcase_set_tags(t, "needs-root");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, world_make, world_remove);
    tcase_add_checked_fixture(t, world_clear, NULL);
    tcase_add_test(t, memory_hog_is_killed);
    tcase_add_test(t, memory_hog_below_pid_1);
    tcase_add_test(t, no_hog_no_oom);
    tcase_add_test(t, fork_bomb_is_stopped);
    tcase_add_test(t, without_a_limit_all_are_born);
    tcase_add_test(t, cpu_quota_holds);
    tcase_add_loop_test(t, figures_reach_the_kernel, 0,
                        (int)(sizeof file_cases / sizeof *file_cases));
    tcase_add_loop_test(t, limits_of_disks_reach_the_kernel, 0,
                        (int)(sizeof disk_cases / sizeof *disk_cases));
    tcase_add_test(t, limits_are_out_of_reach);
    tcase_add_test(t, devices_are_out_of_reach);
    tcase_add_test(t, a_capability_we_do_not_have_is_a_warning);
    suite_add_tcase(suite, t);
}
