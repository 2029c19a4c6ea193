/* internal.h - what the files of storage/ share and nobody else sees. */
#pragma once

#include "storage/storage.h"

/* Before records are removed whose things store_collect() is to remove. */
int store_mark_garbage(struct store *store, struct err *err);
/* What killed commands left in staging/ or had still to collect. Costs a look into an empty
 * directory when there is nothing; what fails is left to the next command. */
void store_tidy(struct store *store);

/* A name for something in staging/ that this process makes, "PID-START-N", and its path below the
 * root. */
int store_stage_name(char ret_name[64], char ret_path[96], struct err *err);
/* Replaces a file of the store by one with this content, mode 0600, through staging/: a kill leaves
 * nothing that is not found there. Synchronised to the disk when `durable`. */
int store_file(struct store *store, const char *path, const void *data, size_t len, bool durable,
               struct err *err);

/* Ends a transaction that changed images, as db_end(), and with it rewrites index.json from the
 * records, so that the state directory stays a readable OCI layout. `frees`: what was done makes
 * room, so it is done also when there is none for index.json: then the next store_collect() writes
 * it. */
int layout_commit(struct store *store, bool frees, int r, struct err *err);
int layout_write_index(struct store *store, struct err *err);
