/* client_detach.h - finds the keys that detach in what is typed (Ctrl-P Ctrl-Q). Keys that may be
 * the beginning of the sequence are held back until it is clear that they are not. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/client.h"

struct detach {
    char keys[CLIENT_KEYS_MAX];
    size_t count;   /* 0: never detach */
    size_t matched; /* keys held back */
};
/* "detachKeys" of docker's config.json ($DOCKER_CONFIG or ~/.docker), for who gives none; NULL: it
 * says nothing. The caller frees. */
char *detach_keys_configured(void);
/* Copies `in` to `out` (room for n + CLIENT_KEYS_MAX) without what is held. True: the user wants to
 * leave. */
bool detach_filter(struct detach *d, const char *in, size_t n, char *out, size_t *ret_len);
