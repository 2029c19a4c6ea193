/* Profiles to BPF programs, by libseccomp. Only the programs that create containers link this; the
 * shim installs what was compiled.
 *
 * One program serves all the ABIs of the machine (x86_64, x86 and x32 in one), since a process can
 * switch between them with an instruction. The native one is a context of its own until the end,
 * because only for it libseccomp takes calls by number that it has no name for yet. */
#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/runtime.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_profile.h"

#if defined(__x86_64__)
static const uint32_t other_abis[] = {SCMP_ARCH_X86, SCMP_ARCH_X32};
#elif defined(__aarch64__)
static const uint32_t other_abis[] = {SCMP_ARCH_ARM};
#else
static const uint32_t other_abis[] = {};
#endif
#define OTHER_ABIS (sizeof other_abis / sizeof *other_abis)

/* A filter being made: [0] native, [1] the other ABIs or NULL. */
struct filter {
    scmp_filter_ctx parts[2];
    uint32_t otherwise; /* the action when no rule fits */
};

static void filter_release(struct filter *filter)
{
    for (int i = 0; i < 2; i++)
        if (filter->parts[i])
            seccomp_release(filter->parts[i]);
}

static int filter_error(int code, const char *what, struct err *err)
{
    return err_set(err, -code, "cannot compile the syscall filter: %s: %s", what, strerror(-code));
}

static int filter_begin(struct filter *ret, uint32_t otherwise, struct err *err)
{
    int r = 0;

    *ret = (struct filter){.otherwise = otherwise};
    ret->parts[0] = seccomp_init(otherwise);
    ret->parts[1] = OTHER_ABIS ? seccomp_init(otherwise) : NULL;
    if (!ret->parts[0] || (OTHER_ABIS && !ret->parts[1]))
        return filter_error(-ENOMEM, "begin", err);
    if (ret->parts[1])
        r = seccomp_arch_remove(ret->parts[1], SCMP_ARCH_NATIVE);
    for (size_t i = 0; i < OTHER_ABIS && r >= 0; i++)
        r = seccomp_arch_add(ret->parts[1], other_abis[i]);
    return r < 0 ? filter_error(r, "architectures", err) : 0;
}

static int new_number(const char *call)
{
    for (const struct seccomp_number *n = seccomp_new_calls; n->call; n++)
        if (!strcmp(n->call, call))
            return n->number;
    return __NR_SCMP_ERROR;
}

/* A call that neither libseccomp nor our table knows cannot have a rule; the default action stands.
 */
static int filter_add(struct filter *filter, uint32_t action, const char *call, unsigned count,
                      const struct scmp_arg_cmp *tests, struct err *err)
{
    int number = seccomp_syscall_resolve_name(call), known = number != __NR_SCMP_ERROR;
    int r = 0;

    if (action == filter->otherwise)
        return 0;
    if (!known)
        number = new_number(call);
    if (number == __NR_SCMP_ERROR)
        return 0;
    r = seccomp_rule_add_array(filter->parts[0], action, number, count, tests);
    if (r >= 0 && known && filter->parts[1])
        r = seccomp_rule_add_array(filter->parts[1], action, number, count, tests);
    /* EEXIST: the same rule is there; EDOM: the call does not exist on this architecture. */
    return r < 0 && r != -EEXIST && r != -EDOM ? filter_error(r, call, err) : 0;
}

/* Joins the parts and writes the program: a binary tree over the call numbers instead of a list of
 * some 400 comparisons, gone through at every system call. */
static int filter_finish(struct filter *filter, int out_fd, struct err *err)
{
    int r = 0;

    if (filter->parts[1]) {
        r = seccomp_merge(filter->parts[0], filter->parts[1]);
        if (r < 0)
            return filter_error(r, "merge", err);
        filter->parts[1] = NULL; /* the merge took it */
    }
    r = seccomp_attr_set(filter->parts[0], SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r >= 0)
        r = seccomp_export_bpf(filter->parts[0], out_fd);
    return r < 0 ? filter_error(r, "write", err) : 0;
}

/* --- the default profile -------------------------------------------------------------------------
 */

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

