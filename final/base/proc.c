#include "base/proc.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

/* /proc/PID/stat: "pid (comm) state ...": comm may hold anything, so fields count from the last
 * ')'. */
static int read_stat(pid_t pid, char *ret_state, unsigned long long *ret_start)
{
    char path[64], text[1024], *p;
    cleanup_close int fd = -1;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    n = file_read(fd, text, sizeof text - 1);
    if (n <= 0)
        return n < 0 ? (int)n : -ESRCH; /* ESRCH also from read(2): it ended after we opened */
    text[n] = 0;
    p = strrchr(text, ')');
    if (!p ||
        sscanf(p + 1,
               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               ret_state, ret_start) != 2)
        return -EIO;
    return 0;
}

int proc_identify(pid_t pid, struct proc_id *ret)
{
    unsigned long long start;
    char state;
    int r = pid > 0 ? read_stat(pid, &state, &start) : -ESRCH;

    if (r < 0)
        return r;
    if (state == 'Z' || state == 'X')
        return -ESRCH;
    *ret = (struct proc_id){pid, start};
    return 0;
}

int proc_identify_self(struct proc_id *ret, struct err *err)
{
    int r = proc_identify(getpid(), ret);

    return r < 0 ? err_set(err, -r, "cannot identify this process in /proc: is /proc mounted?") : 0;
}

bool proc_alive(const struct proc_id *id)
{
    struct proc_id now;
    int r = proc_identify(id->pid, &now);

    return r < 0 ? r != -ESRCH : now.start == id->start;
}

int proc_open(const struct proc_id *id)
{
    cleanup_close int fd = -1;
    struct proc_id now;
    int r;

    if (id->pid <= 0)
        return -ESRCH;
    fd = (int)syscall(SYS_pidfd_open, id->pid, 0);
    if (fd < 0)
        return errno == EINVAL ? -ESRCH : -errno; /* EINVAL: a thread has the number now */
    r = proc_identify(id->pid, &now);
    if (r < 0)
        return r;
    return now.start == id->start ? steal_fd(&fd) : -ESRCH;
}

int proc_signal_fd(int pidfd, int sig)
{
    return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int proc_boot_id(char ret[37], struct err *err)
{
    cleanup_buf struct buf text = {0};
    int r = file_load(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, err);

    if (r < 0)
        return r;
    if (text.len < 36)
        return err_set(err, EIO, "the kernel's boot id is too short: '%s'", text.data);
    memcpy(ret, text.data, 36);
    ret[36] = 0;
    return 0;
}

int proc_close_from(int first)
{
    return syscall(SYS_close_range, (unsigned)first, ~0U, 0) < 0 ? -errno : 0;
}

static int realtime_signal(const char *name)
{
    bool from_min = str_starts(name, "RTMIN");
    unsigned long long offset = 0;

    if (!from_min && !str_starts(name, "RTMAX"))
        return -EINVAL;
    name += 5;
    if (*name && (*name != (from_min ? '+' : '-') || str_to_u64(name + 1, &offset) < 0))
        return -EINVAL;
    if (offset > (unsigned long long)(SIGRTMAX - SIGRTMIN))
        return -EINVAL;
    return from_min ? SIGRTMIN + (int)offset : SIGRTMAX - (int)offset;
}

int proc_signal_number(const char *text)
{
    unsigned long long number;
    char upper[32];
    size_t n = strlen(text);

    if (!str_to_u64(text, &number))
        return number >= 1 && number <= (unsigned)SIGRTMAX ? (int)number : -EINVAL;
    if (n >= sizeof upper)
        return -EINVAL;
    for (size_t i = 0; i <= n; i++)
        upper[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
    text = str_starts(upper, "SIG") ? upper + 3 : upper;
    for (int sig = 1; sig < SIGRTMIN; sig++) {
        const char *name = sigabbrev_np(sig);

        if (name && !strcmp(name, text))
            return sig;
    }
    return realtime_signal(text);
}

#define PROGRAM_VARIABLE "COOPER_PROGRAM"

void proc_remember_program(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n < 0)
        return;
    self[n] = 0;
    setenv(PROGRAM_VARIABLE, self, 1);
}

/* The directory of this program, or of the one this is a protected copy of. Caller frees. */
static char *program_directory(struct err *err)
{
    const char *remembered = getenv(PROGRAM_VARIABLE);
    char self[4096], *slash;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n < 0 && !remembered) {
        err_errno(err, "cannot read '/proc/self/exe'");
        return NULL;
    }
    self[n < 0 ? 0 : n] = 0;
    if (remembered && *remembered)
        snprintf(self, sizeof self, "%s", remembered);
    slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    return str_copy(self);
}

static char *executable_in(const char *directory, const char *place, const char *name)
{
    char *path = str_format("%s/%s/%s", directory, place, name);

    if (!access(path, X_OK))
        return path;
    free(path);
    return NULL;
}

char *proc_helper_path(const char *name, struct err *err)
{
    static const char *const places[] = {"../libexec/cooper", ".", "../../libexec/cooper",
                                         "../../bin"}; /* the last one from libexec/cooper */
    const char *given = getenv("COOPER_LIBEXEC");
    cleanup_free char *directory = NULL;
    char *path = NULL;

    if (given && *given) /* it may hold only some: cooper itself is not in libexec/ */
        path = executable_in(given, ".", name);
    if (path)
        return path;
    directory = program_directory(err);
    for (size_t i = 0; directory && !path && i < sizeof places / sizeof *places; i++)
        path = executable_in(directory, places[i], name);
    if (directory && !path)
        err_set(err, ENOENT,
                "cannot find the program '%s' beside '%s': is cooper installed completely? (make "
                "install)",
                name, directory);
    return path;
}
