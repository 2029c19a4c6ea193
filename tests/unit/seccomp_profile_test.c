/* What the profiles decide. */
#include "support/suite.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "runtime/runtime.h"
#include "support/bpf.h"

#if defined(__x86_64__)

struct program {
    struct sock_filter code[BPF_MAXINSNS];
    size_t len;
};

/* A head of 16 bytes, the instructions behind it. */
static void load_program(int fd, struct program *ret)
{
    ssize_t n;

    ck_assert_int_eq(lseek(fd, 16, SEEK_SET), 16);
    n = file_read(fd, ret->code, sizeof ret->code);
    ck_assert_int_gt(n, 0);
    ret->len = (size_t)n / sizeof *ret->code;
}

static struct program filter;

static void compile_with(const char *const *names)
{
    cleanup_strv struct strv caps = {0};
    cleanup_close int fd = memfd_create("filter", 0);
    struct err err = {0};

    for (; *names; names++)
        strv_add(&caps, *names);
    ck_assert_msg(!runtime_seccomp_compile_default(&caps, fd, &err), "%s", err.message);
    load_program(fd, &filter);
}

static void compile_default(void)
{
    compile_with(runtime_default_caps);
}

/* 0: allowed; else the errno. */
static int verdict_on(uint32_t arch, int nr, uint64_t a0, uint64_t a1)
{
    struct seccomp_data data = {.nr = nr, .arch = arch, .args = {a0, a1}};
    uint32_t action = bpf_run(filter.code, filter.len, &data);

    if (action == SECCOMP_RET_ALLOW)
        return 0;
    ck_assert_uint_eq(action & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ERRNO);
    return (int)(action & SECCOMP_RET_DATA);
}

static int verdict(int nr, uint64_t a0)
{
    return verdict_on(AUDIT_ARCH_X86_64, nr, a0, 0);
}

static const struct {
    int nr;
    uint64_t argument;
    int verdict;
} cases[] = {
    {SYS_read, 0, 0},
    {SYS_execve, 0, 0},
    {SYS_ptrace, 0, 0},
    {SYS_chroot, 0, 0}, /* CAP_SYS_CHROOT is one of the fourteen */
    {SYS_memfd_create, 0, 0},
    {SYS_landlock_create_ruleset, 0, 0},
    {451, 0, 0}, /* cachestat */
    {452, 0, 0}, /* fchmodat2 */
    {462, 0, 0}, /* mseal */
    {466, 0, 0}, /* removexattrat */
    /* clone: flags of threads and of fork, and each namespace */
    {SYS_clone, 0x003d0f00, 0},
    {SYS_clone, 0x01200011, 0},
    {SYS_clone, 0x00020000, EPERM}, /* NEWNS */
    {SYS_clone, 0x02000000, EPERM}, /* NEWCGROUP */
    {SYS_clone, 0x04000000, EPERM}, /* NEWUTS */
    {SYS_clone, 0x08000000, EPERM}, /* NEWIPC */
    {SYS_clone, 0x10000000, EPERM}, /* NEWUSER */
    {SYS_clone, 0x20000000, EPERM}, /* NEWPID */
    {SYS_clone, 0x40000000, EPERM}, /* NEWNET */
    {SYS_clone, 0x7e020011, EPERM},
    {SYS_clone3, 0, ENOSYS},
    /* socket */
    {SYS_socket, AF_UNIX, 0},
    {SYS_socket, AF_INET, 0},
    {SYS_socket, AF_INET6, 0},
    {SYS_socket, AF_NETLINK, 0},
    {SYS_socket, AF_PACKET, 0},
    {SYS_socket, 0, 0},
    {SYS_socket, 11, 0},
    {SYS_socket, 12, EPERM},
    {SYS_socket, AF_ALG, EPERM},
    {SYS_socket, AF_VSOCK, EPERM},
    {SYS_socket, 45, 0},
    {SYS_socket, 46, EPERM},
    {SYS_socket, 0xffffffff, EPERM},
    {SYS_socket, UINT64_C(0x100000002), EPERM}, /* what the kernel would cut off */
    {SYS_socket, UINT64_C(0x100000028), EPERM},
    /* personality */
    {SYS_personality, 0, 0},
    {SYS_personality, 8, 0},
    {SYS_personality, 0x20000, 0},
    {SYS_personality, 0x20008, 0},
    {SYS_personality, 0xffffffff, 0},
    {SYS_personality, 0x40000, EPERM},
    {SYS_personality, 1, EPERM},
    {SYS_personality, 0x20009, EPERM},
    /* known, and not for containers */
    {SYS_mount, 0, EPERM},
    {SYS_umount2, 0, EPERM},
    {SYS_unshare, 0, EPERM},
    {SYS_setns, 0, EPERM},
    {SYS_pivot_root, 0, EPERM},
    {SYS_fsopen, 0, EPERM},
    {SYS_move_mount, 0, EPERM},
    {SYS_mount_setattr, 0, EPERM},
    {SYS_bpf, 0, EPERM},
    {SYS_perf_event_open, 0, EPERM},
    {SYS_userfaultfd, 0, EPERM},
    {SYS_io_uring_setup, 0, EPERM},
    {SYS_io_uring_enter, 0, EPERM},
    {SYS_io_uring_register, 0, EPERM},
    {SYS_keyctl, 0, EPERM},
    {SYS_add_key, 0, EPERM},
    {SYS_request_key, 0, EPERM},
    {SYS_kexec_load, 0, EPERM},
    {SYS_kexec_file_load, 0, EPERM},
    {SYS_init_module, 0, EPERM},
    {SYS_finit_module, 0, EPERM},
    {SYS_delete_module, 0, EPERM},
    {SYS_open_by_handle_at, 0, EPERM},
    {SYS_swapon, 0, EPERM},
    {SYS_swapoff, 0, EPERM},
    {SYS_reboot, 0, EPERM},
    {SYS_syslog, 0, EPERM},
    {SYS_acct, 0, EPERM},
    {SYS_settimeofday, 0, EPERM},
    {SYS_clock_settime, 0, EPERM},
    {SYS_quotactl, 0, EPERM},
    {SYS_lookup_dcookie, 0, EPERM},
    {SYS_move_pages, 0, EPERM},
    {SYS_migrate_pages, 0, EPERM},
    {SYS_mbind, 0, EPERM},
    {SYS_kcmp, 0, EPERM},
    {SYS_process_madvise, 0, EPERM},
    {SYS_fanotify_init, 0, EPERM},
    {SYS_pidfd_getfd, 0, EPERM},
    {SYS_uselib, 0, EPERM},
    {SYS_ustat, 0, EPERM},
    {SYS_sysfs, 0, EPERM},
    {SYS_vhangup, 0, EPERM},
    {SYS_iopl, 0, EPERM},
    {SYS_sethostname, 0, EPERM},
    /* nobody has heard of them */
    {400, 0, ENOSYS},
    {500, 0, ENOSYS},
    {9999, 0, ENOSYS},
};

