/* prune.h - what the prune commands share: their filters, and what they print. */
#pragma once

#include "cli/cli.h"

/* --filter until=, label=, label!= of a prune command. */
int prune_read_filter(const struct options *o, struct prune_filter *ret, struct err *err);
/* "Deleted Containers:" and the names below it, a blank line behind; nothing for an empty list. */
void prune_print(const char *title, const struct strv *names);
/* "Deleted Images:" and what went, in small letters. */
void prune_print_images(const struct removed *removed);
void prune_print_total(uint64_t bytes);
