/* net - both ends of a conversation, for tests of networks. What it prints is what a test compares.
 *
 *     net serve tcp|udp PORT NAME        answers "NAME from ADDRESS" to everybody, for ever;
 *                                        datagrams are printed, too: "got TEXT from ADDRESS"
 *     net ask tcp|udp ADDRESS PORT MS    says what came back, "refused", "timeout" or
 *                                        "unreachable"
 *     net flood tcp ADDRESS PORT BYTES   sends and counts what comes back
 *     net echo PORT                      sends back what comes, over TCP
 *     net dns SERVER NAME TYPE [tcp]     the answer: code, flags, records in order
 *     net udp-from INTERFACE MAC ADDRESS TO-MAC TO-ADDRESS PORT TEXT
 *     net arp-from INTERFACE MAC ADDRESS TO-ADDRESS
 *                                        a forged frame each
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
    fprintf(stderr, "net: %s: %s\n", what, strerror(errno));
    return 125;
}

static int type_of(const char *proto)
{
    return !strcmp(proto, "udp") ? SOCK_DGRAM : SOCK_STREAM;
}

/* IPv4 in its own notation, also where it came through a socket of both versions. */
static const char *peer_text(const struct sockaddr_in6 *peer, char ret[INET6_ADDRSTRLEN])
{
    if (IN6_IS_ADDR_V4MAPPED(&peer->sin6_addr))
        return inet_ntop(AF_INET, peer->sin6_addr.s6_addr + 12, ret, INET6_ADDRSTRLEN);
    return inet_ntop(AF_INET6, &peer->sin6_addr, ret, INET6_ADDRSTRLEN);
}

static int open_server(int type, int port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, type, 0), on = 1, off = 0;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) < 0 ||
        (type == SOCK_STREAM && listen(fd, 64) < 0))
        exit(fail("listen"));
    return fd;
}

static _Noreturn void serve(const char *proto, int port, const char *name)
{
    int type = type_of(proto), fd = open_server(type, port);

    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct sockaddr_in6 peer;
        socklen_t len = sizeof peer;
        char text[256], address[INET6_ADDRSTRLEN], buffer[2048];
        int client = type == SOCK_STREAM ? accept(fd, (struct sockaddr *)&peer, &len) : -1, n;

        if (type == SOCK_DGRAM) {
            ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&peer, &len);

            if (got < 0)
                continue;
            printf("got %.*s from %s\n", (int)got, buffer, peer_text(&peer, address));
            fflush(stdout);
        }
        n = snprintf(text, sizeof text, "%s from %s\n", name, peer_text(&peer, address));
        if (type == SOCK_DGRAM)
            sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&peer, len);
        else if (client >= 0 && write(client, text, (size_t)n) == n)
            shutdown(client, SHUT_WR);
        if (client >= 0)
            close(client);
    }
}

static int connect_to(int type, const char *address, const char *port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six.sin6_port};
    int is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
    int fd = socket(is_six ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK, 0);

    if (!is_six)
        inet_pton(AF_INET, address, &four.sin_addr);
    if (fd < 0 || (connect(fd, is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four,
                           is_six ? sizeof six : sizeof four) < 0 &&
                   errno != EINPROGRESS))
        return -errno;
    return fd;
}

static int say(const char *what)
{
    puts(what);
    return 1;
}

static int say_error(int error)
{
    return say(error == ECONNREFUSED ? "refused" : error == ECONNRESET ? "reset" : "unreachable");
}

static int ask(const char *proto, const char *address, const char *port, int ms)
{
    int type = type_of(proto), fd = connect_to(type, address, port);
    char buffer[512];
    ssize_t n;

    if (fd < 0)
        return say_error(-fd);
    if (type == SOCK_DGRAM && send(fd, "hello", 5, 0) < 0)
        return say_error(errno);
    if (poll(&(struct pollfd){fd, POLLIN, 0}, 1, ms) <= 0)
        return say("timeout");
    n = read(fd, buffer, sizeof buffer - 1);
    if (n < 0)
        return say_error(errno);
    buffer[n] = 0;
    fputs(buffer, stdout);
    return n ? 0 : say("nothing");
}