START_TEST(the_default_profile_decides)
{
    compile_default();
    ck_assert_msg(verdict(cases[_i].nr, cases[_i].argument) == cases[_i].verdict,
                  "call %d(0x%llx): %d instead of %d", cases[_i].nr,
                  (unsigned long long)cases[_i].argument, verdict(cases[_i].nr, cases[_i].argument),
                  cases[_i].verdict);
}
END_TEST

/* i386 and x32 reach the same kernel by other numbers. */
START_TEST(other_abis_are_filtered_too)
{
    compile_default();
    ck_assert_int_eq(verdict_on(AUDIT_ARCH_I386, 3, 0, 0), 0);                /* read */
    ck_assert_int_eq(verdict_on(AUDIT_ARCH_I386, 21, 0, 0), EPERM);           /* mount */
    ck_assert_int_eq(verdict_on(AUDIT_ARCH_I386, 120, 0x10000000, 0), EPERM); /* clone NEWUSER */
    ck_assert_int_eq(verdict_on(AUDIT_ARCH_I386, 120, 0x11, 0), 0);
    ck_assert_int_eq(verdict_on(AUDIT_ARCH_I386, 310, 0, 0), EPERM);        /* unshare */
    ck_assert_int_eq(verdict_on(AUDIT_ARCH_I386, 359, AF_VSOCK, 0), EPERM); /* socket */
    ck_assert_int_eq(verdict_on(AUDIT_ARCH_X86_64, 0x40000000 + 0, 0, 0), 0);
    ck_assert_int_eq(verdict_on(AUDIT_ARCH_X86_64, 0x40000000 + SYS_mount, 0, 0), EPERM);
    ck_assert_int_eq(verdict_on(AUDIT_ARCH_X86_64, 0x40000000 + 9999, 0, 0), ENOSYS);
}
END_TEST

START_TEST(a_capability_opens_its_calls)
{
    static const char *const admin[] = {"CAP_SYS_ADMIN", NULL}, *const time[] = {"CAP_SYS_TIME",
                                                                                 NULL};

    compile_with(admin);
    ck_assert_int_eq(verdict(SYS_mount, 0), 0);
    ck_assert_int_eq(verdict(SYS_unshare, 0), 0);
    ck_assert_int_eq(verdict(SYS_clone, 0x10000000), 0);
    ck_assert_int_eq(verdict(SYS_clone3, 0), 0);
    ck_assert_int_eq(verdict(SYS_bpf, 0), 0);
    ck_assert_int_eq(verdict(SYS_chroot, 0), EPERM);
    ck_assert_int_eq(verdict(SYS_settimeofday, 0), EPERM);
    ck_assert_int_eq(verdict(SYS_pivot_root, 0), EPERM); /* nobody's */
    compile_with(time);
    ck_assert_int_eq(verdict(SYS_settimeofday, 0), 0);
    ck_assert_int_eq(verdict(SYS_mount, 0), EPERM);
}
END_TEST

