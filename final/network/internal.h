/* internal.h - what the files of network/ share and nobody else sees. */
#pragma once

#include <sys/socket.h>

#include "base/err.h"
#include "base/netns.h"
#include "network/network.h"

/* --- switches.c: those below /proc/sys/net of the namespace the caller is in: "ipv4/ip_forward".
 * -errno without a message. */
int net_switch_read(const char *name, char ret[32]);
int net_switch_set(const char *name, const char *value, struct err *err);

/* --- link.c: an address for a link, as a step of a batch */
struct nl_batch;
void nl_put_new_address(struct nl_batch *batch, int index, const struct subnet *address);

/* --- rules.c: gives libnftables a text, by the program cooper-nft */
int rules_run(const char *text, size_t len, struct err *err);

/* --- port.c: an address of a socket; returns its length */
struct sockaddr_storage;
socklen_t net_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret);
