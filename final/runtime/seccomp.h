/* seccomp.h - the syscall filter as init uses it: a compiled BPF program, seccomp(2). */
#pragma once

#include <linux/filter.h>

#include "base/str.h"
#include "runtime/spec.h"

struct syscall_filter {
    const struct sock_filter *code; /* NULL: no filter */
    unsigned short len;
    struct buf loaded; /* what `code` points into when it came from a file */
};

/* Finds the filter config.json asks for: built in, a compiled file, or linux.seccomp compiled now
 * (if this program was linked with the compiler). `bundle` is where a relative file name starts. */
int syscall_filter_load(const json_t *config, const char *bundle, struct syscall_filter *ret,
                        struct err *err);
void syscall_filter_free(struct syscall_filter *filter);
/* Puts it on the calling process, for good. Needs CAP_SYS_ADMIN or no_new_privs. */
int syscall_filter_install(const struct syscall_filter *filter, struct err *err);

/* In seccomp_compile.c, which needs libseccomp; absent (NULL) in the shim. `spec` is linux.seccomp.
 */
int seccomp_compile_spec(const json_t *spec, int out_fd, struct err *err) __attribute__((weak));
