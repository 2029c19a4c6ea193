#include "support/suite.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/values.h"

static const struct {
    const char *text;
    int64_t bytes; /* -1: refused */
} sizes[] = {
    {"0", 0},
    {"512m", 512LL << 20},
    {"1.5g", 3LL << 29},
    {"64KiB", 64 << 10},
    {"7b", 7},
    {"1 G", 1LL << 30},
    {"2T", 2LL << 40},
    {"999e", -1},
    {"nan", -1},
    {"-1", -1},
    {"", -1},
    {"1..2m", -1},
    {"12xb", -1},
    {"0x10", -1},
    {"99999999999p", -1},
    {".5g", -1},
};

START_TEST(sizes_are_powers_of_1024)
{
    struct err err = {0};
    int64_t bytes = -1;
    int r = value_parse_bytes(sizes[_i].text, &bytes, &err);

    ck_assert_int_eq(r < 0, sizes[_i].bytes < 0);
    ck_assert_int_eq(bytes, sizes[_i].bytes);
}
END_TEST

static const struct {
    const char *text;
    int64_t nano; /* -1: refused */
    const char *message;
} cpus[] = {
    {"1", 1000000000, NULL},
    {"1.5", 1500000000, NULL},
    {"0.1", 100000000, NULL}, /* not 100000001 */
    {"0.000000001", 1, NULL},
    {"1/4", 250000000, NULL},
    {"2e-1", 200000000, NULL},
    {"1e1", 10000000000, NULL},
    {"0.0000000001", -1, "value is too precise"},
    {"1/3", -1, "value is too precise"},
    {"nan", -1, "failed to parse nan as a rational number"},
    {"inf", -1, "failed to parse inf as a rational number"},
    {"", -1, "failed to parse  as a rational number"},
    {"1/0", -1, "failed to parse 1/0 as a rational number"},
    {"1x", -1, "failed to parse 1x as a rational number"},
    {"-1", -1, "-1 is not a possible number of CPUs"},
    {"99999999999999999999999999999999999999999999", -1, NULL},
};

START_TEST(cpus_are_exact)
{
    struct err err = {0};
    int64_t nano = -1;
    int r = value_parse_cpus(cpus[_i].text, &nano, &err);

    ck_assert_int_eq(r < 0, cpus[_i].nano < 0);
    ck_assert_int_eq(nano, cpus[_i].nano);
    if (cpus[_i].message)
        ck_assert_str_eq(err.message, cpus[_i].message);
}
END_TEST

START_TEST(ulimits_have_a_soft_and_a_hard_side)
{
    struct err err = {0};
    struct ulimit u;

    ck_assert_int_eq(value_parse_ulimit("nofile=10:20", &u, &err), 0);
    ck_assert_str_eq(u.name, "nofile");
    ck_assert_int_eq(u.soft, 10);
    ck_assert_int_eq(u.hard, 20);
    ck_assert_int_eq(value_parse_ulimit("core=-1", &u, &err), 0);
    ck_assert_int_eq(u.hard, -1);
    ck_assert_int_eq(value_parse_ulimit("nproc=5:-1", &u, &err), 0);
}
END_TEST

static const struct {
    const char *text, *message;
} bad_ulimits[] = {
    {"foo", "invalid ulimit argument: foo"},
    {"foo=1", "invalid ulimit type: foo"},
    {"nofile=2:1", "ulimit soft limit must be less than or equal to hard limit: 2 > 1"},
    {"nofile=-1:1", "ulimit soft limit must be less than or equal to hard limit: -1 > 1"},
    {"nofile=1:2:3",
     "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`"},
    {"nofile=a", "strconv.ParseInt: parsing \"a\": invalid syntax"},
    {"nofile=", "strconv.ParseInt: parsing \"\": invalid syntax"},
    {"nofile=99999999999999999999",
     "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"},
};

