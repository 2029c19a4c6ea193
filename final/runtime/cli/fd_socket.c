#include "runtime/cli/fd_socket.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/cli/cli.h"

/* A path too long for a socket address goes through a descriptor of its directory. */
static int make_address(const char *path, struct sockaddr_un *ret, int *ret_dir)
{
    cleanup_free char *parent = str_copy(path), *name = str_copy(path);

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    *ret_dir = -1;
    if (strlen(path) < sizeof ret->sun_path) {
        strcpy(ret->sun_path, path);
        return 0;
    }
    *ret_dir = open(dirname(parent), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_dir < 0)
        return -errno;
    if (snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", *ret_dir,
                 basename(name)) >= (int)sizeof ret->sun_path)
        return -ENAMETOOLONG;
    return 0;
}

int fd_socket_connect(const char *what, const char *path, struct err *err)
{
    cleanup_close int fd = -1, dir = -1;
    struct sockaddr_un address;
    int r = make_address(path, &address, &dir);

    if (!r) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        r = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
    }
    if (r < 0)
        return err_set(err, -r, "cannot connect to the %s socket '%s': %s", what, path,
                       strerror(-r));
    return steal_fd(&fd);
}

int fd_socket_send(int socket, int fd, const char *name, struct err *err)
{
    struct iovec data = {(void *)(size_t)name, strlen(name)};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t n;

    control.head = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_errno(err, "cannot send '%s' through its socket", name) : 0;
}

int fd_sockets_check(const struct args *args, bool terminal, bool detach, struct err *err)
{
    bool socket = args_given(args, "console-socket");

    if (terminal && detach && !socket)
        return err_set(err, EINVAL,
                       "cannot allocate tty if " PROGRAM
                       " will detach without setting console socket");
    if (socket && !(terminal && detach))
        return err_set(err, EINVAL,
                       "cannot use console socket if " PROGRAM " will not detach or allocate tty");
    return 0;
}

int fd_sockets_connect(const struct args *args, int *ret_console, int *ret_pidfd, struct err *err)
{
    const char *console = args_text(args, "console-socket");
    const char *pidfd = args_text(args, "pidfd-socket");
    cleanup_close int console_fd = -1, pidfd_fd = -1;

    if (console && (console_fd = fd_socket_connect("console", console, err)) < 0)
        return -err->code;
    if (pidfd && (pidfd_fd = fd_socket_connect("pidfd", pidfd, err)) < 0)
        return -err->code;
    *ret_console = steal_fd(&console_fd);
    *ret_pidfd = steal_fd(&pidfd_fd);
    return 0;
}
