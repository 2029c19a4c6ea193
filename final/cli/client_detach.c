#include "cli/client_detach.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

#define CONFIG_MAX (1u << 20)

char *detach_keys_configured(void)
{
    const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    cleanup_free char *path = dir && *dir ? str_format("%s/config.json", dir)
                                          : str_format("%s/.docker/config.json", home ? home : "");
    cleanup_json json_t *config = NULL;
    struct err ignored = {0};

    if (access(path, R_OK) < 0)
        return NULL;
    config = json_load(AT_FDCWD, path, CONFIG_MAX, &ignored);
    return *json_str(config, "detachKeys", "") ? str_copy(json_str(config, "detachKeys", ""))
                                               : NULL;
}

/* How many of the held keys still begin the sequence when `key` follows them: after "ctrl-p ctrl-p"
 * the second may be a new beginning. The others go out. */
static size_t longest_start(const struct detach *d, char key, size_t held)
{
    for (size_t n = held < d->count - 1 ? held + 1 : d->count; n > 0; n--)
        if (d->keys[n - 1] == key && !memcmp(d->keys, d->keys + held - (n - 1), n - 1))
            return n;
    return 0;
}

bool detach_filter(struct detach *d, const char *in, size_t n, char *out, size_t *ret_len)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        size_t held = d->matched, now = d->count ? longest_start(d, in[i], held) : 0;

        if (d->count && now == d->count) {
            *ret_len = len;
            return true;
        }
        /* held + 1 keys are in hand, `now` of them stay there */
        for (size_t k = 0; k + now < held + 1; k++)
            out[len++] = k < held ? d->keys[k] : in[i];
        d->matched = now;
    }
    *ret_len = len;
    return false;
}
