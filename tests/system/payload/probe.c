/* probe - runs inside a container and tells what it sees. Static and without any needs of its own,
 * so that an image of this one file is enough.
 *
 *     probe COMMAND [ARGUMENT...] [+ COMMAND [ARGUMENT...]]...
 *
 * Each command prints lines "command arguments: answer"; an answer "E<NAME>" is an errno. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void answer_errno(long r)
{
    if (r >= 0)
        printf("ok\n");
    else
        printf("E%s\n", strerrorname_np(errno) + 1);
}

static int cat(char **a)
{
    char text[65536];
    int fd = open(a[0], O_RDONLY | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

    if (n < 0)
        answer_errno(-1);
    else
        printf("<%.*s>\n", (int)n, text);
    return 0;
}

/* Like cat, but only how many bytes there were. */
static int size(char **a)
{
    char text[65536];
    int fd = open(a[0], O_RDONLY | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

    if (n < 0)
        answer_errno(-1);
    else
        printf("%zd\n", n);
    return 0;
}

static int put(char **a)
{
    int fd = open(a[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    answer_errno(fd < 0 ? -1 : write(fd, a[1], strlen(a[1])));
    return 0;
}

static int list(char **a)
{
    DIR *dir = opendir(a[0]);
    struct dirent *entry;

    if (!dir) {
        answer_errno(-1);
        return 0;
    }
    printf("[");
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            printf("%s ", entry->d_name);
    printf("]\n");
    return 0;
}

static int link_of(char **a)
{
    char target[4096];
    ssize_t n = readlink(a[0], target, sizeof target);

    if (n < 0)
        answer_errno(-1);
    else
        printf("%.*s\n", (int)n, target);
    return 0;
}

static int stat_of(char **a)
{
    struct stat st;

    if (lstat(a[0], &st) < 0)
        answer_errno(-1);
    else
        printf("%06o %u:%u %u:%u %lld\n", st.st_mode, st.st_uid, st.st_gid, major(st.st_rdev),
               minor(st.st_rdev), (long long)st.st_size);
    return 0;
}

/* One line of /proc/self/status. */
static int status(char **a)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[4096];
    size_t n = strlen(a[0]);

    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, a[0], n) && line[n] == ':')
            printf("%s", line + n + 2);
    return 0;
}

static int ids(char **a)
{
    gid_t groups[256];
    int n = getgroups(256, groups);

    (void)a;
    printf("%u %u [", getuid(), getgid());
    for (int i = 0; i < n; i++)
        printf("%u ", groups[i]);
    printf("]\n");
    return 0;
}

static int self(char **a)
{
    char cwd[4096] = "?", host[256] = "?", name[32] = "?";
    mode_t mask = umask(0);

    (void)a;
    umask(mask);
    if (!getcwd(cwd, sizeof cwd))
        strcpy(cwd, "?");
    gethostname(host, sizeof host);
    prctl(PR_GET_NAME, name);
    printf("pid=%d ppid=%d sid=%d cwd=%s host=%s umask=%04o name=%s dumpable=%d\n", getpid(),
           getppid(), getsid(0), cwd, host, mask, name, prctl(PR_GET_DUMPABLE));
    return 0;
}

static int env(char **a)
{
    char *value = getenv(a[0]);

    printf("%s\n", value ? value : "(unset)");
    return 0;
}

static int environment(char **a)
{
    (void)a;
    for (char **e = environ; *e; e++)
        printf("%s;", *e);
    printf("\n");
    return 0;
}

/* Open descriptors, but the one that lists them. */
static int fds(char **a)
{
    (void)a;
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d ", fd);
    printf("\n");
    return 0;
}

static int make_node(char **a)
{
    answer_errno(mknod(a[0], (a[1][0] == 'b' ? S_IFBLK : S_IFCHR) | 0600,
                       makedev((unsigned)atoi(a[2]), (unsigned)atoi(a[3]))));
    return 0;
}

static int open_rw(char **a)
{
    answer_errno(open(a[0], O_RDWR | O_NONBLOCK | O_CLOEXEC));
    return 0;
}

static int call(char **a)
{
    long arg[6] = {0};

    for (int i = 0; i < 6 && a[i + 1] && strcmp(a[i + 1], "+"); i++)
        arg[i] = strtol(a[i + 1], NULL, 0);
    answer_errno(syscall(strtol(a[0], NULL, 0), arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]));
    return 0;
}

static int make_dir(char **a)
{
    answer_errno(mkdir(a[0], 0755));
    return 0;
}

static int remove_dir(char **a)
{
    answer_errno(rmdir(a[0]));
    return 0;
}

static int mount_tmpfs(char **a)
{
    answer_errno(mount("tmpfs", a[0], "tmpfs", 0, NULL));
    return 0;
}

/* The old way out of a chroot(2): into a directory below while standing above, and up. Lists where
 * that leads to. */
static int escape(char **a)
{
    (void)a;
    mkdir("/tmp/below", 0700);
    if (chdir("/") < 0 || chroot("/tmp/below") < 0) {
        answer_errno(-1);
        return 0;
    }
    for (int i = 0; i < 100; i++)
        if (chdir("..") < 0)
            break;
    return list((char *[]){"."});
}

static int unmount(char **a)
{
    answer_errno(umount2(a[0], MNT_DETACH));
    return 0;
}

static int remount_rw(char **a)
{
    answer_errno(mount(NULL, a[0], NULL, MS_REMOUNT | MS_BIND, NULL));
    return 0;
}

