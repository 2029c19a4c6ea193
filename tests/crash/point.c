#include "crash/point.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "crash/memory.h"

#define TEXT_MAX 512

/* --- lists ------------------------------------------------------------------------------------ */

void point_list_free(struct point_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        free(list->items[i].key);
    free(list->items);
    *list = (struct point_list){0};
}

static void append(struct point_list *list, const struct point *point)
{
    list->items = mem_grow(list->items, list->len + 1, sizeof *list->items);
    list->items[list->len++] = *point;
}

void point_list_add(struct point_list *list, struct point *point)
{
    unsigned before = 0;

    for (size_t i = list->len; i-- > 0 && !before;)
        if (str_equal(list->items[i].key, point->key))
            before = list->items[i].occurrence;
    point->occurrence = before + 1;
    append(list, point);
}

static bool has(const struct point_list *list, const struct point *point)
{
    for (size_t i = 0; i < list->len; i++)
        if (list->items[i].occurrence == point->occurrence &&
            str_equal(list->items[i].key, point->key))
            return true;
    return false;
}

void point_list_join(struct point_list *list, const struct point_list *more)
{
    for (size_t i = 0; i < more->len; i++) {
        struct point copy = more->items[i];

        if (has(list, &copy))
            continue;
        copy.key = str_copy(copy.key);
        append(list, &copy);
    }
}

/* --- what differs from run to run ------------------------------------------------------------- */

static size_t hex_run(const char *text)
{
    return strspn(text, "0123456789abcdef");
}

/* mkstemp(3)'s, as crun and runc use it. */
static size_t temporary_run(const char *text)
{
    if (!str_starts(text, "crun.") && !str_starts(text, "runc."))
        return 0;
    return strcspn(text, "/,) ");
}

char *point_alike(const char *text)
{
    struct buf ret = {0};

    buf_add_str(&ret, "");
    while (*text) {
        size_t hex = hex_run(text), digits = strspn(text, "0123456789");
        size_t temporary = temporary_run(text);

        if (temporary) {
            buf_add_str(&ret, "TEMP");
            text += temporary;
        } else if (hex >= 12) {
            buf_add_str(&ret, "ID");
            text += hex;
        } else if (digits) {
            buf_add_char(&ret, 'N');
            text += digits;
        } else {
            buf_add_char(&ret, isprint((unsigned char)*text) ? *text : '?');
            text++;
        }
    }
    return buf_steal(&ret);
}

/* --- the arguments ---------------------------------------------------------------------------- */

static void add_alike(struct buf *b, const char *text)
{
    cleanup_free char *alike = point_alike(text);

    buf_add_str(b, alike);
}

static void add_fd(struct buf *b, pid_t tid, int fd)
{
    char text[TEXT_MAX];

    memory_fd(tid, fd, text, sizeof text);
    add_alike(b, text);
}

/* A path, after the directory it is relative to. */
static void add_text(struct buf *b, const struct stopped *at, uint64_t address, int directory)
{
    char text[TEXT_MAX];

    memory_read_text(at->tid, address, text, sizeof text);
    if (directory >= 0 && *text != '/') {
        add_fd(b, at->tid, directory);
        buf_add_char(b, '/');
    }
    add_alike(b, text);
}

static void add_clone_flags(struct buf *b, const struct stopped *at, uint64_t address)
{
    struct clone_args args = {0};

    memory_read(at->tid, address, &args, CLONE_ARGS_SIZE_VER0);
    buf_printf(b, "%llx", (unsigned long long)args.flags);
}

static void add_address(struct buf *b, const struct stopped *at, uint64_t address, uint64_t size)
{
    struct sockaddr_un name = {0};

    memory_read(at->tid, address, &name, size < sizeof name ? size : sizeof name);
    if (name.sun_family == AF_UNIX)
        add_alike(b, name.sun_path);
    else
        buf_printf(b, "family %d", name.sun_family);
}

static void describe_arguments(const struct stopped *at, struct buf *ret)
{
    int directory = -1;

    for (size_t i = 0; at->call->arguments[i]; i++) {
        uint64_t value = at->args[i];
        char kind = at->call->arguments[i];

        if (kind == '.')
            continue;
        if (kind == 'd') {
            directory = (int)value;
            continue;
        }
        if (ret->len && ret->data[ret->len - 1] != '(')
            buf_add_char(ret, ',');
        if (kind == 's')
            add_text(ret, at, value, directory);
        else if (kind == 'f')
            add_fd(ret, at->tid, (int)value);
        else if (kind == 'x')
            buf_printf(ret, "%llx", (unsigned long long)value);
        else if (kind == 'i')
            buf_printf(ret, "%lld", (long long)(int)value);
        else if (kind == 'c')
            add_clone_flags(ret, at, value);
        else if (kind == 'a')
            add_address(ret, at, value, at->args[i + 1]);
        directory = -1;
    }
}

/* --- which uses of a call matter, and how they can fail --------------------------------------- */

/* The dynamic loader's work is the C library's business. */
static bool of_the_loader(const char *key)
{
    return strstr(key, ".so") != NULL;
}

static bool is(const struct stopped *at, const char *name)
{
    return !strcmp(at->call->name, name);
}

static void narrow_open(const struct stopped *at, struct point *ret)
{
    struct open_how how = {.flags = at->args[is(at, "open") ? 1 : 2]};
    bool makes;

    if (is(at, "openat2"))
        memory_read(at->tid, at->args[2], &how, sizeof how);
    makes = how.flags & O_CREAT || (how.flags & O_TMPFILE) == O_TMPFILE;
    ret->changes = makes || how.flags & O_TRUNC;
    if (!makes)
        ret->errors &= ~(unsigned)NOSPC;
}

