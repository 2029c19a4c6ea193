/* Theory of operation: one poll(2) loop over four things.
 *
 *     signals (signalfd)  -> engine_kill, or a new size of the terminal
 *     stdin               -> one packet in hand -> the socket
 *     the socket          -> one packet in hand -> stdout or stderr
 *
 * At most one packet is in hand in each direction, and its source is not read while it is there: a
 * slow reader on one side slows the writer on the other, and nothing piles up. Writes never block:
 * stdout gets at most PIPE_BUF bytes after poll said it has room, so a Ctrl-C is still passed on
 * while `less` does not read.
 */
#include "cli/client.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/cleanup.h"
#include "cli/client_detach.h"
#include "cli/values.h"
#include "engine/attach.h"

#define DEFAULT_DETACH_KEYS "ctrl-p,ctrl-q"

/* Signals a container's process may want to get. Not SIGCHLD, SIGPIPE (about us) and those that
 * stop. */
static const int proxied[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};

struct client {
    const struct client_options *options;
    int socket, signals;
    struct detach detach;
    bool raw; /* the terminal was changed: `saved` is what it was */
    struct termios saved;
    sigset_t saved_mask;
    bool stdin_open, eof_to_send, exited, detached;
    bool reset;          /* told of once, see take_socket() */
    char in[ATTACH_MAX]; /* a packet for the socket, its kind first */
    size_t in_len;
    char out[ATTACH_MAX]; /* a packet from the socket */
    size_t out_at, out_len;
    int out_fd;
    int code;
};

void client_terminal_size(unsigned short *ret_rows, unsigned short *ret_columns)
{
    struct winsize size;

    *ret_rows = *ret_columns = 0;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !ioctl(STDIN_FILENO, TIOCGWINSZ, &size)) {
        *ret_rows = size.ws_row;
        *ret_columns = size.ws_col;
    }
}

static int parse_keys(const struct client_options *o, struct detach *ret, struct err *err)
{
    cleanup_free char *configured = o->detach_keys ? NULL : detach_keys_configured();
    const char *keys = o->detach_keys ? o->detach_keys
                       : configured   ? configured
                                      : DEFAULT_DETACH_KEYS;

    return value_parse_keys(keys, ret->keys, sizeof ret->keys, &ret->count, err);
}

int client_check(const struct client_options *options, struct err *err)
{
    struct detach unused = {0};

    return parse_keys(options, &unused, err);
}

/* --- the terminal
 * ----------------------------------------------------------------------------------- */

/* Every key goes to the container's terminal, whose line discipline gives Ctrl-C its meaning there.
 * Output comes with "\r\n" already, so ours must not touch it (cfmakeraw clears OPOST). */
