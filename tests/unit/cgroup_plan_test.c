/* linux.resources translated: which file gets which text, in which order, and what is refused with
 * which words. The kernel's files are ordinary ones here. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cgroup_world.h"

static struct cgroup cg;

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
    fake_end(&cg);
}

struct translation {
    const char *resources, *wanted;
};

#define DEVICE "'major':8,'minor':16"

/* --- version 1 -------------------------------------------------------------------------------- */

static const struct translation v1[] = {
    {"{}", ""},
    {"{'memory':{'limit':67108864}}", "memory.limit_in_bytes=67108864;"},
    {"{'memory':{'limit':1000,'swap':2000}}",
     "memory.limit_in_bytes=1000;memory.memsw.limit_in_bytes=2000;"},
    {"{'memory':{'limit':-1}}", "memory.memsw.limit_in_bytes=-1;memory.limit_in_bytes=-1;"},
    {"{'memory':{'limit':1000,'swap':-1}}",
     "memory.memsw.limit_in_bytes=-1;memory.limit_in_bytes=1000;"},
    {"{'memory':{'limit':0,'swap':0,'reservation':0,'kernel':0,'kernelTCP':0}}", ""},
    {"{'memory':{'reservation':4096}}", "memory.soft_limit_in_bytes=4096;"},
    {"{'memory':{'kernel':4096,'kernelTCP':8192}}",
     "memory.kmem.limit_in_bytes=4096;memory.kmem.tcp.limit_in_bytes=8192;"},
    {"{'memory':{'swappiness':0}}", "memory.swappiness=0;"},
    {"{'memory':{'disableOOMKiller':true}}", "memory.oom_control=1;"},
    {"{'memory':{'disableOOMKiller':false}}", ""},
    {"{'cpu':{'shares':512}}", "cpu.shares=512;"},
    {"{'cpu':{'quota':50000,'period':200000}}", "cpu.cfs_period_us=200000;cpu.cfs_quota_us=50000;"},
    {"{'cpu':{'quota':-1}}", "cpu.cfs_quota_us=-1;"},
    {"{'cpu':{'quota':50000,'burst':20000}}", "cpu.cfs_quota_us=50000;cpu.cfs_burst_us=20000;"},
    {"{'cpu':{'realtimePeriod':1000000,'realtimeRuntime':950000}}",
     "cpu.rt_period_us=1000000;cpu.rt_runtime_us=950000;"},
    {"{'cpu':{'shares':2,'idle':1}}", "cpu.shares=2;cpu.idle=1;"},
    {"{'cpu':{'cpus':'0-3,7','mems':'0'}}", "cpuset.cpus=0-3,7;cpuset.mems=0;"},
    {"{'pids':{'limit':100}}", "pids.max=100;"},
    {"{'pids':{'limit':-1}}", "pids.max=max;"},
    {"{'pids':{'limit':0}}", ""},
    {"{'blockIO':{'weight':300,'leafWeight':200}}", "blkio.weight=300;blkio.leaf_weight=200;"},
    {"{'blockIO':{'weightDevice':[{" DEVICE ",'weight':500,'leafWeight':300}]}}",
     "blkio.weight_device=8:16 500;blkio.leaf_weight_device=8:16 300;"},
    {"{'blockIO':{'throttleReadBpsDevice':[{" DEVICE ",'rate':600},{'major':8,'minor':0,'rate':0}],"
     "'throttleWriteBpsDevice':[{" DEVICE ",'rate':1}],"
     "'throttleReadIOPSDevice':[{" DEVICE ",'rate':2}],"
     "'throttleWriteIOPSDevice':[{" DEVICE ",'rate':3}]}}",
     "blkio.throttle.read_bps_device=8:16 600;blkio.throttle.read_bps_device=8:0 0;"
     "blkio.throttle.write_bps_device=8:16 1;blkio.throttle.read_iops_device=8:16 2;"
     "blkio.throttle.write_iops_device=8:16 3;"},
    {"{'hugepageLimits':[{'pageSize':'2MB','limit':4194304},{'pageSize':'1GB','limit':0}]}",
     "hugetlb.2MB.limit_in_bytes=4194304;hugetlb.2MB.rsvd.limit_in_bytes=4194304;"
     "hugetlb.1GB.limit_in_bytes=0;hugetlb.1GB.rsvd.limit_in_bytes=0;"},
    {"{'network':{'classID':1048577,'priorities':[{'name':'eth0','priority':500},"
     "{'name':'lo','priority':0}]}}",
     "net_cls.classid=1048577;net_prio.ifpriomap=eth0 500;net_prio.ifpriomap=lo 0;"},
    {"{'rdma':{'mlx5_1':{'hcaHandles':3,'hcaObjects':10000}}}",
     "rdma.max=mlx5_1 hca_handle=3 hca_object=10000;"},
    {"{'rdma':{'rxe3':{'hcaObjects':7}}}", "rdma.max=rxe3 hca_object=7;"},
    {"{'unified':{}}", ""},
    {"{'unified':{'memory.high':'1'}}",
     "linux.resources.unified: cannot use unified on cgroup v1: its files are those of version 2"},
};

