/* Profiles to compiled filters. Only the programs that create containers link this; the shim
 * installs what was compiled. */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/runtime.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_json.h"

static bool notifies(const struct seccomp_policy *policy, const char *call)
{
    for (size_t i = 0; i < policy->count; i++)
        if (policy->rules[i].action == SCMP_ACT_NOTIFY &&
            (!call || !strcmp(policy->rules[i].call, call)))
            return true;
    return false;
}

static int write_file(const struct seccomp_policy *policy, int out_fd, struct err *err)
{
    cleanup_buf struct buf code = {0};
    struct syscall_filter_head head = {.flags = policy->flags};
    int r;

    if (notifies(policy, NULL))
        return err_set(err, ENOTSUP,
                       "SCMP_ACT_NOTIFY works in linux.seccomp of an OCI "
                       "configuration only");
    if (seccomp_policy_compile(policy, &code, err) < 0)
        return -err->code;
    memcpy(head.magic, SYSCALL_FILTER_MAGIC, sizeof head.magic);
    head.count = (uint32_t)(code.len / sizeof(struct sock_filter));
    r = file_write(out_fd, &head, sizeof head);
    if (!r)
        r = file_write(out_fd, code.data, code.len);
    return r < 0 ? err_set(err, -r, "cannot write the syscall filter: %s", strerror(-r)) : 0;
}

int runtime_seccomp_compile_default(const struct strv *caps, int out_fd, struct err *err)
{
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};

    return seccomp_policy_default(caps, &policy, err) < 0 ? -err->code
                                                          : write_file(&policy, out_fd, err);
}

int runtime_seccomp_compile_file(const char *path, const struct strv *caps, int out_fd,
                                 struct err *err)
{
    cleanup_json json_t *profile = json_load_u64(AT_FDCWD, path, 4 << 20, err);
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};

    if (!profile)
        return -err->code;
    if (seccomp_json_policy(profile, caps, &policy, err) < 0 ||
        write_file(&policy, out_fd, err) < 0)
        return err_wrap(err, "'%s'", path);
    return 0;
}

/* Who is told of calls, and how that begins: the first thing a process does under such a filter is
 * to send its descriptor, which must not wait for an answer from where it is going. */
static int prepare_listener(const json_t *spec, const struct seccomp_policy *policy,
                            struct syscall_filter *ret, struct err *err)
{
    ret->listener_path = json_str(spec, "listenerPath", NULL);
    ret->listener_metadata = json_str(spec, "listenerMetadata", "");
    ret->notifies = notifies(policy, NULL);
    ret->notifies_sendmsg = notifies(policy, "sendmsg");
    if (!ret->notifies)
        return 0;
    if (!ret->listener_path || !*ret->listener_path)
        return err_set(err, EINVAL, "SCMP_ACT_NOTIFY is used, but there is no listenerPath");
    if (ret->notifies_sendmsg && notifies(policy, "sendmmsg"))
        return err_set(err, EINVAL, "SCMP_ACT_NOTIFY cannot be used for both sendmsg and sendmmsg");
    return 0;
}

int seccomp_compile_spec(const json_t *spec, struct syscall_filter *ret, struct err *err)
{
    cleanup_with(seccomp_policy_free) struct seccomp_policy policy = {0};
    const struct strv none = {0};

    if (seccomp_json_policy(spec, &none, &policy, err) < 0 ||
        prepare_listener(spec, &policy, ret, err) < 0 ||
        seccomp_policy_compile(&policy, &ret->loaded, err) < 0)
        return -err->code;
    ret->flags = policy.flags;
    return 0;
}
