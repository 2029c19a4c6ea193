/* rules.h - private to network/: the text of our tables, and who else filters what is forwarded. */
#pragma once

#include "network/network.h"

/* Both tables with these elements, for libnftables: what was there of them before goes in the same
 * transaction. */
void rules_text(const char *table, const struct net_elements *elements, struct buf *ret);

/* foreign.c: chains of others that drop what they do not know of; a note for each, with what to do
 * about it. */
int rules_check_foreign(int fd, const char *table, struct strv *ret_notes, struct err *err);