/* Locks and copies of descriptors; what only asks or marks cannot fail. */
static bool narrow_fcntl(const struct stopped *at, struct point *ret)
{
    struct flock lock = {0};

    switch (at->args[1]) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        ret->changes = false;
        ret->errors = MFILE;
        return true;
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        memory_read(at->tid, at->args[2], &lock, sizeof lock);
        ret->errors = lock.l_type == F_UNLCK                                 ? 0
                      : at->args[1] == F_SETLK || at->args[1] == F_OFD_SETLK ? AGAIN
                                                                             : INTR;
        return true;
    case F_ADD_SEALS:
        ret->errors = 0;
        return true;
    default:
        return false;
    }
}

static void narrow_flock(const struct stopped *at, struct point *ret)
{
    if (at->args[1] & LOCK_UN)
        ret->errors = 0;
    else if (at->args[1] & LOCK_NB)
        ret->errors = AGAIN;
}

static bool prctl_changes(uint64_t option)
{
    static const int changing[] = {PR_SET_PDEATHSIG, PR_SET_DUMPABLE,        PR_SET_KEEPCAPS,
                                   PR_CAPBSET_DROP,  PR_SET_SECUREBITS,      PR_SET_NO_NEW_PRIVS,
                                   PR_SET_SECCOMP,   PR_SET_CHILD_SUBREAPER, PR_CAP_AMBIENT,
                                   PR_SET_MM};

    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
        if ((int)option == changing[i])
            return true;
    return false;
}

static bool ioctl_asks(uint64_t request)
{
    static const unsigned long asking[] = {TCGETS, TIOCGWINSZ, FIONREAD, TIOCGPTN, TIOCGPGRP};

    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
        if (request == asking[i])
            return true;
    return false;
}

/* There is no disk behind a control group, and to remove one takes no memory. */
static void narrow_group(const struct stopped *at, struct point *ret)
{
    char path[TEXT_MAX];

    memory_read_text(at->tid, at->args[0], path, sizeof path);
    if (str_starts(path, "/sys/fs/cgroup/"))
        ret->errors &= is(at, "rmdir") ? 0 : NOSPC | NOMEM;
}

/* False: nothing would come of stopping here. */
static bool narrow(const struct stopped *at, struct point *ret)
{
    if (is(at, "open") || is(at, "openat") || is(at, "openat2"))
        narrow_open(at, ret);
    else if (is(at, "fcntl"))
        return narrow_fcntl(at, ret);
    else if (is(at, "flock"))
        narrow_flock(at, ret);
    else if (is(at, "prctl"))
        return prctl_changes(at->args[0]);
    else if (is(at, "ioctl"))
        return !ioctl_asks(at->args[1]);
    else if (is(at, "prlimit64"))
        return at->args[2] != 0;
    else if (is(at, "kill"))
        return at->args[1] != 0;
    else if (is(at, "seccomp"))
        return at->args[0] == SECCOMP_SET_MODE_FILTER;
    else if (is(at, "wait4") || is(at, "waitid"))
        return !(at->args[is(at, "wait4") ? 2 : 3] & WNOHANG);
    else if (is(at, "accept4") && !strcmp(at->stage, "init:waiting"))
        ret->errors &= ~(unsigned)MFILE; /* it has had more open than now, with the same limit */
    else if (is(at, "rmdir") || is(at, "mkdir"))
        narrow_group(at, ret);
    return true;
}

static bool told_not_to_wait(const struct stopped *at)
{
    bool message = is(at, "recvmsg") || is(at, "sendmsg");
    bool bytes = is(at, "recvfrom") || is(at, "sendto");

    if (memory_fd_flags(at->tid, (int)at->args[0]) & O_NONBLOCK)
        return true;
    return (message && at->args[2] & MSG_DONTWAIT) || (bytes && at->args[3] & MSG_DONTWAIT);
}

/* See `if_slow`. */
static void narrow_slow(const struct stopped *at, struct point *ret)
{
    int fd = (int)at->args[0];
    char text[TEXT_MAX];

    if (!at->call->if_slow)
        return;
    memory_fd(at->tid, fd, text, sizeof text);
    if (!str_starts(text, "pipe:") && !str_starts(text, "socket:") && !str_starts(text, "/dev/p") &&
        !str_starts(text, "anon_inode:")) {
        ret->errors &= ~(unsigned)(INTR | AGAIN);
        return;
    }
    if (*text != '/')
        ret->errors &= ~(unsigned)(NOSPC | IO);
    /* Only where there is nothing to read would read(2) say so, and that is no failure. */
    if (is(at, "read") || !told_not_to_wait(at))
        ret->errors &= ~(unsigned)AGAIN;
}

bool point_describe(const struct stopped *at, struct point *ret)
{
    struct point point = {.changes = at->call->changes, .errors = at->call->errors};
    struct buf key = {0};

    if (!narrow(at, &point) || (at->loading && is(at, "mmap")))
        return false;
    buf_printf(&key, "%s %s %s(", at->program, at->stage, at->call->name);
    describe_arguments(at, &key);
    buf_add_char(&key, ')');
    if (of_the_loader(key.data)) {
        buf_free(&key);
        return false;
    }
    narrow_slow(at, &point);
    point.key = buf_steal(&key);
    *ret = point;
    return true;
}
