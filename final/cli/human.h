/* human.h - numbers as people read them, in docker's words. */
#pragma once

#include <stdint.h>

#define HUMAN_MAX 40

/* A span of time: "Less than a second", "About a minute", "3 hours", "2 weeks". */
void human_duration(int64_t ns, char ret[HUMAN_MAX]);
/* Powers of 1000 with `digits` significant digits: 1984000, 3 -> "1.98MB"; 0 -> "0B". */
void human_size(double bytes, int digits, char ret[HUMAN_MAX]);
/* Powers of 1024: "15.6GiB", "512KiB", four digits. */
void human_memory(double bytes, char ret[HUMAN_MAX]);

/* Columns a UTF-8 text takes on a terminal: wide East Asian characters count two, combining ones
 * none. */
int human_width(const char *text);
/* Cuts a text to `columns`, the last of them an ellipsis if something was cut. The caller frees. */
char *human_ellipsis(const char *text, int columns);
/* Wraps in double quotes with Go's escapes. The caller frees. */
char *human_quote(const char *text);
