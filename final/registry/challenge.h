/* challenge.h - reading WWW-Authenticate, RFC 9110 section 11.6.1: a comma-separated list of
 * challenges, each a scheme with comma-separated parameters, whose quoted values may hold commas
 * too. */
#pragma once

#include "base/str.h"

struct challenge {
    char *scheme;                          /* as written: "Bearer", "Basic" */
    char *realm, *service, *scope, *error; /* NULL when absent */
};
struct challenge_list {
    struct challenge *items;
    size_t len;
};

/* Adds the challenges of one header. What cannot be read ends it; what was read before counts. */
void challenge_parse(const char *header, struct challenge_list *ret);
void challenge_list_free(struct challenge_list *list);
/* The first of this scheme, in any case; NULL. */
const struct challenge *challenge_find(const struct challenge_list *list, const char *scheme);
