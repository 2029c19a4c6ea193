/* internal.h - what the files of build/ share. */
#pragma once

#include "build/build.h"

/* One instruction that changes a configuration, while it is being applied. */
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
