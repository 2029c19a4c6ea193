/* dnsrate - how many answers a second a DNS server gives: keeps a number of questions under way
 * over UDP.
 *
 *     dnsrate SERVER NAME SECONDS */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UNDER_WAY = 16 };

static size_t question(unsigned char *q, const char *name)
{
    static const unsigned char header[12] = {0, 0, 1, 0, 0, 1};
    size_t len = sizeof header, n = strlen(name);

    memcpy(q, header, sizeof header);
    q[len++] = (unsigned char)n;
    memcpy(q + len, name, n);
    len += n;
    memcpy(q + len, "\0\0\1\0\1", 5);
    return len + 5;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), under_way = 0;
    unsigned char q[300], answer[1500];
    double start = now(), seconds = argc == 4 ? atof(argv[3]) : 0;
    unsigned long answers = 0;
    size_t len;

    if (!seconds || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 || strlen(argv[2]) > 63 ||
        connect(fd, (struct sockaddr *)&server, sizeof server) < 0) {
        fputs("usage: dnsrate SERVER NAME SECONDS\n", stderr);
        return 2;
    }
    len = question(q, argv[2]);
    while (now() - start < seconds) {
        while (under_way < UNDER_WAY && send(fd, q, len, 0) > 0)
            under_way++;
        if (poll(&(struct pollfd){fd, POLLIN, 0}, 1, 1000) <= 0) {
            under_way = 0; /* lost */
            continue;
        }
        while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 12) {
            under_way--;
            answers += !(answer[3] & 15) && answer[7];
        }
    }
    printf("%.0f\n", (double)answers / (now() - start));
    return 0;
}
