/* A container seen through its control group: stopped, counted, signalled, measured. */
#include "support/suite.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "container.h"

/* A running container and where its group is. */
static void start(const char *command, struct running *r, struct runtime_cgroup_place *place)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, command);

    container_start(bundle, config, r);
    *place = runtime_cgroup_place(r->c);
}

static uint64_t cpu_used(const struct runtime_cgroup_place *place)
{
    struct runtime_stats stats = {0};
    struct err err = {0};
    uint64_t used;

    ck_assert_msg(!runtime_cgroup_stats(place, &stats, &err), "%s", err.message);
    ck_assert(stats.cpu.have);
    used = stats.cpu.usage_ns;
    runtime_stats_free(&stats);
    return used;
}

/* Long enough for anybody who may run to get some of a processor: by our own use of one. */
static void work_a_while(void)
{
    struct timespec now;

    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while (now.tv_nsec % 200000000 < 100000000);
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while (now.tv_nsec % 200000000 >= 100000000);
}

START_TEST(a_frozen_container_uses_no_processor)
{
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;
    uint64_t before;

    start("burn 1000000", &r, &place);
    ck_assert_int_eq(runtime_cgroup_frozen(&place, &err), 0);
    ck_assert_msg(!runtime_cgroup_freeze(&place, true, &err), "%s", err.message);
    ck_assert_int_eq(runtime_cgroup_frozen(&place, &err), 1);
    before = cpu_used(&place);
    work_a_while();
    ck_assert_uint_eq(cpu_used(&place), before);
    ck_assert_msg(!runtime_cgroup_freeze(&place, true, &err), "again: %s", err.message);
    ck_assert_msg(!runtime_cgroup_freeze(&place, false, &err), "%s", err.message);
    ck_assert_int_eq(runtime_cgroup_frozen(&place, &err), 0);
    while (cpu_used(&place) == before) /* the test's time limit ends this if it does not go on */
        work_a_while();
    ck_assert_msg(!runtime_cgroup_signal(&place, SIGKILL, &err), "%s", err.message);
    ck_assert_int_eq(container_end(&r), SIGKILL);
}
END_TEST

START_TEST(a_frozen_container_can_be_killed)
{
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;

    start("fork 3 + wait", &r, &place);
    container_await(&r, "no limit");
    ck_assert_msg(!runtime_cgroup_freeze(&place, true, &err), "%s", err.message);
    ck_assert_msg(!runtime_cgroup_signal(&place, SIGKILL, &err), "%s", err.message);
    ck_assert_int_eq(container_end(&r), SIGKILL);
}
END_TEST

START_TEST(a_frozen_container_can_be_removed)
{
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;

    start("fork 3 + wait", &r, &place);
    container_await(&r, "no limit");
    ck_assert_msg(!runtime_cgroup_freeze(&place, true, &err), "%s", err.message);
    ck_assert_msg(!runtime_cgroup_destroy_at(&place, &err), "%s", err.message);
    ck_assert_int_eq(runtime_cgroup_frozen(&place, &err), -ENOENT);
    ck_assert_int_eq(container_end(&r), SIGKILL);
}
END_TEST

START_TEST(its_processes_are_listed)
{
    cleanup_with(runtime_pids_free) struct runtime_pids pids = {0};
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;
    bool init = false;

    start("fork 7 + wait", &r, &place);
    container_await(&r, "no limit");
    ck_assert_msg(!runtime_cgroup_pids(&place, true, &pids, &err), "%s", err.message);
    ck_assert_uint_eq(pids.len, 8);
    for (size_t i = 0; i < pids.len; i++)
        init = init || pids.items[i] == runtime_pid(r.c);
    ck_assert(init);
    container_end(&r);
}
END_TEST

/* A signal other than SIGKILL reaches every process: those that wait for it end, init among them.
 */
