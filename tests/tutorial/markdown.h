/* markdown.h - as much of Markdown as checking a chapter needs: fenced blocks with their info
 * strings, and the lines between them. A fence begins in column 0 and has three backquotes or more;
 * it ends with at least as many. */
#pragma once

#include "base/str.h"

struct block {
    int line;          /* of the opening fence, from 1 */
    struct strv words; /* the info string: "c steps/01/caps.c#caps_drop" has two */
    size_t start, end; /* the content in the text, without the fences, with its last newline */
};

struct document {
    char *path; /* to be named in messages */
    struct buf text;
    struct block *blocks;
    size_t count;
};

/* Reads and splits a file; false (and errno) when it cannot be read. */
bool document_load(struct document *d, const char *path);
/* The same for a text that is here already; false when a block has no end. */
bool document_parse(struct document *d, const char *name, const char *text);
void document_free(struct document *d);

/* The block's n-th word, or "". */
const char *block_word(const struct block *b, size_t n);
bool block_has(const struct block *b, const char *word);
char *block_text(const struct document *d, const struct block *b); /* the caller frees it */

/* The lines outside of blocks, one call each. */
typedef void prose_visit(void *data, int line, const char *text);
void document_prose(const struct document *d, prose_visit *visit, void *data);
