#include "runtime/seccomp_policy.h"

#include <string.h>

#include "base/cleanup.h"
#include "runtime/seccomp_profile.h"

#if defined(__x86_64__)
static const uint32_t native_abis[] = {SCMP_ARCH_X86, SCMP_ARCH_X32};
#elif defined(__aarch64__)
static const uint32_t native_abis[] = {SCMP_ARCH_ARM};
#else
static const uint32_t native_abis[] = {};
#endif

void seccomp_policy_begin(struct seccomp_policy *policy, uint32_t otherwise)
{
    *policy = (struct seccomp_policy){.otherwise = otherwise};
    policy->abis[policy->abi_count++] = seccomp_arch_native();
}

void seccomp_policy_free(struct seccomp_policy *policy)
{
    strv_free(&policy->names);
    free(policy->rules);
}

int seccomp_policy_add_abi(struct seccomp_policy *policy, uint32_t abi, struct err *err)
{
    for (size_t i = 0; i < policy->abi_count; i++)
        if (policy->abis[i] == abi)
            return 0;
    if (policy->abi_count == SECCOMP_ABIS_MAX)
        return err_set(err, E2BIG, "more than %d architectures", SECCOMP_ABIS_MAX);
    policy->abis[policy->abi_count++] = abi;
    return 0;
}

int seccomp_policy_add_native_abis(struct seccomp_policy *policy, struct err *err)
{
    for (size_t i = 0; i < sizeof native_abis / sizeof *native_abis; i++)
        if (seccomp_policy_add_abi(policy, native_abis[i], err) < 0)
            return -err->code;
    return 0;
}

static void add_rule(struct seccomp_policy *policy, const struct seccomp_policy_rule *rule)
{
    if (policy->count == policy->room) {
        policy->room = policy->room ? 2 * policy->room : 512;
        policy->rules = mem_grow(policy->rules, policy->room, sizeof *policy->rules);
    }
    policy->rules[policy->count++] = *rule;
}

void seccomp_policy_add(struct seccomp_policy *policy, const char *call, uint32_t action,
                        unsigned count, const struct scmp_arg_cmp *tests)
{
    struct seccomp_policy_rule rule = {.call = call, .action = action, .count = count};

    if (count)
        memcpy(rule.tests, tests, count * sizeof *tests);
    add_rule(policy, &rule);
}

static int new_number(const char *call)
{
    for (const struct seccomp_number *n = seccomp_new_calls; n->call; n++)
        if (!strcmp(n->call, call))
            return n->number;
    return __NR_SCMP_ERROR;
}

/* Our table is of the native ABI's numbers. */
int seccomp_call_number(const char *call, uint32_t abi)
{
    int number = seccomp_syscall_resolve_name_arch(abi, call);

    return number == __NR_SCMP_ERROR && abi == seccomp_arch_native() ? new_number(call) : number;
}

/* --- the default profile ---------------------------------------------------------------------- */

static bool has_cap(const struct strv *caps, const char *cap)
{
    return !cap || strv_contains(caps, cap);
}

static bool in_list(const char *const *list, const char *call)
{
    for (; *list; list++)
        if (!strcmp(*list, call))
            return true;
    return false;
}

static bool allowed_by_cap(const char *call, const struct strv *caps)
{
    for (const struct seccomp_group *g = seccomp_groups; g->cap; g++)
        if (has_cap(caps, g->cap) && in_list(g->calls, call))
            return true;
    return false;
}

/* Does a rule about arguments apply to this call, for these capabilities? */
static bool has_rules(const char *call, const struct strv *caps)
{
    for (const struct seccomp_rule *rule = seccomp_rules; rule->call; rule++)
        if (!strcmp(rule->call, call) && !(rule->without && has_cap(caps, rule->without)))
            return true;
    return false;
}

static void add_lists(struct seccomp_policy *policy)
{
    for (const char *const *call = seccomp_allowed; *call; call++)
        seccomp_policy_add(policy, *call, SCMP_ACT_ALLOW, 0, NULL);
    for (const char *const *call = seccomp_denied; *call; call++)
        seccomp_policy_add(policy, *call, SCMP_ACT_ERRNO(EPERM), 0, NULL);
}

/* clone3(2) is the exception: its flags are in memory, where no filter can look, so who may not
 * make namespaces is told that the call does not exist, and libc falls back to clone(2). */
static uint32_t denial_of(const char *call)
{
    return SCMP_ACT_ERRNO(strcmp(call, "clone3") ? EPERM : ENOSYS);
}

static void add_groups(struct seccomp_policy *policy, const struct strv *caps)
{
    for (const struct seccomp_group *g = seccomp_groups; g->cap; g++)
        for (const char *const *call = g->calls; *call; call++) {
            bool allowed = allowed_by_cap(*call, caps);

            if (allowed || !has_rules(*call, caps))
                seccomp_policy_add(policy, *call, allowed ? SCMP_ACT_ALLOW : denial_of(*call), 0,
                                   NULL);
        }
}

static void add_rules(struct seccomp_policy *policy, const struct strv *caps)
{
    for (const struct seccomp_rule *rule = seccomp_rules; rule->call; rule++) {
        struct seccomp_policy_rule out = {.call = rule->call, .action = SCMP_ACT_ALLOW, .count = 1};

        if (!has_rules(rule->call, caps))
            continue;
        out.tests[0] = rule->mask
                           ? SCMP_CMP(rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value)
                           : SCMP_CMP(rule->argument, SCMP_CMP_EQ, rule->value);
        add_rule(policy, &out);
        if (rule[1].call && !strcmp(rule->call, rule[1].call))
            continue;
        out = (struct seccomp_policy_rule){
            .call = rule->call, .action = SCMP_ACT_ERRNO(EPERM), .otherwise = true};
        add_rule(policy, &out);
    }
}

int seccomp_policy_default(const struct strv *caps, struct seccomp_policy *ret, struct err *err)
{
    seccomp_policy_begin(ret, SCMP_ACT_ERRNO(ENOSYS));
    if (seccomp_policy_add_native_abis(ret, err) < 0)
        return -err->code;
    add_lists(ret);
    add_groups(ret, caps);
    add_rules(ret, caps);
    return 0;
}
