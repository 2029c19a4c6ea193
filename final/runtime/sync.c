#include "runtime/sync.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

struct sync_message {
    int32_t kind, code, exit_status;
    char text[ERR_MESSAGE_MAX]; /* only as much as is used is sent */
};
#define HEAD_SIZE (sizeof(struct sync_message) - ERR_MESSAGE_MAX)

int sync_pair(int ret[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
        return err_errno(err, "cannot make a socket pair");
    return 0;
}

static int send_message(int socket, const struct sync_message *message, int fd, bool by_sendmmsg)
{
    struct iovec data = {(void *)message, HEAD_SIZE + strlen(message->text) + 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr packet = {.msg_iov = &data, .msg_iovlen = 1};
    struct mmsghdr one;
    ssize_t n;

    if (fd >= 0) {
        packet.msg_control = &control;
        packet.msg_controllen = sizeof control;
        control.head = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    one.msg_hdr = packet;
    do
        n = by_sendmmsg ? sendmmsg(socket, &one, 1, MSG_NOSIGNAL)
                        : sendmsg(socket, &packet, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static int send_or_say(int socket, const struct sync_message *message, int fd, struct err *err)
{
    int r = send_message(socket, message, fd, false);

    if (r < 0)
        return err_set(err, -r, "the other side of the container's set-up is gone: %s",
                       strerror(-r));
    return 0;
}

int sync_send(int socket, enum sync_kind kind, int fd, struct err *err)
{
    return send_or_say(socket, &(struct sync_message){.kind = kind}, fd, err);
}

int sync_send_spawned(int socket, pid_t pid, int pidfd, struct err *err)
{
    const struct sync_message message = {.kind = SYNC_SPAWNED, .code = pid};

    return send_or_say(socket, &message, pidfd, err);
}

int sync_send_listener(int socket, int fd, bool not_by_sendmsg, struct err *err)
{
    const struct sync_message message = {.kind = SYNC_LISTENER};
    int r = send_message(socket, &message, fd, not_by_sendmsg);

    if (r < 0)
        return err_set(
            err, -r,
            "linux.seccomp: cannot hand over the descriptor for SCMP_ACT_NOTIFY: %s: does "
            "the filter allow sendmsg?",
            strerror(-r));
    return 0;
}

void sync_send_error(int socket, const struct err *failure)
{
    struct sync_message message = {SYNC_ERROR, failure->code, failure->exit_status, ""};

    snprintf(message.text, sizeof message.text, "%s", failure->message);
    send_message(socket, &message, -1, false);
}

/* 1: a message; 0: the other side is gone; -errno. */
static int receive_message(int socket, struct sync_message *ret, int *ret_fd)
{
    struct iovec data = {ret, sizeof *ret};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr packet = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    struct cmsghdr *head;
    int reset = 0;
    ssize_t n;

    *ret_fd = -1;
    /* A side that ends without having read everything resets the connection, and that is reported
     * once, before what it said last. ENOMEM is the kernel's of the moment: the message stays. */
    do
        n = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
    while (n < 0 && (errno == EINTR || errno == ENOMEM || (errno == ECONNRESET && !reset++)));
    if (n < 0)
        return errno == ECONNRESET ? 0 : -errno;
    if (!n)
        return 0;
    if ((size_t)n <= HEAD_SIZE)
        return -EPROTO;
    ret->text[(size_t)n - HEAD_SIZE - 1] = 0;
    head = CMSG_FIRSTHDR(&packet);
    if (head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_fd, CMSG_DATA(head), sizeof *ret_fd);
    return 1;
}

static int take_error(const struct sync_message *message, struct err *err)
{
    err_set(err, message->code ? message->code : EIO, "%s", message->text);
    err->exit_status = message->exit_status;
    return -err->code;
}

/* Waits for a message of one of these kinds: the sum of 1 << kind. */
static int wait_message(int socket, unsigned kinds, struct sync_message *ret, int *ret_fd,
                        struct err *err)
{
    int fd, r = receive_message(socket, ret, &fd);
    bool expected = r > 0 && ret->kind > 0 && ret->kind < 32 && kinds & 1U << ret->kind;

    if (r < 0)
        return err_set(err, -r, "cannot hear from the other side of the container's set-up: %s",
                       strerror(-r));
    if (!r)
        return err_set(err, EPIPE, "the other side of the container's set-up is gone");
    if (ret_fd && expected)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    if (ret->kind == SYNC_ERROR)
        return take_error(ret, err);
    if (!expected)
        return err_set(err, EPROTO, "unexpected message %d in the container's set-up", ret->kind);
    return 0;
}

int sync_wait_either(int socket, enum sync_kind one, enum sync_kind other, int *ret_fd,
                     struct err *err)
{
    struct sync_message message;
    int r = wait_message(socket, 1U << one | 1U << other, &message, ret_fd, err);

    return r < 0 ? r : message.kind;
}

int sync_wait(int socket, enum sync_kind kind, int *ret_fd, struct err *err)
{
    int r = sync_wait_either(socket, kind, kind, ret_fd, err);

    return r < 0 ? r : 0;
}

int sync_ask_source(int socket, size_t number, int *ret_fd, struct err *err)
{
    const struct sync_message message = {.kind = SYNC_SOURCE, .code = (int32_t)number};

    if (send_or_say(socket, &message, -1, err) < 0)
        return -err->code;
    return sync_wait(socket, SYNC_SOURCE, ret_fd, err);
}

static int answer_source(int socket, int fd, const struct err *failure, struct err *err)
{
    if (fd >= 0)
        return sync_send(socket, SYNC_SOURCE, fd, err);
    sync_send_error(socket, failure);
    return 0;
}

int sync_serve(int socket, enum sync_kind one, enum sync_kind other, sync_source *open_source,
               void *context, int *ret_fd, struct err *err)
{
    const unsigned kinds = 1U << one | 1U << other | 1U << SYNC_SOURCE;

    for (;;) {
        struct sync_message message;
        struct err failure = {0};
        int fd, r = wait_message(socket, kinds, &message, ret_fd, err);

        if (r < 0 || message.kind != SYNC_SOURCE)
            return r < 0 ? r : message.kind;
        fd = open_source(context, (size_t)message.code, &failure);
        r = answer_source(socket, fd, &failure, err);
        close_fd(&fd);
        if (r < 0)
            return r;
    }
}

int sync_wait_spawned(int socket, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
    struct sync_message message;
    int pidfd = -1;

    if (wait_message(socket, 1U << SYNC_SPAWNED, &message, &pidfd, err) < 0)
        return -err->code;
    if (pidfd < 0)
        return err_set(err, EPROTO, "a process without its pidfd in the container's set-up");
    *ret_pid = message.code;
    *ret_pidfd = pidfd;
    return 0;
}

int sync_wait_end(int socket, struct err *err)
{
    struct sync_message message;
    int fd, r = receive_message(socket, &message, &fd);

    if (fd >= 0)
        close(fd);
    if (r < 0)
        return err_set(err, -r, "cannot hear from the container's init: %s", strerror(-r));
    return r ? take_error(&message, err) : 0;
}
