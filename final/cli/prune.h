/* prune.h - the prune commands: they differ in what they ask and in what they remove, not in how.
 */
#pragma once

#include "cli/cli.h"

/* Removes what the filter allows of one kind. Names what went and says how many bytes that freed,
 * also when it fails half way. */
typedef int prune_function(struct cli *cli, const struct prune_filter *filter,
                           struct strv *ret_gone, uint64_t *ret_bytes, struct err *err);
struct prune_kind {
    const char *heading; /* "Deleted Containers:" */
    prune_function *run;
    bool weightless; /* takes no room: no total is printed */
};
extern const struct prune_kind prune_containers; /* those that do not run */
extern const struct prune_kind prune_networks;   /* those that no container is on */

/* A whole command: reads --filter, asks unless there is --force, opens the engine, removes and
 * prints what went. `warning` is the sentence of the question. Returns the exit code. */
int prune_command(struct cli *cli, const struct prune_kind *kind, const char *warning);

/* Its parts, for a command that has more to do between them. --filter until=, label=, label!=: */
int prune_read_filter(const struct options *o, struct prune_filter *ret, struct err *err);
/* --force, or the user says yes. */
bool prune_is_wanted(const struct options *o, const char *warning);
/* Removes, prints what went and adds its bytes to *total. */
int prune_run(struct cli *cli, const struct prune_kind *kind, const struct prune_filter *filter,
              uint64_t *total, struct err *err);
/* "Deleted Images:" and what went, in small letters. */
void prune_print_images(const struct removed *removed);
void prune_print_total(uint64_t bytes);
