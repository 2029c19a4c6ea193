#include "tutorial/world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <linux/magic.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tutorial/world_inside.h"

const char *world_cgroup(void)
{
    struct statfs fs;

    return !statfs("/sys/fs/cgroup", &fs) && fs.f_type == CGROUP2_SUPER_MAGIC ? "v2" : "v1";
}

/* --- cgroups: the one thing a keg that was killed leaves behind ------------------------------ */

static void list_cgroups(struct strv *ret)
{
    glob_t found = {0};

    glob("/sys/fs/cgroup/keg-*", 0, NULL, &found);
    glob("/sys/fs/cgroup/*/keg-*", GLOB_APPEND, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++)
        strv_add(ret, found.gl_pathv[i]);
    globfree(&found);
}

static int remove_cgroup(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_DP)
        rmdir(path);
    return 0;
}

static void remove_cgroups(const struct strv *except)
{
    cleanup_strv struct strv now = {0};

    list_cgroups(&now);
    for (size_t i = 0; i < now.len; i++)
        if (!strv_contains(except, now.items[i]))
            nftw(now.items[i], remove_cgroup, 8, FTW_PHYS | FTW_DEPTH);
}

/* --- life ------------------------------------------------------------------------------------ */

static void make_pipe(int *ret_read, int *ret_write)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        abort();
    /* The inside puts its own ends on 62 and 63, and they must not be there already. */
    *ret_read = fds[0];
    *ret_write = fds[1];
}

static void make_pipes(struct shell *ours, struct shell *theirs)
{
    make_pipe(&theirs->commands, &ours->commands);
    make_pipe(&ours->status, &theirs->status);
    make_pipe(&ours->output, &theirs->output);
    fcntl(ours->output, F_SETFL, O_NONBLOCK);
}

static void close_shell(struct shell *s)
{
    close_fd(&s->commands);
    close_fd(&s->status);
    close_fd(&s->output);
}

/* Everything up to the end of file, or up to a line that is empty: "ready". */
static bool read_report(int fd, struct buf *ret_why)
{
    char c, last = '\n';

    while (read(fd, &c, 1) == 1) {
        if (c == '\n' && last == '\n')
            return true;
        buf_add_char(ret_why, c);
        last = c;
    }
    return false;
}

bool world_open(struct world *w, const char *sources, struct buf *ret_why)
{
    struct inside in = {.sources = sources};
    cleanup_close int report = -1;
    bool ready;

    *w = (struct world){0};
    list_cgroups(&w->cgroups);
    /* The inside outlives the outside for a moment; it comes to us, and we see that it is gone. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_pipes(&w->root, &in.root);
    make_pipes(&w->user, &in.user);
    make_pipe(&report, &in.report);
    w->outside = fork();
    if (!w->outside) {
        close_shell(&w->root);
        close_shell(&w->user);
        close_fd(&report);
        world_outside(&in);
    }
    close_shell(&in.root);
    close_shell(&in.user);
    close_fd(&in.report);
    ready = w->outside > 0 && read_report(report, ret_why);
    if (!ready)
        world_close(w);
    return ready;
}

void world_close(struct world *w)
{
    close_shell(&w->root);
    close_shell(&w->user);
    if (w->outside > 0) {
        kill(w->outside, SIGKILL);
        while (wait(NULL) > 0 || errno == EINTR)
            ;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    remove_cgroups(&w->cgroups);
    strv_free(&w->cgroups);
    *w = (struct world){0};
}

/* --- commands -------------------------------------------------------------------------------- */

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static long limit_ms(void)
{
    const char *factor = getenv("CK_TIMEOUT_MULTIPLIER");
    double times = factor ? atof(factor) : 1;

    return (long)(60000 * (times > 0 ? times : 1));
}

static bool drain(int fd, struct buf *output)
{
    char piece[65536];
    ssize_t n;

    while ((n = read(fd, piece, sizeof piece)) > 0)
        buf_add(output, piece, (size_t)n);
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* A shell without a terminal says "bash: line 1: ls: not found" and "bash: line 1: 4711 Killed  keg
 * ..."; the reader's says "bash: ls: not found" and "Killed". */
static void as_on_a_terminal(struct buf *output)
{
    static const char pattern[] =
        "(^|\n)bash: (eval: )?line [0-9]+: "
        "( *[0-9]+ (Killed|Terminated|Aborted|Hangup|Segmentation fault|Bad system call)[^\n]*)?";
    struct buf b = {0};
    const char *from = output->data;
    regmatch_t at[5];
    regex_t regex;

    if (regcomp(&regex, pattern, REG_EXTENDED))
        abort();
    while (!regexec(&regex, from, 5, at, from == output->data ? 0 : REG_NOTBOL)) {
        buf_add(&b, from, (size_t)at[1].rm_eo);
        if (at[4].rm_so >= 0)
            buf_add(&b, from + at[4].rm_so, (size_t)(at[4].rm_eo - at[4].rm_so));
        else
            buf_add_str(&b, "bash: ");
        from += at[0].rm_eo;
    }
    buf_add_str(&b, from);
    regfree(&regex);
    buf_free(output);
    *output = b;
}

/* The status comes last, but what comes before it may still be in the other pipe. */
static int converse(struct shell *s, struct buf *output, long deadline)
{
    char answer[16] = {0};

    for (;;) {
        struct pollfd p[] = {{s->status, POLLIN, 0}, {s->output, POLLIN, 0}};
        long left = deadline - now_ms();

        if (left <= 0)
            return -1;
        if (poll(p, 2, (int)left) < 0 && errno != EINTR)
            return -1;
        if (p[1].revents && !drain(s->output, output) && !(p[0].revents & POLLIN))
            return -1;
        if (!p[0].revents)
            continue;
        drain(s->output, output);
        return read(s->status, answer, sizeof answer - 1) > 0 ? atoi(answer) : -1;
    }
}

int world_run(struct world *w, char prompt, const char *command, struct buf *ret_output)
{
    struct shell *s = prompt == '#' ? &w->root : &w->user;
    size_t n = strlen(command) + 1;
    int status;

    buf_add_str(ret_output, "");
    drain(s->output, ret_output); /* of what goes on in the background */
    if (write(s->commands, command, n) != (ssize_t)n)
        return -1;
    status = converse(s, ret_output, now_ms() + limit_ms());
    as_on_a_terminal(ret_output);
    return status;
}
