/* place.h - where a sweep happens: namespaces of its own, so that "nothing is left" can be said of
 * *all* mounts, temporary files, control groups and network links, and so that two sweeps do not
 * see each other.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define PLACE_HOME "/tmp/w" /* everything a sweep makes is below it */

/* New mount, network, IPC and UTS namespaces for this process; /tmp, /var/tmp and /run become empty
 * tmpfs; loopback is up. The build directory stays where it is, even if it was below /tmp. */
int place_enter(struct err *err);

/* What there is, a sorted line each: mounts, files below /tmp, /var/tmp and /run, links, rules
 * of nftables, control groups, and how many rows the tables of the database have, if there is one.
 */
void place_snapshot(const char *database, struct strv *ret);
void place_sort(struct strv *lines);
/* Is there a network interface whose name begins so? */
bool place_has_link(const char *prefix);
/* "+ line" for what is new and "- line" for what is gone, at most `max`; empty when they are alike.
 * A mount that is gone is none of ours: those of the machine below ours are still listed. */
void place_compare(const struct strv *before, const struct strv *after, size_t max,
                   struct buf *ret);
/* NULL when SQLite finds nothing wrong with it, else what (caller frees). */
char *place_check_database(const char *database);
