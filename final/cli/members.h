/* members.h - flags that are one member of docker's Config or HostConfig each: a table says which.
 */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "cli/options.h"

enum member_kind { MEMBER_TEXT, MEMBER_BOOL, MEMBER_INT, MEMBER_BYTES, MEMBER_CPUS, MEMBER_LIST };

struct member {
    const char *flag, *name;
    enum member_kind kind;
};
/* Every table of members ends with this. */
#define MEMBERS_END                                                                                \
    {                                                                                              \
        NULL, NULL, MEMBER_TEXT                                                                    \
    }

/* Puts each member into `object`: what its flag says, or the JSON that means "not said". */
int members_put(const struct options *o, const struct member *members, json_t *object,
                struct err *err);
/* Only those whose flag was given. */
int members_put_given(const struct options *o, const struct member *members, json_t *object,
                      struct err *err);
/* A size that was checked; "-1" is unlimited. */
json_t *member_bytes(const char *value);
