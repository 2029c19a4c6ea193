/* chapter.h - one chapter against the sources and against what its commands really print. */
#pragma once

#include "base/str.h"

enum chapter_part { CHAPTER_CODE = 1, CHAPTER_CONSOLE = 2 };

struct chapter {
    const char *sources; /* the top of the tree; paths in the chapter are below it */
    unsigned parts;      /* which of them to look at */
    bool update;         /* write what is right into the chapter's file */
    struct buf report;   /* what is wrong (or, with update, was), for a human */
    size_t wrong;
};

/* Reads, compares and, with update, rewrites the file. False when it cannot be read or written. */
bool chapter_check(struct chapter *c, const char *path);
