/* watch - a hostile process in a container, after CVE-2016-9962: it waits for processes of a
 * runtime that come in and are not the user's program yet, and tries to get hold of what they have.
 *
 *     watch          until its standard input ends; then "saw N touched M", and what it touched
 *
 * A newcomer is known by its name: "exec:..." (joining), "init:..." or "usher". It has it for a
 * moment longer than it should: execve(2) changes the program first and the name a little later;
 * then /proc shows the new program. Static, as probe. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned saw, touched;
static char what[512];

static int is_newcomer(int pid)
{
    char path[64], name[32] = "";
    int fd;

    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, name, sizeof name - 1) < 0)
        name[0] = 0;
    close(fd);
    return !strncmp(name, "exec:", 5) || !strncmp(name, "init:", 5) || !strncmp(name, "usher", 5);
}

/* The user's program may be looked at. */
static int is_program(int pid)
{
    char path[64], target[256];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    n = readlink(path, target, sizeof target);
    return n == (ssize_t)strlen("/bin/probe") && !memcmp(target, "/bin/probe", (size_t)n);
}

static void note(int pid, const char *name)
{
    if (!is_newcomer(pid) || is_program(pid))
        return;
    touched++;
    if (!strstr(what, name) && strlen(what) + strlen(name) + 2 < sizeof what)
        strcat(strcat(what, " "), name);
}

static void try_file(int pid, const char *name)
{
    char path[64], byte;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    fd = open(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return;
    if (read(fd, &byte, 1) > 0) /* 0: a zombie has none */
        note(pid, name);
    close(fd);
}

static void try_link(int pid, const char *name)
{
    char path[64], target[256];

    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    if (readlink(path, target, sizeof target) > 0)
        note(pid, name);
}

static void try_calls(int pid)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)note, 1};
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
        note(pid, "ptrace");
        /* Only who has stopped can be let go, and until then its parent does not hear of its end.
         */
        ptrace(PTRACE_INTERRUPT, pid, 0, 0);
        waitpid(pid, NULL, __WALL);
        ptrace(PTRACE_DETACH, pid, 0, 0);
    }
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) > 0 || errno == EFAULT)
        note(pid, "process_vm_readv");
    for (int fd = 0; pidfd >= 0 && fd < 12; fd++) {
        int stolen = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

        if (stolen >= 0) {
            note(pid, "pidfd_getfd");
            close(stolen);
        }
    }
    if (pidfd >= 0)
        close(pidfd);
}

static void attack(int pid)
{
    if (!is_newcomer(pid))
        return;
    saw++;
    try_file(pid, "environ");
    try_file(pid, "mem");
    try_file(pid, "maps");
    try_file(pid, "auxv");
    try_link(pid, "exe");
    try_link(pid, "cwd");
    try_link(pid, "root");
    for (int fd = 0; fd < 8; fd++) {
        char name[16];

        snprintf(name, sizeof name, "fd/%d", fd);
        try_link(pid, name);
    }
    try_link(pid, "ns/mnt");
    try_calls(pid);
}

static void scan(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    while (proc && (entry = readdir(proc)))
        if (isdigit((unsigned char)*entry->d_name) && atoi(entry->d_name) != getpid())
            attack(atoi(entry->d_name));
    if (proc)
        closedir(proc);
}

int main(void)
{
    struct pollfd in = {.fd = 0, .events = POLLIN};

    printf("watching\n");
    fflush(stdout);
    while (poll(&in, 1, 0) == 0)
        scan();
    printf("saw %u touched %u%s\n", saw, touched, what);
    return 0;
}
