/* memory.h - looking into a stopped thread: what its call's arguments point to, and its registers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Copies `len` bytes; false when they cannot be read. process_vm_readv(2). */
bool memory_read(pid_t tid, uint64_t address, void *ret, size_t len);
/* A string of at most size - 1 bytes; "" when it cannot be read. */
void memory_read_text(pid_t tid, uint64_t address, char *ret, size_t size);
/* What a descriptor of the thread leads to: readlink(2) of /proc/TID/fd/N; "" when it is closed. */
void memory_fd(pid_t tid, int fd, char *ret, size_t size);
/* O_NONBLOCK and the like, from /proc/TID/fdinfo/N; 0 when it is closed. */
unsigned memory_fd_flags(pid_t tid, int fd);

/* At a seccomp stop: the call is not made and gives -error instead. 0 or -errno. */
int memory_fail_call(pid_t tid, int error);
