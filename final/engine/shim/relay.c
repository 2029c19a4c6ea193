/* relay.c - one poll(2) loop between the container's stdio, its log and the attached clients.
 *
 * Back-pressure instead of buffers: while a client has not taken what was sent to it, the
 * container's output is not read, so a slow reader slows the container as a pipe would, and memory
 * stays constant. In the other direction a client is not read while the container's stdin is full.
 * Only when init is gone is the rest of its output (at most what a pipe or pty holds) taken in at
 * once: the log must be whole before the exit is recorded.
 */
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "engine/attach.h"
#include "engine/shim/shim.h"

#define PTY_HOLDS (1u << 17) /* the tty layer buffers 64 KiB and a line */

struct client {
    int fd;
    bool owner;        /* was there from the start */
    bool quiet;        /* wants only the exit status */
    struct buf *queue; /* packets not taken yet */
    size_t queued;
};

struct shim_relay {
    struct shim_stdio io;
    int console_peer; /* a slave of the console, kept open */
    bool stdin_once;
    bool leash; /* the container ends with the client that was there from the start */
    int listen_fd;
    struct shim_log *log;
    struct shim_network *network; /* served beside, or NULL */
    struct shim_health *health;   /* so is this */
    struct client *clients;
    size_t client_count;
    struct buf to_stdin;    /* what the container's stdin has not taken yet */
    bool close_stdin_after; /* close it once to_stdin is empty */
};

