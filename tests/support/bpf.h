/* bpf.h - a small interpreter of classic BPF: every verdict of a syscall filter without a kernel.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* What the program returns for a call. Only what seccomp(2) accepts; anything else fails the test.
 */
uint32_t bpf_run(const struct sock_filter *code, size_t len, const struct seccomp_data *data);
