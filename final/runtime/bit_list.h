/* bit_list.h - "0-3,7": lists of processors and of memory nodes as cpuset(7) writes them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define BIT_LIST_MAX  8192 /* the most processors Linux can be built for; of nodes it has fewer */
#define BIT_LIST_WORD (8 * sizeof(unsigned long))

struct bit_list {
    unsigned long bits[BIT_LIST_MAX / BIT_LIST_WORD];
    bool any;
};

/* Blanks around numbers are allowed, an empty list is empty. -EINVAL with a message. */
int bit_list_parse(const char *text, struct bit_list *ret, struct err *err);
