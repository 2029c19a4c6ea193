#include "network/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

const struct nft_set nft_sets[SET_COUNT] = {
    [SET_BRIDGES] = {"bridges", false, "i", NULL, "ifname"},
    [SET_INTERNAL] = {"internal", false, "i", NULL, "ifname"},
    [SET_MASQUERADED] = {"masqueraded", false, "i", NULL, "ifname"},
    [SET_SAME] = {"same", false, "ii", NULL, "ifname . ifname"},
    [SET_SELF4] = {"self4", false, "45", NULL, "ipv4_addr . ipv4_addr"},
    [SET_SELF6] = {"self6", false, "65", NULL, "ipv6_addr . ipv6_addr"},
    [SET_PUBLISHED4] = {"published4", false, "4ps", "4s",
                        "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service"},
    [SET_PUBLISHED4_ANY] = {"published4_any", false, "ps", "4s",
                            "inet_proto . inet_service : ipv4_addr . inet_service"},
    [SET_PUBLISHED6] = {"published6", false, "6ps", "6s",
                        "ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service"},
    [SET_PUBLISHED6_ANY] = {"published6_any", false, "ps", "6s",
                            "inet_proto . inet_service : ipv6_addr . inet_service"},
    [SET_PORTS] = {"ports", true, "i", NULL, "ifname"},
    [SET_SOURCES4] = {"sources4", true, "im4", NULL, "ifname . ether_addr . ipv4_addr"},
    [SET_SOURCES6] = {"sources6", true, "im6", NULL, "ifname . ether_addr . ipv6_addr"},
    [SET_ISOLATED] = {"isolated", true, "i", NULL, "ifname"},
    [SET_LINKED] = {"linked", true, "45ps", NULL,
                    "ipv4_addr . ipv4_addr . inet_proto . inet_service"},
};

enum { KEY_MAX = 64 };

/* Each part of a key begins at a multiple of four bytes, as in the kernel's registers. */
static size_t add_part(uint8_t *key, size_t at, const void *data, size_t len)
{
    memcpy(key + at, data, len);
    return at + (len + 3) / 4 * 4;
}

static size_t encode(const char *parts, const struct net_element *e, bool data,
                     uint8_t key[KEY_MAX])
{
    uint16_t port = htons(data ? e->to_port : e->port);
    const struct ip *ip = data ? &e->to : &e->ip;
    size_t at = 0;

    memset(key, 0, KEY_MAX);
    for (const char *p = parts; *p; p++) {
        if (*p == 'i')
            at = add_part(key, at, e->link, LINK_NAME_MAX);
        else if (*p == 'm')
            at = add_part(key, at, e->mac, sizeof e->mac);
        else if (*p == '4' || *p == '6')
            at = add_part(key, at, ip->bytes, ip->len);
        else if (*p == '5')
            at = add_part(key, at, e->ip2.bytes, e->ip2.len);
        else if (*p == 'p')
            at = add_part(key, at, &e->proto, 1);
        else
            at = add_part(key, at, &port, sizeof port);
    }
    return at;
}

static void text_part(char part, const struct net_element *e, bool data, struct buf *ret)
{
    char text[IP_TEXT_MAX], mac[18];

    if (part == 'i')
        buf_printf(ret, "\"%s\"", e->link);
    else if (part == 'm')
        net_mac_format(e->mac, mac), buf_add_str(ret, mac);
    else if (part == '4' || part == '6')
        buf_add_str(ret, ip_format(data ? &e->to : &e->ip, text));
    else if (part == '5')
        buf_add_str(ret, ip_format(&e->ip2, text));
    else if (part == 'p')
        buf_add_str(ret, net_proto_name(e->proto));
    else
        buf_printf(ret, "%u", data ? e->to_port : e->port);
}

void nft_element_text(const struct net_element *e, struct buf *ret)
{
    const struct nft_set *set = &nft_sets[e->set];

    for (const char *p = set->key; *p; p++) {
        buf_add_str(ret, p == set->key ? "" : " . ");
        text_part(*p, e, false, ret);
    }
    for (const char *p = set->data ? set->data : ""; *p; p++) {
        buf_add_str(ret, p == set->data ? " : " : " . ");
        text_part(*p, e, true, ret);
    }
}

