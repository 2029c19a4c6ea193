#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

int ip_parse(const char *text, struct ip *ret)
{
    struct ip ip = {.len = 4};

    if (inet_pton(AF_INET, text, ip.bytes) != 1) {
        ip.len = 16;
        if (inet_pton(AF_INET6, text, ip.bytes) != 1)
            return -EINVAL;
    }
    *ret = ip;
    return 0;
}

const char *ip_format(const struct ip *ip, char ret[IP_TEXT_MAX])
{
    ret[0] = 0;
    if (ip->len)
        inet_ntop(ip_family(ip), ip->bytes, ret, IP_TEXT_MAX);
    return ret;
}

bool ip_is_set(const struct ip *ip)
{
    return ip->len != 0;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

int ip_compare(const struct ip *a, const struct ip *b)
{
    return memcmp(a->bytes, b->bytes, a->len);
}

struct ip ip_add(const struct ip *ip, uint64_t n)
{
    struct ip sum = *ip;

    for (int i = sum.len - 1; i >= 0 && n; i--) {
        n += sum.bytes[i];
        sum.bytes[i] = (uint8_t)n;
        n >>= 8;
    }
    return sum;
}

struct ip ip_next(const struct ip *ip)
{
    return ip_add(ip, 1);
}

bool ip_is_loopback(const struct ip *ip)
{
    static const uint8_t one[16] = {[15] = 1};

    return ip->len == 4 ? ip->bytes[0] == 127 : ip->len == 16 && !memcmp(ip->bytes, one, 16);
}

bool ip_is_unspecified(const struct ip *ip)
{
    static const uint8_t zero[16];

    return ip->len && !memcmp(ip->bytes, zero, ip->len);
}

int ip_family(const struct ip *ip)
{
    return ip->len == 16 ? AF_INET6 : AF_INET;
}

/* The bits of byte `i` that belong to the network part. */
static uint8_t mask_byte(unsigned prefix, unsigned i)
{
    return prefix >= 8 * i + 8 ? 0xff
           : prefix <= 8 * i   ? 0
                               : (uint8_t)(0xff << (8 * i + 8 - prefix));
}

struct subnet subnet_of(const struct ip *ip, uint8_t prefix)
{
    struct subnet s = {*ip, prefix};

    for (unsigned i = 0; i < ip->len; i++)
        s.base.bytes[i] &= mask_byte(prefix, i);
    return s;
}

int subnet_parse(const char *text, bool keep_host, struct subnet *ret)
{
    char address[IP_TEXT_MAX];
    size_t n = strcspn(text, "/");
    unsigned long long prefix;
    struct ip ip;

    if (n >= sizeof address || !text[n] || str_to_u64(text + n + 1, &prefix) < 0)
        return -EINVAL;
    memcpy(address, text, n);
    address[n] = 0;
    if (ip_parse(address, &ip) < 0 || prefix > 8ull * ip.len)
        return -EINVAL;
    *ret = keep_host ? (struct subnet){ip, (uint8_t)prefix} : subnet_of(&ip, (uint8_t)prefix);
    return 0;
}

const char *subnet_format(const struct subnet *s, char ret[SUBNET_TEXT_MAX])
{
    char address[IP_TEXT_MAX];

    ret[0] = 0;
    if (s->base.len)
        snprintf(ret, SUBNET_TEXT_MAX, "%s/%u", ip_format(&s->base, address), s->prefix);
    return ret;
}

bool subnet_contains(const struct subnet *s, const struct ip *ip)
{
    struct subnet own = subnet_of(&s->base, s->prefix), other;

    if (!ip->len || ip->len != s->base.len)
        return false;
    other = subnet_of(ip, s->prefix);
    return ip_equal(&own.base, &other.base);
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
    return a->prefix <= b->prefix ? subnet_contains(a, &b->base) : subnet_contains(b, &a->base);
}

struct ip subnet_last(const struct subnet *s)
{
    struct ip last = s->base;

    for (unsigned i = 0; i < last.len; i++)
        last.bytes[i] |= (uint8_t)~mask_byte(s->prefix, i);
    return last;
}

bool subnet_reserves(const struct subnet *s, const struct ip *ip)
{
    struct ip last = subnet_last(s);

    if (s->prefix >= 8 * s->base.len - 1)
        return false;
    return ip_equal(ip, &s->base) || (ip->len == 4 && ip_equal(ip, &last));
}
