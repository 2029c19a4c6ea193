/* transcript.h - what a console block says: commands with the output they gave the author; and
 * whether another output is the same as far as it can be.
 *
 *     # command          as root
 *     $ command \        as an ordinary user; goes on behind a "\" at the end of the line, and in
 *     > the rest         lines with "> " when it has a "<<" or an open "'"
 *     output
 *     ...                stands for any lines, also none
 */
#pragma once

#include "base/str.h"

struct command {
    int line;       /* its first line within the block, from 0 */
    char prompt;    /* '#' or '$' */
    char *text;     /* what is typed; lines joined by newlines */
    char *typed;    /* the same as it stands in the block, with prompts */
    char *expected; /* the lines that follow, each with its newline */
};

struct transcript {
    struct command *commands;
    size_t count;
};

/* False when the block does not begin with a prompt. */
bool transcript_parse(struct transcript *t, const char *text);
void transcript_free(struct transcript *t);

/* Numbers of three or more digits, hexadecimal strings of twelve or more, dates, times and
 * addresses become <n>, <hex>, ... The caller frees it. 127.0.0.1 and 10.99.* are the chapters'
 * own. */
char *transcript_mask(const char *line);

/* Is `actual` what `expected` says? `exact`: without masks ("..." still stands for any lines). */
bool transcript_same(const char *expected, const char *actual, bool exact);

/* `actual` with those lines as `expected` has them that are the same but for what is masked: so a
 * difference shows what is different. The caller frees it. */
char *transcript_keep(const char *expected, const char *actual);

/* The output as it can stand in a block: a line that would be read as a prompt becomes "...". */
char *transcript_shown(const char *actual);