static int add_lists(struct filter *filter, struct err *err)
{
    for (const char *const *call = seccomp_allowed; *call; call++)
        if (filter_add(filter, SCMP_ACT_ALLOW, *call, 0, NULL, err) < 0)
            return -err->code;
    for (const char *const *call = seccomp_denied; *call; call++)
        if (filter_add(filter, SCMP_ACT_ERRNO(EPERM), *call, 0, NULL, err) < 0)
            return -err->code;
    return 0;
}

/* clone3(2) is the exception: its flags are in memory, where no filter can look, so who may not
 * make namespaces is told that the call does not exist, and libc falls back to clone(2). */
static uint32_t denial_of(const char *call)
{
    return SCMP_ACT_ERRNO(strcmp(call, "clone3") ? EPERM : ENOSYS);
}

static int add_groups(struct filter *filter, const struct strv *caps, struct err *err)
{
    for (const struct seccomp_group *g = seccomp_groups; g->cap; g++)
        for (const char *const *call = g->calls; *call; call++) {
            bool allowed = allowed_by_cap(*call, caps);

            if (!allowed && has_rules(*call, caps))
                continue;
            if (filter_add(filter, allowed ? SCMP_ACT_ALLOW : denial_of(*call), *call, 0, NULL,
                           err) < 0)
                return -err->code;
        }
    return 0;
}

/* libseccomp has no "otherwise" for one call: an unconditional rule would swallow those with
 * conditions. A condition that always holds does it, on the same argument: tests for equality come
 * before tests for order in the program (a unit test runs it to make sure). */
static int deny_otherwise(struct filter *filter, const struct seccomp_rule *rule, struct err *err)
{
    const struct scmp_arg_cmp always = SCMP_CMP(rule->argument, SCMP_CMP_GE, 0);

    return filter_add(filter, SCMP_ACT_ERRNO(EPERM), rule->call, 1, &always, err);
}

static int add_rule(struct filter *filter, const struct seccomp_rule *rule, struct err *err)
{
    const struct scmp_arg_cmp equal = SCMP_CMP(rule->argument, SCMP_CMP_EQ, rule->value);
    const struct scmp_arg_cmp masked =
        SCMP_CMP(rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value);

    return filter_add(filter, SCMP_ACT_ALLOW, rule->call, 1, rule->mask ? &masked : &equal, err);
}

static int add_rules(struct filter *filter, const struct strv *caps, struct err *err)
{
    for (const struct seccomp_rule *rule = seccomp_rules; rule->call; rule++) {
        bool last = !rule[1].call || strcmp(rule->call, rule[1].call);

        if (!has_rules(rule->call, caps))
            continue;
        if (add_rule(filter, rule, err) < 0 || (last && deny_otherwise(filter, rule, err) < 0))
            return -err->code;
    }
    return 0;
}

int runtime_seccomp_compile_default(const struct strv *caps, int out_fd, struct err *err)
{
    cleanup_with(filter_release) struct filter filter = {0};

    if (filter_begin(&filter, SCMP_ACT_ERRNO(ENOSYS), err) < 0 || add_lists(&filter, err) < 0 ||
        add_groups(&filter, caps, err) < 0 || add_rules(&filter, caps, err) < 0)
        return -err->code;
    return filter_finish(&filter, out_fd, err);
}

/* --- profiles in JSON: docker's, and linux.seccomp of the OCI specification, a subset of it
 * --------- */

