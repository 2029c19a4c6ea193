/* pool.c - which addresses a network gets when nobody says: docker's pools, the first that is free.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "network/internal.h"

/* Each pool is cut into subnets of one size. */
static const struct {
    const char *pool;
    uint8_t prefix;
} pools[] = {
    {"172.17.0.0/16", 16}, {"172.18.0.0/16", 16}, {"172.19.0.0/16", 16},  {"172.20.0.0/14", 16},
    {"172.24.0.0/14", 16}, {"172.28.0.0/14", 16}, {"192.168.0.0/16", 20},
};

static bool is_free(const struct net_subnets *taken, const struct subnet *s)
{
    for (size_t i = 0; i < taken->len; i++)
        if (subnet_overlaps(&taken->items[i], s))
            return false;
    return true;
}

int net_pool_choose(const struct net_subnets *taken, struct subnet *ret, struct err *err)
{
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        struct subnet pool, s;

        subnet_parse(pools[i].pool, false, &pool);
        s = (struct subnet){pool.base, pools[i].prefix};
        for (; subnet_contains(&pool, &s.base); s.base = ip_add(&s.base, 1ull << (32 - s.prefix))) {
            if (!is_free(taken, &s))
                continue;
            *ret = s;
            return 0;
        }
    }
    return err_set(
        err, ENOSPC,
        "all predefined address pools have been fully subnetted: give --subnet, or remove "
        "networks that are not used (cooper network prune)");
}

int net_pool_random6(struct subnet *ret, struct err *err)
{
    struct subnet s = {{.len = 16, .bytes = {0xfd}}, 64};

    if (getrandom(s.base.bytes + 1, 7, 0) != 7)
        return err_errno(err, "cannot get random bits");
    *ret = s;
    return 0;
}

void net_mac_from(const struct ip *ip, uint8_t ret[6])
{
    ret[0] = 0x02;
    ret[1] = 0x42;
    memcpy(ret + 2, ip->bytes + (ip->len == 16 ? 12 : 0), 4);
}

int net_mac_parse(const char *text, uint8_t ret[6])
{
    unsigned b[6];
    int end = 0;

    if (sscanf(text, "%2x%*1[:-]%2x%*1[:-]%2x%*1[:-]%2x%*1[:-]%2x%*1[:-]%2x%n", &b[0], &b[1], &b[2],
               &b[3], &b[4], &b[5], &end) != 6 ||
        text[end] || strlen(text) != 17)
        return -EINVAL;
    for (int i = 0; i < 6; i++)
        ret[i] = (uint8_t)b[i];
    return 0;
}

void net_mac_format(const uint8_t mac[6], char ret[18])
{
    snprintf(ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
}