/* --- messages -------------------------------------------------------------------------------- */

static void message(struct nl_batch *batch, uint16_t type, uint16_t flags, bool bridge,
                    const char *what, int tolerated)
{
    struct nfgenmsg fixed = {.nfgen_family = bridge ? NFPROTO_BRIDGE : NFPROTO_INET,
                             .version = NFNETLINK_V0};

    nl_message(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &fixed, sizeof fixed,
               what, tolerated);
}

int nft_open(struct err *err)
{
    return nl_open(NETLINK_NETFILTER, err);
}

static void frame(struct nl_batch *batch, uint16_t type)
{
    struct nfgenmsg fixed = {.nfgen_family = AF_UNSPEC, .res_id = htons(NFNL_SUBSYS_NFTABLES)};

    nl_message(batch, type, 0, &fixed, sizeof fixed, NULL, 0);
}

void nft_begin(struct nl_batch *batch)
{
    frame(batch, NFNL_MSG_BATCH_BEGIN);
}

void nft_commit(struct nl_batch *batch)
{
    frame(batch, NFNL_MSG_BATCH_END);
}

static void put_value(struct nl_batch *batch, uint16_t type, const uint8_t *value, size_t len)
{
    size_t nest = nl_nest(batch, type);

    nl_put(batch, NFTA_DATA_VALUE, value, len);
    nl_end(batch, nest);
}

void nft_element(struct nl_batch *batch, const char *table, const struct net_element *e, bool add,
                 int tolerated)
{
    const struct nft_set *set = &nft_sets[e->set];
    uint8_t value[KEY_MAX];
    size_t list, item;

    message(batch, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, add ? NLM_F_CREATE : 0,
            set->bridge, add ? "add to the rules" : "take from the rules", tolerated);
    nl_put_text(batch, NFTA_SET_ELEM_LIST_TABLE, table);
    nl_put_text(batch, NFTA_SET_ELEM_LIST_SET, set->name);
    list = nl_nest(batch, NFTA_SET_ELEM_LIST_ELEMENTS);
    item = nl_nest(batch, NFTA_LIST_ELEM);
    put_value(batch, NFTA_SET_ELEM_KEY, value, encode(set->key, e, false, value));
    if (set->data && add)
        put_value(batch, NFTA_SET_ELEM_DATA, value, encode(set->data, e, true, value));
    nl_end(batch, item);
    nl_end(batch, list);
}

void nft_delete_table(struct nl_batch *batch, const char *table, bool bridge)
{
    message(batch, NFT_MSG_DELTABLE, 0, bridge, "remove the table of rules", ENOENT);
    nl_put_text(batch, NFTA_TABLE_NAME, table);
}

static int note_generation(void *context, const struct nlmsghdr *answer)
{
    const struct nlattr *found[NFTA_GEN_MAX + 1];

    nl_attributes(answer, sizeof(struct nfgenmsg), found, NFTA_GEN_MAX);
    *(uint32_t *)context = ntohl(nl_u32(found[NFTA_GEN_ID]));
    return 0;
}

int nft_generation(int fd, uint32_t *ret)
{
    cleanup_batch struct nl_batch batch = {0};

    message(&batch, NFT_MSG_GETGEN, 0, false, "read the ruleset's generation", 0);
    return nl_query(fd, &batch, note_generation, ret);
}

/* --- what is there --------------------------------------------------------------------------- */

/* FNV-1a: not against anybody, only to see a difference. */
static uint64_t hash_more(uint64_t hash, const void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3ull;
    return hash;
}

#define HASH_START 0xcbf29ce484222325ull

struct dump {
    uint64_t hash;
    size_t count;
    uint8_t set;
};

static int note_rule(void *context, const struct nlmsghdr *answer)
{
    const size_t skip =
        NLMSG_HDRLEN + sizeof(struct nfgenmsg); /* the number of the dump is in it */
    struct dump *dump = context;

    dump->hash = hash_more(dump->hash, (const char *)answer + skip, answer->nlmsg_len - skip);
    dump->count++;
    return 0;
}

