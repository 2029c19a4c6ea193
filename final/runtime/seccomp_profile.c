/* The default profile: which of some 480 system calls a container may make.
 *
 * The kernel's surface is the wall between containers. Ordinary programs need about 360 of its
 * calls; the others are for managing the machine, rarely used, and where most of the kernel's
 * privilege bugs were. Three verdicts:
 *
 *     allowed     seccomp_allowed, a group whose capability the container has, a rule that fits
 *     EPERM       known and not allowed: what a program without the privilege would be told anyway
 *     ENOSYS      everything nobody has decided about: newer calls. libc then uses the older way,
 * where EPERM would make it give up
 */
#include "runtime/seccomp_profile.h"

#include <stddef.h>

/* One name a line would be 400 lines. */
/* clang-format off */
const char *const seccomp_allowed[] = {
    /* files and directories */
    "access", "cachestat", "chdir", "chmod", "chown", "chown32", "close", "close_range",
    "copy_file_range", "creat", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64",
    "fadvise64_64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown",
    "fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync", "flock", "fstat", "fstat64",
    "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "futimesat",
    "getcwd", "getdents", "getdents64", "ioctl", "lchown", "lchown32", "link", "linkat",
    "_llseek", "lseek", "lstat", "lstat64", "mkdir", "mkdirat", "mknod", "mknodat",
    "name_to_handle_at", "newfstatat", "open", "openat", "openat2", "pread64", "preadv",
    "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat",
    "readv", "rename", "renameat", "renameat2", "rmdir", "sendfile", "sendfile64", "splice",
    "stat", "stat64", "statfs", "statfs64", "statx", "symlink", "symlinkat", "sync",
    "sync_file_range", "syncfs", "tee", "truncate", "truncate64", "umask", "unlink", "unlinkat",
    "utime", "utimensat", "utimensat_time64", "utimes", "vmsplice", "write", "writev",
    "listmount", "statmount",
    /* extended attributes */
    "fgetxattr", "flistxattr", "fremovexattr", "fsetxattr", "getxattr", "getxattrat",
    "lgetxattr", "listxattr", "listxattrat", "llistxattr", "lremovexattr", "lsetxattr",
    "removexattr", "removexattrat", "setxattr", "setxattrat",
    /* waiting for events, asynchronous input and output */
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "fanotify_mark",
    "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel",
    "io_destroy", "io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup",
    "io_submit", "_newselect", "pause", "pipe", "pipe2", "poll", "ppoll", "ppoll_time64",
    "pselect6", "pselect6_time64", "select", "signalfd", "signalfd4", "timerfd_create",
    "timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64",
    /* memory */
    "brk", "madvise", "map_shadow_stack", "membarrier", "memfd_create", "memfd_secret",
    "mincore", "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "mseal",
    "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
    "process_mrelease", "remap_file_pages",
    /* processes, their identity, limits and scheduling */
    "alarm", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "futex",
    "futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake", "getcpu",
    "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
    "getgroups32", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getresgid",
    "getresgid32", "getresuid", "getresuid32", "getrlimit", "get_robust_list", "getrusage",
    "getsid", "get_thread_area", "gettid", "getuid", "getuid32", "ioprio_get", "ioprio_set",
    "kill", "pidfd_open", "pidfd_send_signal", "prctl", "prlimit64", "process_vm_readv",
    "process_vm_writev", "ptrace", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending",
    "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_getaffinity", "sched_getattr",
    "sched_getparam", "sched_get_priority_max", "sched_get_priority_min", "sched_getscheduler",
    "sched_rr_get_interval", "sched_rr_get_interval_time64", "sched_setaffinity",
    "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "setfsgid",
    "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups", "setgroups32",
    "setpgid", "setpriority", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid",
    "setresuid32", "setreuid", "setreuid32", "setrlimit", "set_robust_list", "setsid",
    "set_thread_area", "set_tid_address", "setuid", "setuid32", "sigaltstack", "sigprocmask",
    "sigreturn", "tgkill", "tkill", "ugetrlimit", "uretprobe", "vfork", "wait4", "waitid",
    "waitpid",
    /* sandboxes of the program's own */
    "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp",
    /* time */
    "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64",
    "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
    "getitimer", "gettimeofday", "nanosleep", "setitimer", "time", "timer_create",
    "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
    "timer_settime64", "times",
    /* sockets; socket(2) itself has rules */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
    "listen", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg",
    "sendmsg", "sendto", "setsockopt", "shutdown", "socketcall", "socketpair",
    /* System V and POSIX messages, semaphores, shared memory */
    "ipc", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64",
    "mq_timedsend", "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd",
    "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt",
    "shmget",
    /* the machine, harmlessly */
    "getrandom", "sysinfo", "uname",
#if defined(__x86_64__)
    "arch_prctl", "modify_ldt",
#elif defined(__aarch64__)
    "arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush", "set_tls",
    "sync_file_range2",
#elif defined(__riscv)
    "riscv_flush_icache", "riscv_hwprobe",
#endif
    NULL,
};

