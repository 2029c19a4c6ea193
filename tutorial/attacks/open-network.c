/* open-network PORT: looks at the network from inside a keg: which devices are there, and does a
 * service answer that listens on 127.0.0.1:PORT of the host? 0: it does, 1: nobody is there, 2:
 * could not be tried. */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void list_devices(void)
{
    struct if_nameindex *devices = if_nameindex();

    printf("devices:");
    for (struct if_nameindex *d = devices; d && d->if_index; d++)
        printf(" %s", d->if_name);
    printf("\n");
    if_freenameindex(devices);
}

/* What a web server says to us, in `answer`; 0 bytes when nobody does. */
static ssize_t ask(int port, char *answer, size_t size)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 3};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n, len = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        write(fd, request, sizeof request - 1) > 0)
        while ((n = read(fd, answer + len, size - 1 - (size_t)len)) > 0)
            len += n;
    answer[len] = 0;
    close(fd);
    return len;
}

int main(int argc, char **argv)
{
    int port = argc == 2 ? atoi(argv[1]) : 0;
    char answer[4096], *body;

    if (port < 1 || port > 65535)
        return 2;
    list_devices();
    if (ask(port, answer, sizeof answer) == 0) {
        printf("127.0.0.1:%d: nobody answers\n", port);
        return 1;
    }
    body = strstr(answer, "\r\n\r\n");
    printf("127.0.0.1:%d answers: %s", port, body ? body + 4 : answer);
    return 0;
}
