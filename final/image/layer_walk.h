/* layer_walk.h - goes through a tree as a layer's tar lists it: a directory before what is in it,
 * names of one directory in byte order. Private to image/.
 *
 * The tree may be hostile and, for `cp` and `export`, alive: every name is looked up in a directory
 * that is open already and is never followed, what vanished meanwhile is passed over. */
#pragma once

#include <sys/stat.h>

#include "base/err.h"

struct walk_entry {
    int dir;          /* the directory that has it */
    const char *name; /* its name there */
    const char *path; /* below the tree's top, "" for the top itself */
    struct stat st;
    int fd; /* a directory's own descriptor, for reading; else -1 */
};

struct walk_calls {
    /* A positive result: not what is below this directory. A negative one ends the walk with it. */
    int (*enter)(void *context, const struct walk_entry *entry, struct err *err);
    /* A directory once more, after what is in it; NULL: no. Only where enter() returned 0. */
    int (*leave)(void *context, const struct walk_entry *entry, struct err *err);
    void *context;
};

/* `name` in `dirfd` and everything below. Errors name the path. */
int layer_walk(int dirfd, const char *name, const struct walk_calls *calls, struct err *err);

/* The first path of each file that has several names: what the others are hard links to. */
struct walk_links {
    void *seen; /* tsearch(3) tree */
};
/* The path this file was seen under before; NULL: this is the first time, and now it is known. */
const char *walk_links_find(struct walk_links *links, const struct walk_entry *entry);
void walk_links_free(struct walk_links *links);
