#include "runtime/start.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "runtime/sync.h"

#define NAME    "start.sock"
#define BACKLOG 16

/* A socket's path ends at 107 bytes, a state directory's does not: through its descriptor. */
static struct sockaddr_un address_in(int dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" NAME, dir);
    return address;
}

int start_socket(struct err *err)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    return fd < 0 ? err_errno(err, "cannot make the start socket") : fd;
}

int start_publish(int socket, int dir, struct err *err)
{
    struct sockaddr_un address = address_in(dir);

    if (bind(socket, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(socket, BACKLOG) < 0)
        return err_errno(err, "cannot listen on the container's " NAME);
    return 0;
}

void start_unpublish(int dir)
{
    unlinkat(dir, NAME, 0);
}

static void end(int sig)
{
    _exit(128 + sig);
}

void start_be_mortal(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], end);
}

int start_accept(int socket, struct err *err)
{
    for (;;) {
        cleanup_close int connection = accept4(socket, NULL, NULL, SOCK_CLOEXEC);

        /* The container is made and its maker gone: a lack of memory shall not be its end. */
        if (connection < 0 && errno != EINTR && errno != ECONNABORTED && errno != ENOMEM)
            return err_errno(err, "cannot wait to be started");
        /* Somebody who only looked whether we wait, or a `start` that was killed, says nothing. */
        if (connection >= 0 && !sync_wait(connection, SYNC_START, NULL, err))
            return steal_fd(&connection);
    }
}

static int connect_in(int dir)
{
    struct sockaddr_un address = address_in(dir);
    cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return steal_fd(&fd);
}

int start_call(int dir, struct err *err)
{
    cleanup_close int connection = connect_in(dir);

    if (connection < 0)
        return err_set(err, -connection, "the container's init does not wait any more");
    if (sync_send(connection, SYNC_START, -1, err) < 0 ||
        sync_wait(connection, SYNC_EXEC, NULL, err) < 0)
        return -err->code;
    return sync_wait_end(connection, err);
}

bool start_is_waiting(int dir)
{
    cleanup_close int connection = -1;

    if (faccessat(dir, NAME, F_OK, 0) < 0)
        return false;
    connection = connect_in(dir);
    return connection >= 0;
}
