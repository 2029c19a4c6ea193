/* source.h - the text of a Dockerfile, and places in it. Private to build/. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define SOURCE_LINE_MAX 65535 /* bytes of a line: docker's limit */

/* Lines count from 1; column 0: the whole of the lines is meant. */
struct place {
    int first, last;
    size_t column; /* bytes, from 1, in line `first` */
};

struct source_line {
    const char *text; /* not terminated; with "\r" if it has one, without the newline */
    size_t len;
};

struct source {
    char *name; /* as the user knows it: "Dockerfile", "web/Dockerfile" */
    char *text;
    struct source_line *lines;
    size_t count;
};

/* Takes a copy of the text. A byte order mark is left out. Refuses NUL, what is not UTF-8 (an
 * image's configuration is JSON) and lines that are too long; *ret_place says where, and `ret` is
 * good for source_excerpt(), too. source_free() in any case. */
int source_read(const char *name, const char *text, size_t len, struct source *ret,
                struct place *ret_place, struct err *err);
void source_free(struct source *s);

/* The lines of a place with some around them, as BuildKit shows them, and a caret under the column.
 */
void source_excerpt(const struct source *s, const struct place *place, struct buf *out);