START_TEST(bad_ulimits_are_named)
{
    struct err err = {0};
    struct ulimit u;

    ck_assert_int_lt(value_parse_ulimit(bad_ulimits[_i].text, &u, &err), 0);
    ck_assert_str_eq(err.message, bad_ulimits[_i].message);
}
END_TEST

#define NOW 1795000000000000000LL

static const struct {
    const char *text;
    int64_t ns;
} moments[] = {
    {"1795000000", NOW},
    {"1795000000.25", NOW + 250000000},
    {"10m", NOW - 600000000000LL},
    {"1h30m", NOW - 5400000000000LL},
    {"1.5s", NOW - 1500000000LL},
    {"300ms", NOW - 300000000LL},
    {"2026-11-18T11:06:40Z", NOW},
    {"2026-11-18T13:06:40+02:00", NOW},
    {"2026-11-18T11:06:40", NOW},
    {"2026-11-18", NOW - 40000000000000LL},
    {"soon", -1},
    {"", -1},
    {"10", 10000000000LL},
    {"10x", -1},
    {"m", -1},
};

START_TEST(moments_are_dates_seconds_or_durations)
{
    struct err err = {0};
    int64_t ns = -1;

    value_parse_moment(moments[_i].text, NOW, &ns, &err);
    ck_assert_int_eq(ns, moments[_i].ns);
}
END_TEST

static const char *const good_sysctls[] = {"net.ipv4.ip_forward=1", "kernel.shmmax=1",
                                           "fs.mqueue.msg_max=1"};
static const char *const bad_sysctls[] = {"foo",
                                          "kernel.hostname=x",
                                          "kernel.core_pattern=|/x",
                                          "net./../x=1",
                                          "kernel.shm_rmid_forced=1+kernel.core_pattern=|x",
                                          "net.=1",
                                          "kernel/core_pattern=x",
                                          "net.a=1\nkernel.x=1"};

START_TEST(only_sysctls_of_namespaces_pass)
{
    struct err err = {0};

    for (size_t i = 0; i < sizeof good_sysctls / sizeof *good_sysctls; i++)
        ck_assert_int_eq(value_check_sysctl(good_sysctls[i], &err), 0);
    for (size_t i = 0; i < sizeof bad_sysctls / sizeof *bad_sysctls; i++)
        ck_assert_msg(value_check_sysctl(bad_sysctls[i], &err) < 0, "%s passed", bad_sysctls[i]);
}
END_TEST

START_TEST(hosts_users_and_hostnames_are_checked)
{
    struct err err = {0};

    ck_assert_int_eq(value_check_host("a:1.2.3.4", &err), 0);
    ck_assert_int_eq(value_check_host("a=::1", &err), 0);
    ck_assert_int_eq(value_check_host("a:[::1]", &err), 0);
    ck_assert_int_lt(value_check_host("foo", &err), 0);
    ck_assert_str_eq(err.message, "bad format for add-host: \"foo\"");
    ck_assert_int_lt(value_check_host("a:b", &err), 0);
    ck_assert_str_eq(err.message, "invalid IP address in add-host: \"b\"");
    ck_assert_int_lt(value_check_host("a\nb:1.2.3.4", &err), 0);
    ck_assert_int_eq(value_check_user("1000:1000", &err), 0);
    ck_assert_int_lt(value_check_user("", &err), 0);
    ck_assert_int_lt(value_check_user("root\n", &err), 0);
    ck_assert_int_eq(value_check_hostname("web-1.example", &err), 0);
    ck_assert_int_lt(value_check_hostname("web 1", &err), 0);
    ck_assert_int_lt(value_check_hostname("web\n1", &err), 0);
}
END_TEST

