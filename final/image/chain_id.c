/* Chain ids, apart from config.c because they need libcrypto and `cooper` is linked without it. */
#include <string.h>

#include "base/cleanup.h"
#include "image/image.h"

/* A diffID names a difference; what a layer is also depends on everything below it. The chain id
 * names the stack, so that two images share a layer directory only when all beneath is equal too.
 */
void chain_id(const char *parent, const char *diff_id, char ret[DIGEST_LEN + 1])
{
    cleanup_free char *both = NULL;

    if (!*parent) {
        strcpy(ret, diff_id);
        return;
    }
    both = str_format("%s %s", parent, diff_id);
    digest_of(both, strlen(both), ret);
}