START_TEST(a_signal_reaches_all)
{
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;

    start("fork 5 + term + wait", &r, &place);
    container_await(&r, "waiting");
    ck_assert_int_eq(runtime_cgroup_count(place.root, place.path, &err), 6);
    ck_assert_msg(!runtime_cgroup_signal(&place, SIGTERM, &err), "%s", err.message);
    container_await(&r, "signal 15");
    /* The five are init's children and stay zombies, which are in no group. */
    while (runtime_cgroup_count(place.root, place.path, &err) > 1)
        work_a_while();
    ck_assert_int_eq(container_end(&r), 0);
}
END_TEST

static struct runtime_stats stats_of(const struct runtime_cgroup_place *place)
{
    struct runtime_stats stats = {0};
    struct err err = {0};

    ck_assert_msg(!runtime_cgroup_stats(place, &stats, &err), "%s", err.message);
    return stats;
}

START_TEST(what_it_uses_is_counted)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "hog 20 + burn 60 + fork 3 + wait");
    cleanup_with(runtime_stats_free) struct runtime_stats s = {0};
    struct runtime_cgroup_place place;
    struct running r;

    container_set(config, "linux.resources.memory.limit", json_integer(64 << 20));
    container_set(config, "linux.resources.pids.limit", json_integer(50));
    container_set(config, "linux.resources.cpu.quota", json_integer(10000));
    container_set(config, "linux.resources.cpu.period", json_integer(100000));
    container_start(bundle, config, &r);
    place = runtime_cgroup_place(r.c);
    container_await(&r, "no limit");
    s = stats_of(&place);
    ck_assert_uint_ge(s.cpu.usage_ns, 60000000);
    ck_assert_uint_gt(s.cpu.throttled_periods, 1);
    ck_assert_uint_gt(s.cpu.throttled_ns, 0);
    ck_assert_uint_ge(s.cpu.periods, s.cpu.throttled_periods);
    ck_assert(s.memory.have);
    ck_assert_uint_ge(s.memory.memory.usage, 20 << 20);
    ck_assert_uint_eq(s.memory.memory.limit, 64 << 20);
    ck_assert_uint_gt(s.memory.stat_count, 10);
    ck_assert(s.pids.have);
    ck_assert_uint_eq(s.pids.current, 4);
    ck_assert_uint_eq(s.pids.limit, 50);
    container_end(&r);
}
END_TEST

/* Version 1 counts it by ticks of a clock: it may take a while until one hits. */
START_TEST(user_time_is_told_apart)
{
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;
    uint64_t user = 0;

    start("burn 1000000", &r, &place);
    while (!user) {
        struct runtime_stats s = stats_of(&place);

        user = s.cpu.user_ns;
        runtime_stats_free(&s);
    }
    ck_assert_msg(!runtime_cgroup_signal(&place, SIGKILL, &err), "%s", err.message);
    container_end(&r);
}
END_TEST

START_TEST(without_limits_there_is_none)
{
    cleanup_with(runtime_stats_free) struct runtime_stats s = {0};
    struct runtime_cgroup_place place;
    struct running r;

    start("wait", &r, &place);
    s = stats_of(&place);
    ck_assert_uint_eq(s.memory.memory.limit, RUNTIME_NO_LIMIT);
    ck_assert_uint_eq(s.pids.limit, RUNTIME_NO_LIMIT);
    ck_assert_uint_eq(s.cpu.throttled_periods, 0);
    container_end(&r);
}
END_TEST

