/* log_writer.c - for mode=non-blocking: a disk that hangs must not hold up the container. A file
 * cannot be written without waiting for it, so another process waits. Between it and us is a
 * socket, and its buffer is docker's max-buffer-size: what does not fit is dropped, a whole entry
 * at a time. When the shim ends, or is killed, the writer stores what is on its way and ends. */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/log_format.h"
#include "engine/shim/log.h"
#include "engine/shim/shim.h"

struct log_writer {
    int socket;
    pid_t pid;
};

/* What goes before the text of an entry. */
struct head {
    int64_t time_ns;
    int32_t stream, partial;
};

/* False at the end. */
static bool take(int socket, int flags, log_store *store, void *context)
{
    static char text[LOG_ENTRY_MAX + 1];
    struct head head;
    struct iovec parts[2] = {{&head, sizeof head}, {text, sizeof text}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;

    do
        n = recvmsg(socket, &message, flags);
    while (n < 0 && errno == EINTR);
    if (n < (ssize_t)sizeof head)
        return false;
    store(context, &(struct log_entry){head.stream, head.partial, head.time_ns, text,
                                       (size_t)n - sizeof head});
    return true;
}

static void serve(int socket, log_store *store, log_flush *flush, void *context)
    __attribute__((noreturn));
static void serve(int socket, log_store *store, log_flush *flush, void *context)
{
    prctl(PR_SET_NAME, "cooper-log");
    if (dup2(socket, SHIM_REPORT_FD) < 0 || proc_close_from(SHIM_REPORT_FD + 1) < 0)
        _exit(125);
    while (take(SHIM_REPORT_FD, 0, store, context)) {
        for (int i = 0; i < 256 && take(SHIM_REPORT_FD, MSG_DONTWAIT, store, context); i++)
            ; /* what is there already, for one write(2) */
        flush(context);
    }
    _exit(0);
}

/* The kernel doubles what is asked for, to account for its own overhead. */
static void set_room(int socket, unsigned long long room)
{
    int bytes = room > INT32_MAX / 2 ? INT32_MAX / 2 : (int)room;

    if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

struct log_writer *log_writer_new(unsigned long long room, log_store *store, log_flush *flush,
                                  void *context)
{
    int pair[2] = {-1, -1};
    struct log_writer *writer;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return NULL;
    set_room(pair[0], room);
    pid = fork();
    if (!pid)
        serve(pair[1], store, flush, context);
    close_fd(&pair[1]);
    if (pid < 0) {
        close_fd(&pair[0]);
        return NULL;
    }
    writer = mem_alloc(sizeof *writer);
    *writer = (struct log_writer){pair[0], pid};
    return writer;
}

void log_writer_send(struct log_writer *writer, const struct log_entry *entry)
{
    struct head head = {entry->time_ns, entry->stream, entry->partial};
    struct iovec parts[2] = {{&head, sizeof head}, {(char *)entry->text, entry->len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    while (sendmsg(writer->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
        ;
}

void log_writer_end(struct log_writer *writer)
{
    close_fd(&writer->socket);
    shim_reap(writer->pid);
    free(writer);
}
