/* internal.h - what the files of build/ share. */
#pragma once

#include "build/build.h"

/* --- change.c: instructions that change a configuration --------------------------------------- */

/* One of them, while it is being applied. */
struct change {
    const char *instruction; /* in upper case, for messages */
    const char *text;        /* what follows it, without blanks at either end */
    json_t *config;
    struct change_state *state;
    struct word_rules rules;
};

/* "CMD requires at least one argument" and the like. */
int change_needs(const struct change *c, const char *what, struct err *err);
/* ["a", "b"] as a list, or with `shell` a line for the shell; NULL in *ret when the text is no list
 * and no shell is wanted. -EINVAL for a list of other things than strings. */
int change_exec_form(const struct change *c, bool shell, json_t **ret, struct err *err);

int change_health(const struct change *c, struct err *err); /* health.c */

/* --- pattern.c: `*` is any text, `?` any byte, a backslash takes that away -------------------- */

/* How many bytes at the beginning of `text` match; 0 also when none do. */
size_t pattern_prefix(const char *pattern, const char *text, bool greedy);
/* Where in `text` the end that matches begins; its length when none does. */
size_t pattern_suffix(const char *pattern, const char *text, bool greedy);
/* Adds `text` to `out` with the first match, or all, replaced. */
void pattern_replace(const char *pattern, const char *text, const char *with, bool all,
                     struct buf *out);
