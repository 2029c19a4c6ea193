/* loopback-spoof PORT: asks the host for a connection to *its* 127.0.0.1:PORT. Our own kernel would
 * keep a packet to 127.0.0.1 at home, but not when the socket is tied to eth0: then it goes to the
 * gateway like any other. If the host takes it for its own, whoever listens there says "go on" (SYN
 * and ACK). Our kernel throws that answer away, since it comes from an address that cannot be
 * outside; a packet socket sees it before.
 *
 * 0: somebody answered, 1: silence, 2: could not be tried. Needs CAP_NET_RAW, which root in a keg
 * has. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct packet {
    struct iphdr ip;
    struct tcphdr tcp;
};

static int is_answer(const struct packet *p, int port)
{
    return p->ip.saddr == htonl(INADDR_LOOPBACK) && p->ip.protocol == IPPROTO_TCP &&
           p->tcp.source == htons((uint16_t)port) && p->tcp.syn && p->tcp.ack;
}

int main(int argc, char **argv)
{
    int port = argc == 2 ? atoi(argv[1]) : 0;
    int ear = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
    int mouth = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 2};
    struct packet p;

    if (port < 1 || port > 65535 || ear < 0 ||
        setsockopt(mouth, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5) < 0)
        return 2;
    setsockopt(ear, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    connect(mouth, (struct sockaddr *)&to, sizeof to); /* begins; it can never be completed */
    while (recv(ear, &p, sizeof p, 0) >= (ssize_t)sizeof p)
        if (is_answer(&p, port)) {
            printf("127.0.0.1:%d of the host takes the connection\n", port);
            return 0;
        }
    printf("127.0.0.1:%d of the host: silence\n", port);
    return 1;
}