static void compile_text(const char *text, const char *const *names)
{
    cleanup_strv struct strv caps = {0};
    cleanup_close int fd = memfd_create("filter", 0), file = memfd_create("profile", 0);
    cleanup_free char *path = str_format("/proc/self/fd/%d", file);
    struct err err = {0};

    for (; *names; names++)
        strv_add(&caps, *names);
    ck_assert(!file_write(file, text, strlen(text)));
    ck_assert_msg(!runtime_seccomp_compile_file(path, &caps, fd, &err), "%s", err.message);
    load_program(fd, &filter);
}

START_TEST(a_profile_file_is_read_as_docker_does)
{
    static const char profile[] =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"syscalls\":["
        "{\"names\":[\"read\",\"nosuchcall\"],\"action\":\"SCMP_ACT_ALLOW\"},"
        "{\"name\":\"write\",\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,"
        "\"op\":\"SCMP_CMP_EQ\"},"
        "{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]},"
        "{\"names\":[\"chroot\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_"
        "CHROOT\"]}},"
        "{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_"
        "ADMIN\"]}},"
        "{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_KILL\"]}"
        "},"
        "{\"names\":[\"ptrace\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"4.8\"}"
        "},"
        "{\"names\":[\"getpid\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"99."
        "0\"}},"
        "{\"names\":[\"getuid\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"s390x\"]"
        "}},"
        "{\"names\":[\"getgid\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"amd64\"]"
        "}},"
        "{\"names\":[\"reboot\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":13}]}";

    compile_text(profile, runtime_default_caps);
    ck_assert_int_eq(verdict(SYS_read, 0), 0);
    ck_assert_int_eq(verdict(SYS_write, 1), 0);
    ck_assert_int_eq(verdict(SYS_write, 2), 0);
    ck_assert_int_eq(verdict(SYS_write, 3), ENOSYS);
    ck_assert_int_eq(verdict(SYS_chroot, 0), 0);
    ck_assert_int_eq(verdict(SYS_mount, 0), ENOSYS);
    ck_assert_int_eq(verdict(SYS_kill, 0), ENOSYS);
    ck_assert_int_eq(verdict(SYS_ptrace, 0), 0);
    ck_assert_int_eq(verdict(SYS_getpid, 0), ENOSYS);
    ck_assert_int_eq(verdict(SYS_getuid, 0), ENOSYS);
    ck_assert_int_eq(verdict(SYS_getgid, 0), 0);
    ck_assert_int_eq(verdict(SYS_reboot, 0), 13);
}
END_TEST

static const char *const bad_profiles[] = {
    "",
    "{",
    "[]",
    "{\"defaultAction\":\"ALLOW\"}",
    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[1],\"action\":\"SCMP_ACT_"
    "KILL\"}]}",
    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_"
    "ACT_X\"}]}",
    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_"
    "ACT_KILL\","
    "\"args\":[{\"index\":9,\"op\":\"SCMP_CMP_EQ\"}]}]}",
    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_"
    "ACT_KILL\","
    "\"args\":[{\"index\":1,\"op\":\"EQ\"}]}]}",
};

START_TEST(a_bad_profile_is_an_error)
{
    cleanup_close int fd = memfd_create("filter", 0), file = memfd_create("profile", 0);
    cleanup_free char *path = str_format("/proc/self/fd/%d", file);
    struct strv none = {0};
    struct err err = {0};

    ck_assert(!file_write(file, bad_profiles[_i], strlen(bad_profiles[_i])));
    ck_assert_int_lt(runtime_seccomp_compile_file(path, &none, fd, &err), 0);
    ck_assert_str_ne(err.message, "");
}
END_TEST

SUITE(seccomp_profile)
{
    TCase *t = tcase_create("seccomp profile");

    tcase_add_loop_test(t, the_default_profile_decides, 0, sizeof cases / sizeof *cases);
    tcase_add_test(t, other_abis_are_filtered_too);
    tcase_add_test(t, a_capability_opens_its_calls);
    tcase_add_test(t, a_profile_file_is_read_as_docker_does);
    tcase_add_loop_test(t, a_bad_profile_is_an_error, 0,
                        sizeof bad_profiles / sizeof *bad_profiles);
    suite_add_tcase(suite, t);
}

#endif
