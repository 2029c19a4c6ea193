/* Our compiler of syscall filters against libseccomp: both programs give the same verdict on every
 * call number of every ABI, with arguments at and around every value the rules name. */
#include "support/suite.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/runtime.h"
#include "runtime/seccomp_policy.h"
#include "support/bpf.h"

#if defined(__x86_64__)

struct pair {
    struct buf own, lib;
};

static void pair_free(struct pair *p)
{
    buf_free(&p->own);
    buf_free(&p->lib);
}

static struct pair compile(const struct seccomp_policy *policy)
{
    struct pair p = {0};
    struct err err = {0};

    ck_assert_msg(!seccomp_policy_compile(policy, &p.own, &err), "%s", err.message);
    ck_assert_msg(!seccomp_policy_lib(policy, &p.lib, &err), "%s", err.message);
    return p;
}

static uint32_t run(const struct buf *program, const struct seccomp_data *data)
{
    return bpf_run((const struct sock_filter *)program->data,
                   program->len / sizeof(struct sock_filter), data);
}

static void check(const struct pair *p, const struct seccomp_data *data)
{
    uint32_t own = run(&p->own, data), lib = run(&p->lib, data);

    ck_assert_msg(own == lib,
                  "call 0x%x of 0x%x (0x%llx, 0x%llx, 0x%llx): 0x%x, libseccomp says 0x%x",
                  data->nr, data->arch, data->args[0], data->args[1], data->args[2], own, lib);
}

static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, 0};

/* Around where numbers are used, in both halves of x86_64's. */
static const int64_t spans[][2] = {{-2, 600}, {0x3ffffff0, 0x40000300}, {0x7ffffff0, 0x80000010}};

static const uint64_t values[] = {
    0,
    1,
    2,
    3,
    8,
    12,
    13,
    38,
    39,
    40,
    41,
    45,
    46,
    0x11,
    0x20000,
    0x20008,
    0x10000000,
    0x7e020000,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x100000001,
    0x10000000b,
    0x7fffffffffffffff,
    0x8000000000000000,
    UINT64_MAX,
};
#define VALUES (sizeof values / sizeof *values)

/* Every number, each with every value as its first argument and some others beside it. */
static void check_everywhere(const struct pair *p)
{
    for (size_t a = 0; a < sizeof arches / sizeof *arches; a++)
        for (size_t s = 0; s < sizeof spans / sizeof *spans; s++)
            for (int64_t nr = spans[s][0]; nr < spans[s][1]; nr++)
                for (size_t v = 0; v < VALUES; v++) {
                    struct seccomp_data data = {.nr = (int)nr, .arch = arches[a]};

                    for (size_t i = 0; i < 6; i++)
                        data.args[i] = values[(v + 5 * i) % VALUES];
                    check(p, &data);
                }
}