START_TEST(lack_of_memory_is_told)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "wait + hog 64");
    struct runtime_cgroup_place place;
    struct runtime_oom_watch watch;
    struct err err = {0};
    struct pollfd poll_fd;
    struct running r;
    int news, status;

    container_set(config, "linux.resources.memory.limit", json_integer(16 << 20));
    container_set(config, "linux.resources.memory.swap", json_integer(16 << 20));
    container_start(bundle, config, &r);
    place = runtime_cgroup_place(r.c);
    ck_assert_msg(!runtime_oom_watch(&place, &watch, &err), "%s", err.message);
    ck_assert_int_eq(runtime_oom_read(&watch), 0);
    close(r.in); /* and it begins to eat */
    poll_fd = (struct pollfd){.fd = watch.fd, .events = POLLIN};
    do {
        ck_assert_int_eq(poll(&poll_fd, 1, -1), 1);
        news = runtime_oom_read(&watch);
    } while (!news);
    ck_assert_int_eq(news, 1);
    ck_assert_int_eq(waitpid(runtime_pid(r.c), &status, 0), runtime_pid(r.c));
    ck_assert_msg(!runtime_destroy(r.c, &err), "%s", err.message);
    while ((news = runtime_oom_read(&watch)) >= 0)
        if (!news)
            poll(&poll_fd, 1, -1);
    ck_assert_int_eq(news, -ENODEV);
    runtime_oom_close(&watch);
    runtime_free(r.c);
}
END_TEST

START_TEST(limits_change_while_it_runs)
{
    cleanup_json json_t *resources = json_pack("{s:{s:i}}", "pids", "limit", 3);
    struct runtime_cgroup_place place;
    struct err err = {0};
    struct running r;

    start("wait + fork 10", &r, &place);
    ck_assert_msg(!runtime_cgroup_update(&place, resources, &err), "%s", err.message);
    close(r.in);
    container_await(&r, "fork 10: 2 EAGAIN");
    ck_assert_msg(!runtime_cgroup_signal(&place, SIGKILL, &err), "%s", err.message);
    r.in = -1;
    container_end(&r);
}
END_TEST

static int freeze_it(const struct runtime_cgroup_place *place, struct err *err)
{
    return runtime_cgroup_freeze(place, true, err);
}
static int signal_it(const struct runtime_cgroup_place *place, struct err *err)
{
    return runtime_cgroup_signal(place, SIGTERM, err);
}
static int measure_it(const struct runtime_cgroup_place *place, struct err *err)
{
    struct runtime_stats stats;

    return runtime_cgroup_stats(place, &stats, err);
}
static int list_it(const struct runtime_cgroup_place *place, struct err *err)
{
    struct runtime_pids pids;

    return runtime_cgroup_pids(place, true, &pids, err);
}
static int watch_it(const struct runtime_cgroup_place *place, struct err *err)
{
    struct runtime_oom_watch watch;

    return runtime_oom_watch(place, &watch, err);
}

static int (*const needs_a_group[])(const struct runtime_cgroup_place *, struct err *) = {
    freeze_it, runtime_cgroup_frozen, signal_it, measure_it, list_it, watch_it};

START_TEST(a_group_that_is_not_there_is_an_error)
{
    struct runtime_cgroup_place missing = {.path = TEST_CGROUPS "/missing"};
    struct runtime_cgroup_place none = {.path = "", .manager = RUNTIME_CGROUP_DISABLED};
    struct err err = {0};

    ck_assert_int_eq(needs_a_group[_i](&missing, &err), -ENOENT);
    ck_assert_ptr_ne(strstr(err.message, "/missing"), NULL);
    ck_assert_int_eq(needs_a_group[_i](&none, &err), -ENOTSUP);
    ck_assert_ptr_ne(strstr(err.message, "no control group of its own"), NULL);
}
END_TEST

SUITE(groups)
{
    TCase *t = tcase_create("groups");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    tcase_add_test(t, a_frozen_container_uses_no_processor);
    tcase_add_test(t, a_frozen_container_can_be_killed);
    tcase_add_test(t, a_frozen_container_can_be_removed);
    tcase_add_test(t, its_processes_are_listed);
    tcase_add_test(t, a_signal_reaches_all);
    tcase_add_test(t, what_it_uses_is_counted);
    tcase_add_test(t, user_time_is_told_apart);
    tcase_add_test(t, without_limits_there_is_none);
    tcase_add_test(t, lack_of_memory_is_told);
    tcase_add_test(t, limits_change_while_it_runs);
    tcase_add_loop_test(t, a_group_that_is_not_there_is_an_error, 0,
                        sizeof needs_a_group / sizeof *needs_a_group);
    suite_add_tcase(suite, t);
}