static _Noreturn void echo(int port)
{
    int fd = open_server(SOCK_STREAM, port);

    printf("ready\n");
    fflush(stdout);
    for (;;) {
        static char buffer[65536];
        int client = accept(fd, NULL, NULL);
        ssize_t n;

        while (client >= 0 && (n = read(client, buffer, sizeof buffer)) > 0)
            if (write(client, buffer, (size_t)n) != n)
                break;
        close(client);
    }
}

/* Sends and receives at once, ends its side, and counts until the other ends, too. */
static int flood(const char *address, const char *port, long bytes)
{
    static char out[65536], in[65536];
    long sent = 0, received = 0, wrong = 0;
    int fd = connect_to(SOCK_STREAM, address, port), ended = 0;

    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (char)i;
    while (fd >= 0 && poll(&(struct pollfd){fd, (short)(POLLIN | (sent < bytes ? POLLOUT : 0)), 0},
                           1, 20000) > 0) {
        size_t at = (size_t)(sent % 65536), room = sizeof out - at;
        ssize_t n = 0;

        if (sent < bytes) {
            n = send(fd, out + at, (long)room < bytes - sent ? room : (size_t)(bytes - sent),
                     MSG_NOSIGNAL);
            sent += n > 0 ? n : 0;
        } else if (!ended++) {
            shutdown(fd, SHUT_WR);
        }
        n = read(fd, in, sizeof in);
        if (!n)
            break;
        for (ssize_t i = 0; i < n; i++, received++)
            wrong += in[i] != (char)received;
    }
    printf("%ld back, %ld wrong\n", received, wrong);
    return received != bytes || wrong;
}

/* --- DNS ------------------------------------------------------------------------------------- */

static size_t put_question(unsigned char *q, const char *name, int type)
{
    static const unsigned char header[12] = {0xab, 0xcd, 1, 0, 0, 1};
    size_t len = sizeof header;

    memcpy(q, header, sizeof header);
    while (*name) {
        size_t n = strcspn(name, ".");

        q[len++] = (unsigned char)n;
        memcpy(q + len, name, n);
        len += n;
        name += n + (name[n] == '.');
    }
    q[len++] = 0;
    q[len++] = (unsigned char)(type >> 8);
    q[len++] = (unsigned char)type;
    q[len++] = 0;
    q[len++] = 1;
    return len;
}

static size_t skip_name(const unsigned char *m, size_t at)
{
    while (m[at] && m[at] < 0xc0)
        at += m[at] + 1u;
    return at + (m[at] ? 2 : 1);
}

static void print_name(const unsigned char *m, size_t at)
{
    for (int hops = 0; m[at] && hops < 64; hops++) {
        if (m[at] >= 0xc0) {
            at = (size_t)(m[at] & 63) << 8 | m[at + 1];
            continue;
        }
        printf("%.*s.", m[at], (const char *)m + at + 1);
        at += m[at] + 1u;
    }
}

static void print_answer(const unsigned char *m)
{
    static const char *const codes[] = {"noerror",  "formerr", "servfail",
                                        "nxdomain", "notimp",  "refused"};
    int count = m[6] << 8 | m[7];
    size_t at = skip_name(m, 12) + 4;

    printf("%s%s", (m[3] & 15) < 6 ? codes[m[3] & 15] : "?", m[2] & 2 ? " truncated" : "");
    for (int i = 0; i < count; i++) {
        char text[INET6_ADDRSTRLEN];
        int type, len;

        at = skip_name(m, at);
        type = m[at] << 8 | m[at + 1];
        len = m[at + 8] << 8 | m[at + 9];
        at += 10;
        putchar(' ');
        if (type == 1 || type == 28)
            fputs(inet_ntop(type == 1 ? AF_INET : AF_INET6, m + at, text, sizeof text), stdout);
        else if (type == 12)
            print_name(m, at);
        else if (type == 16)
            printf("%.*s", m[at] > 20 ? 20 : m[at], (const char *)m + at + 1);
        at += (size_t)len;
    }
    putchar('\n');
}

