/* What the kernel says about a process. */
#include "grade/grade.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* An emulated machine is slow: Check's own multiplier stretches the judge's patience as well. */
int fact_patience_ms(void)
{
    const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER"), *ms = getenv("GRADE_PATIENCE_MS");
    int times = multiplier ? atoi(multiplier) : 1;

    return (ms ? atoi(ms) : 4000) * (times > 0 ? times : 1);
}

char *fact_file(const char *path)
{
    FILE *f = fopen(path, "re");
    struct buf b = {0};
    char piece[4096];
    size_t n;

    while (f && (n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_add(&b, piece, n);
    if (f)
        fclose(f);
    return buf_steal(&b);
}

bool fact_same_content(const char *a, const char *b)
{
    FILE *f = fopen(a, "re"), *g = fopen(b, "re");
    int c = f && g ? 0 : 1, d = 0;

    while (f && g && c == d && c != EOF) {
        c = getc_unlocked(f);
        d = getc_unlocked(g);
    }
    if (f)
        fclose(f);
    if (g)
        fclose(g);
    return c == d;
}

const char *fact_status(pid_t pid, const char *name)
{
    static char value[256];
    cleanup_free char *path = str_format("/proc/%d/status", (int)pid);
    cleanup_free char *all = fact_file(path), *wanted = str_format("\n%s:", name);
    const char *at = strstr(all, wanted);

    value[0] = 0;
    if (at) {
        at += strlen(wanted);
        at += strspn(at, " \t");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\n"), at);
    }
    return value;
}

unsigned long long fact_capabilities(pid_t pid, const char *set)
{
    return strtoull(fact_status(pid, set), NULL, 16);
}

int fact_inner_pid(pid_t pid)
{
    const char *list = fact_status(pid, "NSpid"), *last = strrchr(list, '\t');

    return atoi(last ? last + 1 : list);
}

unsigned long long fact_namespace(pid_t pid, const char *kind)
{
    char path[64];
    struct stat st;

    if (pid)
        snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    else
        snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    return stat(path, &st) < 0 ? 0 : st.st_ino;
}

char *fact_path(pid_t pid, const char *path)
{
    return str_format("/proc/%d/root%s", (int)pid, path);
}

bool fact_sees(pid_t pid, const char *path)
{
    cleanup_free char *full = fact_path(pid, path);
    struct stat st;

    return lstat(full, &st) == 0;
}

int fact_pidfd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0)
        broken("pidfd_open %d: %m", (int)pid);
    return fd;
}

bool fact_gone(int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, fact_patience_ms()) > 0;
}

bool fact_becomes(bool (*holds)(void *), void *context)
{
    for (int waited = 0; waited < fact_patience_ms(); waited += 20) {
        if (holds(context))
            return true;
        poll(NULL, 0, 20);
    }
    return false;
}
