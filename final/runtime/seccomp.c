/* Installing a filter is one system call. The default profile is compiled when the project is
 * built, a profile of a user of `cooper` when the container is created, linux.seccomp of a
 * configuration when it is run; and here the finished program is handed to the kernel. */
#include "runtime/seccomp.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "seccomp_default.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif

static int load_file(const char *name, const char *bundle, struct syscall_filter *ret,
                     struct err *err)
{
    cleanup_free char *path = *name == '/' ? str_copy(name) : str_format("%s/%s", bundle, name);
    struct syscall_filter_head head = {0};

    if (file_load(AT_FDCWD, path, sizeof head + BPF_MAXINSNS * sizeof(struct sock_filter),
                  &ret->loaded, err) < 0)
        return err_wrap(err, "cannot load the syscall filter");
    if (ret->loaded.len > sizeof head)
        memcpy(&head, ret->loaded.data, sizeof head);
    if (memcmp(head.magic, SYSCALL_FILTER_MAGIC, sizeof head.magic) || !head.count ||
        ret->loaded.len != sizeof head + head.count * sizeof(struct sock_filter))
        return err_set(err, EINVAL, "'%s' is not a compiled syscall filter", path);
    ret->flags = head.flags;
    ret->code = (const struct sock_filter *)(ret->loaded.data + sizeof head);
    ret->len = (unsigned short)head.count;
    return 0;
}

static int compile(const json_t *spec, struct syscall_filter *ret, struct err *err)
{
    /* Never run without the filter that was asked for. */
    if (!seccomp_compile_spec)
        return err_set(err, ENOTSUP,
                       "linux.seccomp: this program cannot compile a syscall filter; "
                       "give a compiled one as org.cooper.seccomp");
    if (seccomp_compile_spec(spec, ret, err) < 0)
        return err_wrap(err, "linux.seccomp");
    ret->code = (const struct sock_filter *)ret->loaded.data;
    ret->len = (unsigned short)(ret->loaded.len / sizeof *ret->code);
    return 0;
}

int syscall_filter_load(const json_t *config, const char *bundle, struct syscall_filter *ret,
                        struct err *err)
{
    const char *wanted = spec_annotation(config, "org.cooper.seccomp");
    const json_t *spec = json_at(config, "linux.seccomp");

    memset(ret, 0, sizeof *ret);
    if (!wanted)
        return json_is_object(spec) ? compile(spec, ret, err) : 0;
    if (strcmp(wanted, "default"))
        return load_file(wanted, bundle, ret, err);
    ret->code = seccomp_default;
    ret->len = sizeof seccomp_default / sizeof *seccomp_default;
    ret->flags = SECCOMP_DEFAULT_FLAGS;
    return 0;
}

void syscall_filter_free(struct syscall_filter *filter)
{
    buf_free(&filter->loaded);
}

int syscall_filter_install(const struct syscall_filter *filter, int *ret_listener, struct err *err)
{
    struct sock_fprog program = {filter->len, (struct sock_filter *)filter->code};
    unsigned long flags = filter->flags;
    long r;

    *ret_listener = -1;
    if (!filter->code)
        return 0;
    if (filter->notifies)
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    else
        flags &= ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV; /* it is about nothing else */
    r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (r < 0)
        return err_errno(err, "cannot install the syscall filter of %u instructions", filter->len);
    if (filter->notifies)
        *ret_listener = (int)r;
    return 0;
}