static void terminal_raw(struct client *c)
{
    struct termios raw;

    if (!c->options->tty || !c->options->stdin_too || tcgetattr(STDIN_FILENO, &c->saved) < 0)
        return;
    raw = c->saved;
    cfmakeraw(&raw);
    c->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void terminal_restore(struct client *c)
{
    if (c->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &c->saved);
    c->raw = false;
}

static void send_size(struct client *c)
{
    struct attach_size size;
    char packet[1 + sizeof size] = {ATTACH_RESIZE};

    if (!c->options->tty)
        return;
    client_terminal_size(&size.rows, &size.columns);
    if (!size.rows && !size.columns)
        return;
    memcpy(packet + 1, &size, sizeof size);
    /* If the socket is full the shim is about to stop or stuck; the next SIGWINCH brings the next
     * size. */
    if (send(c->socket, packet, sizeof packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return;
}

/* --- signals
 * ---------------------------------------------------------------------------------------- */

static int signals_open(struct client *c, struct err *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGCONT);
    for (size_t i = 0; i < sizeof proxied / sizeof *proxied; i++)
        sigaddset(&set, proxied[i]);
    sigprocmask(SIG_BLOCK, &set, &c->saved_mask);
    c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return c->signals < 0 ? err_errno(err, "cannot receive signals") : 0;
}

/* --sig-proxy=false: the signal means us. The terminal first, then what the signal does. */
static void die_of(struct client *c, int sig)
{
    terminal_restore(c);
    signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &c->saved_mask, NULL);
    raise(sig);
    _exit(128 + sig);
}

static int pass_signal(struct client *c, int sig, struct err *err)
{
    struct container container;
    int r;

    if (!c->options->proxy_signals || !c->options->container) {
        die_of(c, sig);
        return 0;
    }
    if (engine_find(c->options->engine, c->options->container, &container, err) < 0)
        return 0; /* gone: the socket will say so */
    r = engine_kill(c->options->engine, &container, sig, err);
    container_free(&container);
    err_clear(err);
    (void)r; /* a container that has just ended cannot be signalled: no error */
    return 0;
}

static int take_signals(struct client *c, struct err *err)
{
    struct signalfd_siginfo info;

    while (read(c->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        int sig = (int)info.ssi_signo;

        if (sig == SIGCONT && c->raw) {
            /* The shell set the terminal to its own liking while we were stopped. */
            terminal_restore(c);
            terminal_raw(c);
        }
        if (sig == SIGWINCH || sig == SIGCONT)
            send_size(c);
        else if (pass_signal(c, sig, err) < 0)
            return -err->code;
    }
    return 0;
}

/* --- stdin to the socket
 * ---------------------------------------------------------------------------- */

static void take_stdin(struct client *c)
{
    char text[ATTACH_MAX - 1 - CLIENT_KEYS_MAX];
    ssize_t n = read(STDIN_FILENO, text, sizeof text);
    size_t len;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) { /* EIO: the terminal is gone, which is an end too */
        c->stdin_open = false;
        c->eof_to_send = true;
        return;
    }
    c->in[0] = ATTACH_STDIN;
    c->detached = detach_filter(&c->detach, text, (size_t)n, c->in + 1, &len);
    c->in_len = len ? len + 1 : 0;
}

/* Sends what is in hand. A shim that is gone is noticed when reading. */
static void give_socket(struct client *c)
{
    static const char eof = ATTACH_EOF;

    if (c->in_len) {
        if (send(c->socket, c->in, c->in_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EAGAIN)
            return;
        c->in_len = 0;
    }
    if (c->eof_to_send &&
        !(send(c->socket, &eof, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EAGAIN))
        c->eof_to_send = false;
}

/* --- the socket to stdout
 * --------------------------------------------------------------------------- */

static int connection_lost(struct client *c, struct err *err)
{
    if (c->exited)
        return 1;
    return err_set(err, ECONNRESET,
                   "the connection to the container's shim broke off before its process ended: "
                   "the shim was killed or crashed; `cooper ps -a` shows what is left");
}

static void take_exit(struct client *c, const char *data, size_t len)
{
    struct attach_exit end;

    if (len < sizeof end)
        return;
    memcpy(&end, data, sizeof end);
    c->exited = true;
    c->code = end.code;
}

/* The exit status is the last packet, so all output has been given by then. */
static bool may_leave(const struct client *c)
{
    return c->exited && c->options->leave_at_exit;
}

/* Reads one packet. 1: the connection ended as it should. */
static int take_socket(struct client *c, struct err *err)
{
    ssize_t n = recv(c->socket, c->out, sizeof c->out, MSG_DONTWAIT);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    /* A shim that ends without having read all we sent resets the connection, and that comes before
     * what it said last, which is still there. */
    if (n < 0 && errno == ECONNRESET && !c->reset) {
        c->reset = true;
        return 0;
    }
    if (n <= 0)
        return connection_lost(c, err);
    switch (c->out[0]) {
    case ATTACH_STDOUT:
    case ATTACH_STDERR:
        if (c->out[0] == ATTACH_STDOUT ? c->options->no_stdout : c->options->no_stderr)
            break;
        c->out_fd = c->out[0] == ATTACH_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
        c->out_at = 1;
        c->out_len = (size_t)n;
        break;
    case ATTACH_EXIT:
        take_exit(c, c->out + 1, (size_t)n - 1);
        return may_leave(c);
    default: /* a newer shim may say more */
        break;
    }
    return 0;
}

static int give_output(struct client *c, struct err *err)
{
    size_t left = c->out_len - c->out_at;
    ssize_t n = write(c->out_fd, c->out + c->out_at, left < PIPE_BUF ? left : PIPE_BUF);

    if (n < 0 && errno != EINTR && errno != EAGAIN)
        return err_errno(err, "write /dev/%s", c->out_fd == STDOUT_FILENO ? "stdout" : "stderr");
    if (n > 0)
        c->out_at += (size_t)n;
    return 0;
}

static bool has_output(const struct client *c)
{
    return c->out_at < c->out_len;
}

/* --- the loop
 * --------------------------------------------------------------------------------------- */

static bool is_fed(const struct client *c)
{
    return c->options->no_stdout && c->options->no_stderr && !c->stdin_open && !c->in_len &&
           !c->eof_to_send;
}

/* One round. 1: ended well. A negative fd in pollfd is left alone by poll(2). */
static int turn(struct client *c, struct err *err)
{
    bool to_send = c->in_len || c->eof_to_send, output = has_output(c);
    struct pollfd fds[] = {
        {c->signals, POLLIN, 0},
        {c->socket, (short)((output ? 0 : POLLIN) | (to_send ? POLLOUT : 0)), 0},
        {c->stdin_open && !to_send ? STDIN_FILENO : -1, POLLIN, 0},
        {output ? c->out_fd : -1, POLLOUT, 0},
    };

    /* A socket that hung up is always ready, even when nothing is asked of it. */
    if (output && !to_send)
        fds[1].fd = -1;
    if (poll(fds, sizeof fds / sizeof *fds, -1) < 0 && errno != EINTR)
        return err_errno(err, "cannot wait for the container");
    if (fds[0].revents && take_signals(c, err) < 0)
        return -err->code;
    if (fds[3].revents && give_output(c, err) < 0)
        return -err->code;
    if (fds[2].revents)
        take_stdin(c);
    if (c->in_len || c->eof_to_send)
        give_socket(c);
    if (c->detached || is_fed(c))
        return 1;
    return fds[1].revents && !output ? take_socket(c, err) : 0;
}

int client_run(int socket, const struct client_options *options, enum client_end *ret_end,
               int *ret_code, struct err *err)
{
    struct client *c = mem_alloc(sizeof *c);
    int r;

    *c = (struct client){
        .options = options, .socket = socket, .signals = -1, .stdin_open = options->stdin_too};
    r = signals_open(c, err);
    if (!r && options->tty && options->stdin_too)
        r = parse_keys(options, &c->detach, err);
    if (!r)
        terminal_raw(c);
    send_size(c);
    while (!r)
        r = turn(c, err);
    terminal_restore(c);
    sigprocmask(SIG_SETMASK, &c->saved_mask, NULL);
    if (!may_leave(c))
        close(socket);
    close_fd(&c->signals);
    *ret_end = c->detached ? CLIENT_DETACHED : is_fed(c) ? CLIENT_FED : CLIENT_EXITED;
    *ret_code = c->code;
    free(c);
    return r < 0 ? r : 0;
}

int client_detached(const struct client_options *options)
{
    struct container c;
    struct err err = {0};

    fprintf(stderr, "read escape sequence\n");
    if (options->container && !engine_find(options->engine, options->container, &c, &err)) {
        engine_container_event(options->engine, &c, "detach");
        container_free(&c);
    }
    return 0;
}
