/* Limits that need something of the machine: processors, huge pages, a block device. Each proven
 * from inside by what the container gets. */
#include "support/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"

static bool v1(void)
{
    return runtime_cgroup_version(NULL) == 1;
}

static json_t *greedy(const char *bundle, const char *command)
{
    return container_config_of(bundle, "greedy", command);
}

/* --- processors ------------------------------------------------------------------------------- */

static const char *one_processor(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? NULL : "this machine has one processor";
}
TAG("needs-2-processors", one_processor)

static const char *const cpu_lists[] = {"0", "1", "0-1", "1,0"};
static const char *const cpu_answers[] = {"affinity: 0 \n", "affinity: 1 \n", "affinity: 0 1 \n",
                                          "affinity: 0 1 \n"};

START_TEST(only_these_processors)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = greedy(bundle, "affinity");
    cleanup_outcome struct outcome o = {0};

    container_set(config, "linux.resources.cpu.cpus", json_string(cpu_lists[_i]));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(o.output, cpu_answers[_i]);
}
END_TEST

/* By what was used, not by a clock: a tenth of a processor's time in each period, over many
 * periods. */
START_TEST(a_tenth_of_a_processor)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = greedy(bundle, "spin");
    struct runtime_stats s = {0};
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;

    container_set(config, "linux.resources.cpu.quota", json_integer(10000));
    container_set(config, "linux.resources.cpu.period", json_integer(100000));
    container_start(bundle, config, &r);
    place = runtime_cgroup_place(r.c);
    container_await(&r, "spin: on");
    do { /* until it has been held up in 10 periods */
        runtime_stats_free(&s);
        ck_assert_msg(!runtime_cgroup_stats(&place, &s, &err), "%s", err.message);
    } while (s.cpu.throttled_periods < 10);
    /* The kernel hands time out in slices of 5 ms a processor, takes overdrawn time back, and does
     * not count each period on a busy machine: twice as much is still far from all. */
    ck_assert_uint_le(s.cpu.usage_ns, 2 * (s.cpu.periods + 2) * 10000000 + 50000000);
    runtime_stats_free(&s);
    ck_assert_msg(!runtime_cgroup_signal(&place, SIGKILL, &err), "%s", err.message);
    container_end(&r);
}
END_TEST

/* --- devices -------------------------------------------------------------------------------------
 * 10:200 is tun, which needs no power to be opened. Opened for reading only, it says that it is not
 * set up: EBADFD. */

static const struct {
    const char *rule; /* after "everything is denied" */
    const char *write, *read, *mknod;
} accesses[] = {
    {NULL, "EPERM", "EPERM", "ok"},
    {"{'allow':true,'type':'c','major':10,'minor':200,'access':'rwm'}", "ok", "EBADFD", "ok"},
    {"{'allow':true,'type':'c','major':10,'access':'rw'}", "ok", "EBADFD", "ok"},
    {"{'allow':true,'type':'c','major':10,'minor':200,'access':'r'}", "EPERM", "EBADFD", "ok"},
    {"{'allow':true,'type':'c','major':10,'minor':200,'access':'w'}", "EPERM", "EPERM", "ok"},
    {"{'allow':true,'type':'b','major':10,'minor':200,'access':'rwm'}", "EPERM", "EPERM", "ok"},
    {"{'allow':true,'type':'c','major':10,'minor':201,'access':'rwm'}", "EPERM", "EPERM", "ok"},
    {"{'allow':true,'type':'c','major':11,'minor':200,'access':'rwm'}", "EPERM", "EPERM", "ok"},
    /* of all devices one thing: version 1's kernel would take that for everything */
    {"{'allow':true,'type':'a','access':'m'}", "EPERM", "EPERM", "ok"},
    {"{'allow':true,'access':'r'}", "EPERM", "EBADFD", "ok"},
    {"{'allow':true,'type':'a','major':10,'access':'rwm'}", "ok", "EBADFD", "ok"},
};

START_TEST(a_device_opens_as_far_as_it_is_allowed)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "mknod /tmp/tun c 10 200 + open /tmp/tun + size /tmp/tun");
    cleanup_outcome struct outcome o = {0};

    if (accesses[_i].rule) {
        cleanup_free char *rule = str_copy(accesses[_i].rule);
        struct err err = {0};

        for (char *c = rule; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        container_append(config, "linux.resources.devices",
                         json_parse(rule, strlen(rule), "rule", &err));
    }
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "mknod /tmp/tun c 10 200"), accesses[_i].mknod);
    ck_assert_str_eq(answer(&o, "open /tmp/tun"), accesses[_i].write);
    ck_assert_str_eq(answer(&o, "size /tmp/tun"), accesses[_i].read);
}
END_TEST

static const char *no_tun(void)
{
    return access("/sys/class/misc/tun", F_OK) ? "this kernel has no tun" : NULL;
}
TAG("needs-tun", no_tun)

/* --- huge pages ------------------------------------------------------------------------------- */

