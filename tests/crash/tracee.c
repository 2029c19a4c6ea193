#include "crash/tracee.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "crash/calls.h"
#include "crash/memory.h"

/* --- birth ------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#define NATIVE 0
#endif

/* RET_TRACE for what is in the table. The kernel keeps a bitmap of what is always allowed, so the
 * length of the list costs other calls nothing. */
static int install_filter(void)
{
    struct sock_filter code[512] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    unsigned short n = 4;
    struct sock_fprog program;
    size_t count;
    const struct call *table = call_table(&count);

    for (size_t i = 0; i < count; i++) {
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                 (unsigned)table[i].number, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program = (struct sock_fprog){n, code};
    /* As root, without no_new_privs: that would change what the programs under test may do. */
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

_Noreturn void tracee_become(const char *const argv[], int go, int out, int err)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;
    char byte;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(127);
    if (go >= 0 && (read(go, &byte, 1) != 1 || install_filter() < 0))
        _exit(127);
    execv(argv[0], (char *const *)(size_t)argv);
    dprintf(2, "cannot execute '%s': %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* --- the list --------------------------------------------------------------------------------- */

struct tracee *tracee_find(struct tracees *all, pid_t tid)
{
    for (size_t i = 0; i < all->len; i++)
        if (all->items[i].tid == tid)
            return &all->items[i];
    return NULL;
}

/* A line "NAME:\tNUMBER" of /proc/TID/status. */
static pid_t status_number(pid_t tid, const char *name)
{
    char path[64], text[4096], *at;
    cleanup_close int file = -1;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    file = open(path, O_RDONLY | O_CLOEXEC);
    n = file < 0 ? -1 : file_read(file, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    at = strstr(text, name);
    return at ? atoi(at + strlen(name)) : 0;
}

struct tracee *tracee_meet(struct tracees *all, pid_t tid, pid_t parent)
{
    struct tracee *known = tracee_find(all, tid), *maker;
    struct tracee fresh = {.tid = tid};

    if (known)
        return known;
    fresh.tgid = status_number(tid, "\nTgid:");
    if (!fresh.tgid)
        fresh.tgid = tid;
    if (!parent)
        parent = fresh.tgid != tid ? fresh.tgid : status_number(tid, "\nPPid:");
    maker = tracee_find(all, parent);
    if (maker) {
        memcpy(fresh.program, maker->program, sizeof fresh.program);
        memcpy(fresh.stage, maker->stage, sizeof fresh.stage);
        fresh.counted = maker->counted;
        fresh.loading = maker->loading;
    }
    all->items = mem_grow(all->items, all->len + 1, sizeof *all->items);
    all->items[all->len] = fresh;
    return &all->items[all->len++];
}

void tracee_forget(struct tracees *all, pid_t tid)
{
    struct tracee *known = tracee_find(all, tid);

    if (known)
        *known = all->items[--all->len];
}

/* The kernel's name for it: that of the file. */
static void read_name(pid_t tid, char *ret, size_t size)
{
    char path[64];
    cleanup_close int file = -1;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)tid);
    file = open(path, O_RDONLY | O_CLOEXEC);
    n = file < 0 ? -1 : file_read(file, ret, size - 1);
    ret[n < 1 ? 0 : n - 1] = 0;
    if (*ret >= '0' && *ret <= '9') /* executed through /proc/self/fd */
        snprintf(ret, size, "-");
}

void tracee_executed(struct tracees *all, struct tracee *tracee)
{
    char path[64], text[256] = "", *name;
    cleanup_close int file = -1;

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)tracee->tid);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0 && file_read(file, text, sizeof text - 1) < 0)
        *text = 0;
    name = strrchr(text, '/') ? strrchr(text, '/') + 1 : text;
    snprintf(tracee->program, sizeof tracee->program, "%s", name);
    read_name(tracee->tid, tracee->stage, sizeof tracee->stage);
    tracee->counted = false;
    tracee->loading = true;
    for (size_t i = 0; all->programs[i]; i++)
        tracee->counted |= str_equal(all->programs[i], tracee->program);
}

/* --- looking at them -------------------------------------------------------------------------- */

#define EXITING 4 /* PF_EXITING, include/linux/sched.h */

/* As in /proc/TID/stat; who sleeps while the kernel takes him apart is 'E': more will come of it.
 */
static char state_of(pid_t tid)
{
    char path[64], text[512], *end, state = 'Z';
    cleanup_close int file = -1;
    unsigned flags = 0;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)tid);
    file = open(path, O_RDONLY | O_CLOEXEC);
    n = file < 0 ? -1 : file_read(file, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    end = strrchr(text, ')');
    if (end && sscanf(end + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) == 2)
        return state == 'S' && flags & EXITING ? 'E' : state;
    return state;
}

bool tracees_asleep(const struct tracees *all)
{
    for (size_t i = 0; i < all->len; i++)
        if (!strchr("SZX", state_of(all->items[i].tid)))
            return false;
    return true;
}

static void add_file(struct buf *b, pid_t tid, const char *name)
{
    char path[64], text[2048];
    cleanup_close int file = -1;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, name);
    file = open(path, O_RDONLY | O_CLOEXEC);
    n = file < 0 ? -1 : file_read(file, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    for (char *p = text; *p; p++)
        *p = *p == '\n' ? ' ' : *p;
    buf_add_str(b, text);
}

/* The first argument of the call as the descriptor it often is. */
static void describe_call(struct buf *b, pid_t tid)
{
    struct buf line = {0};
    char target[256];
    long number = -1;
    unsigned long first = 0;

    add_file(&line, tid, "syscall");
    if (line.len && sscanf(line.data, "%ld %lx", &number, &first) == 2) {
        memory_fd(tid, (int)first, target, sizeof target);
        buf_printf(b, "in %s(%s)", call_name(number), target);
    }
    buf_printf(b, " [%s]", line.data ? line.data : "");
    buf_free(&line);
}

void tracees_describe(const struct tracees *all, struct buf *ret)
{
    for (size_t i = 0; i < all->len; i++) {
        const struct tracee *t = &all->items[i];

        buf_printf(ret, "  %d %s %s: state %c ", (int)t->tid, t->program, t->stage,
                   state_of(t->tid));
        describe_call(ret, t->tid);
        buf_add_str(ret, " stack: ");
        add_file(ret, t->tid, "stack");
        buf_add_char(ret, '\n');
    }
}
