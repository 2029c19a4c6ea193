/* seccomp.h - the syscall filter as a container's process uses it: a compiled BPF program,
 * seccomp(2).
 */
#pragma once

#include <linux/filter.h>

#include "base/str.h"
#include "runtime/spec.h"

struct syscall_filter {
    const struct sock_filter *code; /* NULL: no filter */
    unsigned short len;
    unsigned flags;    /* SECCOMP_FILTER_FLAG_* */
    struct buf loaded; /* what `code` points into when it was not built in */
    /* Does it have SCMP_ACT_NOTIFY? Then its descriptor goes to whoever listens at this path
     * (seccomp_notify.h), both borrowed from config.json. */
    bool notifies;
    bool notifies_sendmsg; /* that call would wait for the listener, so another one brings it there
                            */
    const char *listener_path, *listener_metadata;
};

/* How a compiled filter begins in a file, before its instructions. */
struct syscall_filter_head {
    char magic[8]; /* SYSCALL_FILTER_MAGIC */
    uint32_t flags, count;
};
#define SYSCALL_FILTER_MAGIC "cooperF1"

/* Finds the filter config.json asks for: built in, a compiled file, or linux.seccomp compiled now
 * (if this program was linked with the compiler). `bundle` is where a relative file name starts. */
int syscall_filter_load(const json_t *config, const char *bundle, struct syscall_filter *ret,
                        struct err *err);
void syscall_filter_free(struct syscall_filter *filter);
/* Puts it on the calling process, for good. Needs CAP_SYS_ADMIN or no_new_privs. *ret_listener is
 * the descriptor for SCMP_ACT_NOTIFY (O_CLOEXEC) or -1. */
int syscall_filter_install(const struct syscall_filter *filter, int *ret_listener, struct err *err);

/* In seccomp_compile.c, which needs libseccomp; absent (NULL) in the shim. `spec` is linux.seccomp.
 */
int seccomp_compile_spec(const json_t *spec, struct syscall_filter *ret, struct err *err)
    __attribute__((weak));
