/* Installing a filter is one system call; making one takes libseccomp about 3 ms, more than
 * starting a container. So the default profile is compiled when the project is built, a profile of
 * the user's when the container is created, and here the finished program is only handed to the
 * kernel. */
#include "runtime/seccomp.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "seccomp_default.h"

static int use_loaded(struct syscall_filter *ret, const char *what, struct err *err)
{
    size_t count = ret->loaded.len / sizeof(struct sock_filter);

    if (!count || ret->loaded.len % sizeof(struct sock_filter) || count > BPF_MAXINSNS)
        return err_set(err, EINVAL, "'%s' is not a compiled syscall filter", what);
    ret->code = (const struct sock_filter *)ret->loaded.data;
    ret->len = (unsigned short)count;
    return 0;
}

static int load_file(const char *name, const char *bundle, struct syscall_filter *ret,
                     struct err *err)
{
    cleanup_free char *path = *name == '/' ? str_copy(name) : str_format("%s/%s", bundle, name);

    if (file_load(AT_FDCWD, path, BPF_MAXINSNS * sizeof(struct sock_filter), &ret->loaded, err) < 0)
        return err_wrap(err, "cannot load the syscall filter");
    return use_loaded(ret, path, err);
}

static int compile(const json_t *spec, struct syscall_filter *ret, struct err *err)
{
    cleanup_close int fd = -1;

    /* Never run without the filter that was asked for. */
    if (!seccomp_compile_spec)
        return err_set(err, ENOTSUP,
                       "linux.seccomp: this program cannot compile a syscall filter; "
                       "give a compiled one as org.cooper.seccomp");
    fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot make a memory file");
    if (seccomp_compile_spec(spec, fd, err) < 0)
        return err_wrap(err, "linux.seccomp");
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, "cannot read the compiled filter");
    if (file_load_fd(fd, BPF_MAXINSNS * sizeof(struct sock_filter), &ret->loaded, err) < 0)
        return -err->code;
    return use_loaded(ret, "linux.seccomp", err);
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
    return 0;
}

void syscall_filter_free(struct syscall_filter *filter)
{
    buf_free(&filter->loaded);
}

int syscall_filter_install(const struct syscall_filter *filter, struct err *err)
{
    struct sock_fprog program = {filter->len, (struct sock_filter *)filter->code};

    if (!filter->code)
        return 0;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return err_errno(err, "cannot install the syscall filter of %u instructions", filter->len);
    return 0;
}