START_TEST(version_1_gets)
{
    cleanup_free char *got = planned(&cg, v1[_i].resources, false);

    ck_assert_str_eq(got, v1[_i].wanted);
}
END_TEST

/* What a living group has decides about the order. */
static const struct change {
    const char *files[3][2];
    const char *resources, *wanted;
} v1_changes[] = {
    /* lowering: memory first; raising: swap first */
    {{{"memory/memory.limit_in_bytes", "5000"}},
     "{'memory':{'limit':1000,'swap':2000}}",
     "memory.limit_in_bytes=1000;memory.memsw.limit_in_bytes=2000;"},
    {{{"memory/memory.limit_in_bytes", "500"}},
     "{'memory':{'limit':1000,'swap':2000}}",
     "memory.memsw.limit_in_bytes=2000;memory.limit_in_bytes=1000;"},
    {{{"memory/memory.limit_in_bytes", "2000"}},
     "{'memory':{'limit':2000,'swap':2000}}",
     "memory.memsw.limit_in_bytes=2000;memory.limit_in_bytes=2000;"},
    /* a shorter period after the quota, a longer one before it */
    {{{"cpu/cpu.cfs_period_us", "100000"}},
     "{'cpu':{'quota':20000,'period':40000}}",
     "cpu.cfs_quota_us=20000;cpu.cfs_period_us=40000;"},
    {{{"cpu/cpu.cfs_period_us", "100000"}},
     "{'cpu':{'quota':90000,'period':400000}}",
     "cpu.cfs_period_us=400000;cpu.cfs_quota_us=90000;"},
    {{{"cpu/cpu.rt_period_us", "1000000"}},
     "{'cpu':{'realtimeRuntime':1000,'realtimePeriod':4000}}",
     "cpu.rt_runtime_us=1000;cpu.rt_period_us=4000;"},
    /* less burst before less quota, more after more */
    {{{"cpu/cpu.cfs_burst_us", "5000"}},
     "{'cpu':{'quota':4000,'burst':1000}}",
     "cpu.cfs_burst_us=1000;cpu.cfs_quota_us=4000;"},
    {{{"cpu/cpu.cfs_burst_us", "500"}},
     "{'cpu':{'quota':4000,'burst':1000}}",
     "cpu.cfs_quota_us=4000;cpu.cfs_burst_us=1000;"},
    {{{NULL}}, "{'cpu':{'burst':0}}", "cpu.cfs_burst_us=0;"},
    /* out of idleness before shares can be set */
    {{{NULL}}, "{'cpu':{'idle':0,'shares':100}}", "cpu.idle=0;cpu.shares=100;"},
    {{{NULL}}, "{'memory':{'disableOOMKiller':false}}", "memory.oom_control=0;"},
    {{{"memory/memory.use_hierarchy", "1"}}, "{'memory':{'useHierarchy':true}}", ""},
    {{{"memory/memory.use_hierarchy", "0"}},
     "{'memory':{'useHierarchy':true}}",
     "memory.use_hierarchy=1;"},
    {{{"memory/memory.use_hierarchy", "1"}},
     "{'memory':{'useHierarchy':false}}",
     "memory.use_hierarchy=0;"},
    /* the names of the scheduler there is */
    {{{"blkio/blkio.bfq.weight", "100"}},
     "{'blockIO':{'weight':300,'weightDevice':[{" DEVICE ",'weight':500}]}}",
     "blkio.bfq.weight=300;blkio.bfq.weight_device=8:16 500;"},
    {{{"blkio/blkio.bfq.weight", "100"}, {"blkio/blkio.weight", "100"}},
     "{'blockIO':{'weight':300}}",
     "blkio.weight=300;"},
};