static void set_nonblocking(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

struct shim_relay *shim_relay_new(const struct shim_options *options,
                                  const struct shim_stdio *stdio, int listen_fd,
                                  struct shim_network *network, struct shim_health *health,
                                  struct shim_log *log)
{
    struct shim_relay *relay = mem_alloc(sizeof *relay);

    relay->io = *stdio;
    relay->stdin_once = options->stdin_once;
    relay->leash = options->leash;
    relay->listen_fd = listen_fd;
    relay->log = log;
    relay->network = network;
    relay->health = health;
    /* With a slave of our own open the master never hangs up (EIO, and POLLHUP for ever) while a
     * container's processes close and reopen their terminal. TIOCGPTPEER finds the slave although
     * it lives in another mount namespace. Linux 4.13. */
    if (stdio->console >= 0)
        relay->console_peer = ioctl(stdio->console, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    set_nonblocking(stdio->in);
    set_nonblocking(stdio->out);
    set_nonblocking(stdio->err);
    set_nonblocking(stdio->console);
    set_nonblocking(listen_fd);
    return relay;
}

static void add_client(struct shim_relay *relay, int fd, bool owner)
{
    relay->clients = mem_grow(relay->clients, relay->client_count + 1, sizeof *relay->clients);
    relay->clients[relay->client_count++] = (struct client){.fd = fd, .owner = owner};
}

void shim_relay_add_client(struct shim_relay *relay, int fd)
{
    add_client(relay, fd, true);
}

bool shim_relay_owner_present(const struct shim_relay *relay)
{
    for (size_t i = 0; i < relay->client_count; i++)
        if (relay->clients[i].owner)
            return true;
    return false;
}

static void close_stdin(struct shim_relay *relay)
{
    if (relay->to_stdin.len)
        relay->close_stdin_after = true;
    else
        close_fd(&relay->io.in);
}

static void drop_client(struct shim_relay *relay, size_t i)
{
    struct client *client = &relay->clients[i];

    close(client->fd);
    for (size_t k = 0; k < client->queued; k++)
        buf_free(&client->queue[k]);
    free(client->queue);
    if (relay->stdin_once && client->owner)
        close_stdin(relay);
    relay->clients[i] = relay->clients[--relay->client_count];
}

static void queue_packet(struct client *client, const char *packet, size_t len)
{
    client->queue = mem_grow(client->queue, client->queued + 1, sizeof *client->queue);
    client->queue[client->queued] = (struct buf){0};
    buf_add(&client->queue[client->queued++], packet, len);
}

/* Sends what is queued, as far as it goes. False when the client is gone. */
static bool flush_queue(struct client *client, int flags)
{
    while (client->queued) {
        struct buf *packet = client->queue;
        ssize_t n = send(client->fd, packet->data, packet->len, MSG_NOSIGNAL | flags);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        buf_free(packet);
        memmove(client->queue, client->queue + 1, --client->queued * sizeof *client->queue);
    }
    return true;
}

static void broadcast(struct shim_relay *relay, const char *packet, size_t len)
{
    for (size_t i = relay->client_count; i-- > 0;) {
        if (relay->clients[i].quiet)
            continue;
        queue_packet(&relay->clients[i], packet, len);
        if (!flush_queue(&relay->clients[i], MSG_DONTWAIT))
            drop_client(relay, i);
    }
}

static bool any_client_behind(const struct shim_relay *relay)
{
    for (size_t i = 0; i < relay->client_count; i++)
        if (relay->clients[i].queued)
            return true;
    return false;
}

/* Reads once; the number of bytes, 0 when there is nothing (more) to read. */
static size_t take_output(struct shim_relay *relay, int *fd, int stream)
{
    char packet[ATTACH_MAX];
    ssize_t n;

    if (*fd < 0)
        return 0;
    do
        n = read(*fd, packet + 1, sizeof packet - 1);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) {
        close_fd(fd);
        return 0;
    }
    packet[0] = stream == 2 ? ATTACH_STDERR : ATTACH_STDOUT;
    shim_log_write(relay->log, stream, packet + 1, (size_t)n);
    broadcast(relay, packet, (size_t)n + 1);
    return (size_t)n;
}

static int stdin_fd(const struct shim_relay *relay)
{
    return relay->io.console >= 0 ? relay->io.console : relay->io.in;
}

static void write_stdin(struct shim_relay *relay)
{
    struct buf *b = &relay->to_stdin;
    ssize_t n;

    if (!b->len)
        return;
    n = stdin_fd(relay) < 0 ? (ssize_t)b->len : write(stdin_fd(relay), b->data, b->len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) { /* nobody reads it any more */
        close_fd(&relay->io.in);
        n = (ssize_t)b->len;
    }
    memmove(b->data, b->data + n, b->len - (size_t)n);
    b->len -= (size_t)n;
    if (!b->len && relay->close_stdin_after)
        close_fd(&relay->io.in);
}

static void resize(struct shim_relay *relay, const char *data, size_t len)
{
    struct attach_size size;
    struct winsize window = {0};

    if (len != sizeof size || relay->io.console < 0)
        return;
    memcpy(&size, data, sizeof size);
    window.ws_row = size.rows;
    window.ws_col = size.columns;
    ioctl(relay->io.console, TIOCSWINSZ, &window);
}

/* False when the client has closed. */
static bool serve_client(struct shim_relay *relay, struct client *client)
{
    char packet[ATTACH_MAX];
    ssize_t n = recv(client->fd, packet, sizeof packet, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (!n)
        return false;
    if (packet[0] == ATTACH_STDIN) {
        buf_add(&relay->to_stdin, packet + 1, (size_t)n - 1);
        write_stdin(relay);
    } else if (packet[0] == ATTACH_EOF && relay->io.console < 0) {
        close_stdin(relay);
    } else if (packet[0] == ATTACH_RESIZE) {
        resize(relay, packet + 1, (size_t)n - 1);
    } else if (packet[0] == ATTACH_NETWORK) {
        shim_network_reload(relay->network);
        queue_packet(client, packet, 1);
        client->quiet = true;
    } else if (packet[0] == ATTACH_QUIET) {
        client->quiet = true;
    }
    return true;
}

/* False when nobody is waiting at the door. */
static bool accept_client(struct shim_relay *relay)
{
    int fd = relay->listen_fd < 0 ? -1 : accept4(relay->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        add_client(relay, fd, false);
    return fd >= 0;
}

enum {
    POLL_PIDFD,
    POLL_OUT,
    POLL_ERR,
    POLL_CONSOLE,
    POLL_STDIN,
    POLL_LISTEN,
    POLL_HEALTH,
    POLL_LOG,
    POLL_FIXED
};

static void fill_poll(const struct shim_relay *relay, int pidfd, struct pollfd *p)
{
    bool read_output = !any_client_behind(relay);
    bool stdin_full = relay->to_stdin.len > 0;

    p[POLL_PIDFD] = (struct pollfd){pidfd, POLLIN, 0};
    p[POLL_OUT] = (struct pollfd){read_output ? relay->io.out : -1, POLLIN, 0};
    p[POLL_ERR] = (struct pollfd){read_output ? relay->io.err : -1, POLLIN, 0};
    p[POLL_CONSOLE] = (struct pollfd){read_output ? relay->io.console : -1, POLLIN, 0};
    p[POLL_STDIN] = (struct pollfd){stdin_full ? stdin_fd(relay) : -1, POLLOUT, 0};
    p[POLL_LOG] = (struct pollfd){shim_log_child(relay->log), POLLIN, 0};
    p[POLL_LISTEN] = (struct pollfd){relay->listen_fd, POLLIN, 0};
    for (size_t i = 0; i < relay->client_count; i++) {
        const struct client *client = &relay->clients[i];
        short events = (short)((stdin_full ? 0 : POLLIN) | (client->queued ? POLLOUT : 0));

        p[POLL_FIXED + i] = (struct pollfd){client->fd, events, 0};
    }
}

static void serve_clients(struct shim_relay *relay, const struct pollfd *p, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        struct client *client = &relay->clients[i];
        short events = p[POLL_FIXED + i].revents;
        bool alive = true;

        if (events & POLLOUT)
            alive = flush_queue(client, MSG_DONTWAIT);
        if (alive && (events & (POLLIN | POLLHUP)) && !(relay->to_stdin.len && !(events & POLLHUP)))
            alive = serve_client(relay, client);
        if (!alive || (events & POLLERR))
            drop_client(relay, i);
    }
}

/* What is in the pipe or pty now, and no more: a process that outlived its parent may write for
 * ever. */
static void drain(struct shim_relay *relay, int *fd, int stream)
{
    int held = *fd < 0 ? 0 : fcntl(*fd, F_GETPIPE_SZ);
    size_t taken = 0, most = held < 0 ? PTY_HOLDS : (size_t)held, n;

    while (taken < most && (n = take_output(relay, fd, stream)) > 0)
        taken += n;
}

static void drain_output(struct shim_relay *relay)
{
    drain(relay, &relay->io.out, 1);
    drain(relay, &relay->io.err, 2);
    drain(relay, &relay->io.console, 1);
    shim_log_flush(relay->log);
}

/* A container that lives this long may well live for months: what starting it needed goes back to
 * the kernel. The pages of the program that only starting touched are dropped; a fault brings back
 * what is used again. */
#define SETTLED_AFTER_MS 100

static void give_back_memory(void)
{
    extern char __executable_start, etext;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *text = (char *)((size_t)&__executable_start / page * page);

    malloc_trim(0);
    madvise(text, (size_t)(&etext - text), MADV_DONTNEED);
}

int shim_relay_run(struct shim_relay *relay, int pidfd, struct err *err)
{
    bool settled = false;

    for (;;) {
        size_t count = relay->client_count, beside = shim_network_room(relay->network);
        struct pollfd *p = mem_alloc((POLL_FIXED + count + beside) * sizeof *p);
        cleanup_free void *p_owned = p;
        int ready, patience = settled ? -1 : SETTLED_AFTER_MS;

        fill_poll(relay, pidfd, p);
        shim_health_poll(relay->health, &p[POLL_HEALTH], &patience);
        beside = shim_network_poll(relay->network, p + POLL_FIXED + count, beside, &patience);
        ready = poll(p, POLL_FIXED + count + beside, patience);
        if (ready < 0 && (errno == EINTR || errno == ENOMEM || errno == EAGAIN))
            continue; /* the kernel is short of memory: the container shall not suffer for it */
        if (ready < 0)
            return err_errno(err, "poll");
        if (!ready && !settled && patience == SETTLED_AFTER_MS) {
            give_back_memory();
            settled = true;
            continue;
        }
        if (p[POLL_PIDFD].revents)
            break;
        shim_network_serve(relay->network, p + POLL_FIXED + count, beside);
        shim_health_serve(relay->health, &p[POLL_HEALTH]);
        if (p[POLL_STDIN].revents)
            write_stdin(relay);
        serve_clients(relay, p, count);
        if (relay->leash && !shim_relay_owner_present(relay))
            proc_signal_fd(pidfd, proc_signal_number("KILL")); /* its end comes through pidfd */
        if (p[POLL_OUT].revents)
            take_output(relay, &relay->io.out, 1);
        if (p[POLL_ERR].revents)
            take_output(relay, &relay->io.err, 2);
        if (p[POLL_CONSOLE].revents)
            take_output(relay, &relay->io.console, 1);
        if (p[POLL_LOG].revents)
            shim_log_reap(relay->log);
        if (p[POLL_LISTEN].revents)
            accept_client(relay);
    }
    drain_output(relay);
    return 0;
}

void shim_relay_announce(struct shim_relay *relay, int exit_code, bool oom_killed)
{
    struct attach_exit status = {exit_code, oom_killed};
    char packet[1 + sizeof status];

    packet[0] = ATTACH_EXIT;
    memcpy(packet + 1, &status, sizeof status);
    while (accept_client(relay)) /* who connected just before the end is told, too */
        ;
    for (size_t i = relay->client_count; i-- > 0;) {
        queue_packet(&relay->clients[i], packet, sizeof packet);
        if (!flush_queue(&relay->clients[i], MSG_DONTWAIT))
            drop_client(relay, i);
    }
}

void shim_relay_finish(struct shim_relay *relay)
{
    while (relay->client_count) {
        flush_queue(&relay->clients[0], 0);
        drop_client(relay, 0);
    }
}
