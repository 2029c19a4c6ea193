/* The kernel's counters read: every field, of both versions, from files as the kernel writes them.
 */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroup_world.h"

static struct cgroup cg;
static struct runtime_stats s;

static void begin_v1(void)
{
    fake_begin(1, &cg);
}
static void begin_v2(void)
{
    fake_begin(2, &cg);
}
static void end(void)
{
    runtime_stats_free(&s);
    fake_end(&cg);
}

static void read_stats(void)
{
    struct err err = {0};

    ck_assert_msg(!cgroup_stats(&cg, &s, &err), "%s", err.message);
}

/* --- version 2 -------------------------------------------------------------------------------- */

#define CPU_STAT                                                                                   \
    "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 10\nnr_throttled 3\n"            \
    "throttled_usec 70\nnr_bursts 2\nburst_usec 9\n"

START_TEST(processor_time_of_version_2)
{
    fake_file(&cg, "cpu.stat", CPU_STAT);
    read_stats();
    ck_assert(s.cpu.have);
    ck_assert_uint_eq(s.cpu.usage_ns, 1500000);
    ck_assert_uint_eq(s.cpu.user_ns, 1000000);
    ck_assert_uint_eq(s.cpu.system_ns, 500000);
    ck_assert_uint_eq(s.cpu.periods, 10);
    ck_assert_uint_eq(s.cpu.throttled_periods, 3);
    ck_assert_uint_eq(s.cpu.throttled_ns, 70000);
    ck_assert_uint_eq(s.cpu.burst_periods, 2);
    ck_assert_uint_eq(s.cpu.burst_ns, 9000);
    ck_assert_ptr_eq(s.cpu.per_cpu_ns, NULL);
    ck_assert(!s.cpu.pressure.have && !s.memory.have && !s.pids.have && !s.io.have);
}
END_TEST

START_TEST(memory_of_version_2)
{
    fake_file(&cg, "cpu.stat", CPU_STAT);
    fake_file(&cg, "memory.current", "1000\n");
    fake_file(&cg, "memory.peak", "3000\n");
    fake_file(&cg, "memory.max", "8000\n");
    fake_file(&cg, "memory.swap.current", "200\n");
    fake_file(&cg, "memory.swap.max", "500\n");
    fake_file(&cg, "memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n");
    fake_file(&cg, "memory.stat", "anon 600\nfile 300\nkernel 50\nsock 4\ninactive_file 120\n");
    read_stats();
    ck_assert(s.memory.have && s.memory.hierarchy);
    ck_assert_uint_eq(s.memory.memory.usage, 1000);
    ck_assert_uint_eq(s.memory.memory.max_usage, 3000);
    ck_assert_uint_eq(s.memory.memory.limit, 8000);
    ck_assert_uint_eq(s.memory.memory.failures, 7);
    ck_assert_uint_eq(s.memory.swap_alone, 200);
    ck_assert_uint_eq(s.memory.swap.usage, 1200);
    ck_assert_uint_eq(s.memory.swap.limit, 8500);
    ck_assert_uint_eq(s.memory.oom, 2);
    ck_assert_uint_eq(s.memory.oom_kills, 1);
    ck_assert_uint_eq(s.memory.cache, 300);
    ck_assert_uint_eq(s.memory.inactive_file, 120);
    ck_assert_uint_eq(s.memory.kernel.usage, 50);
    ck_assert_uint_eq(s.memory.kernel.limit, RUNTIME_NO_LIMIT);
    ck_assert_uint_eq(s.memory.kernel_tcp.usage, 4);
    ck_assert_uint_eq(s.memory.stat_count, 5);
    ck_assert_str_eq(s.memory.stat[4].name, "inactive_file");
}
END_TEST

START_TEST(no_limit_of_memory_is_none_of_swap)
{
    fake_file(&cg, "cpu.stat", CPU_STAT);
    fake_file(&cg, "memory.current", "1000\n");
    fake_file(&cg, "memory.max", "max\n");
    fake_file(&cg, "memory.swap.current", "0\n");
    fake_file(&cg, "memory.swap.max", "500\n");
    read_stats();
    ck_assert_uint_eq(s.memory.memory.limit, RUNTIME_NO_LIMIT);
    ck_assert_uint_eq(s.memory.swap.limit, RUNTIME_NO_LIMIT);
}
END_TEST

