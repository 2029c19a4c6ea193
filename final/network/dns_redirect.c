/* dns_redirect.c - four rules in the container's namespace: port 53 of 127.0.0.11 leads to the
 * server, and its answers look as if they came from 53. Ports are rewritten as the packets leave;
 * nothing is tracked, so that the container's other traffic does not pay for it. By raw netlink:
 * libnftables would take longer to load. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "network/dns.h"
#include "network/nft.h"

#define TABLE "cooper-dns"
#define CHAIN "rewrite"

enum { NETWORK_SOURCE = 12, NETWORK_DESTINATION = 16, SOURCE_PORT = 0, DESTINATION_PORT = 2 };

static void message(struct nl_batch *b, uint16_t type, const char *what)
{
    struct nfgenmsg fixed = {.nfgen_family = NFPROTO_IPV4, .version = NFNETLINK_V0};

    nl_message(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_CREATE | NLM_F_APPEND, &fixed,
               sizeof fixed, what, 0);
}

/* One expression of a rule: its name and, between these two, its attributes. */
static void begin_expression(struct nl_batch *b, const char *name, size_t nests[2])
{
    nests[0] = nl_nest(b, NFTA_LIST_ELEM);
    nl_put_text(b, NFTA_EXPR_NAME, name);
    nests[1] = nl_nest(b, NFTA_EXPR_DATA);
}

static void end_expression(struct nl_batch *b, const size_t nests[2])
{
    nl_end(b, nests[1]);
    nl_end(b, nests[0]);
}

static void put_value(struct nl_batch *b, uint16_t type, const void *value, size_t len)
{
    size_t nest = nl_nest(b, type);

    nl_put(b, NFTA_DATA_VALUE, value, len);
    nl_end(b, nest);
}

static void must_equal(struct nl_batch *b, const void *value, size_t len)
{
    size_t nests[2];

    begin_expression(b, "cmp", nests);
    nl_put_be32(b, NFTA_CMP_SREG, NFT_REG_1);
    nl_put_be32(b, NFTA_CMP_OP, NFT_CMP_EQ);
    put_value(b, NFTA_CMP_DATA, value, len);
    end_expression(b, nests);
}

static void match_protocol(struct nl_batch *b, uint8_t proto)
{
    size_t nests[2];

    begin_expression(b, "meta", nests);
    nl_put_be32(b, NFTA_META_DREG, NFT_REG_1);
    nl_put_be32(b, NFTA_META_KEY, NFT_META_L4PROTO);
    end_expression(b, nests);
    must_equal(b, &proto, sizeof proto);
}

static void match_bytes(struct nl_batch *b, uint32_t base, uint32_t offset, const void *value,
                        uint32_t len)
{
    size_t nests[2];

    begin_expression(b, "payload", nests);
    nl_put_be32(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
    nl_put_be32(b, NFTA_PAYLOAD_BASE, base);
    nl_put_be32(b, NFTA_PAYLOAD_OFFSET, offset);
    nl_put_be32(b, NFTA_PAYLOAD_LEN, len);
    end_expression(b, nests);
    must_equal(b, value, len);
}

static void rewrite_port(struct nl_batch *b, uint8_t proto, uint32_t offset, uint16_t port)
{
    size_t nests[2];

    begin_expression(b, "immediate", nests);
    nl_put_be32(b, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    put_value(b, NFTA_IMMEDIATE_DATA, &port, sizeof port);
    end_expression(b, nests);
    begin_expression(b, "payload", nests);
    nl_put_be32(b, NFTA_PAYLOAD_SREG, NFT_REG_1);
    nl_put_be32(b, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    nl_put_be32(b, NFTA_PAYLOAD_OFFSET, offset);
    nl_put_be32(b, NFTA_PAYLOAD_LEN, sizeof port);
    nl_put_be32(b, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
    nl_put_be32(b, NFTA_PAYLOAD_CSUM_OFFSET, proto == IPPROTO_UDP ? 6 : 16);
    end_expression(b, nests);
}

/* Packets with 127.0.0.11 and port `from` at one end get `to` there. */
static void put_rule(struct nl_batch *b, uint8_t proto, bool question, uint16_t from, uint16_t to)
{
    const uint8_t server[4] = {127, 0, 0, 11};
    uint16_t from_be = htons(from), to_be = htons(to);
    uint32_t port_at = question ? DESTINATION_PORT : SOURCE_PORT;
    size_t expressions;

    message(b, NFT_MSG_NEWRULE, "make a rule for 127.0.0.11");
    nl_put_text(b, NFTA_RULE_TABLE, TABLE);
    nl_put_text(b, NFTA_RULE_CHAIN, CHAIN);
    expressions = nl_nest(b, NFTA_RULE_EXPRESSIONS);
    match_bytes(b, NFT_PAYLOAD_NETWORK_HEADER, question ? NETWORK_DESTINATION : NETWORK_SOURCE,
                server, sizeof server);
    match_protocol(b, proto);
    match_bytes(b, NFT_PAYLOAD_TRANSPORT_HEADER, port_at, &from_be, sizeof from_be);
    rewrite_port(b, proto, port_at, to_be);
    nl_end(b, expressions);
}

static void put_chain(struct nl_batch *b)
{
    size_t hook;

    message(b, NFT_MSG_NEWTABLE, "make a table of rules for 127.0.0.11");
    nl_put_text(b, NFTA_TABLE_NAME, TABLE);
    message(b, NFT_MSG_NEWCHAIN, "make a chain of rules for 127.0.0.11");
    nl_put_text(b, NFTA_CHAIN_TABLE, TABLE);
    nl_put_text(b, NFTA_CHAIN_NAME, CHAIN);
    nl_put_text(b, NFTA_CHAIN_TYPE, "filter");
    hook = nl_nest(b, NFTA_CHAIN_HOOK);
    nl_put_be32(b, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
    nl_put_be32(b, NFTA_HOOK_PRIORITY,
                (uint32_t)-300); /* raw: before whatever the container sets up itself */
    nl_end(b, hook);
}

int dns_redirect(int netns, uint16_t udp_port, uint16_t tcp_port, struct err *err)
{
    cleanup_close int fd = nl_open_in(netns, NETLINK_NETFILTER, err);
    cleanup_batch struct nl_batch b = {0};

    if (fd < 0)
        return fd;
    nft_begin(&b);
    put_chain(&b);
    put_rule(&b, IPPROTO_UDP, true, 53, udp_port);
    put_rule(&b, IPPROTO_UDP, false, udp_port, 53);
    put_rule(&b, IPPROTO_TCP, true, 53, tcp_port);
    put_rule(&b, IPPROTO_TCP, false, tcp_port, 53);
    nft_commit(&b);
    return nl_send(fd, &b, err);
}