static void check_change(const struct change *change)
{
    cleanup_free char *got = NULL;

    for (size_t i = 0; i < 3 && change->files[i][0]; i++)
        fake_file(&cg, change->files[i][0], change->files[i][1]);
    got = planned(&cg, change->resources, true);
    ck_assert_str_eq(got, change->wanted);
}

START_TEST(version_1_changes_in_order)
{
    check_change(&v1_changes[_i]);
}
END_TEST

/* --- version 2 -------------------------------------------------------------------------------- */

static const struct translation v2[] = {
    {"{}", ""},
    {"{'memory':{'limit':67108864}}", "memory.max=67108864;"},
    {"{'memory':{'limit':-1}}", "memory.swap.max=max;memory.max=max;"},
    {"{'memory':{'limit':1000,'swap':3000}}", "memory.swap.max=2000;memory.max=1000;"},
    {"{'memory':{'limit':1000,'swap':1000}}", "memory.swap.max=0;memory.max=1000;"},
    {"{'memory':{'limit':1000,'swap':-1}}", "memory.swap.max=max;memory.max=1000;"},
    {"{'memory':{'limit':-1,'swap':5000}}", "memory.swap.max=5000;memory.max=max;"},
    {"{'memory':{'reservation':4096}}", "memory.low=4096;"},
    {"{'memory':{'reservation':-1}}", "memory.low=max;"},
    {"{'memory':{'kernel':-1,'kernelTCP':-1,'disableOOMKiller':false,'useHierarchy':true}}", ""},
    {"{'cpu':{'shares':2}}", "cpu.weight=1;"},
    {"{'cpu':{'shares':1}}", "cpu.weight=1;"},
    {"{'cpu':{'shares':512}}", "cpu.weight=20;"},
    {"{'cpu':{'shares':1024}}", "cpu.weight=39;"},
    {"{'cpu':{'shares':262144}}", "cpu.weight=10000;"},
    {"{'cpu':{'shares':9999999}}", "cpu.weight=10000;"},
    {"{'cpu':{'quota':50000}}", "cpu.max=50000;"},
    {"{'cpu':{'quota':50000,'period':200000}}", "cpu.max=50000 200000;"},
    {"{'cpu':{'period':200000}}", "cpu.max=max 200000;"},
    {"{'cpu':{'quota':-1}}", "cpu.max=max;"},
    {"{'cpu':{'quota':-1,'period':50000}}", "cpu.max=max 50000;"},
    {"{'cpu':{'quota':50000,'burst':20000}}", "cpu.max=50000;cpu.max.burst=20000;"},
    {"{'cpu':{'shares':512,'idle':1}}", "cpu.weight=20;cpu.idle=1;"},
    {"{'cpu':{'realtimePeriod':0,'realtimeRuntime':0}}", ""},
    {"{'cpu':{'cpus':'0-3,7','mems':'0'}}", "cpuset.cpus=0-3,7;cpuset.mems=0;"},
    {"{'pids':{'limit':100}}", "pids.max=100;"},
    {"{'pids':{'limit':-1}}", "pids.max=max;"},
    {"{'pids':{'limit':0}}", ""},
    {"{'blockIO':{'weight':10}}", "io.weight=1;"},
    {"{'blockIO':{'weight':500}}", "io.weight=4950;"},
    {"{'blockIO':{'weight':1000}}", "io.weight=10000;"},
    {"{'blockIO':{'weightDevice':[{" DEVICE ",'weight':500}]}}", "io.weight=8:16 4950;"},
    {"{'blockIO':{'throttleReadBpsDevice':[{" DEVICE ",'rate':600},{'major':8,'minor':0,'rate':0}],"
     "'throttleWriteBpsDevice':[{" DEVICE ",'rate':1}],"
     "'throttleReadIOPSDevice':[{" DEVICE ",'rate':2}],"
     "'throttleWriteIOPSDevice':[{" DEVICE ",'rate':3}]}}",
     "io.max=8:16 rbps=600;io.max=8:0 rbps=max;io.max=8:16 wbps=1;io.max=8:16 riops=2;"
     "io.max=8:16 wiops=3;"},
    {"{'hugepageLimits':[{'pageSize':'2MB','limit':4194304}]}",
     "hugetlb.2MB.max=4194304;hugetlb.2MB.rsvd.max=4194304;"},
    {"{'rdma':{'mlx5_1':{'hcaHandles':3,'hcaObjects':10000}}}",
     "rdma.max=mlx5_1 hca_handle=3 hca_object=10000;"},
    {"{'unified':{'memory.high':'1073741824','cgroup.max.depth':'3'},'memory':{'limit':4096}}",
     "memory.max=4096;memory.high=1073741824;cgroup.max.depth=3;"},
};