START_TEST(the_rest_of_version_2)
{
    fake_file(&cg, "cpu.stat", CPU_STAT);
    fake_file(&cg, "pids.current", "5\n");
    fake_file(&cg, "pids.max", "max\n");
    fake_file(&cg, "cpuset.cpus.effective", "0-3\n");
    fake_file(&cg, "cpuset.mems.effective", "0\n");
    fake_file(&cg, "io.stat",
              "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"
              "7:3 rbytes=10 wbytes=20 rios=30 wios=40 dbytes=50 dios=60 cost.usage=9\nbroken\n");
    fake_file(&cg, "rdma.current", "mlx5_0 hca_handle=2 hca_object=20\n");
    fake_file(&cg, "rdma.max", "mlx5_0 hca_handle=7 hca_object=max\n");
    read_stats();
    ck_assert_uint_eq(s.pids.current, 5);
    ck_assert_uint_eq(s.pids.limit, RUNTIME_NO_LIMIT);
    ck_assert_str_eq(s.cpuset.cpus, "0-3");
    ck_assert_str_eq(s.cpuset.mems, "0");
    ck_assert_uint_eq(s.io.device_count, 2);
    ck_assert_uint_eq(s.io.devices[0].major, 254);
    ck_assert_uint_eq(s.io.devices[0].reads, 3);
    ck_assert_uint_eq(s.io.devices[1].minor, 3);
    ck_assert_uint_eq(s.io.devices[1].read_bytes, 10);
    ck_assert_uint_eq(s.io.devices[1].write_bytes, 20);
    ck_assert_uint_eq(s.io.devices[1].writes, 40);
    ck_assert_uint_eq(s.io.devices[1].discard_bytes, 50);
    ck_assert_uint_eq(s.io.devices[1].discards, 60);
    ck_assert_uint_eq(s.rdma_count, 1);
    ck_assert_str_eq(s.rdma[0].device, "mlx5_0");
    ck_assert_uint_eq(s.rdma[0].handles, 2);
    ck_assert_uint_eq(s.rdma[0].objects, 20);
    ck_assert_uint_eq(s.rdma[0].handles_limit, 7);
    ck_assert_uint_eq(s.rdma[0].objects_limit, RUNTIME_NO_LIMIT);
}
END_TEST

#define PRESSURE                                                                                   \
    "some avg10=1.50 avg60=2.25 avg300=0.10 total=12345\n"                                         \
    "full avg10=0.50 avg60=0.00 avg300=0.01 total=678\n"

START_TEST(pressure)
{
    fake_file(&cg, "cpu.stat", CPU_STAT);
    fake_file(&cg, "cpu.pressure", PRESSURE);
    fake_file(&cg, "memory.current", "1\n");
    fake_file(&cg, "memory.pressure", PRESSURE);
    fake_file(&cg, "io.stat", "");
    fake_file(&cg, "io.pressure", PRESSURE);
    read_stats();
    ck_assert(s.cpu.pressure.have && s.memory.pressure.have && s.io.pressure.have);
    ck_assert_double_eq_tol(s.cpu.pressure.some.avg10, 1.5, 1e-9);
    ck_assert_double_eq_tol(s.memory.pressure.some.avg60, 2.25, 1e-9);
    ck_assert_double_eq_tol(s.io.pressure.full.avg300, 0.01, 1e-9);
    ck_assert_uint_eq(s.cpu.pressure.some.total_us, 12345);
    ck_assert_uint_eq(s.cpu.pressure.full.total_us, 678);
}
END_TEST

START_TEST(a_group_that_is_not_there)
{
    struct err err = {0};

    ck_assert_int_eq(cgroup_stats(&cg, &s, &err), -ENOENT);
    ck_assert_ptr_ne(strstr(err.message, "/box/one"), NULL);
}
END_TEST

/* --- version 1 -------------------------------------------------------------------------------- */

START_TEST(processor_time_of_version_1)
{
    fake_file(&cg, "cpuacct/cpuacct.usage", "3000\n");
    fake_file(&cg, "cpuacct/cpuacct.usage_user", "2000\n");
    fake_file(&cg, "cpuacct/cpuacct.usage_sys", "1000\n");
    fake_file(&cg, "cpuacct/cpuacct.usage_percpu", "1000 2000 \n");
    fake_file(&cg, "cpuacct/cpuacct.usage_percpu_user", "700 1300 \n");
    fake_file(&cg, "cpuacct/cpuacct.usage_percpu_sys", "300 700 \n");
    fake_file(&cg, "cpu/cpu.stat",
              "nr_periods 10\nnr_throttled 3\nthrottled_time 70\nnr_bursts 1\nburst_time 5\n");
    read_stats();
    ck_assert_uint_eq(s.cpu.usage_ns, 3000);
    ck_assert_uint_eq(s.cpu.user_ns, 2000);
    ck_assert_uint_eq(s.cpu.system_ns, 1000);
    ck_assert_uint_eq(s.cpu.cpus, 2);
    ck_assert_uint_eq(s.cpu.per_cpu_ns[1], 2000);
    ck_assert_uint_eq(s.cpu.per_cpu_user_ns[0], 700);
    ck_assert_uint_eq(s.cpu.per_cpu_system_ns[1], 700);
    ck_assert_uint_eq(s.cpu.periods, 10);
    ck_assert_uint_eq(s.cpu.throttled_periods, 3);
    ck_assert_uint_eq(s.cpu.throttled_ns, 70);
    ck_assert_uint_eq(s.cpu.burst_periods, 1);
    ck_assert_uint_eq(s.cpu.burst_ns, 5);
}
END_TEST

