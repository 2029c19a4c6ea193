/* draft.h - a file for a user that has no name until it is whole: who is killed while he writes it
 * leaves nothing, and the old one as it was. */
#pragma once

#include "base/err.h"

struct draft {
    int fd;
    int directory;   /* where it is going to be, whatever is mounted over it meanwhile */
    char *path;      /* as the user wrote it */
    char *temporary; /* its name, where a file cannot be without one; else NULL */
};

/* A new file for `path`, mode 0600 less the umask, opened O_RDWR. O_TMPFILE, Linux 3.11; by another
 * name beside it on file systems that have no such files. The caller ends it with one of the next
 * two.
 */
int draft_begin(const char *path, struct draft *ret, struct err *err);
/* Gives it its name, in the place of what had it. On failure it is dropped. */
int draft_keep(struct draft *draft, struct err *err);
void draft_drop(struct draft *draft);
