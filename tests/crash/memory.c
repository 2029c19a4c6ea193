#include "crash/memory.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

bool memory_read(pid_t tid, uint64_t address, void *ret, size_t len)
{
    struct iovec here = {ret, len}, there = {(void *)(uintptr_t)address, len};

    return address && process_vm_readv(tid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

/* Page by page: the one behind the string need not be there. */
void memory_read_text(pid_t tid, uint64_t address, char *ret, size_t size)
{
    size_t have = 0;

    while (have < size - 1) {
        size_t page = 4096 - (address + have) % 4096;
        size_t n = page < size - 1 - have ? page : size - 1 - have;

        if (!memory_read(tid, address + have, ret + have, n))
            break;
        if (memchr(ret + have, 0, n))
            return;
        have += n;
    }
    ret[have] = 0;
}

void memory_fd(pid_t tid, int fd, char *ret, size_t size)
{
    char path[64];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)tid, fd);
    n = readlink(path, ret, size - 1);
    ret[n < 0 ? 0 : n] = 0;
}

unsigned memory_fd_flags(pid_t tid, int fd)
{
    char path[64], text[256], *at;
    cleanup_close int file = -1;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)tid, fd);
    file = open(path, O_RDONLY | O_CLOEXEC);
    n = file < 0 ? -1 : file_read(file, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    at = strstr(text, "flags:");
    return at ? (unsigned)strtoul(at + strlen("flags:"), NULL, 8) : 0;
}

/* A call numbered -1 is none, and the kernel leaves the register with the result as it is. */
#if defined(__x86_64__)
int memory_fail_call(pid_t tid, int error)
{
    struct user_regs_struct registers;
    struct iovec all = {&registers, sizeof registers};

    if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &all) < 0)
        return -errno;
    registers.orig_rax = (unsigned long long)-1;
    registers.rax = (unsigned long long)-error;
    return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &all) < 0 ? -errno : 0;
}
#elif defined(__aarch64__)
int memory_fail_call(pid_t tid, int error)
{
    struct user_regs_struct registers;
    struct iovec all = {&registers, sizeof registers};
    int none = -1;
    struct iovec number = {&none, sizeof none};

    if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &all) < 0)
        return -errno;
    registers.regs[0] = (unsigned long long)-error;
    if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &all) < 0 ||
        ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &number) < 0)
        return -errno;
    return 0;
}
#else
int memory_fail_call(pid_t tid, int error)
{
    (void)tid;
    (void)error;
    return -ENOSYS;
}
#endif
