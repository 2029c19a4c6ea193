/* seccomp_json.h - syscall filters in JSON: linux.seccomp, and docker's profile files. */
#pragma once

#include <jansson.h>

#include "runtime/seccomp_policy.h"

/* Reads a profile for a process with these capabilities (docker's conditions). Calls that nobody
 * here knows are passed over, as runc does: the profile's default is for them. Names are borrowed
 * from `profile`. seccomp_policy_free() also after a failure. */
int seccomp_json_policy(const json_t *profile, const struct strv *caps, struct seccomp_policy *ret,
                        struct err *err);
/* The specification's words; "" for what has none. */
const char *seccomp_json_action_name(uint32_t action); /* without its data */
const char *seccomp_json_operator_name(uint32_t operator);
const char *seccomp_json_abi_name(uint32_t abi);
/* What this understands, for the features document. */
void seccomp_json_words(struct strv *ret_actions, struct strv *ret_operators,
                        struct strv *ret_architectures, struct strv *ret_flags,
                        struct strv *ret_supported_flags);
