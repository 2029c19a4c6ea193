/* The judge's own network: a namespace, what it is made of, and talking to servers in it and behind
 * it. */
#include "grade/network.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "grade/grade.h"

static void loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        broken("cannot switch on the loopback: %m");
    close(fd);
}

void network_separate(void)
{
    if (!grade.is_root)
        return;
    if (unshare(CLONE_NEWNET) < 0)
        broken("cannot make a network namespace: %m");
    loopback_up();
}

static struct sockaddr_in address_of(const char *text, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, text, &address.sin_addr);
    return address;
}

const char *network_hear(const char *address, int port)
{
    static char said[256];
    struct sockaddr_in to = address_of(address, port);
    struct timeval limit = {.tv_sec = 3};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t n = -1;

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        n = read(fd, said, sizeof said - 1);
    said[n > 0 ? n : 0] = 0;
    close(fd);
    return said;
}

int network_listen(const char *address, int port)
{
    struct sockaddr_in at = address_of(address, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 8) < 0)
        broken("cannot listen on %s:%d: %m", address, port);
    return fd;
}

/* The routing table of a namespace has a "host LOCAL" entry for each address. */
void network_address_inside(pid_t pid, char ret[INET_ADDRSTRLEN])
{
    cleanup_free char *path = str_format("/proc/%d/net/fib_trie", (int)pid), *all = fact_file(path);
    cleanup_strv struct strv lines = {0};
    char last[INET_ADDRSTRLEN] = "";

    *ret = 0;
    strv_split(&lines, all, '\n');
    for (size_t i = 0; i < lines.len; i++) {
        if (strstr(lines.items[i], "|-- "))
            snprintf(last, sizeof last, "%s", strstr(lines.items[i], "|-- ") + 4);
        else if (strstr(lines.items[i], "host LOCAL") && !str_starts(last, "127."))
            strcpy(ret, last);
    }
}

void network_ip(const char *const argv[])
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        execvp("ip", (char *const *)(size_t)argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        broken("'ip %s %s %s' failed (package iproute2)", argv[1], argv[2], argv[3]);
}
