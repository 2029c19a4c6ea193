/* stats_json.h - a container's statistics as runc's JSON (types/events.go there). */
#pragma once

#include "base/str.h"
#include "runtime/stats.h"

/* Appends {"type":"stats","id":...,"data":{...}} and a newline. Written as text: the numbers are
 * unsigned 64 bit, which jansson's integers are not. */
void stats_json_event(const char *id, const struct runtime_stats *stats, struct buf *ret);
