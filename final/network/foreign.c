/* foreign.c - beside others' firewalls. Every chain at a hook has to let a packet pass; a chain of
 * ours that accepts does not help against another's that drops. Docker sets its FORWARD to drop
 * what it does not know, firewalld refuses what comes from an interface without a zone. Their rules
 * are theirs: what stands in the way is named, with the command that takes it away. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include "network/nft.h"
#include "network/rules.h"

struct survey {
    const char *table; /* ours */
    struct strv *notes;
    bool docker_user;
    char dropping[64]; /* "ip filter FORWARD" */
    bool firewalld;
};

static const char *family_name(uint8_t family)
{
    return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

static int note_chain(void *context, const struct nlmsghdr *message)
{
    const struct nfgenmsg *fixed = NLMSG_DATA(message);
    const struct nlattr *found[NFTA_CHAIN_POLICY + 1], *hook[NFTA_HOOK_HOOKNUM + 1];
    struct survey *s = context;
    const char *table, *name;

    nl_attributes(message, sizeof *fixed, found, NFTA_CHAIN_POLICY);
    if (!found[NFTA_CHAIN_TABLE] || !found[NFTA_CHAIN_NAME])
        return 0;
    table = nl_data(found[NFTA_CHAIN_TABLE]);
    name = nl_data(found[NFTA_CHAIN_NAME]);
    if (!strcmp(table, "filter") && !strcmp(name, "DOCKER-USER"))
        s->docker_user = true;
    nl_nested(found[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_HOOKNUM);
    if (!found[NFTA_CHAIN_HOOK] || ntohl(nl_u32(hook[NFTA_HOOK_HOOKNUM])) != NF_INET_FORWARD ||
        str_starts(table, "cooper") || fixed->nfgen_family == NFPROTO_IPV6 ||
        fixed->nfgen_family == NFPROTO_BRIDGE)
        return 0;
    s->firewalld |= !strcmp(table, "firewalld");
    if (found[NFTA_CHAIN_POLICY] && ntohl(nl_u32(found[NFTA_CHAIN_POLICY])) == NF_DROP &&
        !*s->dropping)
        snprintf(s->dropping, sizeof s->dropping, "%s %.20s %.20s",
                 family_name(fixed->nfgen_family), table, name);
    return 0;
}

int rules_check_foreign(int fd, const char *table, struct strv *ret_notes, struct err *err)
{
    cleanup_batch struct nl_batch batch = {0};
    struct nfgenmsg fixed = {.nfgen_family = NFPROTO_UNSPEC};
    struct survey s = {.table = table, .notes = ret_notes};
    int r;

    nl_message(&batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, &fixed,
               sizeof fixed, "list the chains", 0);
    r = nl_query(fd, &batch, note_chain, &s);
    if (r < 0)
        return err_set(err, -r, "cannot list the rules of others: %s", strerror(-r));
    if (*s.dropping)
        strv_take(ret_notes,
                  str_format("the chain '%s' of another program drops what it does not know, also "
                             "what containers send and get: %s",
                             s.dropping,
                             s.docker_user
                                 ? "docker has a place for exceptions (nft insert rule ip filter "
                                   "DOCKER-USER iifname BRIDGE accept, and the same with oifname)"
                                 : "allow the networks' bridges in it"));
    if (s.firewalld)
        strv_add(ret_notes,
                 "firewalld refuses what it has no zone for: firewall-cmd --zone=trusted "
                 "--add-interface=BRIDGE allows a network's bridge");
    return 0;
}
