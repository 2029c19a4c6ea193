/* ip.h - internet addresses and subnets, both versions in one type: bytes in network order, so that
 * comparing bytes compares numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define IP_TEXT_MAX     46 /* INET6_ADDRSTRLEN */
#define SUBNET_TEXT_MAX 50

struct ip {
    uint8_t len; /* 4, 16, or 0: none */
    uint8_t bytes[16];
};

/* Without brackets, zone or prefix; -EINVAL without a message. */
int ip_parse(const char *text, struct ip *ret);
/* "" for none. Returns `ret`. */
const char *ip_format(const struct ip *ip, char ret[IP_TEXT_MAX]);
bool ip_is_set(const struct ip *ip);
bool ip_equal(const struct ip *a, const struct ip *b);
int ip_compare(const struct ip *a, const struct ip *b); /* of one version */
/* The one after; after the highest comes zero. */
struct ip ip_next(const struct ip *ip);
struct ip ip_add(const struct ip *ip, uint64_t n);
bool ip_is_loopback(const struct ip *ip);
bool ip_is_unspecified(const struct ip *ip); /* 0.0.0.0, :: */
int ip_family(const struct ip *ip);          /* AF_INET or AF_INET6 */

struct subnet {
    struct ip base; /* host bits are zero, unless subnet_parse was to keep them */
    uint8_t prefix;
};

/* "172.17.0.0/16"; `keep_host`: the address stays as written. -EINVAL without a message. */
int subnet_parse(const char *text, bool keep_host, struct subnet *ret);
const char *subnet_format(const struct subnet *s, char ret[SUBNET_TEXT_MAX]);
bool subnet_contains(const struct subnet *s, const struct ip *ip);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);
struct ip subnet_last(const struct subnet *s);
/* A subnet's first address is its own name, the last one of IPv4 everybody's. Where there are but
 * two or one, none is kept. */
bool subnet_reserves(const struct subnet *s, const struct ip *ip);
/* Only host bits zero, of the address given. */
struct subnet subnet_of(const struct ip *ip, uint8_t prefix);
