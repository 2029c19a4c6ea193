/* table.h - columns that line up: text collected with tabs between cells and newlines after rows,
 * then padded. Cells are at least 10 columns wide with 3 blanks behind, the last cell of a row is
 * not padded. */
#pragma once

#include <stdio.h>

#include "base/str.h"

/* Lines up `text` and writes it. */
void table_print(FILE *out, const char *text);
/* The same with cells of another least width. */
void table_print_wide(FILE *out, const char *text, int min_width);
void table_align(const char *text, struct buf *ret);
