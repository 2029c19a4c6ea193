#include "runtime/seccomp_notify.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

static int connect_agent(const char *path, struct err *err)
{
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, ENAMETOOLONG, "listenerPath '%s' is longer than %zu bytes", path,
                       sizeof address.sun_path - 1);
    strcpy(address.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_errno(err, "cannot connect to the seccomp agent at '%s'", path);
    return steal_fd(&fd);
}

/* The descriptor travels with the first byte; what did not fit into the socket at once follows. */
static int send_state(int agent, const char *text, int fd)
{
    struct iovec data = {(void *)text, strlen(text)};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};

    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    while (data.iov_len) {
        ssize_t n = sendmsg(agent, &message, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data.iov_base = (char *)data.iov_base + n;
        data.iov_len -= (size_t)n;
        message.msg_control = NULL;
        message.msg_controllen = 0;
    }
    return 0;
}

int seccomp_notify_send(const struct syscall_filter *filter, int fd, pid_t pid, json_t *state,
                        struct err *err)
{
    cleanup_json json_t *document = json_object();
    cleanup_free char *text = NULL;
    cleanup_close int agent = -1;
    int r;

    json_put(document, "ociVersion", json_incref(json_object_get(state, "ociVersion")));
    json_put(document, "fds", json_pack("[s]", "seccompFd"));
    json_put(document, "pid", json_integer(pid));
    json_put_str(document, "metadata", filter->listener_metadata);
    json_put(document, "state", state);
    text = json_text(document, JSON_COMPACT);
    agent = connect_agent(filter->listener_path, err);
    if (agent < 0)
        return err_wrap(err, "linux.seccomp");
    r = send_state(agent, text, fd);
    return r < 0 ? err_set(err, -r, "linux.seccomp: cannot send to the seccomp agent at '%s': %s",
                           filter->listener_path, strerror(-r))
                 : 0;
}
