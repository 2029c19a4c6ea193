/* seccomp_policy.h - a syscall filter as rules, between a profile (tables or JSON) and the BPF
 * program that seccomp(2) takes.
 *
 *     profile tables, docker's JSON, linux.seccomp -> policy -> program -> kernel
 *
 * What the rules mean is what libseccomp makes of them, because runc, crun and docker are read so:
 *
 *     - one call, one rule without tests: that rule, whatever other rules it has (the first such)
 *     - else the rules with tests, each of which holds if all its tests do; several that hold have
 * the same action, or libseccomp's order decides (seccomp_policy_lib())
 *     - else `otherwise`, of the call if it has one, or of the policy
 *     - an ABI that is not listed: the thread is killed
 */
#pragma once

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Actions are SECCOMP_RET_* with their data, which SCMP_ACT_* of libseccomp are, too. */
struct seccomp_policy_rule {
    const char *call; /* borrowed */
    uint32_t action;
    bool otherwise; /* for the call when none of its tests holds */
    unsigned count;
    struct scmp_arg_cmp tests[6];
};

#define SECCOMP_ABIS_MAX 32

struct seccomp_policy {
    uint32_t otherwise;
    uint32_t abis[SECCOMP_ABIS_MAX]; /* SCMP_ARCH_*, the native one first */
    size_t abi_count;
    /* Calls with a higher number than any that the profile mentions are newer than the profile:
     * ENOSYS makes libc use an older one, where EPERM would make it give up. runc does the same. */
    bool newer_is_enosys;
    unsigned flags;    /* SECCOMP_FILTER_FLAG_* */
    struct strv names; /* owns what rules of a JSON profile borrow */
    struct seccomp_policy_rule *rules;
    size_t count, room;
};

/* An empty policy for the native ABI. */
void seccomp_policy_begin(struct seccomp_policy *policy, uint32_t otherwise);
void seccomp_policy_free(struct seccomp_policy *policy);
/* SCMP_ARCH_*, once; the native one is there. */
int seccomp_policy_add_abi(struct seccomp_policy *policy, uint32_t abi, struct err *err);
/* The native ABI and those that the processor switches to with an instruction (x86 and x32). */
int seccomp_policy_add_native_abis(struct seccomp_policy *policy, struct err *err);
void seccomp_policy_add(struct seccomp_policy *policy, const char *call, uint32_t action,
                        unsigned count, const struct scmp_arg_cmp *tests);
/* The number of a call in an ABI; negative if it has none there, or nobody knows it. */
int seccomp_call_number(const char *call, uint32_t abi);

/* The program, instructions of struct sock_filter. Own compiler: a binary search over ranges of
 * numbers, ready in a fraction of a millisecond; hands policies and ABIs that it does not know to
 * libseccomp. -E2BIG: more than the kernel takes. */
int seccomp_policy_compile(const struct seccomp_policy *policy, struct buf *ret, struct err *err);
/* The same by libseccomp, which takes some 40 ms for docker's profile. */
int seccomp_policy_lib(const struct seccomp_policy *policy, struct buf *ret, struct err *err);

/* The default profile (seccomp_profile.h) for a set of capabilities. */
int seccomp_policy_default(const struct strv *caps, struct seccomp_policy *ret, struct err *err);