static int parse_action(const char *name, long long errno_ret, uint32_t *ret, struct err *err)
{
    static const struct {
        const char *name;
        uint32_t action;
    } actions[] = {
        {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
        {"SCMP_ACT_LOG", SCMP_ACT_LOG},
        {"SCMP_ACT_KILL", SCMP_ACT_KILL},
        {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
        {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
        {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    };

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (!strcmp(name, actions[i].name)) {
            *ret = actions[i].action;
            return 0;
        }
    if (strcmp(name, "SCMP_ACT_ERRNO") && strcmp(name, "SCMP_ACT_TRACE"))
        return err_set(err, EINVAL, "there is no action '%s' for system calls", name);
    *ret = name[9] == 'E' ? SCMP_ACT_ERRNO(errno_ret) : SCMP_ACT_TRACE(errno_ret);
    return 0;
}

static int parse_test(const json_t *item, struct scmp_arg_cmp *ret, struct err *err)
{
    static const struct {
        const char *name;
        enum scmp_compare op;
    } ops[] = {
        {"SCMP_CMP_NE", SCMP_CMP_NE},
        {"SCMP_CMP_LT", SCMP_CMP_LT},
        {"SCMP_CMP_LE", SCMP_CMP_LE},
        {"SCMP_CMP_EQ", SCMP_CMP_EQ},
        {"SCMP_CMP_GE", SCMP_CMP_GE},
        {"SCMP_CMP_GT", SCMP_CMP_GT},
        {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    };
    const char *op = json_str(item, "op", "");
    long long index = json_int(item, "index", -1);

    if (index < 0 || index > 5)
        return err_set(err, EINVAL, "a system call has no argument %lld", index);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(op, ops[i].name))
            continue;
        *ret = (struct scmp_arg_cmp){.arg = (unsigned)index,
                                     .op = ops[i].op,
                                     .datum_a = (scmp_datum_t)json_int(item, "value", 0),
                                     .datum_b = (scmp_datum_t)json_int(item, "valueTwo", 0)};
        return 0;
    }
    return err_set(err, EINVAL, "there is no comparison '%s'", op);
}

/* Tests of different arguments must all hold; libseccomp takes one a argument, so several of one
 * argument are alternatives, each a rule of its own, as runc reads them. */
static int add_call(struct filter *filter, uint32_t action, const char *call, const json_t *args,
                    struct err *err)
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
        return filter_add(filter, action, call, count, tests, err);
    for (i = 0; i < count; i++)
        if (filter_add(filter, action, call, 1, &tests[i], err) < 0)
            return -err->code;
    return 0;
}

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

    json_array_foreach(arches, i, item) if (json_is_string(item) &&
                                            in_list(native, json_string_value(item))) return true;
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

/* docker's conditions: every one of `includes` must hold, none of `excludes`. */
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

static int add_entry(struct filter *filter, const json_t *entry, struct err *err)
{
    const json_t *names = json_at(entry, "names"), *name, *args = json_at(entry, "args");
    const char *single = json_str(entry, "name", NULL);
    uint32_t action;
    size_t i;

    if (parse_action(json_str(entry, "action", ""), json_int(entry, "errnoRet", EPERM), &action,
                     err) < 0)
        return -err->code;
    if (single && add_call(filter, action, single, args, err) < 0)
        return -err->code;
    json_array_foreach(names, i, name)
    {
        if (!json_is_string(name))
            return err_set(err, EINVAL, "a system call's name is not a string");
        if (add_call(filter, action, json_string_value(name), args, err) < 0)
            return -err->code;
    }
    return 0;
}

static int compile_json(const json_t *profile, const struct strv *caps, int out_fd, struct err *err)
{
    cleanup_with(filter_release) struct filter filter = {0};
    const json_t *entry;
    uint32_t otherwise;
    size_t i;

    if (parse_action(json_str(profile, "defaultAction", ""),
                     json_int(profile, "defaultErrnoRet", EPERM), &otherwise, err) < 0)
        return err_wrap(err, "defaultAction");
    if (filter_begin(&filter, otherwise, err) < 0)
        return -err->code;
    json_array_foreach(json_at(profile, "syscalls"), i,
                       entry) if (applies(entry, caps) &&
                                  add_entry(&filter, entry, err) <
                                      0) return err_wrap(err, "syscalls: entry %zu", i);
    return filter_finish(&filter, out_fd, err);
}

int runtime_seccomp_compile_file(const char *path, const struct strv *caps, int out_fd,
                                 struct err *err)
{
    cleanup_json json_t *profile = json_load(AT_FDCWD, path, 4 << 20, err);

    if (!profile)
        return -err->code;
    return compile_json(profile, caps, out_fd, err) < 0 ? err_wrap(err, "'%s'", path) : 0;
}

int seccomp_compile_spec(const json_t *spec, int out_fd, struct err *err)
{
    const struct strv none = {0};

    return compile_json(spec, &none, out_fd, err);
}