static int dns(const char *server, const char *name, const char *type, int tcp)
{
    static unsigned char message[65538];
    int number = !strcmp(type, "a")     ? 1
                 : !strcmp(type, "ptr") ? 12
                 : !strcmp(type, "txt") ? 16
                                        : 28;
    int fd = connect_to(tcp ? SOCK_STREAM : SOCK_DGRAM, server, "53");
    size_t len = put_question(message + 2, name, number), have = 0;

    if (fd < 0)
        return say_error(-fd);
    message[0] = (unsigned char)(len >> 8);
    message[1] = (unsigned char)len;
    if (tcp)
        poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 5000);
    if (write(fd, message + (tcp ? 0 : 2), len + (tcp ? 2 : 0)) < 0)
        return say_error(errno);
    while (poll(&(struct pollfd){fd, POLLIN, 0}, 1, 15000) > 0) {
        ssize_t n = read(fd, message + have, sizeof message - have);

        if (n <= 0)
            return n < 0 ? say_error(errno) : say("closed");
        have += (size_t)n;
        if (!tcp || (have >= 2 && have >= 2u + (size_t)(message[0] << 8 | message[1]))) {
            print_answer(message + (tcp ? 2 : 0));
            return 0;
        }
    }
    return say("timeout");
}

/* --- forged frames --------------------------------------------------------------------------- */

static void read_mac(const char *text, unsigned char ret[6])
{
    sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &ret[0], &ret[1], &ret[2], &ret[3], &ret[4],
           &ret[5]);
}

static int send_frame(const char *interface, const void *frame, size_t len)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

    return fd < 0 || sendto(fd, frame, len, 0, (struct sockaddr *)&to, sizeof to) < 0
               ? fail("frame")
               : 0;
}

static unsigned sum(const void *data, size_t len)
{
    unsigned total = 0;

    for (size_t i = 0; i + 1 < len; i += 2)
        total += ntohs(*(const unsigned short *)((const char *)data + i));
    total = (total & 0xffff) + (total >> 16);
    return ~(total + (total >> 16)) & 0xffff;
}

static int udp_from(char **a)
{
    struct {
        struct ethhdr eth;
        struct iphdr ip;
        struct udphdr udp;
        char text[64];
    } __attribute__((packed)) f = {0};
    size_t n = strlen(a[6]);

    read_mac(a[1], f.eth.h_source);
    read_mac(a[3], f.eth.h_dest);
    f.eth.h_proto = htons(ETH_P_IP);
    f.ip.version = 4;
    f.ip.ihl = 5;
    f.ip.ttl = 64;
    f.ip.protocol = IPPROTO_UDP;
    f.ip.tot_len = htons((unsigned short)(sizeof f.ip + sizeof f.udp + n));
    f.ip.saddr = inet_addr(a[2]);
    f.ip.daddr = inet_addr(a[4]);
    f.ip.check = htons((unsigned short)sum(&f.ip, sizeof f.ip));
    f.udp.source = htons(4444);
    f.udp.dest = htons((unsigned short)atoi(a[5]));
    f.udp.len = htons((unsigned short)(sizeof f.udp + n));
    memcpy(f.text, a[6], n);
    return send_frame(a[0], &f, sizeof f - sizeof f.text + n);
}

static int arp_from(char **a)
{
    struct {
        struct ethhdr eth;
        unsigned short type, proto;
        unsigned char sizes[2];
        unsigned short op;
        unsigned char sender[6];
        unsigned from;
        unsigned char target[6];
        unsigned to;
    } __attribute__((packed))
    f = {.type = htons(1), .proto = htons(ETH_P_IP), .sizes = {6, 4}, .op = htons(2)};

    memset(f.eth.h_dest, 0xff, 6);
    memset(f.target, 0xff, 6);
    read_mac(a[1], f.eth.h_source);
    read_mac(a[1], f.sender);
    f.eth.h_proto = htons(ETH_P_ARP);
    f.from = inet_addr(a[2]);
    f.to = inet_addr(a[3]);
    return send_frame(a[0], &f, sizeof f);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";

    if (!strcmp(command, "serve") && argc == 5)
        serve(argv[2], atoi(argv[3]), argv[4]);
    if (!strcmp(command, "ask") && argc == 6)
        return ask(argv[2], argv[3], argv[4], atoi(argv[5]));
    if (!strcmp(command, "echo") && argc == 3)
        echo(atoi(argv[2]));
    if (!strcmp(command, "flood") && argc == 6)
        return flood(argv[3], argv[4], atol(argv[5]));
    if (!strcmp(command, "dns") && argc >= 5)
        return dns(argv[2], argv[3], argv[4], argc > 5);
    if (!strcmp(command, "udp-from") && argc == 9)
        return udp_from(argv + 2);
    if (!strcmp(command, "arp-from") && argc == 6)
        return arp_from(argv + 2);
    fprintf(stderr, "net: what?\n");
    return 125;
}
