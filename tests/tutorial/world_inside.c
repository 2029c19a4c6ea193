#include "tutorial/world_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* Reads commands, each up to a NUL, and says how each ended. Its own two descriptors are closed for
 * what it runs, so that a listing of /proc/self/fd shows none of them. It is read from the standard
 * input, whole because of the braces, so that a listing of processes shows "bash" and nothing else.
 */
static const char driver[] = "{ exec </dev/null\n"
                             "while IFS= read -r -d '' -u 63 line; do\n"
                             "eval \"$line\" 62>&- 63<&-\n"
                             "printf '%s\\n' \"$?\" >&62\n"
                             "done; exit; }\n";

/* The working copy: what git would take, or everything that is not built, where there is no git. */
static const char copy[] =
    "set -e\n"
    "cd \"$1\"\n"
    "if [ -e .git ] && git ls-files -z --cached --others --exclude-standard >\"$2/list\" "
    "2>/dev/null\n"
    "then tar --null --ignore-failed-read -T \"$2/list\" -cf - 2>/dev/null\n"
    "else tar --exclude=./build --exclude='./build-*' --exclude=./.git --exclude='./steps/*/*.o' "
    "--exclude='./steps/*/keg' -cf - .\n"
    "fi | tar -xf - --no-same-owner -C \"$2/cooper\"\n"
    "rm -f \"$2/list\"\n"
    "chown -R 65534:65534 \"$2/cooper\"\n";

/* Here "make -n" tells whether the target exists. What it makes belongs to the ordinary user, who in
 * the introduction is the one to type it. */
static const char build[] =
    "cd /tmp/cooper && { ! make -n rootfs >/dev/null 2>&1 || make rootfs >/tmp/log 2>&1 ||\n"
    "{ tail -n 20 /tmp/log >&2; false; }; } && rm -f /tmp/log\n"
    "[ ! -d build ] || chown -R 65534:65534 build\n";

static int report_fd = -1;

static void fail(const char *what, const char *value)
{
    dprintf(report_fd, "cannot %s '%s': %s\n", what, value, strerror(errno));
    _exit(1);
}

/* Standard error is the report: a command that fails has told why. */
static pid_t start(const char *const argv[])
{
    pid_t pid = fork();

    if (pid < 0)
        fail("fork for", argv[0]);
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(report_fd, 2);
    execvp(argv[0], (char *const *)(size_t)argv);
    fail("execute", argv[0]);
    return -1;
}

#define RUN_HERE(...) run_here((const char *const[]){__VA_ARGS__, NULL})
static void run_here(const char *const argv[])
{
    pid_t pid = start(argv);
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            fail("wait for", argv[0]);
    if (status) {
        errno = ECANCELED;
        fail("run", argv[0]);
    }
}

static void mount_here(const char *type, const char *target, unsigned long flags, const char *data)
{
    if (mount(type, target, type, flags, data) < 0)
        fail("mount", target);
}

static void write_here(const char *path, const char *text)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        fail("write", path);
}

/* Process ids of three digits would come and go with the first commands; the text masks longer
 * ones. */
static void start_pids_at(const char *last)
{
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, last, strlen(last)) < 0)
        fail("write", "/proc/sys/kernel/ns_last_pid");
    close_fd(&fd);
}

/* A layer over /var/lib, so that a directory can be made there; an image store in the layer could
 * not be a lower directory once more (the kernel stacks two), so that is a plain tmpfs. */
static void own_var_lib(void)
{
    mount_here("tmpfs", "/mnt", 0, "mode=755");
    if (mkdir("/mnt/upper", 0755) < 0 || mkdir("/mnt/work", 0755) < 0)
        fail("make directories in", "/mnt");
    if (mount("overlay", "/var/lib", "overlay", 0,
              "lowerdir=/var/lib,upperdir=/mnt/upper,workdir=/mnt/work") < 0)
        mount_here("tmpfs", "/var/lib", 0, "mode=755");
    umount2("/mnt", MNT_DETACH);
    if (mkdir("/var/lib/keg", 0755) < 0 && errno != EEXIST)
        fail("make", "/var/lib/keg");
    mount_here("tmpfs", "/var/lib/keg", 0, "mode=755");
}

/* What a command may write to without saying so. */
static const struct {
    const char *path, *mode;
} empty[] = {
    {"/root", "mode=700"},     {"/home", "mode=755"},     {"/run", "mode=755"},
    {"/dev/shm", "mode=1777"}, {"/var/tmp", "mode=1777"},
};