START_TEST(the_default_profile)
{
    static const char *const admin[] = {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_BPF", NULL};
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
    cleanup_with(pair_free) struct pair p = {0};
    cleanup_strv struct strv caps = {0};
    struct err err = {0};

    for (const char *const *cap = _i ? admin : runtime_default_caps; *cap; cap++)
        strv_add(&caps, *cap);
    ck_assert_msg(!seccomp_policy_default(&caps, &policy, &err), "%s", err.message);
    p = compile(&policy);
    check_everywhere(&p);
    /* Installing a filter takes time that grows with it: libseccomp's has some 1,600 instructions.
     */
    ck_assert_uint_lt(p.own.len / sizeof(struct sock_filter), 600);
}
END_TEST

/* --- policies by chance --------------------------------------------------------------------------
 *
 * With calls that are peculiar: multiplexed on i386, unknown to an ABI, renumbered for x32. */

static const char *const calls[] = {
    "read",       "openat",   "socket",      "connect",         "accept",      "accept4",
    "send",       "recvmmsg", "semop",       "semget",          "shmat",       "msgctl",
    "semtimedop", "clone",    "personality", "rt_sigaction",    "ptrace",      "ioctl",
    "execveat",   "mmap",     "mmap2",       "stat64",          "arch_prctl",  "socketcall",
    "ipc",        "keyctl",   "time",        "clock_gettime64", "futex_waitv", "nosuchcall",
};
#define CALLS (sizeof calls / sizeof *calls)

static const uint32_t actions[] = {
    SCMP_ACT_ALLOW,        SCMP_ACT_ERRNO(1), SCMP_ACT_ERRNO(38), SCMP_ACT_KILL_THREAD,
    SCMP_ACT_KILL_PROCESS, SCMP_ACT_LOG,      SCMP_ACT_TRACE(7),  SCMP_ACT_TRAP,
};

static uint32_t seed;

/* xorshift32: the same policies in every run. */
static uint32_t chance(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % below;
}

static struct scmp_arg_cmp random_test(unsigned argument)
{
    static const enum scmp_compare ops[] = {SCMP_CMP_NE,       SCMP_CMP_LT, SCMP_CMP_LE,
                                            SCMP_CMP_EQ,       SCMP_CMP_GE, SCMP_CMP_GT,
                                            SCMP_CMP_MASKED_EQ};
    enum scmp_compare op = ops[chance(7)];
    uint64_t a = values[chance(VALUES)], b = values[chance(VALUES)];

    /* A value outside of its mask is never met, and libseccomp does not take every such rule. */
    return (struct scmp_arg_cmp){argument, op, a, op == SCMP_CMP_MASKED_EQ ? a & b : b};
}

/* One call: without tests, or with one to three rules of the same action. libseccomp 2.5 loses some
 * when several rules of a call have more than one value of one argument each (GE 2^63 or LE 17: it
 * lets 2^31 through), so with `simply` they have not. */
static void add_random_call(struct seccomp_policy *policy, const char *call, bool simply)
{
    uint32_t action = actions[chance(sizeof actions / sizeof *actions)];
    uint32_t rules = chance(4), argument = chance(3);

    if (!rules)
        seccomp_policy_add(policy, call, action, 0, NULL);
    for (uint32_t i = 0; i < rules; i++) {
        struct scmp_arg_cmp tests[3] = {random_test(argument)};
        unsigned count = 1;

        if (simply && rules > 1)
            tests[0] = SCMP_CMP(argument, SCMP_CMP_EQ, values[chance(VALUES)]);
        while ((!simply || rules == 1) && count < 3 && chance(2)) {
            tests[count] = random_test((argument + count) % 3);
            count++;
        }
        seccomp_policy_add(policy, call, action, count, tests);
        if (!simply)
            argument = chance(3);
    }
}

static void random_policy(struct seccomp_policy *ret, bool simply)
{
    struct err err = {0};

    seccomp_policy_begin(ret, actions[chance(sizeof actions / sizeof *actions)]);
    ret->newer_is_enosys = !simply && chance(2);
    if (chance(2))
        ck_assert(!seccomp_policy_add_abi(ret, SCMP_ARCH_X86, &err));
    if (chance(2))
        ck_assert(!seccomp_policy_add_abi(ret, SCMP_ARCH_X32, &err));
    if (!chance(4))
        ck_assert(!seccomp_policy_add_abi(ret, SCMP_ARCH_AARCH64, &err));
    for (uint32_t n = 1 + chance(12), at = chance(CALLS); n > 0; n--, at++)
        add_random_call(ret, calls[at % CALLS], simply);
}

/* socketcall(2) and ipc(2) are peculiar enough without rules of their own. */
static bool is_gate(const char *call)
{
    return !strcmp(call, "socketcall") || !strcmp(call, "ipc");
}

START_TEST(libseccomp_says_the_same)
{
    for (int round = 0; round < 3; round++) {
        cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
        cleanup_with(pair_free) struct pair p = {0};

        seed = (uint32_t)(1000 * _i + round + 1);
        random_policy(&policy, true);
        for (size_t i = 0; i < policy.count; i++)
            if (is_gate(policy.rules[i].call))
                policy.rules[i].count = 0;
        p = compile(&policy);
        check_everywhere(&p);
    }
}
END_TEST

/* --- what the rules say ----------------------------------------------------------------------- */

static bool holds(const struct scmp_arg_cmp *t, uint64_t argument, bool wide)
{
    uint64_t mask = wide ? UINT64_MAX : UINT32_MAX;
    uint64_t x = argument & mask, a = t->datum_a & mask, b = t->datum_b & mask;

    switch (t->op) {
    case SCMP_CMP_NE:
        return x != a;
    case SCMP_CMP_LT:
        return x < a;
    case SCMP_CMP_LE:
        return x <= a;
    case SCMP_CMP_EQ:
        return x == a;
    case SCMP_CMP_GE:
        return x >= a;
    case SCMP_CMP_GT:
        return x > a;
    default:
        return (x & a) == (b & a);
    }
}

static bool rule_holds(const struct seccomp_policy_rule *rule, const struct seccomp_data *data,
                       bool wide)
{
    for (unsigned i = 0; i < rule->count; i++)
        if (!holds(&rule->tests[i], data->args[rule->tests[i].arg], wide))
            return false;
    return true;
}

static uint32_t abi_of(const struct seccomp_policy *policy, const struct seccomp_data *data)
{
    bool high = (uint32_t)data->nr >= 0x40000000;
    uint32_t abi = data->arch;

    for (size_t i = 0; i < policy->abi_count; i++)
        if (high && abi == SCMP_ARCH_X86_64 && policy->abis[i] == SCMP_ARCH_X32)
            return SCMP_ARCH_X32;
    if (high && abi == SCMP_ARCH_X86_64 && data->nr != -1)
        return 0;
    for (size_t i = 0; i < policy->abi_count; i++)
        if (policy->abis[i] == abi)
            return abi;
    return 0;
}

/* i386's sockets and System V IPC have two numbers each, and are left to the other test. */
static uint32_t what_rules_say(const struct seccomp_policy *policy, const struct seccomp_data *data)
{
    uint32_t abi = abi_of(policy, data), verdict = policy->otherwise;
    bool wide = abi != SCMP_ARCH_X86 && abi != SCMP_ARCH_X32;
    int newest = -1;

    if (!abi)
        return SCMP_ACT_KILL_THREAD;
    for (size_t i = 0; i < policy->count; i++) {
        const struct seccomp_policy_rule *rule = &policy->rules[i];
        int number = seccomp_call_number(rule->call, abi);

        if (number >= 0 && number > newest)
            newest = number;
        if (number >= 0 && number == data->nr && rule_holds(rule, data, wide) &&
            rule->action != policy->otherwise)
            verdict = rule->action;
    }
    if (policy->newer_is_enosys && newest >= 0 && (uint32_t)data->nr > (uint32_t)newest)
        return SCMP_ACT_ERRNO(ENOSYS);
    return verdict;
}

static void check_rules(const struct seccomp_policy *policy, const struct buf *program,
                        const struct seccomp_data *data)
{
    uint32_t made = run(program, data), meant = what_rules_say(policy, data);

    ck_assert_msg(made == meant,
                  "seed %u: call 0x%x of 0x%x (0x%llx, 0x%llx, 0x%llx): 0x%x, not 0x%x", seed,
                  data->nr, data->arch, data->args[0], data->args[1], data->args[2], made, meant);
}

/* The calls of the policy and their neighbours, with arguments by chance. */
static void check_rules_around(const struct seccomp_policy *policy, const struct buf *program)
{
    for (size_t i = 0; i < policy->count; i++)
        for (size_t a = 0; a < policy->abi_count; a++)
            for (int off = -1; off < 2; off++)
                for (int k = 0; k < 200; k++) {
                    struct seccomp_data data = {
                        .nr = seccomp_call_number(policy->rules[i].call, policy->abis[a]) + off,
                        .arch =
                            policy->abis[a] == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : policy->abis[a]};

                    for (int argument = 0; argument < 3; argument++)
                        data.args[argument] = values[chance(VALUES)] + chance(3) - 1;
                    check_rules(policy, program, &data);
                }
}

/* Without those that are multiplexed on i386. */
static bool is_plain(const char *call)
{
    int number = seccomp_call_number(call, SCMP_ARCH_X86);

    return !is_gate(call) && (number > -100 || number <= -300);
}

START_TEST(rules_mean_what_they_say)
{
    for (int round = 0; round < 50; round++) {
        cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
        cleanup_buf struct buf program = {0};
        struct err err = {0};
        size_t kept = 0;

        seed = (uint32_t)(1000 * _i + round + 1);
        random_policy(&policy, false);
        for (size_t i = 0; i < policy.count; i++)
            if (is_plain(policy.rules[i].call))
                policy.rules[kept++] = policy.rules[i];
        policy.count = kept;
        ck_assert_msg(!seccomp_policy_compile(&policy, &program, &err), "%s", err.message);
        check_rules_around(&policy, &program);
    }
}
END_TEST

/* Rules of one call that have different actions and may both fit: libseccomp's order decides, so
 * its program is what is used. */
START_TEST(conflicts_are_left_to_libseccomp)
{
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
    cleanup_with(pair_free) struct pair p = {0};
    const struct scmp_arg_cmp one = SCMP_CMP(0, SCMP_CMP_EQ, 1), any = SCMP_CMP(0, SCMP_CMP_GE, 0);
    struct seccomp_data data = {.nr = 1, .arch = AUDIT_ARCH_X86_64, .args = {1}};

    seccomp_policy_begin(&policy, SCMP_ACT_ALLOW);
    seccomp_policy_add(&policy, "write", SCMP_ACT_ERRNO(1), 1, &one);
    seccomp_policy_add(&policy, "write", SCMP_ACT_ERRNO(2), 1, &any);
    p = compile(&policy);
    check_everywhere(&p);
    ck_assert_uint_eq(run(&p.own, &data), SCMP_ACT_ERRNO(1));
    data.args[0] = 2;
    ck_assert_uint_eq(run(&p.own, &data), SCMP_ACT_ERRNO(2));
}
END_TEST

/* The kernel takes 4096 instructions. */
START_TEST(a_filter_may_be_too_long)
{
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
    cleanup_buf struct buf program = {0};
    struct err err = {0};

    seccomp_policy_begin(&policy, SCMP_ACT_ALLOW);
    for (uint64_t i = 0; i < 2000; i++) {
        const struct scmp_arg_cmp two[] = {SCMP_CMP(0, SCMP_CMP_EQ, i),
                                           SCMP_CMP(1, SCMP_CMP_EQ, i)};

        seccomp_policy_add(&policy, "lseek", SCMP_ACT_KILL_PROCESS, 2, two);
    }
    ck_assert_int_eq(seccomp_policy_compile(&policy, &program, &err), -E2BIG);
    ck_assert_ptr_ne(strstr(err.message, "the kernel takes 4096"), NULL);
}
END_TEST

SUITE(seccomp_compile)
{
    TCase *t = tcase_create("seccomp compile");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, the_default_profile, 0, 2);
    tcase_add_loop_test(t, libseccomp_says_the_same, 0, 4);
    tcase_add_loop_test(t, rules_mean_what_they_say, 0, 6);
    tcase_add_test(t, conflicts_are_left_to_libseccomp);
    tcase_add_test(t, a_filter_may_be_too_long);
    suite_add_tcase(suite, t);
}

#endif
