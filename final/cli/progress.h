/* progress.h - the display of a pull. On a terminal each layer has a line that is drawn again as it
 * goes on; else each change of status is a line of its own. */
#pragma once

#include <stdbool.h>

#include "engine/engine.h"

struct progress;

/* `part_of_run`: without the lines that only `pull` itself prints. */
struct progress *progress_new(bool quiet, bool part_of_run);
/* What the engine calls. Valid until progress_end(). */
struct pull_progress progress_calls(struct progress *p);
/* With `quiet` prints the last line only (the canonical reference) when it went well. Frees. */
void progress_end(struct progress *p, bool success);

/* "[=====>    ]  21.49MB/71.03MB" as wide as a terminal of `columns` allows. */
void progress_bar(uint64_t done, uint64_t total, int columns, struct buf *out);
