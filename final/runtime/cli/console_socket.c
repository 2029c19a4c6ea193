#include "runtime/cli/console_socket.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"

/* A path too long for a socket address goes through a descriptor of its directory. */
static int make_address(const char *path, struct sockaddr_un *ret, int *ret_dir, struct err *err)
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
        return err_errno(err, "cannot open the directory of the console socket '%s'", path);
    if (snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", *ret_dir,
                 basename(name)) >= (int)sizeof ret->sun_path)
        return err_set(err, ENAMETOOLONG, "the name of the console socket '%s' is too long", path);
    return 0;
}

int console_socket_connect(const char *path, struct err *err)
{
    cleanup_close int fd = -1, dir = -1;
    struct sockaddr_un address;

    if (make_address(path, &address, &dir, err) < 0)
        return -err->code;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_errno(err, "cannot connect to the console socket '%s'", path);
    return steal_fd(&fd);
}

int console_socket_send(int socket, int master, struct err *err)
{
    static char name[] = "/dev/ptmx"; /* what the receiver shows it as; without its NUL */
    struct iovec data = {name, sizeof name - 1};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t n;

    control.head = (struct cmsghdr){CMSG_LEN(sizeof master), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &master, sizeof master);
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? err_errno(err, "cannot send the terminal to the console socket") : 0;
}
