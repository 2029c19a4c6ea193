/* seccomp_document.c - a filter as linux.seccomp, for another runtime: it compiles it itself. */
#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/runtime.h"
#include "runtime/seccomp_json.h"

/* SECCOMP_RET_DATA: the errno that the call fails with. */
#define DATA 0xffffu

static void put_action(json_t *object, const char *name, const char *number_name, uint32_t action)
{
    json_put_str(object, name, seccomp_json_action_name(action & ~DATA));
    if ((action & ~DATA) == SCMP_ACT_ERRNO(0))
        json_put(object, number_name, json_integer(action & DATA));
}

static json_t *tests_of(const struct seccomp_policy_rule *rule)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < rule->count; i++) {
        json_t *test = json_object();

        json_put(test, "index", json_integer(rule->tests[i].arg));
        json_put(test, "value", json_integer((json_int_t)rule->tests[i].datum_a));
        json_put(test, "valueTwo", json_integer((json_int_t)rule->tests[i].datum_b));
        json_put_str(test, "op", seccomp_json_operator_name(rule->tests[i].op));
        json_push(list, test);
    }
    return list;
}

static json_t *rule_object(const struct seccomp_policy_rule *rule)
{
    json_t *object = json_object(), *names = json_array();

    json_push(names, json_string(rule->call));
    json_put(object, "names", names);
    put_action(object, "action", "errnoRet", rule->action);
    if (rule->count)
        json_put(object, "args", tests_of(rule));
    return object;
}

/* What holds when no test does cannot be said in this form; the default has to do for it. So where
 * our own profile lets unknown calls fail with ENOSYS, this one says EPERM, as docker's does. */
static json_t *document_of(const struct seccomp_policy *policy)
{
    json_t *document = json_object(), *abis = json_array(), *calls = json_array();
    uint32_t otherwise =
        policy->otherwise == SCMP_ACT_ERRNO(ENOSYS) ? SCMP_ACT_ERRNO(EPERM) : policy->otherwise;

    put_action(document, "defaultAction", "defaultErrnoRet", otherwise);
    for (size_t i = 0; i < policy->abi_count; i++)
        json_push(abis, json_string(seccomp_json_abi_name(policy->abis[i])));
    for (size_t i = 0; i < policy->count; i++)
        if (!policy->rules[i].otherwise && policy->rules[i].action != otherwise)
            json_push(calls, rule_object(&policy->rules[i]));
    json_put(document, "architectures", abis);
    json_put(document, "syscalls", calls);
    return document;
}

json_t *runtime_seccomp_document(const char *file, const struct strv *caps, struct err *err)
{
    cleanup_json json_t *profile = file ? json_load_u64(AT_FDCWD, file, 4 << 20, err) : NULL;
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
    int r;

    if (file && !profile)
        return NULL;
    r = file ? seccomp_json_policy(profile, caps, &policy, err)
             : seccomp_policy_default(caps, &policy, err);
    return r < 0 ? NULL : document_of(&policy);
}
