/* proc.h - processes: who is alive, and how to start a helper program. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* A process that cannot be confused with a later one of the same pid: /proc/PID/stat field 22. */
struct proc_id {
    pid_t pid;
    unsigned long long start; /* clock ticks since boot */
};

/* Fills *ret for a living pid; -ESRCH if there is none (zombies count as dead). Other errors: it is
 * not known (no descriptor free, say). */
int proc_identify(pid_t pid, struct proc_id *ret);
/* This process. Fails only where /proc is missing. */
int proc_identify_self(struct proc_id *ret, struct err *err);
/* In doubt true: who is taken for dead is cleaned up after. */
bool proc_alive(const struct proc_id *id);

/* A pidfd of exactly this process, checked after opening; -ESRCH when it is gone, another -errno
 * when that is not known. pidfd_open(2), Linux 5.3. */
int proc_open(const struct proc_id *id);
int proc_signal_fd(int pidfd, int sig); /* pidfd_send_signal(2); -errno */

/* The running kernel's boot, /proc/sys/kernel/random/boot_id, 36 characters. */
int proc_boot_id(char ret[37], struct err *err);

/* Closes every descriptor from `first` up (close_range(2), Linux 5.9). */
int proc_close_from(int first);

/* "SIGTERM", "TERM", "15" -> 15; -EINVAL. Real-time signals as RTMIN+n, RTMAX-n. */
int proc_signal_number(const char *text);

/* Before a protected copy of this program is executed, whose /proc/self/exe leads nowhere:
 * remembers in the environment where it was, for proc_helper_path(). */
void proc_remember_program(void);
/* The file beside (or near) this program: ../libexec/cooper/NAME as seen from the directory of
 * /proc/self/exe, and the same directory; COOPER_LIBEXEC overrides. Caller frees; NULL and err if
 * absent. */
char *proc_helper_path(const char *name, struct err *err);