/* The top mount at a path: "ro,nosuid,relatime shared:5 - tmpfs source rw,size=4k", or "no". */
static int mounted(char **a)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[8192], found[8192] = "no";

    while (f && fgets(line, sizeof line, f)) {
        char point[4096];
        int options = 0;

        if (sscanf(line, "%*s %*s %*s %*s %4095s %n", point, &options) == 1 && !strcmp(point, a[0]))
            strcpy(found, line + options);
    }
    printf("%.*s\n", (int)strcspn(found, "\n"), found);
    return 0;
}

/* Touches N MiB. */
static int hog(char **a)
{
    size_t mib = strtoul(a[0], NULL, 10);

    for (size_t i = 0; i < mib; i++) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED) {
            answer_errno(-1);
            return 0;
        }
        memset(p, 1, 1 << 20);
    }
    printf("%zu MiB\n", mib);
    return 0;
}

/* Starts up to N processes that all wait; says how many there could be. */
static int fork_bomb(char **a)
{
    int wanted = atoi(a[0]), made = 0, why = 0;

    while (made < wanted) {
        pid_t pid = fork();

        if (pid < 0) {
            why = errno;
            break;
        }
        if (!pid) {
            close(0); /* nobody shall wait for us at the other end */
            close(1);
            close(2);
            pause();
            _exit(0);
        }
        made++;
    }
    printf("%d %s\n", made, why ? strerrorname_np(why) : "no limit");
    return 0;
}

/* Uses a processor for N milliseconds of processor time. */
static int burn(char **a)
{
    clock_t end = clock() + atol(a[0]) * (CLOCKS_PER_SEC / 1000);

    while (clock() < end)
        ;
    printf("done\n");
    return 0;
}

static int tty(char **a)
{
    struct winsize size = {0};
    char name[256] = "?";

    (void)a;
    ioctl(0, TIOCGWINSZ, &size);
    ttyname_r(0, name, sizeof name);
    printf("%d%d%d %s %ux%u foreground=%d\n", isatty(0), isatty(1), isatty(2), name, size.ws_row,
           size.ws_col, tcgetpgrp(0) == getpgrp());
    return 0;
}

static int wait_eof(char **a)
{
    char c;

    (void)a;
    fflush(stdout);
    while (read(0, &c, 1) > 0)
        ;
    printf("eof\n");
    return 0;
}

static int handle_term(char **a)
{
    sigset_t term;
    int sig;

    (void)a;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    printf("waiting\n");
    fflush(stdout);
    sigwait(&term, &sig);
    printf("signal %d\n", sig);
    return 0;
}

/* An orphan: a grandchild whose parent ends at once; then how many children we got that we never
 * made. */
static int orphan(char **a)
{
    pid_t child = fork();

    (void)a;
    if (!child) {
        if (!fork())
            _exit(7);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("made\n");
    return 0;
}

/* States of all processes we can see: "1S 7R ". */
static int states(char **a)
{
    (void)a;
    for (int pid = 1; pid < 200; pid++) {
        char path[64], text[512] = "", *state;
        int fd;

        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY);
        if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
            continue;
        close(fd);
        state = strrchr(text, ')');
        if (state)
            printf("%d%c ", pid, state[2]);
    }
    printf("\n");
    return 0;
}

static int leave(char **a)
{
    exit(atoi(a[0]));
}

static int die_by(char **a)
{
    signal(atoi(a[0]), SIG_DFL);
    kill(getpid(), atoi(a[0]));
    return 0;
}

static int ignored_signals(char **a)
{
    return status((char *[]){"SigIgn", a[0]});
}

static const struct {
    const char *name;
    int arguments;
    int (*run)(char **arguments);
} commands[] = {
    {"cat", 1, cat},
    {"size", 1, size},
    {"put", 2, put},
    {"list", 1, list},
    {"link", 1, link_of},
    {"stat", 1, stat_of},
    {"status", 1, status},
    {"ids", 0, ids},
    {"self", 0, self},
    {"env", 1, env},
    {"environment", 0, environment},
    {"fds", 0, fds},
    {"mknod", 4, make_node},
    {"open", 1, open_rw},
    {"call", 1, call},
    {"mkdir", 1, make_dir},
    {"rmdir", 1, remove_dir},
    {"mount", 1, mount_tmpfs},
    {"remount", 1, remount_rw},
    {"unmount", 1, unmount},
    {"escape", 0, escape},
    {"mounted", 1, mounted},
    {"hog", 1, hog},
    {"fork", 1, fork_bomb},
    {"burn", 1, burn},
    {"tty", 0, tty},
    {"wait", 0, wait_eof},
    {"term", 0, handle_term},
    {"orphan", 0, orphan},
    {"states", 0, states},
    {"exit", 1, leave},
    {"die", 1, die_by},
    {"true", 0, NULL},
    {"ignored", 0, ignored_signals},
};

static int run_one(char **words, int count)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(words[0], commands[i].name))
            continue;
        if (count - 1 < commands[i].arguments)
            break;
        if (!commands[i].run)
            return 0;
        printf("%s", words[0]);
        for (int k = 1; k < count; k++)
            printf(" %s", words[k]);
        printf(": ");
        return commands[i].run(words + 1);
    }
    printf("probe: no command '%s' with %d arguments\n", words[0], count - 1);
    return 2;
}

int main(int argc, char **argv)
{
    int r = 0;

    for (int i = 1; i < argc && !r; i++) {
        int first = i;

        while (i < argc && strcmp(argv[i], "+"))
            i++;
        r = run_one(argv + first, i - first);
        fflush(stdout);
    }
    return r;
}