START_TEST(version_2_gets)
{
    cleanup_free char *got = planned(&cg, v2[_i].resources, false);

    ck_assert_str_eq(got, v2[_i].wanted);
}
END_TEST

static const struct change v2_changes[] = {
    /* half of cpu.max leaves the other half */
    {{{"cpu.max", "30000 100000\n"}}, "{'cpu':{'period':50000}}", "cpu.max=30000 50000;"},
    {{{"cpu.max", "max 100000\n"}}, "{'cpu':{'period':50000}}", "cpu.max=max 50000;"},
    {{{"cpu.max", "30000 50000\n"}}, "{'cpu':{'quota':20000}}", "cpu.max=20000;"},
    {{{"cpu.max.burst", "5000\n"}},
     "{'cpu':{'quota':4000,'burst':1000}}",
     "cpu.max.burst=1000;cpu.max=4000;"},
    {{{"cpu.max.burst", "500\n"}},
     "{'cpu':{'quota':4000,'burst':1000}}",
     "cpu.max=4000;cpu.max.burst=1000;"},
    {{{"cpu.max.burst", "500\n"}}, "{'cpu':{'burst':0}}", "cpu.max.burst=0;"},
    {{{NULL}}, "{'cpu':{'idle':0,'shares':512}}", "cpu.idle=0;cpu.weight=20;"},
    /* swap is what is left of the sum beside the limit there is */
    {{{"memory.max", "1000\n"}}, "{'memory':{'swap':1500}}", "memory.swap.max=500;"},
    {{{"memory.max", "2000\n"}},
     "{'memory':{'swap':1500}}",
     "linux.resources.memory.swap 1500 is below the memory limit of 2000, which it includes"},
    {{{"memory.max", "max\n"}},
     "{'memory':{'swap':1500}}",
     "linux.resources.memory.swap 1500 needs a memory.limit, which it includes"},
    {{{"memory.current", "5000\n"}, {"memory.peak", "6000\n"}},
     "{'memory':{'limit':4000,'checkBeforeUpdate':true}}",
     "linux.resources.memory.limit: unable to set memory limit to 4000 (current usage: 5000, peak "
     "usage: 6000)"},
    {{{"memory.current", "3000\n"}},
     "{'memory':{'limit':4000,'checkBeforeUpdate':true}}",
     "memory.max=4000;"},
    {{{"memory.current", "5000\n"}},
     "{'memory':{'limit':4000,'checkBeforeUpdate':false}}",
     "memory.max=4000;"},
    {{{"io.bfq.weight", "default 100\n"}},
     "{'blockIO':{'weight':300,'weightDevice':[{" DEVICE ",'weight':500}]}}",
     "io.bfq.weight=300;io.bfq.weight=8:16 500;"},
};

