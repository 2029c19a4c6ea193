#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <ctype.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

#include "network/dns.h"

enum { FLAGS = 2, QDCOUNT = 4, ANCOUNT = 6, NSCOUNT = 8, ARCOUNT = 10 };
enum { QR = 0x8000, OPCODE = 0x7800, TC = 0x0200, RD = 0x0100, RA = 0x0080 };
enum { TTL = 600, EDNS_ROOM = 1232, EDNS_RECORD = 11, POINTER_TO_QUESTION = 0xc000 | DNS_HEADER };

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void set16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

/* An OPT record right behind the question: the root's name, type 41, and as its class the size. */
static void read_edns(const uint8_t *message, size_t len, struct dns_question *q)
{
    const uint8_t *p = message + q->end;

    q->udp_room = DNS_UDP_MAX;
    q->edns = get16(message + ARCOUNT) > 0 && len >= q->end + EDNS_RECORD && p[0] == 0 &&
              get16(p + 1) == 41;
    if (q->edns && get16(p + 3) > DNS_UDP_MAX)
        q->udp_room = get16(p + 3);
}

bool dns_read_question(const uint8_t *message, size_t len, struct dns_question *ret)
{
    struct dns_question q = {0};
    int n;

    if (len < DNS_HEADER || (get16(message + FLAGS) & (QR | OPCODE)) ||
        get16(message + QDCOUNT) != 1)
        return false;
    n = dn_expand(message, message + len, message + DNS_HEADER, q.name, sizeof q.name);
    if (n < 0 || DNS_HEADER + (size_t)n + 4 > len)
        return false;
    q.end = DNS_HEADER + (size_t)n + 4;
    q.type = (uint16_t)get16(message + q.end - 4);
    if (get16(message + q.end - 2) != ns_c_in)
        return false;
    for (char *p = q.name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    read_edns(message, len, &q);
    *ret = q;
    return true;
}

static bool reverse4(const char *name, struct ip *ret)
{
    unsigned b[4];
    int end = 0;

    if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", &b[3], &b[2], &b[1], &b[0], &end) != 4 ||
        !end || name[end])
        return false;
    *ret = (struct ip){.len = 4};
    for (int i = 0; i < 4; i++) {
        if (b[i] > 255)
            return false;
        ret->bytes[i] = (uint8_t)b[i];
    }
    return true;
}

/* 32 digits, each with its dot, the last one first. */
static bool reverse6(const char *name, struct ip *ret)
{
    if (strlen(name) != 64 + strlen("ip6.arpa") || strcmp(name + 64, "ip6.arpa") != 0)
        return false;
    *ret = (struct ip){.len = 16};
    for (int i = 0; i < 32; i++) {
        int digit = name[2 * i] >= 'a' ? name[2 * i] - 'a' + 10 : name[2 * i] - '0';

        if (digit < 0 || digit > 15 || name[2 * i + 1] != '.')
            return false;
        ret->bytes[15 - i / 2] |= (uint8_t)(digit << (i % 2 ? 4 : 0));
    }
    return true;
}

bool dns_reverse_address(const char *name, struct ip *ret)
{
    return reverse4(name, ret) || reverse6(name, ret);
}

void dns_answer_begin(const uint8_t *query, const struct dns_question *q, int code,
                      struct dns_answer *ret)
{
    uint8_t *header;

    *ret = (struct dns_answer){0};
    buf_add(&ret->bytes, query, q->end);
    header = (uint8_t *)ret->bytes.data;
    set16(header + FLAGS, QR | RA | (get16(query + FLAGS) & RD) | (unsigned)code);
    set16(header + ANCOUNT, 0);
    set16(header + NSCOUNT, 0);
    set16(header + ARCOUNT, 0);
}

static void add_record(struct dns_answer *a, unsigned type, const uint8_t *data, size_t len)
{
    uint8_t fixed[12];

    set16(fixed, POINTER_TO_QUESTION);
    set16(fixed + 2, type);
    set16(fixed + 4, ns_c_in);
    set16(fixed + 6, TTL >> 16);
    set16(fixed + 8, TTL & 0xffff);
    set16(fixed + 10, (unsigned)len);
    buf_add(&a->bytes, fixed, sizeof fixed);
    buf_add(&a->bytes, data, len);
    a->count++;
}

void dns_answer_address(struct dns_answer *a, const struct ip *ip)
{
    add_record(a, ip->len == 4 ? DNS_A : DNS_AAAA, ip->bytes, ip->len);
}

void dns_answer_name(struct dns_answer *a, const char *name)
{
    uint8_t data[256];
    int n = dn_comp(name, data, sizeof data, NULL, NULL);

    if (n > 0)
        add_record(a, DNS_PTR, data, (size_t)n);
}

static void add_edns(struct dns_answer *a)
{
    uint8_t record[EDNS_RECORD] = {0, 0, 41};

    set16(record + 3, EDNS_ROOM);
    buf_add(&a->bytes, record, sizeof record);
    set16((uint8_t *)a->bytes.data + ARCOUNT, 1);
}

void dns_answer_end(struct dns_answer *a, const struct dns_question *q, size_t room)
{
    uint8_t *header = (uint8_t *)a->bytes.data;

    if (room && a->bytes.len + (q->edns ? EDNS_RECORD : 0) > room) {
        a->bytes.len = q->end;
        a->count = 0;
        set16(header + FLAGS, get16(header + FLAGS) | TC);
    }
    set16(header + ANCOUNT, a->count);
    if (q->edns)
        add_edns(a);
}
