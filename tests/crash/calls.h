/* calls.h - the system calls a sweep stops at, and how each of them may go wrong.
 *
 * Two kinds. A call that *changes* something which outlives its process (a file, a mount, another
 * process, a lock) or the process's own standing (user, namespace, filter) is a place to be killed
 * at: before it and after it the world differs. Any call may be made to *fail*, with those of six
 * errors that the kernel could give for it: what man pages, not fancy, say.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum call_error { NOSPC = 1, NOMEM = 2, MFILE = 4, INTR = 8, IO = 16, AGAIN = 32 };

struct call {
    const char *name;
    long number;
    /* What tells one use of the call from another, a letter for each argument:
     * s text; d a directory the next s is relative to; f a descriptor (what it leads to); x bits;
     * i a number; c struct clone_args; a a socket address; . of no interest */
    const char *arguments;
    bool changes;
    unsigned errors; /* bits of enum call_error */
    /* INTR and AGAIN only if the first argument is a pipe, a socket or the like, and AGAIN only if
     * it is set not to block: a file on disk does not keep anybody waiting. NOSPC and IO only if it
     * is none. */
    bool if_slow;
};

/* NULL: not one we stop at. */
const struct call *call_find(long number);
/* All of them, for the filter. */
const struct call *call_table(size_t *ret_count);
/* "pread64(2)"'s name or number as text, also of calls that are not in the table. */
const char *call_name(long number);

struct call_error_name {
    const char *name; /* "ENOSPC" */
    unsigned bit;
    int number; /* ENOSPC */
};
#define CALL_ERRORS 6
extern const struct call_error_name call_errors[CALL_ERRORS];
