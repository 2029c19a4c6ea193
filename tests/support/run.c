#include "support/run.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static long left_ms(long deadline)
{
    long left = deadline - now_ms();

    return left > 0 ? left : 0;
}

/* In the child: becomes the command or dies with 127. */
static void become(const struct run_options *o, const int fds[3], const char *const argv[],
                   pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* it died before we asked for the signal */
    signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            _exit(127);
    if (o && o->directory && chdir(o->directory) < 0)
        _exit(127);
    for (size_t i = 0; o && o->environment && o->environment[i]; i++)
        putenv((char *)(size_t)o->environment[i]);
    execvp(argv[0], (char *const *)(size_t)argv);
    dprintf(2, "cannot execute '%s': %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* fork with the three standard descriptors; the caller keeps and closes its own copies. */
static pid_t spawn(const struct run_options *o, const int fds[3], const char *const argv[])
{
    pid_t parent = getpid(), pid;

    fflush(NULL);
    pid = fork();
    ck_assert_msg(pid >= 0, "fork: %s", strerror(errno));
    if (!pid)
        become(o, fds, argv, parent);
    return pid;
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_wait(pid_t pid, int timeout_s)
{
    cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    long deadline = now_ms() + timeout_s * 1000L;
    int status, r;

    ck_assert_msg(pidfd >= 0, "pidfd_open %d: %s", (int)pid, strerror(errno));
    do
        r = poll(&p, 1, (int)left_ms(deadline));
    while (r < 0 && errno == EINTR);
    if (r <= 0)
        return -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return exit_code(status);
}

/* What one run keeps an eye on. */
struct watch {
    int in, out, err, pidfd;
    const char *input;
    size_t input_left;
};

static void feed_input(struct watch *w)
{
    ssize_t n = w->input_left ? write(w->in, w->input, w->input_left) : 0;

    if (n > 0) {
        w->input += n;
        w->input_left -= (size_t)n;
    }
    if (!w->input_left || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&w->in); /* all fed, or nobody reads any more */
}

/* Reads what is there; closes at end of file. */
static void drain(int *fd, struct buf *b)
{
    char piece[65536];
    ssize_t n;

    if (*fd < 0)
        return;
    while ((n = read(*fd, piece, sizeof piece)) > 0)
        buf_add(b, piece, (size_t)n);
    if (!n || (errno != EAGAIN && errno != EINTR))
        close_fd(fd);
}

/* Moves data until the child ends; false after the deadline. */
static bool converse(struct watch *w, struct run_result *ret, long deadline)
{
    for (;;) {
        struct pollfd p[] = {
            {w->pidfd, POLLIN, 0}, {w->out, POLLIN, 0}, {w->err, POLLIN, 0}, {w->in, POLLOUT, 0}};
        int r = poll(p, 4, (int)left_ms(deadline));

        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return false;
        if (p[3].revents)
            feed_input(w);
        drain(&w->out, &ret->out);
        drain(&w->err, &ret->err);
        if (p[0].revents)
            return true;
    }
}

static void make_pipe(int fds[2], int ours)
{
    ck_assert_msg(!pipe2(fds, O_CLOEXEC), "pipe: %s", strerror(errno));
    fcntl(fds[ours], F_SETFL, O_NONBLOCK);
}

void run_argv(struct run_result *ret, const struct run_options *o, const char *const argv[])
{
    int in[2] = {-1, -1}, out[2], err[2], theirs[3], status;
    long deadline = now_ms() + (o && o->timeout_s ? o->timeout_s : 60) * 1000L;
    struct watch w = {.in = -1};
    pid_t pid;

    run_free(ret);
    buf_add_str(&ret->out, ""); /* never NULL from here on */
    buf_add_str(&ret->err, "");
    make_pipe(out, 0);
    make_pipe(err, 0);
    if (o && o->input) {
        make_pipe(in, 1);
        w.in = in[1];
        w.input = o->input;
        w.input_left = o->input_len;
    } else {
        in[0] = o && o->stdin_fd > 0 ? dup(o->stdin_fd) : open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    memcpy(theirs, (int[]){in[0], out[1], err[1]}, sizeof theirs);
    pid = spawn(o, theirs, argv);
    for (int i = 0; i < 3; i++)
        close(theirs[i]);
    w.out = out[0];
    w.err = err[0];
    w.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    ret->code = converse(&w, ret, deadline) ? 0 : -1;
    if (ret->code < 0)
        kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (!ret->code)
        ret->code = exit_code(status);
    drain(&w.out, &ret->out);
    drain(&w.err, &ret->err);
    close_fd(&w.in);
    close_fd(&w.out);
    close_fd(&w.err);
    close_fd(&w.pidfd);
}

void run_argv_ok(struct run_result *ret, const struct run_options *o, const char *const argv[])
{
    cleanup_buf struct buf line = {0};

    run_argv(ret, o, argv);
    for (size_t i = 0; argv[i]; i++)
        buf_printf(&line, "%s%s", i ? " " : "", argv[i]);
    ck_assert_msg(ret->code == 0, "'%s' gave %d\nstdout: %s\nstderr: %s", line.data, ret->code,
                  ret->out.data, ret->err.data);
}

void run_free(struct run_result *r)
{
    buf_free(&r->out);
    buf_free(&r->err);
    memset(r, 0, sizeof *r);
}

pid_t run_start(const struct run_options *o, const char *log, const char *const argv[])
{
    cleanup_close int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cleanup_close int out =
        open(log ? log : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    ck_assert_msg(in >= 0 && out >= 0, "cannot open '%s': %s", log ? log : "/dev/null",
                  strerror(errno));
    if (o && o->stdin_fd > 0)
        return spawn(o, (int[]){o->stdin_fd, out, out}, argv);
    return spawn(o, (int[]){in, out, out}, argv);
}

int run_stop(pid_t pid)
{
    int code;

    kill(pid, SIGTERM);
    code = run_wait(pid, 5);
    if (code >= 0)
        return code;
    kill(pid, SIGKILL);
    return run_wait(pid, 60);
}

char *run_wait_for_text(const char *path, const char *text, int timeout_s)
{
    cleanup_close int notify = inotify_init1(IN_CLOEXEC);
    cleanup_free char *directory = str_copy(path);
    long deadline = now_ms() + timeout_s * 1000L;
    char *slash = strrchr(directory, '/');

    /* The watch is set before the first look, so no change goes unseen. */
    if (slash)
        *slash = 0;
    ck_assert(inotify_add_watch(notify, slash ? directory : ".",
                                IN_MODIFY | IN_CREATE | IN_MOVED_TO) >= 0);
    for (;;) {
        struct pollfd p = {.fd = notify, .events = POLLIN};
        struct buf content = {0};
        struct err err = {0};
        char events[4096];

        if (!file_load(AT_FDCWD, path, 64 << 20, &content, &err) && strstr(content.data, text))
            return buf_steal(&content);
        buf_free(&content);
        if (poll(&p, 1, (int)left_ms(deadline)) == 0)
            return NULL;
        if (read(notify, events, sizeof events) < 0 && errno != EINTR)
            return NULL;
    }
}

bool run_has_program(const char *name)
{
    cleanup_strv struct strv path = {0};

    strv_split(&path, getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin", ':');
    for (size_t i = 0; i < path.len; i++) {
        cleanup_free char *file = str_format("%s/%s", path.items[i], name);

        if (!access(file, X_OK))
            return true;
    }
    return false;
}

char *temp_dir(void)
{
    const char *base = getenv("TMPDIR");
    char *path = str_format("%s/ct-XXXXXX", base && *base ? base : "/tmp");

    ck_assert_msg(mkdtemp(path), "mkdtemp '%s': %s", path, strerror(errno));
    return path;
}

void temp_dir_remove(char *path)
{
    struct err err = {0};

    if (!path)
        return;
    ck_assert_msg(!file_remove_tree(AT_FDCWD, path, &err), "cannot remove '%s': %s", path,
                  err.message);
    free(path);
}