/* Writes a file of `len` bytes and returns its path. */
static const char *env_file(const void *data, size_t len)
{
    static char path[64];
    int fd;

    strcpy(path, "/tmp/cooper-env-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
    return path;
}

static int load(const char *text, size_t len, struct strv *env, struct err *err)
{
    const char *path = env_file(text, len);
    int r = value_load_env_file(path, "env", env, err);

    unlink(path);
    return r;
}

START_TEST(env_files_hold_assignments_comments_and_names_of_ours)
{
    static const char text[] =
        "\xef\xbb\xbf# comment\n\n  A=1 2 # no comment\r\nB=\nCOOPER_TEST_C\nCOOPER_TEST_UNSET";
    cleanup_strv struct strv env = {0};
    struct err err = {0};

    setenv("COOPER_TEST_C", "3", 1);
    ck_assert_int_eq(load(text, sizeof text - 1, &env, &err), 0);
    ck_assert_uint_eq(env.len, 3);
    ck_assert_str_eq(env.items[0], "A=1 2 # no comment");
    ck_assert_str_eq(env.items[1], "B=");
    ck_assert_str_eq(env.items[2], "COOPER_TEST_C=3");
}
END_TEST

START_TEST(bad_env_files_say_why)
{
    static const struct {
        const char *text;
        size_t len;
        const char *message;
    } bad[] = {
        {"A B=1\n", 6, "variable 'A B' contains whitespaces"},
        {"=1\n", 3, "no variable name on line '=1'"},
        {"A=1\nB=\0x\n", 10, "NUL or invalid utf8 bytes at line 2"},
        {"A=\xff\n", 4, "NUL or invalid utf8 bytes at line 1"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cleanup_strv struct strv env = {0};
        struct err err = {0};

        ck_assert_int_lt(load(bad[i].text, bad[i].len, &env, &err), 0);
        ck_assert_msg(strstr(err.message, bad[i].message), "%s", err.message);
    }
}
END_TEST

START_TEST(a_missing_env_file_is_named)
{
    cleanup_strv struct strv env = {0};
    struct err err = {0};

    ck_assert_int_lt(value_load_env_file("/nonexist", "env", &env, &err), 0);
    ck_assert_str_eq(err.message, "open /nonexist: no such file or directory");
}
END_TEST

START_TEST(detach_keys_are_control_letters_or_characters)
{
    struct err err = {0};
    char keys[16];
    size_t len;

    ck_assert_int_eq(value_parse_keys("ctrl-p,ctrl-q", keys, sizeof keys, &len, &err), 0);
    ck_assert_uint_eq(len, 2);
    ck_assert_int_eq(keys[0], 16);
    ck_assert_int_eq(keys[1], 17);
    ck_assert_int_eq(value_parse_keys("a,ctrl-[", keys, sizeof keys, &len, &err), 0);
    ck_assert_int_eq(keys[1], 27);
    ck_assert_int_lt(value_parse_keys("foo", keys, sizeof keys, &len, &err), 0);
    ck_assert_int_lt(value_parse_keys("ctrl-1", keys, sizeof keys, &len, &err), 0);
}
END_TEST

SUITE(cli_values)
{
    TCase *t = tcase_create("values");

    tcase_add_loop_test(t, sizes_are_powers_of_1024, 0, sizeof sizes / sizeof *sizes);
    tcase_add_loop_test(t, cpus_are_exact, 0, sizeof cpus / sizeof *cpus);
    tcase_add_test(t, ulimits_have_a_soft_and_a_hard_side);
    tcase_add_loop_test(t, bad_ulimits_are_named, 0, sizeof bad_ulimits / sizeof *bad_ulimits);
    tcase_add_loop_test(t, moments_are_dates_seconds_or_durations, 0,
                        sizeof moments / sizeof *moments);
    tcase_add_test(t, only_sysctls_of_namespaces_pass);
    tcase_add_test(t, hosts_users_and_hostnames_are_checked);
    tcase_add_test(t, env_files_hold_assignments_comments_and_names_of_ours);
    tcase_add_test(t, bad_env_files_say_why);
    tcase_add_test(t, a_missing_env_file_is_named);
    tcase_add_test(t, detach_keys_are_control_letters_or_characters);
    suite_add_tcase(suite, t);
}
