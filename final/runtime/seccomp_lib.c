/* A policy to a program by libseccomp: for what our own compiler does not know, and to hold that
 * one against (tests/unit/seccomp_compile_test.c).
 *
 * The native ABI is a context of its own until the end, because only for it libseccomp takes calls
 * by number that it has no name for yet. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/seccomp_policy.h"

/* [0] native, [1] the other ABIs or NULL. */
struct filter {
    scmp_filter_ctx parts[2];
    uint32_t otherwise;
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

static int filter_begin(struct filter *ret, const struct seccomp_policy *policy, struct err *err)
{
    bool others = policy->abi_count > 1;
    int r = 0;

    *ret = (struct filter){.otherwise = policy->otherwise};
    ret->parts[0] = seccomp_init(policy->otherwise);
    ret->parts[1] = others ? seccomp_init(policy->otherwise) : NULL;
    if (!ret->parts[0] || (others && !ret->parts[1]))
        return filter_error(-ENOMEM, "begin", err);
    if (others)
        r = seccomp_arch_remove(ret->parts[1], SCMP_ARCH_NATIVE);
    for (size_t i = 1; i < policy->abi_count && r >= 0; i++)
        r = seccomp_arch_add(ret->parts[1], policy->abis[i]);
    return r < 0 ? filter_error(r, "architectures", err) : 0;
}

/* Call -1 is left to the default. */
static int add_to(struct filter *filter, int part, const struct seccomp_policy_rule *rule,
                  int number, struct err *err)
{
    /* libseccomp has no "otherwise" for one call: an unconditional rule would swallow those with
     * conditions. A condition that always holds does it, on the same argument: tests for equality
     * come before tests for order in its program. */
    const struct scmp_arg_cmp always = SCMP_CMP(0, SCMP_CMP_GE, 0);
    int r;

    if (!filter->parts[part])
        return 0;
    r = seccomp_rule_add_array(filter->parts[part], rule->action, number,
                               rule->otherwise ? 1 : rule->count,
                               rule->otherwise ? &always : rule->tests);
    /* EEXIST: the same rule is there; EDOM: the call does not exist on this architecture. */
    return r < 0 && r != -EEXIST && r != -EDOM ? filter_error(r, rule->call, err) : 0;
}

/* A call that neither libseccomp nor our table knows cannot have a rule; the default action stands.
 */
static int filter_add(struct filter *filter, const struct seccomp_policy_rule *rule,
                      struct err *err)
{
    int number = seccomp_syscall_resolve_name(rule->call);
    int native = seccomp_call_number(rule->call, seccomp_arch_native());

    if (rule->action == filter->otherwise)
        return 0;
    if (native != __NR_SCMP_ERROR && add_to(filter, 0, rule, native, err) < 0)
        return -err->code;
    return number == __NR_SCMP_ERROR ? 0 : add_to(filter, 1, rule, number, err);
}

/* Joins the parts and writes the program: a binary tree over the call numbers instead of a list of
 * some 400 comparisons, gone through at every system call. */
static int filter_finish(struct filter *filter, int fd, struct err *err)
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
        r = seccomp_export_bpf(filter->parts[0], fd);
    return r < 0 ? filter_error(r, "write", err) : 0;
}

int seccomp_policy_lib(const struct seccomp_policy *policy, struct buf *ret, struct err *err)
{
    cleanup_with(filter_release) struct filter filter = {0};
    cleanup_close int fd = memfd_create("seccomp", MFD_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "cannot make a memory file");
    if (filter_begin(&filter, policy, err) < 0)
        return -err->code;
    for (size_t i = 0; i < policy->count; i++)
        if (filter_add(&filter, &policy->rules[i], err) < 0)
            return -err->code;
    if (filter_finish(&filter, fd, err) < 0)
        return -err->code;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, "cannot read the compiled filter");
    return file_load_fd(fd, 1 << 20, ret, err);
}