static void own_files(const char *sources)
{
    umount2("/mnt", MNT_DETACH); /* the outside's web pages */
    mount_here("tmpfs", "/mnt", 0, "mode=1777");
    if (mkdir("/mnt/cooper", 0755) < 0)
        fail("make", "/mnt/cooper");
    RUN_HERE("bash", "-c", copy, "copy", sources, "/mnt");
    if (mount("/mnt", "/tmp", NULL, MS_MOVE, NULL) < 0)
        fail("move the working copy to", "/tmp");
    own_var_lib();
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        mount_here("tmpfs", empty[i].path, 0, empty[i].mode);
    if (mkdir("/home/reader", 0755) < 0 || chown("/home/reader", WORLD_USER, WORLD_USER) < 0)
        fail("make", "/home/reader");
    RUN_HERE("bash", "-c", build);
}

static void own_network(void)
{
    /* As on a freshly installed machine: a new namespace may begin with what the first one has. */
    write_here("/proc/sys/net/ipv4/ip_forward", "0");
    RUN_HERE("ip", "link", "set", "lo", "up");
    RUN_HERE("ip", "address", "add", "203.0.113.2/24", "dev", "eth0");
    RUN_HERE("ip", "link", "set", "eth0", "up");
    RUN_HERE("ip", "route", "add", "default", "via", "203.0.113.1");
}

static void become_user(void)
{
    if (setgroups(0, NULL) < 0 || setresgid(WORLD_USER, WORLD_USER, WORLD_USER) < 0 ||
        setresuid(WORLD_USER, WORLD_USER, WORLD_USER) < 0)
        _exit(1);
}

static void start_shell(const struct shell *s, bool user)
{
    struct err err = {0};
    cleanup_close int script = file_memfd("shell", driver, sizeof driver - 1, &err);

    if (fork())
        return;
    setsid(); /* no terminal to ask anything on */
    signal(SIGPIPE, SIG_DFL);
    dup2(script, 0);
    dup2(s->output, 1);
    dup2(s->output, 2);
    dup2(s->status, 62);
    dup2(s->commands, 63);
    setenv("HOME", user ? "/home/reader" : "/root", 1);
    setenv("USER", user ? "nobody" : "root", 1);
    close_range(3, 61, 0);
    close_range(64, ~0U, 0);
    if (user)
        become_user();
    execlp("bash", "bash", (char *)NULL);
    _exit(1);
}

static void clean_environment(void)
{
    clearenv();
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/root", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TERM", "dumb", 1);
    umask(022);
}

/* PID 1 inside. `go` ends when the outside has made the link. */
static void inside(const struct inside *in, int go)
{
    char byte;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(go, &byte, 1) != 1)
        _exit(1);
    clean_environment();
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        fail("make private", "/");
    mount_here("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (sethostname("debian", 6) < 0)
        fail("name", "the host");
    own_network();
    own_files(in->sources);
    start_pids_at("4000");
    if (chdir("/tmp/cooper") < 0)
        fail("change to", "/tmp/cooper");
    start_shell(&in->root, false);
    start_shell(&in->user, true);
    dprintf(in->report, "\n");
    /* Nothing more to do but to be there. Ignoring SIGCHLD outlives exec, and reaps. */
    signal(SIGCHLD, SIG_IGN);
    execlp("sleep", "init", "infinity", (char *)NULL);
    fail("execute", "sleep");
}

/* What answers at 203.0.113.1. */
static void serve(const char *link_to)
{
    RUN_HERE("ip", "link", "add", "book0", "type", "veth", "peer", "name", "eth0", "netns",
             link_to);
    RUN_HERE("ip", "link", "set", "lo", "up");
    RUN_HERE("ip", "address", "add", "203.0.113.1/24", "dev", "book0");
    RUN_HERE("ip", "link", "set", "book0", "up");
    start((const char *const[]){"busybox", "httpd", "-f", "-p", "203.0.113.1:80", "-h", "/mnt",
                                NULL});
}

static void close_ends(const struct shell *s)
{
    close(s->commands);
    close(s->status);
    close(s->output);
}

void world_outside(const struct inside *in)
{
    int go[2];
    char number[16];
    pid_t pid;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    report_fd = in->report;
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
        fail("make namespaces for", "the outside");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        fail("make private", "/");
    mount_here("tmpfs", "/mnt", 0, "mode=755");
    write_here("/mnt/index.html", "hello from the outside\n");
    if (pipe2(go, O_CLOEXEC) < 0)
        fail("make", "a pipe");
    pid = (pid_t)syscall(SYS_clone,
                         CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
                             SIGCHLD,
                         0, 0, 0, 0);
    if (pid < 0)
        fail("make namespaces for", "the inside");
    close(go[pid ? 0 : 1]);
    if (!pid)
        inside(in, go[0]);
    snprintf(number, sizeof number, "%d", (int)pid);
    serve(number);
    if (write(go[1], "", 1) != 1)
        _exit(1);
    close(in->report);
    close_ends(&in->root); /* so that a shell that ends is seen to */
    close_ends(&in->user);
    waitpid(pid, NULL, 0);
    _exit(0);
}
