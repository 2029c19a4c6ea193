/* Profiles in JSON: linux.seccomp of the OCI specification (config-linux.md, "Seccomp"), and
 * docker's profile files, which are the same with conditions: for whom a rule is and for which
 * kernel. */
#include "runtime/seccomp_json.h"

#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

/* SPEC_ALLOW leaves the processor's speculation as it is, as every process has it since Linux 5.16.
 */
#define DEFAULT_FLAGS SECCOMP_FILTER_FLAG_SPEC_ALLOW
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

struct word {
    const char *name;
    uint32_t value;
};

static const struct word actions[] = {
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
    {"SCMP_ACT_KILL", SCMP_ACT_KILL},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG},
    {"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    {NULL, 0},
};
static const struct word operators[] = {
    {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE},
    {"SCMP_CMP_GT", SCMP_CMP_GT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    {"SCMP_CMP_NE", SCMP_CMP_NE}, {NULL, 0},
};
static const struct word architectures[] = {
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
#ifdef SCMP_ARCH_LOONGARCH64
    {"SCMP_ARCH_LOONGARCH64", SCMP_ARCH_LOONGARCH64},
#endif
#ifdef SCMP_ARCH_M68K
    {"SCMP_ARCH_M68K", SCMP_ARCH_M68K},
#endif
    {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
    {"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
    {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
    {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
    {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
    {"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
    {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
    {"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
    {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
    {"SCMP_ARCH_S390", SCMP_ARCH_S390},
    {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
#ifdef SCMP_ARCH_SH
    {"SCMP_ARCH_SH", SCMP_ARCH_SH},
    {"SCMP_ARCH_SHEB", SCMP_ARCH_SHEB},
#endif
    {"SCMP_ARCH_X32", SCMP_ARCH_X32},
    {"SCMP_ARCH_X86", SCMP_ARCH_X86},
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
    {NULL, 0},
};
/* TSYNC is about threads, of which the process that installs the filter has no other. */
static const struct word flags[] = {
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_TSYNC", 0},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
    {NULL, 0},
};

static const struct word *find(const struct word *words, const char *name)
{
    for (; words->name; words++)
        if (!strcmp(words->name, name))
            return words;
    return NULL;
}

static const char *name_of(const struct word *words, uint32_t value)
{
    for (; words->name; words++)
        if (words->value == value)
            return words->name;
    return "";
}

const char *seccomp_json_action_name(uint32_t action)
{
    return name_of(actions, action);
}

const char *seccomp_json_operator_name(uint32_t operator)
{
    return name_of(operators, operator);
}

const char *seccomp_json_abi_name(uint32_t abi)
{
    return name_of(architectures, abi);
}

static void names_of(const struct word *words, struct strv *ret)
{
    for (; words->name; words++)
        strv_add(ret, words->name);
}

/* --- what a rule is made of ------------------------------------------------------------------- */

/* Of a member that need not be there: a rule whose list is none would not be the rule meant. */
static int check_type(const json_t *value, bool is_right, const char *what, struct err *err)
{
    return !value || json_is_null(value) || is_right ? 0 : err_set(err, EINVAL, "%s", what);
}

static int check_array(const json_t *object, const char *member, struct err *err)
{
    const json_t *value = json_object_get(object, member);
    cleanup_free char *what = str_format("%s is not an array", member);

    return check_type(value, json_is_array(value), what, err);
}

static int check_number(const json_t *object, const char *member, struct err *err)
{
    const json_t *value = json_object_get(object, member);
    cleanup_free char *what = str_format("%s is not a whole number", member);

    return check_type(value, json_is_integer(value), what, err);
}

/* An action that takes a number has it added; any other must not have one. */
static int parse_action(const char *name, const json_t *number, uint32_t *ret, struct err *err)
{
    const struct word *word = find(actions, name);
    long long data = json_is_integer(number) ? json_integer_value(number) : EPERM;

    if (!word)
        return err_set(err, EINVAL, "there is no action '%s' for system calls", name);
    *ret = word->value;
    if (word->value == SCMP_ACT_ERRNO(0) || word->value == SCMP_ACT_TRACE(0)) {
        if (data < 0 || data > UINT16_MAX)
            return err_set(err, EINVAL, "errnoRet %lld of action %s is not from 0 to 65535", data,
                           name);
        *ret |= (uint32_t)data;
    } else if (json_is_integer(number)) {
        return err_set(err, EINVAL, "action %s takes no errnoRet", name);
    }
    return 0;
}

static int parse_test(const json_t *item, struct scmp_arg_cmp *ret, struct err *err)
{
    const char *name = json_str(item, "op", "");
    const struct word *word = find(operators, name);
    long long index = json_int(item, "index", -1);

    if (index < 0 || index > 5)
        return err_set(err, EINVAL, "a system call has no argument %lld", index);
    if (!word)
        return err_set(err, EINVAL, "there is no comparison '%s'", name);
    if (!json_is_integer(json_object_get(item, "value")))
        return err_set(err, EINVAL, "the value to compare argument %lld with is not a whole number",
                       index);
    if (check_number(item, "valueTwo", err) < 0)
        return -err->code;
    *ret = (struct scmp_arg_cmp){.arg = (unsigned)index,
                                 .op = (enum scmp_compare)word->value,
                                 .datum_a = (scmp_datum_t)json_int(item, "value", 0),
                                 .datum_b = (scmp_datum_t)json_int(item, "valueTwo", 0)};
    return 0;
}

/* SCMP_ACT_NOTIFY on write(2) would stop the process before it could hand over the descriptor that
 * is notified; runc uses write(2) for that, and refuses it. */
static int check_notify(uint32_t action, const char *call, struct err *err)
{
    return action == SCMP_ACT_NOTIFY && !strcmp(call, "write")
               ? err_set(err, EINVAL, "SCMP_ACT_NOTIFY cannot be used for the write syscall")
               : 0;
}

/* Tests of different arguments must all hold; libseccomp takes one an argument, so several of one
 * argument are alternatives, each a rule of its own, as runc reads them. */
static int add_call(struct seccomp_policy *policy, uint32_t action, const char *call,
                    const json_t *args, struct err *err)
{
    struct scmp_arg_cmp tests[6];
    unsigned count = 0, used = 0;
    bool alternatives = false;
    const json_t *item;
    size_t i;

    if (json_array_size(args) > 6)
        return err_set(err, EINVAL, "'%s' has more than six tests", call);
    json_array_foreach(args, i, item)
    {
        if (parse_test(item, &tests[count], err) < 0)
            return err_wrap(err, "'%s'", call);
        alternatives |= (used & 1u << tests[count].arg) != 0;
        used |= 1u << tests[count++].arg;
    }
    if (!alternatives)
        seccomp_policy_add(policy, call, action, count, tests);
    for (i = 0; alternatives && i < count; i++)
        seccomp_policy_add(policy, call, action, 1, &tests[i]);
    return check_notify(action, call, err);
}

static int add_entry(struct seccomp_policy *policy, const json_t *entry, struct err *err)
{
    const json_t *names = json_at(entry, "names"), *name, *args = json_at(entry, "args");
    const char *single = json_str(entry, "name", NULL); /* docker, long ago */
    uint32_t action;
    size_t i;

    if (check_array(entry, "names", err) < 0 || check_array(entry, "args", err) < 0 ||
        check_number(entry, "errnoRet", err) < 0 ||
        parse_action(json_str(entry, "action", ""), json_at(entry, "errnoRet"), &action, err) < 0 ||
        (single && add_call(policy, action, single, args, err) < 0))
        return -err->code;
    json_array_foreach(names, i, name)
    {
        if (!json_is_string(name))
            return err_set(err, EINVAL, "a system call's name is not a string");
        if (add_call(policy, action, json_string_value(name), args, err) < 0)
            return -err->code;
    }
    return 0;
}

/* --- docker's conditions ---------------------------------------------------------------------- */

static bool any_arch_is_native(const json_t *arches)
{
    static const char *const native[] = {
#if defined(__x86_64__)
        "amd64",
        "x86",
        "x32",
#elif defined(__aarch64__)
        "arm64",
        "arm",
#elif defined(__riscv)
        "riscv64",
#elif defined(__s390x__)
        "s390x",
        "s390",
#elif defined(__powerpc64__)
        "ppc64le",
#endif
        NULL,
    };
    const json_t *item;
    size_t i;

    json_array_foreach(arches, i, item)
    {
        for (const char *const *name = native; *name; name++)
            if (str_equal(json_string_value(item), *name))
                return true;
    }
    return false;
}

static bool any_cap(const json_t *names, const struct strv *caps, bool all)
{
    const json_t *item;
    size_t i;

    json_array_foreach(names, i, item)
    {
        bool has = json_is_string(item) && strv_contains(caps, json_string_value(item));

        if (has != all)
            return has;
    }
    return all;
}

static bool kernel_at_least(const char *wanted)
{
    int want_major = 0, want_minor = 0, major = 0, minor = 0;
    struct utsname system;

    uname(&system);
    if (sscanf(wanted, "%d.%d", &want_major, &want_minor) < 1 ||
        sscanf(system.release, "%d.%d", &major, &minor) != 2)
        return false;
    return major > want_major || (major == want_major && minor >= want_minor);
}

/* Every one of `includes` must hold, none of `excludes`. */
static bool applies(const json_t *entry, const struct strv *caps)
{
    const json_t *in = json_at(entry, "includes"), *out = json_at(entry, "excludes");
    const char *kernel = json_str(in, "minKernel", NULL),
               *not_kernel = json_str(out, "minKernel", NULL);

    if (json_array_size(json_at(in, "arches")) && !any_arch_is_native(json_at(in, "arches")))
        return false;
    if (!any_cap(json_at(in, "caps"), caps, true) || (kernel && !kernel_at_least(kernel)))
        return false;
    return !any_arch_is_native(json_at(out, "arches")) &&
           !any_cap(json_at(out, "caps"), caps, false) &&
           !(not_kernel && kernel_at_least(not_kernel));
}

/* --- the whole -------------------------------------------------------------------------------- */

static int add_abis(struct seccomp_policy *policy, const json_t *names, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(names, i, item)
    {
        const char *name = json_is_string(item) ? json_string_value(item) : "";
        const struct word *word = find(architectures, name);

        if (!word)
            return err_set(err, EINVAL, "there is no architecture '%s'", name);
        if (seccomp_policy_add_abi(policy, word->value, err) < 0)
            return -err->code;
    }
    return 0;
}

/* docker's archMap: of each machine those that it runs besides its own. */
static int add_sub_architectures(struct seccomp_policy *policy, const json_t *map, struct err *err)
{
    const json_t *item;
    size_t i;

    json_array_foreach(map, i, item)
    {
        const struct word *word = find(architectures, json_str(item, "architecture", ""));

        if (word && word->value == seccomp_arch_native() &&
            add_abis(policy, json_at(item, "subArchitectures"), err) < 0)
            return -err->code;
    }
    return 0;
}

static bool kernel_takes(uint32_t flag)
{
    if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
        flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    /* It looks at the flags before it finds that there is no program. */
    return !flag ||
           (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT);
}

static int parse_flags(const json_t *names, unsigned *ret, struct err *err)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(names)) {
        *ret = DEFAULT_FLAGS;
        return 0;
    }
    json_array_foreach(names, i, item)
    {
        const char *name = json_is_string(item) ? json_string_value(item) : "";
        const struct word *word = find(flags, name);

        if (!word)
            return err_set(err, EINVAL, "there is no flag '%s'", name);
        if (!kernel_takes(word->value))
            return err_set(err, ENOTSUP, "this kernel does not know the flag %s", name);
        *ret |= word->value;
    }
    return 0;
}

/* A default that lets calls through lets new ones through, too, and one that says ENOSYS does it
 * already. */
static bool stops_new_calls(uint32_t action)
{
    uint32_t kind = action & SECCOMP_RET_ACTION_FULL;

    return kind != SECCOMP_RET_ALLOW && kind != SECCOMP_RET_LOG && kind != SECCOMP_RET_TRACE &&
           action != SCMP_ACT_ERRNO(ENOSYS);
}

static int parse_default(const json_t *profile, uint32_t *ret, struct err *err)
{
    if (parse_action(json_str(profile, "defaultAction", ""), json_at(profile, "defaultErrnoRet"),
                     ret, err) < 0)
        return err_wrap(err, "defaultAction");
    return *ret == SCMP_ACT_NOTIFY
               ? err_set(err, EINVAL, "SCMP_ACT_NOTIFY cannot be used as default action")
               : 0;
}

int seccomp_json_policy(const json_t *profile, const struct strv *caps, struct seccomp_policy *ret,
                        struct err *err)
{
    const json_t *entry;
    uint32_t otherwise;
    size_t i;

    *ret = (struct seccomp_policy){0};
    if (parse_default(profile, &otherwise, err) < 0)
        return -err->code;
    seccomp_policy_begin(ret, otherwise);
    ret->newer_is_enosys = stops_new_calls(otherwise);
    if (add_abis(ret, json_at(profile, "architectures"), err) < 0 ||
        add_sub_architectures(ret, json_at(profile, "archMap"), err) < 0)
        return err_wrap(err, "architectures");
    if (parse_flags(json_at(profile, "flags"), &ret->flags, err) < 0)
        return err_wrap(err, "flags");
    json_array_foreach(json_at(profile, "syscalls"), i, entry)
    {
        if (applies(entry, caps) && add_entry(ret, entry, err) < 0)
            return err_wrap(err, "syscalls: entry %zu", i);
    }
    return 0;
}

void seccomp_json_words(struct strv *ret_actions, struct strv *ret_operators,
                        struct strv *ret_architectures, struct strv *ret_flags,
                        struct strv *ret_supported_flags)
{
    names_of(actions, ret_actions);
    names_of(operators, ret_operators);
    names_of(architectures, ret_architectures);
    names_of(flags, ret_flags);
    for (const struct word *flag = flags; flag->name; flag++)
        if (kernel_takes(flag->value))
            strv_add(ret_supported_flags, flag->name);
}
