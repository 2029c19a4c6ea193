/* Limits written, and what is said when one cannot be: which controller is missing, who keeps it,
 * which process is in the way. */
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    fake_file_above(&cg, "", "cgroup.controllers", "cpu memory\n");
    fake_file_above(&cg, "", "cgroup.subtree_control", "cpu memory\n");
    fake_file_above(&cg, "/box", "cgroup.controllers", "cpu memory\n");
    fake_file_above(&cg, "/box", "cgroup.subtree_control", "cpu memory\n");
    fake_file_above(&cg, "/box", "cgroup.procs", "");
    fake_file(&cg, "cgroup.procs", "");
}
static void end(void)
{
    fake_end(&cg);
}

static int apply(const char *resources, struct err *err)
{
    cleanup_json json_t *json = resources_of(resources);
    cleanup_with(cgroup_plan_free) struct cgroup_plan plan = {0};

    ck_assert_int_eq(cgroup_check_resources(json, err), 0);
    if ((cg.version == 2 ? cgroup_v2_plan(&cg, json, false, &plan, err)
                         : cgroup_v1_plan(&cg, json, false, &plan, err)) < 0)
        return -err->code;
    return cgroup_plan_write(&cg, &plan, err);
}

static void assert_refused(const char *resources, int code, const char *start, const char *end_text)
{
    struct err err = {0};

    ck_assert_int_eq(apply(resources, &err), -code);
    ck_assert_msg(str_starts(err.message, start), "%s\nshould begin: %s", err.message, start);
    ck_assert_msg(str_ends(err.message, end_text), "%s\nshould end: %s", err.message, end_text);
}

START_TEST(each_limit_goes_into_its_controllers_directory)
{
    cleanup_free char *memory = NULL, *pids = NULL;
    struct err err = {0};

    fake_file(&cg, "memory/memory.limit_in_bytes", "");
    fake_file(&cg, "pids/pids.max", "");
    ck_assert_msg(!apply("{'memory':{'limit':4096},'pids':{'limit':-1}}", &err), "%s", err.message);
    memory = fake_content(&cg, "memory/memory.limit_in_bytes");
    pids = fake_content(&cg, "pids/pids.max");
    ck_assert_str_eq(memory, "4096");
    ck_assert_str_eq(pids, "max");
}
END_TEST

START_TEST(a_controller_that_is_not_mounted_is_named)
{
    assert_refused("{'hugepageLimits':[{'pageSize':'2MB','limit':1}]}", ENOENT,
                   "linux.resources.hugepageLimits: no controller 'hugetlb' is mounted at '",
                   "/hugetlb'");
}
END_TEST

START_TEST(a_file_the_kernel_does_not_have_is_explained)
{
    fake_file(&cg, "blkio/cgroup.procs", "");
    assert_refused("{'blockIO':{'weight':300}}", ENOENT,
                   "linux.resources.blockIO.weight: cannot open '",
                   "weights need the scheduler bfq or cfq, and this kernel has neither");
}
END_TEST

/* Of swap: no limit needs no file; a limit does. */
START_TEST(no_limit_of_swap_needs_no_accounting)
{
    struct err err = {0};

    fake_file(&cg, "memory/memory.limit_in_bytes", "");
    ck_assert_msg(!apply("{'memory':{'limit':4096,'swap':-1}}", &err), "%s", err.message);
    assert_refused("{'memory':{'limit':4096,'swap':8192}}", ENOENT,
                   "linux.resources.memory.swap: cannot open '",
                   "swap is not accounted for: boot with swapaccount=1");
}
END_TEST

/* The kernel keeps another number than it was given: a file whose first digits stay behind ours. */
START_TEST(what_the_kernel_does_not_keep_is_noticed)
{
    struct err err = {0};

    fake_file(&cg, "cpu/cpu.shares", "1024");
    ck_assert_msg(!apply("{'cpu':{'shares':2048}}", &err), "%s", err.message);
    fake_file(&cg, "cpu/cpu.shares", "1024");
    assert_refused("{'cpu':{'shares':512}}", EINVAL, "linux.resources.cpu.shares: the kernel made",
                   "between 2 and 262144; an idle group has none");
}
END_TEST

