/* Theory of operation, as Go's tabwriter does it: a column is a run of consecutive rows that have a
 * tab-terminated cell there; all cells of the run get the width of the widest. So a short row ends
 * the run, and the rows behind it line up among themselves. */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "cli/human.h"

#define MIN_WIDTH 10
#define PADDING   3

struct row {
    struct strv cells; /* the last one is not terminated by a tab */
};

static size_t split_rows(const char *text, struct row **ret)
{
    cleanup_strv struct strv lines = {0};
    size_t count;

    strv_split(&lines, text, '\n');
    count = lines.len;
    /* strv_split gives an empty last line for a text that ends in a newline. */
    if (count && !*lines.items[count - 1])
        count--;
    *ret = mem_alloc((count + 1) * sizeof **ret);
    for (size_t i = 0; i < count; i++) {
        strv_split(&(*ret)[i].cells, lines.items[i], '\t');
        if (!(*ret)[i].cells.len)
            strv_add(&(*ret)[i].cells, "");
    }
    return count;
}

static bool has_column(const struct row *row, size_t column)
{
    return column + 1 < row->cells.len;
}

/* The width of `column` in the run of rows around `i` that have it. */
static int column_width(const struct row *rows, size_t count, size_t i, size_t column,
                        int min_width)
{
    size_t first = i;
    int width = 0;

    while (first > 0 && has_column(&rows[first - 1], column))
        first--;
    for (; first < count && has_column(&rows[first], column); first++) {
        int cell = human_width(rows[first].cells.items[column]) + PADDING;

        width = cell > width ? cell : width;
    }
    return width < min_width ? min_width : width;
}

/* Widths are the same for the whole run, so they are kept until the number of cells changes. */
static void align(const char *text, int min_width, struct buf *ret)
{
    struct row *rows;
    size_t count = split_rows(text, &rows), known = 0;
    int widths[64] = {0};

    for (size_t i = 0; i < count; i++) {
        const struct strv *cells = &rows[i].cells;

        for (size_t c = 0; c + 1 < cells->len && c < 64; c++)
            if (i == 0 || known != cells->len)
                widths[c] = column_width(rows, count, i, c, min_width);
        known = cells->len;
        for (size_t c = 0; c < cells->len; c++) {
            buf_add_str(ret, cells->items[c]);
            for (int pad = human_width(cells->items[c]);
                 c + 1 < cells->len && c < 64 && pad < widths[c]; pad++)
                buf_add_char(ret, ' ');
        }
        buf_add_char(ret, '\n');
    }
    for (size_t i = 0; i < count; i++)
        strv_free(&rows[i].cells);
    free(rows);
}

void table_align(const char *text, struct buf *ret)
{
    align(text, MIN_WIDTH, ret);
}

void table_print_wide(FILE *out, const char *text, int min_width)
{
    cleanup_buf struct buf aligned = {0};

    align(text, min_width, &aligned);
    buf_reserve(&aligned, 0);
    fwrite(aligned.data, 1, aligned.len, out);
}

void table_print(FILE *out, const char *text)
{
    table_print_wide(out, text, MIN_WIDTH);
}
