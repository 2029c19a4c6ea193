/* clock.h - times as nanoseconds since 1970 (UTC), printed as docker prints them; and random IDs.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

int64_t clock_now(void);
/* RFC 3339 with up to 9 digits, trailing zeros cut ("2026-11-21T05:40:22.30Z"); 0 is the zero time
 * "0001-01-01T00:00:00Z". `ret` has room for 40. */
void clock_format(int64_t ns, char ret[40]);
/* The same with exactly 9 digits (logs -t, events). */
void clock_format_fixed(int64_t ns, char ret[40]);
/* Reads RFC 3339 with or without fraction and offset; -EINVAL. The zero time gives 0. */
int clock_parse(const char *text, int64_t *ret);
/* Go's durations: "300ms", "1.5h", "2h45m", "0"; none is negative. */
int clock_parse_duration(const char *text, int64_t *ret_ns, struct err *err);

#define ID_LEN 64
/* A new 64-hex id from getrandom(2). */
int id_generate(char ret[ID_LEN + 1], struct err *err);
