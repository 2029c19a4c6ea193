/* rules_text.c - the rules, as nft(8) reads and shows them. */
#include <string.h>

#include "network/nft.h"
#include "network/rules.h"

/* What is routed. The priorities are those of nft(8): a chain of ours that accepts only says that
 * we have nothing against it, and another's may still drop. */
static const char inet_chains[] =
    /* Where packets arrive, before they are routed. 127.0.0.0/8 is not looked up: on a cable such a
     * destination is forged (CVE-2020-8558), and on this host the shim's listener has it. */
    "  chain arriving {\n"
    "    type nat hook prerouting priority dstnat; policy accept;\n"
    "    ip daddr 127.0.0.0/8 accept\n"
    "    iifname @internal accept\n"
    "    dnat ip to ip daddr . meta l4proto . th dport map @published4\n"
    "    dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6\n"
    "    meta nfproto ipv4 fib daddr type local dnat ip to meta l4proto . th dport map "
    "@published4_any\n"
    "    meta nfproto ipv6 fib daddr type local dnat ip6 to meta l4proto . th dport map "
    "@published6_any\n"
    "  }\n"
    /* Containers' addresses mean nothing outside. And a container that came to another by a
     * published port must get its answers back through this host, where the way back is known. */
    "  chain leaving {\n"
    "    type nat hook postrouting priority srcnat; policy accept;\n"
    "    iifname @masqueraded oifname != @bridges masquerade\n"
    "    ct status dnat iifname @bridges oifname @bridges masquerade\n"
    /* Itself, by its own published port. With br_netfilter the way leads from port to port, and
     * nothing says by which bridge it came. */
    "    ct status dnat ip saddr . ip daddr @self4 masquerade\n"
    "    ct status dnat ip6 saddr . ip6 daddr @self6 masquerade\n"
    "  }\n"
    "  chain forwarded {\n"
    "    type filter hook forward priority filter; policy accept;\n"
    "    oifname @bridges goto to_bridge\n"
    "    iifname @internal drop\n"
    "  }\n"
    /* Frames between two ports of one bridge come by here where br_netfilter is loaded (docker
     * loads it): what is allowed between them is said in the other table. */
    "  chain to_bridge {\n"
    "    ct state established,related accept\n"
    "    iifname . oifname @same accept\n"
    "    iifname @internal drop\n"
    "    ct status dnat accept\n"
    "    drop\n"
    "  }\n"
    "  chain to_host {\n"
    "    type filter hook input priority filter; policy accept;\n"
    "    iifname @internal goto from_internal\n"
    "  }\n"
    /* The host may ask a container of an internal network, so answers pass, and the question for an
       address. */
    "  chain from_internal {\n"
    "    ct state established,related accept\n"
    "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
    "    drop\n"
    "  }\n";

/* What is bridged: frames, at the port they come in by. */
static const char bridge_chains[] =
    "  chain from_port {\n"
    "    type filter hook prerouting priority filter; policy accept;\n"
    "    iifname @ports goto own_source\n"
    "  }\n"
    "  chain own_source {\n"
    "    ether type ip iifname . ether saddr . ip saddr @sources4 accept\n"
    "    ether type ip6 iifname . ether saddr . ip6 saddr @sources6 accept\n"
    "    ether type arp arp htype 1 arp ptype ip iifname . ether saddr . arp saddr ip @sources4"
    " iifname . arp saddr ether . arp saddr ip @sources4 accept\n"
    "    drop\n"
    "  }\n"
    "  chain between_ports {\n"
    "    type filter hook forward priority filter; policy accept;\n"
    "    iifname @isolated oifname @isolated goto isolated_pair\n"
    "  }\n"
    "  chain isolated_pair {\n"
    "    ether type arp accept\n"
    "    ip saddr . ip daddr . meta l4proto . th dport @linked accept\n"
    "    ip daddr . ip saddr . meta l4proto . th sport @linked accept\n"
    "    drop\n"
    "  }\n";

static void put_sets(bool bridge, const struct net_elements *elements, struct buf *ret)
{
    for (int i = 0; i < SET_COUNT; i++) {
        const struct nft_set *set = &nft_sets[i];
        const char *before = "    elements = { ";

        if (set->bridge != bridge)
            continue;
        buf_printf(ret, "  %s %s {\n    type %s\n", set->data ? "map" : "set", set->name,
                   set->type);
        for (size_t k = 0; k < elements->len; k++) {
            if ((int)elements->items[k].set != i)
                continue;
            buf_add_str(ret, before);
            nft_element_text(&elements->items[k], ret);
            before = ",\n      ";
        }
        buf_add_str(ret, *before == ',' ? " }\n  }\n" : "  }\n");
    }
}

void rules_text(const char *table, const struct net_elements *elements, struct buf *ret)
{
    static const char *const families[] = {"inet", "bridge"};
    static const char *const chains[] = {inet_chains, bridge_chains};

    for (int i = 0; i < 2; i++) {
        /* "add" does nothing if it is there, so that "delete" always finds something. */
        buf_printf(ret, "add table %s %s\ndelete table %s %s\ntable %s %s {\n", families[i], table,
                   families[i], table, families[i], table);
        put_sets(i == 1, elements, ret);
        buf_add_str(ret, chains[i]);
        buf_add_str(ret, "}\n");
    }
}