#define HUGE_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static long huge_pages(long set)
{
    cleanup_free char *text = str_format("%ld", set);
    cleanup_buf struct buf now = {0};
    struct err err = {0};

    if (set >= 0 && file_poke(AT_FDCWD, HUGE_PAGES, text, &err) < 0)
        return -1;
    return file_load(AT_FDCWD, HUGE_PAGES, 64, &now, &err) < 0 ? -1 : strtol(now.data, NULL, 10);
}

/* Reserving pages for the test is the virtual machine's affair: on a machine that others use, only
 * with those that are there. */
static const char *no_huge_pages(void)
{
    cleanup_free char *controller =
        str_format("/sys/fs/cgroup/%s", v1() ? "hugetlb" : "cgroup.controllers");
    cleanup_buf struct buf text = {0};
    struct err err = {0};

    if (v1() ? access(controller, F_OK) < 0
             : file_load(AT_FDCWD, controller, 4096, &text, &err) < 0 ||
                   !strstr(text.data, "hugetlb"))
        return "there is no controller hugetlb";
    if (getenv("COOPER_VM"))
        huge_pages(8);
    return huge_pages(-1) >= 4 ? NULL : "this machine has no huge pages of 2 MiB to spare";
}
TAG("needs-huge-pages", no_huge_pages)

START_TEST(huge_pages_up_to_the_limit)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = greedy(bundle, "huge 4 + huge 6");
    cleanup_outcome struct outcome o = {0};

    container_append(config, "linux.resources.hugepageLimits",
                     json_pack("{s:s,s:i}", "pageSize", "2MB", "limit", 4 << 20));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    /* the first are still mapped: not one more, and it is mmap(2) that says so, not a SIGBUS */
    ck_assert_str_eq(o.output, "huge: ok\nhuge: ENOMEM\n");
}
END_TEST

START_TEST(huge_pages_are_counted)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = greedy(bundle, "huge 4 + wait");
    struct runtime_stats s = {0};
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;
    bool found = false;

    container_append(config, "linux.resources.hugepageLimits",
                     json_pack("{s:s,s:i}", "pageSize", "2MB", "limit", 6 << 20));
    container_start(bundle, config, &r);
    place = runtime_cgroup_place(r.c);
    container_await(&r, "wait: on");
    ck_assert_msg(!runtime_cgroup_stats(&place, &s, &err), "%s", err.message);
    for (size_t i = 0; i < s.hugetlb_count; i++)
        if (!strcmp(s.hugetlb[i].size, "2MB")) {
            ck_assert_uint_eq(s.hugetlb[i].usage, 4 << 20);
            ck_assert_uint_eq(s.hugetlb[i].limit, 6 << 20);
            found = true;
        }
    ck_assert(found);
    runtime_stats_free(&s);
    container_end(&r);
}
END_TEST

/* --- version 1's marks on packets ------------------------------------------------------------- */

static const char *no_network_groups(void)
{
    return !access("/sys/fs/cgroup/net_cls", F_OK) && !access("/sys/fs/cgroup/net_prio", F_OK)
               ? NULL
               : "there are no trees of net_cls and net_prio";
}
TAG("needs-network-groups", no_network_groups)

START_TEST(packets_are_marked)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config =
        container_config(bundle, "cat /sys/fs/cgroup/net_cls/net_cls.classid + "
                                 "cat /sys/fs/cgroup/net_prio/net_prio.ifpriomap");
    cleanup_outcome struct outcome o = {0};

    container_set(config, "linux.resources.network.classID", json_integer(0x100001));
    container_append(config, "linux.resources.network.priorities",
                     json_pack("{s:s,s:i}", "name", "lo", "priority", 5));
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created && !o.started, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "cat /sys/fs/cgroup/net_cls/net_cls.classid"), "1048577\n");
    ck_assert_ptr_ne(strstr(o.output, "lo "), NULL);
}
END_TEST

START_TEST(an_interface_that_is_not_there_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o = {0};

    container_append(config, "linux.resources.network.priorities",
                     json_pack("{s:s,s:i}", "name", "nosuch7", "priority", 5));
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
    ck_assert_ptr_ne(strstr(o.err.message, "linux.resources.network.priorities: "), NULL);
    ck_assert_ptr_ne(strstr(o.err.message, "nosuch7 5"), NULL);
}
END_TEST

/* --- a block device --------------------------------------------------------------------------- */

static int loop = -1;
static dev_t loop_device;

/* 16 MiB of memory as a disk. */
static int attach_loop(void)
{
    cleanup_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    cleanup_close int file = file_memfd("disk", "", 0, &(struct err){0});
    struct loop_config config = {.fd = (unsigned)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
    cleanup_free char *name = NULL;
    struct stat st;
    int number;

    if (control < 0 || file < 0 || ftruncate(file, 16 << 20) < 0)
        return -errno;
    number = ioctl(control, LOOP_CTL_GET_FREE);
    name = str_format("/dev/loop%d", number);
    loop = number < 0 ? -1 : open(name, O_RDWR | O_CLOEXEC);
    if (loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) < 0 || fstat(loop, &st) < 0) {
        close_fd(&loop);
        return -errno;
    }
    loop_device = st.st_rdev;
    return 0;
}