START_TEST(version_2_changes_in_order)
{
    check_change(&v2_changes[_i]);
}
END_TEST

/* --- refusals --------------------------------------------------------------------------------- */

#define NO " cgroup v2 has no such limit: "

static const struct translation v2_has_no[] = {
    {"{'memory':{'kernel':4096}}",
     "linux.resources.memory.kernel 4096:" NO "the kernel's memory is counted in memory.limit"},
    {"{'memory':{'kernelTCP':4096}}",
     "linux.resources.memory.kernelTCP 4096:" NO "the kernel's memory is counted in memory.limit"},
    {"{'memory':{'swappiness':0}}",
     "linux.resources.memory.swappiness 0:" NO "use memory.swap, or 'memory.high' in unified"},
    {"{'cpu':{'realtimeRuntime':950}}",
     "linux.resources.cpu.realtimeRuntime 950:" NO "real-time tasks are not grouped"},
    {"{'blockIO':{'leafWeight':200}}",
     "linux.resources.blockIO.leafWeight 200:" NO "processes do not compete with groups"},
    {"{'blockIO':{'weightDevice':[{" DEVICE ",'leafWeight':300}]}}",
     "linux.resources.blockIO.weightDevice[0].leafWeight 300: cgroup v2 has no such limit"},
    {"{'network':{'classID':7}}", "linux.resources.network.classID 7:" NO
                                  "match the group's path in nftables (socket cgroupv2)"},
    {"{'network':{'priorities':[{'name':'lo','priority':1}]}}",
     "linux.resources.network.priorities:" NO "set SO_PRIORITY with nftables"},
    {"{'memory':{'disableOOMKiller':true}}",
     "linux.resources.memory.disableOOMKiller: cgroup v2 cannot do without the killer: set "
     "memory.high in unified to slow the container down first"},
    {"{'memory':{'useHierarchy':false}}",
     "linux.resources.memory.useHierarchy false: cgroup v2 is always a hierarchy"},
    {"{'memory':{'swap':2000}}",
     "linux.resources.memory.swap 2000 needs a memory.limit, which it includes"},
    {"{'unified':{'cgroup.procs':'1'}}", "linux.resources.unified: 'cgroup.procs' is not a limit"},
    {"{'unified':{'../memory.max':'1'}}",
     "linux.resources.unified: '../memory.max' is not of the form CONTROLLER.FILE"},
    {"{'unified':{'memory':'1'}}",
     "linux.resources.unified: 'memory' is not of the form CONTROLLER.FILE"},
    {"{'unified':{'memory.high':1}}", "linux.resources.unified: 'memory.high' is not a string"},
};

START_TEST(version_2_refuses)
{
    cleanup_free char *got = planned(&cg, v2_has_no[_i].resources, false);

    ck_assert_str_eq(got, v2_has_no[_i].wanted);
}
END_TEST

