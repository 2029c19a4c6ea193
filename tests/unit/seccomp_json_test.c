/* Profiles in JSON: what each word of them becomes in the program. */
#include "support/suite.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/seccomp_json.h"
#include "support/bpf.h"

#if defined(__x86_64__)

static void parse(const char *text, json_t **ret_json, struct seccomp_policy *ret)
{
    const struct strv none = {0};
    struct err err = {0};

    *ret_json = json_parse_u64(text, strlen(text), "profile", &err);
    ck_assert_msg(*ret_json && !seccomp_json_policy(*ret_json, &none, ret, &err), "%s",
                  err.message);
}

/* The verdict on a call: argument 0 and its number. */
static uint32_t verdict(const char *profile, uint32_t arch, int nr, uint64_t argument)
{
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
    cleanup_json json_t *json = NULL;
    cleanup_buf struct buf program = {0};
    struct seccomp_data data = {.nr = nr, .arch = arch, .args = {argument}};
    struct err err = {0};

    parse(profile, &json, &policy);
    ck_assert_msg(!seccomp_policy_compile(&policy, &program, &err), "%s", err.message);
    return bpf_run((const struct sock_filter *)program.data,
                   program.len / sizeof(struct sock_filter), &data);
}

/* read, and fchmodat2(452), which is newer than everything below. */
static const struct {
    const char *profile;
    int nr;
    uint32_t verdict;
} newer[] = {
    {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\",\"close_range\"],"
     "\"action\":\"SCMP_ACT_ALLOW\"}]}",
     435, SCMP_ACT_ERRNO(EPERM)},
    {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\",\"close_range\"],"
     "\"action\":\"SCMP_ACT_ALLOW\"}]}",
     437, SCMP_ACT_ERRNO(ENOSYS)},
    {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":13,\"syscalls\":[{\"names\":["
     "\"read\"]"
     ",\"action\":\"SCMP_ACT_ALLOW\"}]}",
     452, SCMP_ACT_ERRNO(ENOSYS)},
    {"{\"defaultAction\":\"SCMP_ACT_KILL\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
     "\"SCMP_ACT_ALLOW\"}]}",
     452, SCMP_ACT_ERRNO(ENOSYS)},
    {"{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
     "\"SCMP_ACT_ALLOW\"}]}",
     452, SCMP_ACT_LOG},
    /* nothing is newer than nothing */
    {"{\"defaultAction\":\"SCMP_ACT_ERRNO\"}", 452, SCMP_ACT_ERRNO(EPERM)},
    /* and before libseccomp's program too */
    {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"write\"],\"action\":"
     "\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]},{\"names\":["
     "\"write\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":0,\"op\":"
     "\"SCMP_CMP_GE\"}]}]}",
     2, SCMP_ACT_ERRNO(ENOSYS)},
    {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"write\"],\"action\":"
     "\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]},{\"names\":["
     "\"write\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":0,\"op\":"
     "\"SCMP_CMP_GE\"}]}]}",
     0, SCMP_ACT_ERRNO(EPERM)},
};

START_TEST(newer_calls_than_the_profiles_are_unknown)
{
    ck_assert_uint_eq(verdict(newer[_i].profile, AUDIT_ARCH_X86_64, newer[_i].nr, 7),
                      newer[_i].verdict);
}
END_TEST

