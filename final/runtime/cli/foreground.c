/* Theory of operation: one poll(2) loop over a signalfd and, with a terminal, over stdin and the
 * terminal's master. Without one the process has our own stdin and stdout, and there is nothing to
 * relay. Output is written in pieces that a pipe with room takes at once (PIPE_BUF), so the loop
 * never blocks and signals are passed on even while nobody reads. */
#include "runtime/cli/foreground.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Forwarded: what a person, a shell or a supervisor sends. Not those that are about ourselves
 * (SIGPIPE, faults), and SIGWINCH has its own meaning. */
static const int forwarded[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,
                                SIGUSR2, SIGALRM, SIGCONT, SIGTSTP};

struct relay {
    int master, slave;
    bool raw, stdin_open;
    struct termios saved;
    char in[PIPE_BUF], out[PIPE_BUF];
    size_t in_len, out_at, out_len;
};

int foreground_begin(bool subreaper, struct err *err)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGWINCH);
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
        sigaddset(&set, forwarded[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return err_errno(err, "cannot receive signals");
    if (subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        close(fd);
        return err_errno(err, "cannot become a subreaper");
    }
    return fd;
}

/* --- the terminal ----------------------------------------------------------------------------- */

static bool own_size(struct winsize *ret)
{
    return !ioctl(STDIN_FILENO, TIOCGWINSZ, ret) || !ioctl(STDOUT_FILENO, TIOCGWINSZ, ret);
}

void foreground_size(unsigned short *ret_rows, unsigned short *ret_columns)
{
    struct winsize size = {0};

    own_size(&size);
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
}

static void copy_size(int master)
{
    struct winsize size;

    if (own_size(&size))
        ioctl(master, TIOCSWINSZ, &size);
}

/* Every key goes to the container's terminal, whose line discipline gives Ctrl-C its meaning there.
 * The slave is held open as well: while nobody has it the master would be "readable" all the time.
 */
static void relay_begin(struct relay *r, int master)
{
    struct termios raw;

    r->master = master;
    r->stdin_open = master >= 0;
    if (master < 0)
        return;
    fcntl(master, F_SETFL, O_NONBLOCK);
    r->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    copy_size(master);
    if (tcgetattr(STDIN_FILENO, &r->saved) < 0)
        return;
    raw = r->saved;
    cfmakeraw(&raw);
    r->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void relay_end(struct relay *r)
{
    if (r->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
}

static void read_stdin(struct relay *r)
{
    ssize_t n = read(STDIN_FILENO, r->in, sizeof r->in);

    if (n > 0)
        r->in_len = (size_t)n;
    else if (!n || (errno != EINTR && errno != EAGAIN))
        r->stdin_open = false;
}

static void write_master(struct relay *r)
{
    ssize_t n = write(r->master, r->in, r->in_len);

    if (n > 0) {
        r->in_len -= (size_t)n;
        memmove(r->in, r->in + n, r->in_len);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        r->in_len = 0;
    }
}

static bool read_master(struct relay *r)
{
    ssize_t n = read(r->master, r->out, sizeof r->out);

    r->out_at = 0;
    r->out_len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void write_stdout(struct relay *r)
{
    ssize_t n = write(STDOUT_FILENO, r->out + r->out_at, r->out_len);

    if (n > 0) {
        r->out_at += (size_t)n;
        r->out_len -= (size_t)n;
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        r->out_len = 0; /* nobody reads any more; the process goes on */
    }
}

static void relay_move(struct relay *r, const struct pollfd p[4])
{
    if (p[1].revents && !r->in_len)
        read_stdin(r);
    if (p[2].revents & POLLOUT && r->in_len)
        write_master(r);
    if (p[2].revents & (POLLIN | POLLHUP | POLLERR) && !r->out_len)
        read_master(r);
    if (p[3].revents && r->out_len)
        write_stdout(r);
}

/* What was said before the end and has not been read yet. The last slave's close lets the kernel
 * deliver all of it before it says EIO. */
static void relay_flush(struct relay *r)
{
    if (r->master < 0)
        return;
    close_fd(&r->slave);
    do
        while (r->out_len)
            write_stdout(r);
    while (read_master(r));
}

static void watch(const struct relay *r, int signals, struct pollfd p[4])
{
    short master = (short)((r->in_len ? POLLOUT : 0) | (r->out_len ? 0 : POLLIN));

    p[0] = (struct pollfd){signals, POLLIN, 0};
    p[1] = (struct pollfd){r->stdin_open && !r->in_len ? STDIN_FILENO : -1, POLLIN, 0};
    p[2] = (struct pollfd){master ? r->master : -1, master, 0};
    p[3] = (struct pollfd){r->out_len ? STDOUT_FILENO : -1, POLLOUT, 0};
}

/* --- signals ---------------------------------------------------------------------------------- */

/* Reaps all that has ended, also orphans; true when our child is among them. */
static bool reap(pid_t pid, int *ret_code)
{
    bool ended = false;
    int status;
    pid_t child;

    while ((child = waitpid(-1, &status, WNOHANG)) > 0)
        if (child == pid) {
            *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            ended = true;
        }
    return ended;
}

static bool take_signals(int signals, pid_t pid, const struct relay *relay, int *ret_code)
{
    struct signalfd_siginfo info;
    bool ended = false;

    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
        int sig = (int)info.ssi_signo;

        if (sig == SIGCHLD)
            ended = reap(pid, ret_code) || ended;
        else if (sig == SIGWINCH && relay->master >= 0)
            copy_size(relay->master);
        else if (!ended)
            kill(pid, sig); /* our own child, not reaped yet: the pid is nobody else's */
    }
    return ended;
}

static int relay_until_end(int signals, pid_t pid, struct relay *r, int *ret_code, struct err *err)
{
    for (;;) {
        struct pollfd p[4];

        watch(r, signals, p);
        if (poll(p, 4, -1) < 0 && errno != EINTR)
            return err_errno(err, "cannot wait for the container");
        if (p[0].revents && take_signals(signals, pid, r, ret_code))
            return 0;
        relay_move(r, p);
    }
}

int foreground_wait(int signals, pid_t pid, int master, int *ret_code, struct err *err)
{
    struct relay relay = {.master = -1, .slave = -1};
    int r;

    relay_begin(&relay, master);
    r = relay_until_end(signals, pid, &relay, ret_code, err);
    relay_flush(&relay);
    relay_end(&relay);
    return r;
}
