/* nft.h - the sets of our tables by raw netlink: linux/netfilter/nf_tables.h. Private to network/.
 *
 * The rules themselves are text, which libnftables reads in a program of its own (nft_main.c) when
 * they have to be made; adding an element is on the way of each start and is one message. */
#pragma once

#include "base/netlink.h"
#include "network/network.h"

struct nft_set {
    const char *name;
    bool bridge; /* in the bridge table, else inet */
    const char
        *key; /* a letter each part: i link, m hardware address, 4 6 address, p protocol, s port */
    const char *data; /* of a map, NULL: a set */
    const char *type; /* as nft(8) writes it */
};
extern const struct nft_set nft_sets[SET_COUNT];

int nft_open(struct err *err);
/* Frame of a transaction. */
void nft_begin(struct nl_batch *batch);
void nft_commit(struct nl_batch *batch);
/* NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM. */
void nft_element(struct nl_batch *batch, const char *table, const struct net_element *element,
                 bool add, int tolerated);
void nft_delete_table(struct nl_batch *batch, const char *table, bool bridge);
/* The ruleset's generation; -errno. */
int nft_generation(int fd, uint32_t *ret);
/* Hashes of the rules and of the elements of both tables as they are; -ENOENT if one is not there.
 */
int nft_digest(int fd, const char *table, uint64_t *ret_rules, uint64_t *ret_elements);
uint64_t nft_element_hash(const struct net_element *element);
/* The element as nft(8) reads it: "cv0 . 02:42:ac:11:00:02 . 172.17.0.2". */
void nft_element_text(const struct net_element *element, struct buf *ret);