START_TEST(architectures_are_those_listed)
{
    static const char all[] = "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":["
                              "\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\",\"SCMP_ARCH_AARCH64\"]}";
    static const char map[] =
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\","
        "\"subArchitectures\":[\"SCMP_ARCH_X86\"]},{\"architecture\":\"SCMP_ARCH_AARCH64\","
        "\"subArchitectures\":[\"SCMP_ARCH_ARM\"]}]}";
    static const char none[] = "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}";

    ck_assert_uint_eq(verdict(all, AUDIT_ARCH_I386, 3, 0), SCMP_ACT_ALLOW);
    ck_assert_uint_eq(verdict(all, AUDIT_ARCH_X86_64, 0x40000000, 0), SCMP_ACT_ALLOW);
    ck_assert_uint_eq(verdict(all, AUDIT_ARCH_AARCH64, 63, 0), SCMP_ACT_ALLOW);
    ck_assert_uint_eq(verdict(map, AUDIT_ARCH_I386, 3, 0), SCMP_ACT_ALLOW);
    ck_assert_uint_eq(verdict(map, AUDIT_ARCH_X86_64, 0x40000000, 0), SCMP_ACT_KILL_THREAD);
    ck_assert_uint_eq(verdict(map, AUDIT_ARCH_ARM, 3, 0), SCMP_ACT_KILL_THREAD);
    ck_assert_uint_eq(verdict(none, AUDIT_ARCH_X86_64, 0, 0), SCMP_ACT_ALLOW);
    ck_assert_uint_eq(verdict(none, AUDIT_ARCH_I386, 3, 0), SCMP_ACT_KILL_THREAD);
}
END_TEST

/* Every operator, on values that jansson alone would refuse, and several conditions on one
 * argument. */
static const struct {
    const char *args;
    uint64_t argument;
    bool allowed;
} tests[] = {
    {"{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":18446744073709551615}", UINT64_MAX, true},
    {"{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":18446744073709551615}", UINT32_MAX, false},
    {"{\"index\":0,\"op\":\"SCMP_CMP_NE\",\"value\":4294967296}", 0x100000000, false},
    {"{\"index\":0,\"op\":\"SCMP_CMP_NE\",\"value\":4294967296}", 0, true},
    {"{\"index\":0,\"op\":\"SCMP_CMP_LT\",\"value\":9223372036854775808}", INT64_MAX, true},
    {"{\"index\":0,\"op\":\"SCMP_CMP_LT\",\"value\":9223372036854775808}", 1ULL << 63, false},
    {"{\"index\":0,\"op\":\"SCMP_CMP_LE\",\"value\":9223372036854775808}", 1ULL << 63, true},
    {"{\"index\":0,\"op\":\"SCMP_CMP_GT\",\"value\":9223372036854775808}", 1ULL << 63, false},
    {"{\"index\":0,\"op\":\"SCMP_CMP_GE\",\"value\":9223372036854775808}", 1ULL << 63, true},
    {"{\"index\":0,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":2114060288,\"valueTwo\":0}", 0x11, true},
    {"{\"index\":0,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":2114060288,\"valueTwo\":0}", 0x10000011,
     false},
    /* alternatives, when they are about one argument */
    {"{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":1},{\"index\":0,\"op\":\"SCMP_CMP_EQ\","
     "\"value\":2}",
     2, true},
    {"{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":1},{\"index\":0,\"op\":\"SCMP_CMP_EQ\","
     "\"value\":2}",
     3, false},
    /* all of them, when they are not; the second argument is 0 here */
    {"{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":1},{\"index\":1,\"op\":\"SCMP_CMP_EQ\","
     "\"value\":0}",
     1, true},
    {"{\"index\":0,\"op\":\"SCMP_CMP_EQ\",\"value\":1},{\"index\":1,\"op\":\"SCMP_CMP_EQ\","
     "\"value\":5}",
     1, false},
};

START_TEST(arguments_are_compared)
{
    cleanup_free char *profile =
        str_format("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"lseek\"],"
                   "\"action\":\"SCMP_ACT_ALLOW\",\"args\":[%s]}]}",
                   tests[_i].args);

    ck_assert_uint_eq(verdict(profile, AUDIT_ARCH_X86_64, 8, tests[_i].argument),
                      tests[_i].allowed ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
}
END_TEST

static const struct {
    const char *action;
    uint32_t verdict;
} words[] = {
    {"\"SCMP_ACT_ALLOW\"", SECCOMP_RET_ALLOW},
    {"\"SCMP_ACT_KILL\"", SECCOMP_RET_KILL_THREAD},
    {"\"SCMP_ACT_KILL_THREAD\"", SECCOMP_RET_KILL_THREAD},
    {"\"SCMP_ACT_KILL_PROCESS\"", SECCOMP_RET_KILL_PROCESS},
    {"\"SCMP_ACT_TRAP\"", SECCOMP_RET_TRAP},
    {"\"SCMP_ACT_ERRNO\"", SECCOMP_RET_ERRNO | EPERM},
    {"\"SCMP_ACT_ERRNO\",\"errnoRet\":0", SECCOMP_RET_ERRNO},
    {"\"SCMP_ACT_ERRNO\",\"errnoRet\":110", SECCOMP_RET_ERRNO | 110},
    {"\"SCMP_ACT_TRACE\",\"errnoRet\":5", SECCOMP_RET_TRACE | 5},
    {"\"SCMP_ACT_LOG\"", SECCOMP_RET_LOG},
    {"\"SCMP_ACT_NOTIFY\"", SECCOMP_RET_USER_NOTIF},
};

START_TEST(actions_are_the_kernels)
{
    cleanup_free char *profile = str_format("{\"defaultAction\":\"SCMP_ACT_ERRNO\","
                                            "\"defaultErrnoRet\":99,\"syscalls\":[{\"names\":["
                                            "\"lseek\"],\"action\":%s}]}",
                                            words[_i].action);

    ck_assert_uint_eq(verdict(profile, AUDIT_ARCH_X86_64, 8, 0), words[_i].verdict);
    ck_assert_uint_eq(verdict(profile, AUDIT_ARCH_X86_64, 7, 0), SECCOMP_RET_ERRNO | 99);
}
END_TEST

static const struct {
    const char *profile, *message;
} bad[] = {
    {"{}", "there is no action ''"},
    {"{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", "cannot be used as default action"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}", "takes no errnoRet"},
    {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":70000}", "errnoRet 70000"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_Z80\"]}",
     "there is no architecture 'SCMP_ARCH_Z80'"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_X\"]}",
     "there is no flag 'SECCOMP_FILTER_FLAG_X'"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"write\"],\"action\":"
     "\"SCMP_ACT_NOTIFY\"}]}",
     "SCMP_ACT_NOTIFY cannot be used for the write syscall"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
     "\"SCMP_ACT_KILL\",\"args\":[{\"index\":6,\"op\":\"SCMP_CMP_EQ\"}]}]}",
     "a system call has no argument 6"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":\"uname\",\"action\":\"SCMP_"
     "ACT_ERRNO\"}]}",
     "names is not an array"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"uname\"],\"action\":\"SCMP_"
     "ACT_ERRNO\",\"args\":{}}]}",
     "args is not an array"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"uname\"],\"action\":\"SCMP_"
     "ACT_ERRNO\",\"errnoRet\":\"5\"}]}",
     "errnoRet is not a whole number"},
    {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"uname\"],\"action\":\"SCMP_"
     "ACT_ERRNO\",\"args\":[{\"index\":0,\"value\":1,\"valueTwo\":\"1\",\"op\":\"SCMP_CMP_MASKED_"
     "EQ\"}]}]}",
     "valueTwo is not a whole number"},
};

START_TEST(what_means_nothing_is_an_error)
{
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
    struct err err = {0};
    cleanup_json json_t *json =
        json_parse_u64(bad[_i].profile, strlen(bad[_i].profile), "profile", &err);
    const struct strv none = {0};

    ck_assert_int_lt(seccomp_json_policy(json, &none, &policy, &err), 0);
    ck_assert_msg(strstr(err.message, bad[_i].message) != NULL, "%s", err.message);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(t, test, 0, (int)(sizeof(table) / sizeof *(table)))

SUITE(seccomp_json)
{
    TCase *t = tcase_create("seccomp json");

    LOOP(newer_calls_than_the_profiles_are_unknown, newer);
    tcase_add_test(t, architectures_are_those_listed);
    LOOP(arguments_are_compared, tests);
    LOOP(actions_are_the_kernels, words);
    LOOP(what_means_nothing_is_an_error, bad);
    suite_add_tcase(suite, t);
}

#endif
