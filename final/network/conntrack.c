/* conntrack.c - connections that the kernel remembers. An entry outlives the rule that made it:
 * without this, the next container of an address would get its predecessor's answers, and a sender
 * of datagrams that began before a port was published would never reach it. */
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "network/internal.h"
#include "base/netlink.h"

/* Bits of CTA_FILTER: net/netfilter/nf_conntrack_netlink.c; Linux 5.8. */
enum { FILTER_SOURCE = 1 << 0, FILTER_PROTO = 1 << 3, FILTER_DPORT = 1 << 5 };

static void begin(struct nl_batch *batch, uint16_t type, uint16_t flags, uint8_t family,
                  const char *what)
{
    struct nfgenmsg fixed = {.nfgen_family = family, .version = NFNETLINK_V0};

    nl_message(batch, (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), flags, &fixed, sizeof fixed,
               what, ENOENT);
}

static int delete_found(void *context, const struct nlmsghdr *message)
{
    const struct nfgenmsg *fixed = NLMSG_DATA(message);
    const struct nlattr *found[CTA_ID + 1];
    struct nl_batch *batch = context;

    nl_attributes(message, sizeof *fixed, found, CTA_ID);
    if (!found[CTA_TUPLE_ORIG] || batch->count >= 60)
        return 0;
    begin(batch, IPCTNL_MSG_CT_DELETE, 0, fixed->nfgen_family, "forget a connection");
    nl_put(batch, CTA_TUPLE_ORIG | NLA_F_NESTED, nl_data(found[CTA_TUPLE_ORIG]),
           nl_len(found[CTA_TUPLE_ORIG]));
    if (found[CTA_ID])
        nl_put(batch, CTA_ID, nl_data(found[CTA_ID]), nl_len(found[CTA_ID]));
    return 0;
}

/* Most hosts most of the time have none, and to look through an empty table costs as much as
 * through a full one. */
static bool any_connection(void)
{
    char count[32];

    return !net_switch_read("netfilter/nf_conntrack_count", count) && strcmp(count, "0") != 0;
}

static void put_source(struct nl_batch *batch, uint16_t tuple, const struct ip *ip)
{
    size_t outer = nl_nest(batch, tuple), inner = nl_nest(batch, CTA_TUPLE_IP);

    nl_put(batch, ip->len == 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, ip->bytes, ip->len);
    nl_end(batch, inner);
    nl_end(batch, outer);
}

static void put_filter(struct nl_batch *batch, uint32_t original, uint32_t reply)
{
    size_t nest = nl_nest(batch, CTA_FILTER);

    nl_put_u32(batch, CTA_FILTER_ORIG_FLAGS, original);
    nl_put_u32(batch, CTA_FILTER_REPLY_FLAGS, reply);
    nl_end(batch, nest);
}

/* Runs the query in `batch` and deletes what it tells, until it tells no more. */
static void forget(int fd, struct nl_batch *batch)
{
    cleanup_batch struct nl_batch found = {0}, again = {0};
    struct err ignored;
    size_t count;

    buf_add(&again.bytes, batch->bytes.data, batch->bytes.len);
    do {
        again.message = 0;
        if (nl_query(fd, &again, delete_found, &found) < 0 || !found.count)
            return;
        count = found.count;
        nl_send(fd, &found, &ignored);
        buf_add(&again.bytes, batch->bytes.data, batch->bytes.len);
    } while (count >= 60);
}

void net_forget_connections(const struct ip *ip)
{
    static const uint16_t tuples[] = {CTA_TUPLE_ORIG, CTA_TUPLE_REPLY};
    struct err ignored;
    cleanup_close int fd = ip->len && any_connection() ? nl_open(NETLINK_NETFILTER, &ignored) : -1;

    for (int i = 0; fd >= 0 && i < 2; i++) {
        cleanup_batch struct nl_batch batch = {0};

        begin(&batch, IPCTNL_MSG_CT_GET, NLM_F_DUMP, (uint8_t)ip_family(ip), "list connections");
        put_source(&batch, tuples[i], ip);
        put_filter(&batch, i ? 0 : FILTER_SOURCE, i ? FILTER_SOURCE : 0);
        forget(fd, &batch);
    }
}

void net_forget_port(uint8_t proto, uint16_t port)
{
    struct err ignored;
    cleanup_close int fd = any_connection() ? nl_open(NETLINK_NETFILTER, &ignored) : -1;
    uint16_t wanted = htons(port);
    static const uint8_t families[] = {AF_INET, AF_INET6};

    for (int i = 0; fd >= 0 && i < 2; i++) {
        cleanup_batch struct nl_batch batch = {0};
        size_t outer, inner;

        begin(&batch, IPCTNL_MSG_CT_GET, NLM_F_DUMP, families[i], "list connections");
        outer = nl_nest(&batch, CTA_TUPLE_ORIG);
        inner = nl_nest(&batch, CTA_TUPLE_PROTO);
        nl_put_u8(&batch, CTA_PROTO_NUM, proto);
        nl_put(&batch, CTA_PROTO_DST_PORT, &wanted, sizeof wanted);
        nl_end(&batch, inner);
        nl_end(&batch, outer);
        put_filter(&batch, FILTER_PROTO | FILTER_DPORT, 0);
        forget(fd, &batch);
    }
}