static const struct translation wrong[] = {
    {"{'memory':{'limit':'64m'}}", "linux.resources.memory.limit is not a whole number"},
    {"{'memory':'64m'}", "linux.resources.memory is not an object"},
    {"{'cpu':[]}", "linux.resources.cpu is not an object"},
    {"{'pids':50}", "linux.resources.pids is not an object"},
    {"{'blockIO':true}", "linux.resources.blockIO is not an object"},
    {"{'network':''}", "linux.resources.network is not an object"},
    {"{'memory':{'limit':-2}}", "linux.resources.memory.limit -2 is too small: at least -1"},
    {"{'memory':{'limit':2000,'swap':1000}}",
     "linux.resources.memory.swap 1000 is below memory.limit 2000: it is the sum of both"},
    {"{'memory':{'swappiness':101}}",
     "linux.resources.memory.swappiness 101 is not between 0 and 100"},
    {"{'memory':{'disableOOMKiller':1}}",
     "linux.resources.memory.disableOOMKiller is not true or false"},
    {"{'cpu':{'period':-5}}", "linux.resources.cpu.period -5 is too small: at least 1"},
    {"{'cpu':{'quota':1000,'burst':2000}}",
     "linux.resources.cpu.burst 2000 is above cpu.quota 1000"},
    {"{'cpu':{'idle':2}}", "linux.resources.cpu.idle 2 is not between 0 and 1"},
    {"{'cpu':{'cpus':'0-4294967295'}}",
     "linux.resources.cpu.cpus: '0-4294967295' names a number above 8191"},
    {"{'cpu':{'mems':'all'}}", "linux.resources.cpu.mems: 'all' is not a list such as 0-3,7"},
    {"{'cpu':{'cpus':7}}", "linux.resources.cpu.cpus is not a string"},
    {"{'blockIO':{'weight':5}}", "linux.resources.blockIO.weight 5 is not between 10 and 1000"},
    {"{'blockIO':{'weightDevice':{}}}", "linux.resources.blockIO.weightDevice is not a list"},
    {"{'blockIO':{'weightDevice':[7]}}",
     "linux.resources.blockIO.weightDevice[0] is not an object"},
    {"{'blockIO':{'throttleReadBpsDevice':[{'major':8,'rate':1}]}}",
     "linux.resources.blockIO.throttleReadBpsDevice[0].minor is missing"},
    {"{'blockIO':{'throttleReadBpsDevice':[{" DEVICE ",'rate':-1}]}}",
     "linux.resources.blockIO.throttleReadBpsDevice[0].rate -1 is too small: at least 0"},
    {"{'hugepageLimits':[{'pageSize':'../x','limit':1}]}",
     "linux.resources.hugepageLimits[0].pageSize: '../x' is not a name"},
    {"{'network':{'classID':4294967296}}",
     "linux.resources.network.classID 4294967296 is not between 0 and 4294967295"},
    {"{'network':{'priorities':[{'name':'a\\nb','priority':1}]}}",
     "linux.resources.network.priorities[0].name: 'a\nb' is not a name"},
    {"{'pids':{'limit':-2}}", "linux.resources.pids.limit -2 is too small: at least -1"},
    {"{'pids':{'limit':1.5}}", "linux.resources.pids.limit is not a whole number"},
    {"{'rdma':{'mlx4':{}}}", "linux.resources.rdma.mlx4 has neither hcaHandles nor hcaObjects"},
    {"{'rdma':{'a b':{'hcaHandles':1}}}", "linux.resources.rdma: 'a b' is not a name"},
    {"{'unified':[]}", "linux.resources.unified is not an object"},
    {"[]", "linux.resources is not an object"},
};

START_TEST(what_is_wrong_is_refused_before_anything_is_written)
{
    cleanup_free char *got = planned(&cg, wrong[_i].resources, false);

    ck_assert_str_eq(got, wrong[_i].wanted);
}
END_TEST

#define COUNT(array) (int)(sizeof array / sizeof *array)

SUITE(cgroup_plan)
{
    TCase *one = tcase_create("version 1"), *two = tcase_create("version 2");

    tcase_add_checked_fixture(one, begin_v1, end);
    tcase_add_loop_test(one, version_1_gets, 0, COUNT(v1));
    tcase_add_loop_test(one, version_1_changes_in_order, 0, COUNT(v1_changes));
    tcase_add_loop_test(one, what_is_wrong_is_refused_before_anything_is_written, 0, COUNT(wrong));
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, begin_v2, end);
    tcase_add_loop_test(two, version_2_gets, 0, COUNT(v2));
    tcase_add_loop_test(two, version_2_changes_in_order, 0, COUNT(v2_changes));
    tcase_add_loop_test(two, version_2_refuses, 0, COUNT(v2_has_no));
    tcase_add_loop_test(two, what_is_wrong_is_refused_before_anything_is_written, 0, COUNT(wrong));
    suite_add_tcase(suite, two);
}
