#include "crash/calls.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>

#define CALL(name, arguments, changes, errors)                                                     \
    {                                                                                              \
#name, SYS_##name, arguments, changes, errors, false                                       \
    }
#define SLOW(name, arguments, changes, errors)                                                     \
    {                                                                                              \
#name, SYS_##name, arguments, changes, errors, true                                        \
    }

enum { LOOKS = false, CHANGES = true };

/* clang-format off */
static const struct call table[] = {
    /* Names in a file system. Each needs a block of a directory or of the journal. */
    CALL(mkdirat,        "ds",   CHANGES, NOSPC | NOMEM | IO),
    CALL(mknodat,        "ds",   CHANGES, NOSPC | NOMEM | IO),
    CALL(symlinkat,      "sds",  CHANGES, NOSPC | NOMEM | IO),
    CALL(linkat,         "dsds", CHANGES, NOSPC | NOMEM | IO),
    CALL(renameat,       "dsds", CHANGES, NOSPC | NOMEM | IO),
    CALL(renameat2,      "dsds", CHANGES, NOSPC | NOMEM | IO),
    CALL(unlinkat,       "dsx",  CHANGES, NOMEM | IO),
    /* Openings: a change if they may make or empty a file (point.c looks at the flags). EAGAIN is
     * openat2(2)'s own: something was renamed while it resolved beneath a root. */
    CALL(openat,         "dsx",  LOOKS,   NOSPC | NOMEM | MFILE | IO),
    CALL(openat2,        "ds",   LOOKS,   NOMEM | MFILE | IO | AGAIN),
    /* Content and its way to the disk; messages to another process. */
    SLOW(write,          "f",    CHANGES, NOSPC | IO | INTR | AGAIN),
    SLOW(writev,         "f",    CHANGES, NOSPC | IO | INTR | AGAIN),
    CALL(pwrite64,       "f",    CHANGES, NOSPC | IO),
    CALL(ftruncate,      "f",    CHANGES, NOSPC | IO),
    CALL(fallocate,      "f",    CHANGES, NOSPC | IO | INTR),
    CALL(copy_file_range,"f.f",  CHANGES, NOSPC | NOMEM | IO),
    CALL(sendfile,       "ff",   CHANGES, NOSPC | NOMEM | IO),
    CALL(splice,         "f.f",  CHANGES, NOSPC | NOMEM | IO),
    CALL(fsync,          "f",    CHANGES, NOSPC | IO),
    CALL(fdatasync,      "f",    CHANGES, NOSPC | IO),
    SLOW(sendmsg,        "f",    CHANGES, NOMEM | INTR | AGAIN),
    SLOW(sendto,         "f",    CHANGES, NOMEM | INTR | AGAIN),
    /* Who owns it, who may, what is attached. */
    CALL(fchmod,         "f",    CHANGES, NOSPC | IO),
    CALL(fchmodat,       "ds",   CHANGES, NOSPC | NOMEM | IO),
    CALL(fchown,         "f",    CHANGES, NOSPC | IO),
    CALL(fchownat,       "ds",   CHANGES, NOSPC | NOMEM | IO),
    CALL(utimensat,      "ds",   CHANGES, NOSPC | NOMEM | IO),
    CALL(setxattr,       "ss",   CHANGES, NOSPC | NOMEM | IO),
    CALL(lsetxattr,      "ss",   CHANGES, NOSPC | NOMEM | IO),
    CALL(fsetxattr,      "fs",   CHANGES, NOSPC | NOMEM | IO),
    CALL(fremovexattr,   "fs",   CHANGES, NOSPC | NOMEM | IO),
    /* Mounts. ENOSPC: fs.mount-max. */
    CALL(mount,          "sss",  CHANGES, NOSPC | NOMEM),
    CALL(umount2,        "s",    CHANGES, NOMEM),
    CALL(open_tree,      "dsx",  CHANGES, NOSPC | NOMEM | MFILE),
    CALL(move_mount,     "dsds", CHANGES, NOSPC | NOMEM),
    CALL(fsopen,         "s",    CHANGES, NOMEM | MFILE),
    CALL(fsconfig,       "fis",  CHANGES, NOMEM | IO),
    CALL(fsmount,        "f",    CHANGES, NOSPC | NOMEM | MFILE),
    CALL(mount_setattr,  "ds",   CHANGES, NOMEM),
    CALL(pivot_root,     "ss",   CHANGES, NOMEM),
    CALL(chroot,         "s",    CHANGES, NOMEM | IO),
    CALL(chdir,          "s",    CHANGES, NOMEM | IO),
    CALL(fchdir,         "f",    CHANGES, IO),
    /* Processes and what they are in. ENOSPC: max_*_namespaces, or pid namespaces too deep. EAGAIN:
     * RLIMIT_NPROC or pids.max. */
    CALL(clone,          "x",    CHANGES, NOMEM | AGAIN),
    CALL(clone3,         "c",    CHANGES, NOSPC | NOMEM | MFILE | AGAIN),
    CALL(execve,         "s",    CHANGES, NOMEM | IO | AGAIN),
    CALL(execveat,       "ds",   CHANGES, NOMEM | IO | AGAIN),
    CALL(setns,          "fx",   CHANGES, NOMEM),
    CALL(unshare,        "x",    CHANGES, NOSPC | NOMEM),
    CALL(kill,           ".i",   CHANGES, 0),
    CALL(tgkill,         "..i",  CHANGES, 0),
    CALL(pidfd_send_signal, "fi", CHANGES, 0),
    CALL(setsid,         "",     CHANGES, 0),
    CALL(sethostname,    "",     CHANGES, 0),
    CALL(setdomainname,  "",     CHANGES, 0),
    CALL(prlimit64,      ".i",   CHANGES, 0),
    CALL(sched_setattr,  "",     CHANGES, 0),
    CALL(ioprio_set,     "",     CHANGES, 0),
    CALL(personality,    "x",    CHANGES, 0),
    CALL(keyctl,         "i",    CHANGES, NOMEM),
    /* Standing. EAGAIN: the new user has RLIMIT_NPROC processes already. */
    CALL(setresuid,      "i",    CHANGES, AGAIN),
    CALL(setresgid,      "i",    CHANGES, 0),
    CALL(setuid,         "i",    CHANGES, AGAIN),
    CALL(setgid,         "i",    CHANGES, 0),
    CALL(setgroups,      "i",    CHANGES, NOMEM),
    CALL(capset,         "",     CHANGES, 0),
    CALL(prctl,          "ii",   CHANGES, 0),
    CALL(seccomp,        "i",    CHANGES, NOMEM),
    CALL(bpf,            "i",    CHANGES, NOMEM | MFILE | AGAIN),
    /* Doors between processes. */
    CALL(bind,           "fa",   CHANGES, NOSPC | NOMEM | IO),
    CALL(listen,         "f",    CHANGES, 0),
    CALL(setsockopt,     "fii",  CHANGES, NOMEM),
    SLOW(connect,        "fa",   CHANGES, INTR | AGAIN),
    SLOW(accept4,        "f",    CHANGES, MFILE | NOMEM | INTR | AGAIN),
    CALL(ioctl,          "fx",   CHANGES, IO),
    CALL(flock,          "fi",   CHANGES, INTR),
    CALL(fcntl,          "fi",   CHANGES, AGAIN | INTR | MFILE), /* as the command goes: point.c */
    /* What changes nothing that outlives the process but may fail all the same. */
    CALL(socket,         "ii",   LOOKS,   MFILE | NOMEM),
    CALL(socketpair,     "ii",   LOOKS,   MFILE | NOMEM),
    CALL(pipe2,          "",     LOOKS,   MFILE | NOMEM),
    CALL(dup,            "f",    LOOKS,   MFILE),
    CALL(dup3,           "fi",   LOOKS,   INTR),
    CALL(memfd_create,   "s",    LOOKS,   MFILE | NOMEM),
    CALL(pidfd_open,     "",     LOOKS,   MFILE | NOMEM),
    CALL(inotify_init1,  "",     LOOKS,   MFILE | NOMEM),
    CALL(inotify_add_watch, "fs", LOOKS,  NOSPC | NOMEM),
    CALL(signalfd4,      "",     LOOKS,   MFILE | NOMEM),
    CALL(eventfd2,       "",     LOOKS,   MFILE | NOMEM),
    CALL(timerfd_create, "",     LOOKS,   MFILE | NOMEM),
    CALL(epoll_create1,  "",     LOOKS,   MFILE | NOMEM),
    CALL(epoll_ctl,      "fi",   LOOKS,   NOSPC | NOMEM),
    SLOW(read,           "f",    LOOKS,   IO | INTR | AGAIN),
    CALL(pread64,        "f",    LOOKS,   IO),
    SLOW(recvmsg,        "f",    LOOKS,   NOMEM | INTR | AGAIN),
    SLOW(recvfrom,       "f",    LOOKS,   NOMEM | INTR | AGAIN),
    CALL(ppoll,          "",     LOOKS,   NOMEM | INTR),
    CALL(epoll_pwait,    "f",    LOOKS,   INTR),
    CALL(wait4,          "",     LOOKS,   INTR),
    CALL(waitid,         "",     LOOKS,   INTR),
#ifndef __SANITIZE_ADDRESS__ /* whose own memory this is, too: without, it aborts */
    CALL(mmap,           "..x.f", LOOKS,  NOMEM),
#endif
    CALL(getdents64,     "f",    LOOKS,   NOMEM | IO),
#ifdef __x86_64__ /* what newer architectures never had */
    CALL(mkdir,          "s",    CHANGES, NOSPC | NOMEM | IO),
    CALL(rmdir,          "s",    CHANGES, NOMEM | IO),
    CALL(mknod,          "s",    CHANGES, NOSPC | NOMEM | IO),
    CALL(symlink,        "ss",   CHANGES, NOSPC | NOMEM | IO),
    CALL(link,           "ss",   CHANGES, NOSPC | NOMEM | IO),
    CALL(rename,         "ss",   CHANGES, NOSPC | NOMEM | IO),
    CALL(unlink,         "s",    CHANGES, NOMEM | IO),
    CALL(open,           "sx",   LOOKS,   NOSPC | NOMEM | MFILE | IO),
    CALL(chmod,          "s",    CHANGES, NOSPC | NOMEM | IO),
    CALL(chown,          "s",    CHANGES, NOSPC | NOMEM | IO),
    CALL(lchown,         "s",    CHANGES, NOSPC | NOMEM | IO),
    CALL(fork,           "",     CHANGES, NOMEM | AGAIN),
    CALL(vfork,          "",     CHANGES, NOMEM | AGAIN),
    SLOW(accept,         "f",    CHANGES, MFILE | NOMEM | INTR | AGAIN),
    CALL(dup2,           "fi",   LOOKS,   INTR),
    CALL(poll,           "",     LOOKS,   NOMEM | INTR),
    CALL(select,         "",     LOOKS,   NOMEM | INTR),
    CALL(epoll_wait,     "f",    LOOKS,   INTR),
#endif
};
/* clang-format on */

const struct call_error_name call_errors[CALL_ERRORS] = {
    {"ENOSPC", NOSPC, ENOSPC}, {"ENOMEM", NOMEM, ENOMEM}, {"EMFILE", MFILE, EMFILE},
    {"EINTR", INTR, EINTR},    {"EIO", IO, EIO},          {"EAGAIN", AGAIN, EAGAIN},
};

const struct call *call_find(long number)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].number == number)
            return &table[i];
    return NULL;
}

const struct call *call_table(size_t *ret_count)
{
    *ret_count = sizeof table / sizeof *table;
    return table;
}

const char *call_name(long number)
{
    const struct call *call = call_find(number);
    static char text[32];

    if (call)
        return call->name;
    snprintf(text, sizeof text, "call %ld", number);
    return text;
}