START_TEST(a_reservation_of_huge_pages_is_limited_where_it_can_be)
{
    cleanup_free char *reserved = NULL;
    struct err err = {0};
    const char *limit = "{'hugepageLimits':[{'pageSize':'2MB','limit':4096}]}";

    fake_file(&cg, "hugetlb/hugetlb.2MB.limit_in_bytes", "");
    ck_assert_msg(!apply(limit, &err), "%s", err.message);
    fake_file(&cg, "hugetlb/hugetlb.2MB.rsvd.limit_in_bytes", "");
    ck_assert_msg(!apply(limit, &err), "%s", err.message);
    reserved = fake_content(&cg, "hugetlb/hugetlb.2MB.rsvd.limit_in_bytes");
    ck_assert_str_eq(reserved, "4096");
}
END_TEST

/* --- version 2 -------------------------------------------------------------------------------- */

START_TEST(a_controller_this_kernel_lacks_is_named)
{
    assert_refused("{'pids':{'limit':7}}", ENOENT,
                   "linux.resources.pids.limit: there is no controller 'pids' at '", "'");
}
END_TEST

START_TEST(the_group_that_keeps_a_controller_is_named)
{
    fake_file_above(&cg, "/box", "cgroup.subtree_control", "cpu\n");
    assert_refused("{'memory':{'limit':4096}}", EACCES,
                   "linux.resources.memory.limit: the group '/box' does not hand down the "
                   "controller 'memory': as its owner, write '+memory' to ",
                   "/box/cgroup.subtree_control");
}
END_TEST

START_TEST(the_process_in_the_way_is_named)
{
    cleanup_free char *pid = str_format("%d\n", getpid()), *start = NULL;

    fake_file_above(&cg, "/box", "cgroup.subtree_control", "cpu\n");
    fake_file_above(&cg, "/box", "cgroup.procs", pid);
    start =
        str_format("linux.resources.memory.limit: the controller 'memory' cannot be handed down "
                   "by the group '/box', because process %d (",
                   getpid());
    assert_refused("{'memory':{'limit':4096}}", EBUSY, start,
                   "choose a linux.cgroupsPath that is not below '/box'");
}
END_TEST

START_TEST(a_controller_of_unified_is_explained_too)
{
    assert_refused("{'unified':{'misc.max':'res_a 1'}}", ENOENT,
                   "linux.resources.unified: there is no controller 'misc' at '", "'");
}
END_TEST

START_TEST(unified_is_written_as_it_is)
{
    cleanup_free char *high = NULL;
    struct err err = {0};

    fake_file(&cg, "memory.high", "");
    ck_assert_msg(!apply("{'unified':{'memory.high':'12345'}}", &err), "%s", err.message);
    high = fake_content(&cg, "memory.high");
    ck_assert_str_eq(high, "12345");
}
END_TEST

SUITE(cgroup_write)
{
    TCase *one = tcase_create("version 1"), *two = tcase_create("version 2");

    tcase_add_checked_fixture(one, begin_v1, end);
    tcase_add_test(one, each_limit_goes_into_its_controllers_directory);
    tcase_add_test(one, a_controller_that_is_not_mounted_is_named);
    tcase_add_test(one, a_file_the_kernel_does_not_have_is_explained);
    tcase_add_test(one, no_limit_of_swap_needs_no_accounting);
    tcase_add_test(one, what_the_kernel_does_not_keep_is_noticed);
    tcase_add_test(one, a_reservation_of_huge_pages_is_limited_where_it_can_be);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, begin_v2, end);
    tcase_add_test(two, a_controller_this_kernel_lacks_is_named);
    tcase_add_test(two, the_group_that_keeps_a_controller_is_named);
    tcase_add_test(two, the_process_in_the_way_is_named);
    tcase_add_test(two, a_controller_of_unified_is_explained_too);
    tcase_add_test(two, unified_is_written_as_it_is);
    suite_add_tcase(suite, two);
}