const char *const seccomp_denied[] = {
    "_sysctl", "add_key", "afs_syscall", "create_module", "get_kernel_syms", "getpmsg",
    "io_uring_enter", "io_uring_register", "io_uring_setup", "kexec_file_load", "kexec_load",
    "keyctl", "migrate_pages", "move_pages", "nfsservctl", "nice", "pivot_root", "putpmsg",
    "query_module", "request_key", "security", "swapoff", "swapon", "sysfs", "tuxcall",
    "uselib", "userfaultfd", "ustat", "vm86", "vm86old", "vserver", "open_tree_attr",
    NULL,
};

#define CALLS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
const struct seccomp_group seccomp_groups[] = {
    {"CAP_BPF", CALLS("bpf")},
    {"CAP_DAC_READ_SEARCH", CALLS("open_by_handle_at")},
    {"CAP_PERFMON", CALLS("perf_event_open")},
    {"CAP_SYSLOG", CALLS("syslog")},
    {"CAP_SYS_ADMIN",
     CALLS("bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick",
           "lookup_dcookie", "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr", "mount",
           "mount_setattr", "move_mount", "open_tree", "perf_event_open", "quotactl", "quotactl_fd",
           "setdomainname", "sethostname", "setns", "syslog", "umount", "umount2", "unshare")},
    {"CAP_SYS_BOOT", CALLS("reboot")},
    {"CAP_SYS_CHROOT", CALLS("chroot")},
    {"CAP_SYS_MODULE", CALLS("delete_module", "finit_module", "init_module")},
    {"CAP_SYS_NICE", CALLS("get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node")},
    {"CAP_SYS_PACCT", CALLS("acct")},
    {"CAP_SYS_PTRACE", CALLS("kcmp", "pidfd_getfd", "process_madvise")},
    {"CAP_SYS_RAWIO", CALLS("ioperm", "iopl")},
    {"CAP_SYS_TIME", CALLS("clock_settime", "clock_settime64", "settimeofday", "stime")},
    {"CAP_SYS_TTY_CONFIG", CALLS("vhangup")},
    {NULL, NULL},
};

/* All of CLONE_NEW* that clone(2) knows: cgroup, uts, ipc, user, pid, net, ns. */
#define NEW_NAMESPACES UINT64_C(0x7e020000)

#define FAMILY(number)  {"socket", NULL, 0, number, 0}
#define PERSONA(number) {"personality", NULL, 0, number, 0}
const struct seccomp_rule seccomp_rules[] = {
/* s390 has the flags of clone(2) second. */
#if defined(__s390__)
    {"clone", "CAP_SYS_ADMIN", 1, 0, NEW_NAMESPACES},
#else
    {"clone", "CAP_SYS_ADMIN", 0, 0, NEW_NAMESPACES},
#endif
    /* The address families programs use; not AF_ALG (38) and AF_VSOCK (40), which reach deep into
     * the kernel and to the hypervisor, and none that is dead. */
    FAMILY(0), FAMILY(1), FAMILY(2), FAMILY(3), FAMILY(4), FAMILY(5), FAMILY(6), FAMILY(7),
    FAMILY(8), FAMILY(9), FAMILY(10), FAMILY(11), FAMILY(13), FAMILY(14), FAMILY(15),
    FAMILY(16), FAMILY(17), FAMILY(18), FAMILY(21), FAMILY(22), FAMILY(24), FAMILY(26),
    FAMILY(27), FAMILY(28), FAMILY(29), FAMILY(30), FAMILY(31), FAMILY(32), FAMILY(33),
    FAMILY(35), FAMILY(36), FAMILY(39), FAMILY(41), FAMILY(42), FAMILY(43), FAMILY(44),
    FAMILY(45),
    /* Linux, Linux 32 bit, each with the UNAME26 lie, and "what is it now". */
    PERSONA(0), PERSONA(8), PERSONA(0x20000), PERSONA(0x20008), PERSONA(0xffffffff),
    {NULL, NULL, 0, 0, 0},
};

const struct seccomp_number seccomp_new_calls[] = {
    {"quotactl_fd", 443},
    {"landlock_create_ruleset", 444},
    {"landlock_add_rule", 445},
    {"landlock_restrict_self", 446},
    {"process_mrelease", 448},
    {"futex_waitv", 449},
    {"set_mempolicy_home_node", 450},
    {"cachestat", 451},
    {"fchmodat2", 452},
    {"map_shadow_stack", 453},
    {"futex_wake", 454},
    {"futex_wait", 455},
    {"futex_requeue", 456},
    {"statmount", 457},
    {"listmount", 458},
    {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},
    {"mseal", 462},
    {"setxattrat", 463},
    {"getxattrat", 464},
    {"listxattrat", 465},
    {"removexattrat", 466},
    {"open_tree_attr", 467},
#if defined(__x86_64__)
    {"uretprobe", 335},
#endif
    {NULL, 0},
};
