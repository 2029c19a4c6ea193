/* WWW-Authenticate, from a server that nobody knows yet. */
#include <string.h>

#include "base/cleanup.h"
#include "fuzz/fuzz.h"
#include "registry/challenge.h"

FUZZ(challenge)
{
    cleanup_free char *header = str_copy_n(data, len);
    struct challenge_list list = {0};
    const struct challenge *bearer;

    challenge_parse(header, &list);
    challenge_parse(header, &list); /* a second header of the same name */
    for (size_t i = 0; i < list.len; i++)
        FUZZ_CHECK(list.items[i].scheme && *list.items[i].scheme);
    bearer = challenge_find(&list, "bearer");
    FUZZ_CHECK(!bearer || !strcasecmp(bearer->scheme, "Bearer"));
    challenge_list_free(&list);
}