static void detach_loop(void)
{
    if (loop >= 0)
        ioctl(loop, LOOP_CLR_FD);
    close_fd(&loop);
}

static const char *no_loop(void)
{
    int r = attach_loop();

    detach_loop();
    return r < 0 ? "no loop device can be attached" : NULL;
}
TAG("needs-loop", no_loop)

static void begin_loop(void)
{
    container_setup();
    if (attach_loop() < 0)
        exit(2);
}

static void end_loop(void)
{
    detach_loop();
    container_teardown();
}

/* A container that may use the disk, as /disk. */
static json_t *disk_config(const char *bundle, const char *command)
{
    cleanup_free char *node = str_format("%s/rootfs/disk", bundle);
    json_t *config = greedy(bundle, command);

    ck_assert(!mknod(node, S_IFBLK | 0600, loop_device));
    container_append(config, "linux.resources.devices",
                     json_pack("{s:b,s:s,s:i,s:i,s:s}", "allow", 1, "type", "b", "major",
                               (int)major(loop_device), "minor", (int)minor(loop_device), "access",
                               "rw"));
    return config;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 3 MiB at 1 MiB a second: however fast or busy the machine is, it takes about two seconds at least
 * (the first slice is handed out in advance). */
START_TEST(writing_takes_its_time)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = disk_config(bundle, "store /disk 3 + wait");
    struct runtime_stats s = {0};
    struct runtime_cgroup_place place;
    double begin = now(), took;
    struct err err = {0};
    struct running r;

    container_append(config, "linux.resources.blockIO.throttleWriteBpsDevice",
                     json_pack("{s:i,s:i,s:i}", "major", (int)major(loop_device), "minor",
                               (int)minor(loop_device), "rate", 1 << 20));
    container_start(bundle, config, &r);
    place = runtime_cgroup_place(r.c);
    container_await(&r, "store: ok");
    took = now() - begin;
    ck_assert_msg(took > 1.5, "it took %.2f s", took);
    ck_assert_msg(!runtime_cgroup_stats(&place, &s, &err), "%s", err.message);
    ck_assert(s.io.have);
    for (size_t i = 0; i < s.io.device_count; i++)
        if (s.io.devices[i].major == major(loop_device) &&
            s.io.devices[i].minor == minor(loop_device)) {
            ck_assert_uint_eq(s.io.devices[i].write_bytes, 3 << 20);
            ck_assert_uint_ge(s.io.devices[i].writes, 3);
            begin = 0;
        }
    ck_assert_msg(begin == 0, "the device is not counted");
    runtime_stats_free(&s);
    container_end(&r);
}
END_TEST

START_TEST(a_device_that_is_not_there_is_refused)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = greedy(bundle, "wait");
    cleanup_outcome struct outcome o = {0};

    container_append(config, "linux.resources.blockIO.throttleWriteBpsDevice",
                     json_pack("{s:i,s:i,s:i}", "major", 240, "minor", 77, "rate", 1 << 20));
    container_run(bundle, config, &o);
    ck_assert_int_eq(o.created, -ENODEV);
    ck_assert_ptr_ne(strstr(o.err.message, "linux.resources.blockIO.throttleWriteBpsDevice: "),
                     NULL);
    ck_assert_ptr_ne(strstr(o.err.message, "there is no such block device"), NULL);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name, const char *tag)
{
    TCase *t = tcase_create(name);

    tcase_set_timeout(t, 60);
    tcase_set_tags(t, tag);
    suite_add_tcase(suite, t);
    return t;
}

SUITE(limits_devices)
{
    TCase *t = new_case(suite, "processors", "needs-2-processors");

    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_loop_test(t, only_these_processors, 0, sizeof cpu_lists / sizeof *cpu_lists);
    tcase_add_test(t, a_tenth_of_a_processor);
    t = new_case(suite, "devices", "needs-tun");
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_loop_test(t, a_device_opens_as_far_as_it_is_allowed, 0,
                        sizeof accesses / sizeof *accesses);
    t = new_case(suite, "huge pages", "needs-huge-pages");
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, huge_pages_up_to_the_limit);
    tcase_add_test(t, huge_pages_are_counted);
    t = new_case(suite, "packets", "needs-network-groups");
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, packets_are_marked);
    tcase_add_test(t, an_interface_that_is_not_there_is_refused);
    t = new_case(suite, "a block device", "needs-loop");
    tcase_add_unchecked_fixture(t, begin_loop, end_loop);
    tcase_add_test(t, writing_takes_its_time);
    tcase_add_test(t, a_device_that_is_not_there_is_refused);
}
