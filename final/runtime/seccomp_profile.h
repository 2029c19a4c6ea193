/* seccomp_profile.h - docker's default syscall filter as tables. */
#pragma once

#include <stdint.h>

/* Allowed to everybody; denied (EPERM) to everybody. NULL-terminated. */
extern const char *const seccomp_allowed[];
extern const char *const seccomp_denied[];

/* Allowed to who has the capability, denied otherwise. One call may be in several groups. */
struct seccomp_group {
    const char *cap;
    const char *const *calls;
};
extern const struct seccomp_group seccomp_groups[]; /* ends with cap NULL */

/* Allowed if the argument, after `mask` unless that is 0, is `value`; a call with rules is denied
 * (EPERM) when none fits. `without`: a rule only for who lacks this capability (NULL: for
 * everybody). */
struct seccomp_rule {
    const char *call;
    const char *without;
    unsigned argument;
    uint64_t value, mask;
};
extern const struct seccomp_rule seccomp_rules[]; /* ends with call NULL */

/* System calls newer than the libseccomp this may be built with. From 424 on all architectures
 * share their numbers. */
struct seccomp_number {
    const char *call;
    int number;
};
extern const struct seccomp_number seccomp_new_calls[]; /* ends with call NULL */