START_TEST(memory_of_version_1)
{
    fake_file(&cg, "memory/memory.usage_in_bytes", "1000\n");
    fake_file(&cg, "memory/memory.max_usage_in_bytes", "3000\n");
    fake_file(&cg, "memory/memory.limit_in_bytes", "9223372036854771712\n");
    fake_file(&cg, "memory/memory.failcnt", "4\n");
    fake_file(&cg, "memory/memory.memsw.usage_in_bytes", "1200\n");
    fake_file(&cg, "memory/memory.memsw.limit_in_bytes", "5000\n");
    fake_file(&cg, "memory/memory.kmem.usage_in_bytes", "60\n");
    fake_file(&cg, "memory/memory.kmem.tcp.usage_in_bytes", "8\n");
    fake_file(&cg, "memory/memory.use_hierarchy", "1\n");
    fake_file(&cg, "memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    fake_file(&cg, "memory/memory.stat",
              "cache 300\ninactive_file 1\ntotal_inactive_file 120\ntotal_swap 200\n");
    read_stats();
    ck_assert_uint_eq(s.memory.memory.usage, 1000);
    ck_assert_uint_eq(s.memory.memory.max_usage, 3000);
    ck_assert_uint_eq(s.memory.memory.limit, RUNTIME_NO_LIMIT);
    ck_assert_uint_eq(s.memory.memory.failures, 4);
    ck_assert_uint_eq(s.memory.swap.usage, 1200);
    ck_assert_uint_eq(s.memory.swap.limit, 5000);
    ck_assert_uint_eq(s.memory.swap_alone, 200);
    ck_assert_uint_eq(s.memory.kernel.usage, 60);
    ck_assert_uint_eq(s.memory.kernel_tcp.usage, 8);
    ck_assert_uint_eq(s.memory.cache, 300);
    ck_assert_uint_eq(s.memory.inactive_file, 120);
    ck_assert_uint_eq(s.memory.oom_kills, 2);
    ck_assert(s.memory.hierarchy);
}
END_TEST

START_TEST(the_rest_of_version_1)
{
    fake_file(&cg, "pids/pids.current", "5\n");
    fake_file(&cg, "pids/pids.max", "9\n");
    fake_file(&cg, "cpuset/cpuset.effective_cpus", "0-1\n");
    fake_file(&cg, "cpuset/cpuset.effective_mems", "0\n");
    fake_file(&cg, "blkio/blkio.throttle.io_service_bytes_recursive",
              "254:0 Read 100\n254:0 Write 200\n254:0 Sync 250\n254:0 Async 50\n254:0 Discard 7\n"
              "254:0 Total 307\nTotal 307\n");
    fake_file(&cg, "blkio/blkio.throttle.io_serviced_recursive",
              "254:0 Read 1\n254:0 Write 2\n254:0 Sync 2\n254:0 Async 1\n254:0 Discard 3\n");
    fake_file(&cg, "rdma/rdma.current", "mlx5_0 hca_handle=2 hca_object=20\n");
    read_stats();
    ck_assert_uint_eq(s.pids.current, 5);
    ck_assert_uint_eq(s.pids.limit, 9);
    ck_assert_str_eq(s.cpuset.cpus, "0-1");
    ck_assert_uint_eq(s.io.device_count, 1);
    ck_assert_uint_eq(s.io.devices[0].read_bytes, 100);
    ck_assert_uint_eq(s.io.devices[0].write_bytes, 200);
    ck_assert_uint_eq(s.io.devices[0].sync_bytes, 250);
    ck_assert_uint_eq(s.io.devices[0].async_bytes, 50);
    ck_assert_uint_eq(s.io.devices[0].discard_bytes, 7);
    ck_assert_uint_eq(s.io.devices[0].reads, 1);
    ck_assert_uint_eq(s.io.devices[0].discards, 3);
    ck_assert_uint_eq(s.rdma[0].handles, 2);
}
END_TEST

SUITE(cgroup_stats)
{
    TCase *t = tcase_create("version 2");

    tcase_add_checked_fixture(t, begin_v2, end);
    tcase_add_test(t, processor_time_of_version_2);
    tcase_add_test(t, memory_of_version_2);
    tcase_add_test(t, no_limit_of_memory_is_none_of_swap);
    tcase_add_test(t, the_rest_of_version_2);
    tcase_add_test(t, pressure);
    tcase_add_test(t, a_group_that_is_not_there);
    suite_add_tcase(suite, t);
    t = tcase_create("version 1");
    tcase_add_checked_fixture(t, begin_v1, end);
    tcase_add_test(t, processor_time_of_version_1);
    tcase_add_test(t, memory_of_version_1);
    tcase_add_test(t, the_rest_of_version_1);
    tcase_add_test(t, a_group_that_is_not_there);
    suite_add_tcase(suite, t);
}
