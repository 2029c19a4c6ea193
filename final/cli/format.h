/* format.h - what `--format` does to the rows of a list command: a table with headings, a table of
 * a template, JSON lines, or a template. A row is a JSON object with docker's names. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct column {
    const char *field;   /* "ID" */
    const char *heading; /* "CONTAINER ID" */
};
/* Every table of columns ends with this. */
#define COLUMNS_END                                                                                \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }

/* Prints to stdout. `format` NULL or "table": `preset` ("{{.ID}}\t{{.Names}}") as a table with
 * headings. "Label" in a row is an object for {{.Label "name"}}; it marks a row for {{json .}},
 * which leaves it out and sorts the others, as docker does. */
int format_rows(const struct column *columns, const char *preset, const char *format,
                const json_t *rows, struct err *err);

/* The same as text. */
int format_text(const struct column *columns, const char *preset, const char *format,
                const json_t *rows, struct buf *ret, struct err *err);

/* One document by a template or "json"; errors as `docker inspect`: "template parsing error: ...".
 */
int format_document(const char *format, json_t *document, struct err *err);
/* Fails early, before anything is looked up, when the template is bad. */
int format_check(const char *format, struct err *err);
