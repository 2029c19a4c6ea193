/* filter.h - --filter key=value of the list commands. Values of one key are alternatives, different
 * keys must all hold. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* Keys that a command knows, NULL-terminated. -EINVAL with docker's text for others. */
int filter_check(const struct strv *filters, const char *const *known, struct err *err);

/* The values one key may have, NULL-terminated. -EINVAL for others, `as_list` with the
 * value in brackets: docker shows some keys as they came and some as a list. */
int filter_check_values(const struct strv *filters, const char *key, const char *const *values,
                        bool as_list, struct err *err);

/* True when no filter has this key, or `match` holds for a value of one that has. */
typedef bool filter_match(void *context, const char *value);
bool filter_holds(const struct strv *filters, const char *key, filter_match *match, void *context);
/* Of a key whose values all have to hold: label. */
bool filter_each_holds(const struct strv *filters, const char *key, filter_match *match,
                       void *context);
/* filter_holds() for all keys of a command; the table ends with a NULL key. */
struct filter_rule {
    const char *key;
    filter_match *match;
};
bool filter_all_hold(const struct strv *filters, const struct filter_rule *rules, void *context);
/* How name= compares: `pattern` is an extended regular expression found anywhere in the text; what
 * is none is looked for as it stands. */
bool filter_matches(const char *text, const char *pattern);
