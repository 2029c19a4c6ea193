/* System calls, and mounts changed back, tried from inside. */
#include "support/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "bundle.h"

static const struct {
    const char *call, *result;
} calls[] = {
    {"call 165", "EPERM"},            /* mount */
    {"call 272 0x10000000", "EPERM"}, /* unshare(CLONE_NEWUSER) */
    {"call 56 0x10000000", "EPERM"},  /* clone(CLONE_NEWUSER) */
    {"call 435", "ENOSYS"},           /* clone3 */
    {"call 41 40 1 0", "EPERM"},      /* socket(AF_VSOCK) */
    {"call 41 38 5 0", "EPERM"},      /* socket(AF_ALG) */
    {"call 41 1 1 0", "ok"},          /* socket(AF_UNIX) */
    {"call 135 0x40000", "EPERM"},    /* personality(ADDR_NO_RANDOMIZE) */
    {"call 135 0xffffffff", "ok"},    /* personality, query */
    {"call 250 0 0", "EPERM"},        /* keyctl */
    {"call 425 1 0", "EPERM"},        /* io_uring_setup */
    {"call 321 0 0 0", "EPERM"},      /* bpf */
    {"call 9999", "ENOSYS"},          /* nobody's */
};

START_TEST(the_filter_answers)
{
#if defined(__x86_64__)
    cleanup_outcome struct outcome o;

    container_probe(calls[_i].call, &o);
    ck_assert_str_eq(answer(&o, calls[_i].call), calls[_i].result);
#endif
}
END_TEST

/* With every capability and no filter, but a fresh mount namespace: the masks hold against a
 * remount only because CAP_SYS_ADMIN is missing; with the default set it is. */
START_TEST(mounts_cannot_be_changed_back)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(
        bundle, "remount /proc/sys + mount /tmp + put /proc/sys/kernel/hostname x");
    cleanup_outcome struct outcome o;

    json_object_clear(json_object_get(config, "annotations")); /* not the filter: the capability */
    container_run(bundle, config, &o);
    ck_assert_str_eq(answer(&o, "remount /proc/sys"), "EPERM");
    ck_assert_str_eq(answer(&o, "mount /tmp"), "EPERM");
    ck_assert_str_eq(answer(&o, "put /proc/sys/kernel/hostname x"), "EROFS");
}
END_TEST

/* Never without the filter that was asked for. */
static const char *const bad_filters[] = {"/no/such/file", "filter"};

START_TEST(a_filter_that_cannot_be_loaded_stops_it)
{
    cleanup_free char *bundle = container_bundle();
    cleanup_json json_t *config = container_config(bundle, "true");
    cleanup_outcome struct outcome o;

    put_file(bundle, "filter", "not a multiple");
    container_annotate(config, "org.cooper.seccomp", bad_filters[_i]);
    container_run(bundle, config, &o);
    ck_assert_int_lt(o.created, 0);
}
END_TEST

START_TEST(a_compiled_filter_file_is_used)
{
    static const char profile[] =
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"chdir\"],"
        "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":13}]}";
    cleanup_free char *bundle = container_bundle();
    cleanup_free char *json = path_in(bundle, "profile.json"), *out = path_in(bundle, "filter");
    cleanup_json json_t *config = container_config(bundle, "call 80 0 + status Seccomp");
    cleanup_outcome struct outcome o;
    struct strv none = {0};
    struct err err = {0};

    put_file(bundle, "profile.json", profile);
    cleanup_close int fd = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_msg(!runtime_seccomp_compile_file(json, &none, fd, &err), "%s", err.message);
    container_annotate(config, "org.cooper.seccomp", "filter");
    container_run(bundle, config, &o);
    ck_assert_msg(!o.created, "%s", o.err.message);
    ck_assert_str_eq(answer(&o, "status Seccomp"), "2");
#if defined(__x86_64__)
    ck_assert_str_eq(answer(&o, "call 80 0"), "EACCES");
#endif
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(attack_filter)
{
    TCase *t = tcase_create("attack_filter");

    tcase_set_timeout(t, 30);
    tcase_add_unchecked_fixture(t, container_setup, container_teardown);
    LOOP(the_filter_answers, calls);
    tcase_add_test(t, mounts_cannot_be_changed_back);
    LOOP(a_filter_that_cannot_be_loaded_stops_it, bad_filters);
    tcase_add_test(t, a_compiled_filter_file_is_used);
    suite_add_tcase(suite, t);
}