static uint64_t hash_element(uint8_t set, const void *key, size_t key_len, const void *data,
                             size_t data_len)
{
    return hash_more(hash_more(hash_more(HASH_START, &set, 1), key, key_len), data, data_len);
}

uint64_t nft_element_hash(const struct net_element *e)
{
    const struct nft_set *set = &nft_sets[e->set];
    uint8_t key[KEY_MAX], data[KEY_MAX];
    size_t key_len = encode(set->key, e, false, key),
           data_len = set->data ? encode(set->data, e, true, data) : 0;

    return hash_element((uint8_t)e->set, key, key_len, data, data_len);
}

static const struct nlattr *value_of(const struct nlattr *nest)
{
    const struct nlattr *found[NFTA_DATA_VALUE + 1];

    nl_nested(nest, found, NFTA_DATA_VALUE);
    return found[NFTA_DATA_VALUE];
}

/* The sum does not depend on the order in which the kernel tells them. */
static void note_element(struct dump *dump, const struct nlattr *item)
{
    const struct nlattr *found[NFTA_SET_ELEM_DATA + 1], *key, *data;

    nl_nested(item, found, NFTA_SET_ELEM_DATA);
    key = value_of(found[NFTA_SET_ELEM_KEY]);
    data = value_of(found[NFTA_SET_ELEM_DATA]);
    if (key)
        dump->hash ^= hash_element(dump->set, nl_data(key), nl_len(key),
                                   data ? nl_data(data) : NULL, data ? nl_len(data) : 0);
}

static int note_elements(void *context, const struct nlmsghdr *answer)
{
    const struct nlattr *found[NFTA_SET_ELEM_LIST_ELEMENTS + 1], *item;
    size_t left;

    nl_attributes(answer, sizeof(struct nfgenmsg), found, NFTA_SET_ELEM_LIST_ELEMENTS);
    if (!found[NFTA_SET_ELEM_LIST_ELEMENTS])
        return 0;
    item = nl_data(found[NFTA_SET_ELEM_LIST_ELEMENTS]);
    left = nl_len(found[NFTA_SET_ELEM_LIST_ELEMENTS]);
    while (left >= sizeof *item && item->nla_len >= sizeof *item && item->nla_len <= left) {
        size_t step = NLA_ALIGN(item->nla_len);

        note_element(context, item);
        if (step >= left)
            break;
        left -= step;
        item = (const struct nlattr *)((const char *)item + step);
    }
    return 0;
}

static int digest_rules(int fd, const char *table, struct dump *dump)
{
    int r = 0;

    for (int bridge = 0; bridge < 2 && !r; bridge++) {
        cleanup_batch struct nl_batch batch = {0};
        size_t before = dump->count;

        message(&batch, NFT_MSG_GETRULE, NLM_F_DUMP, bridge, "read the rules", 0);
        nl_put_text(&batch, NFTA_RULE_TABLE, table);
        r = nl_query(fd, &batch, note_rule, dump);
        if (!r && dump->count == before)
            r = -ENOENT;
    }
    return r;
}

int nft_digest(int fd, const char *table, uint64_t *ret_rules, uint64_t *ret_elements)
{
    struct dump rules = {.hash = HASH_START}, elements = {0};
    int r = digest_rules(fd, table, &rules);

    for (uint8_t i = 0; i < SET_COUNT && !r; i++) {
        cleanup_batch struct nl_batch batch = {0};

        elements.set = i;
        message(&batch, NFT_MSG_GETSETELEM, NLM_F_DUMP, nft_sets[i].bridge, "read a set", 0);
        nl_put_text(&batch, NFTA_SET_ELEM_LIST_TABLE, table);
        nl_put_text(&batch, NFTA_SET_ELEM_LIST_SET, nft_sets[i].name);
        r = nl_query(fd, &batch, note_elements, &elements);
    }
    *ret_rules = rules.hash;
    *ret_elements = elements.hash;
    return r;
}
