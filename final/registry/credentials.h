/* credentials.h - what the user has for a registry, from docker's config.json:
 *
 *     {"auths": {"registry.lab:5000": {"auth": "<base64 of user:password>"},
 *                "https://index.docker.io/v1/": {"auth": "...", "identitytoken": "..."}}}
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct credentials {
    char *username, *password; /* NULL: none */
    char *identity_token;      /* a refresh token for the token service; NULL: none */
};

/* docker's config.json; an empty object for one that is not there (or NULL), or has nothing in it.
 * The caller owns it; NULL after an error. */
json_t *credentials_load(const char *config_file, struct err *err);

/* Looks for `domain` in `config_file` (NULL: none). Nothing found is success with NULLs. */
int credentials_find(const char *config_file, const char *domain, struct credentials *ret,
                     struct err *err);
void credentials_free(struct credentials *c); /* wipes the secrets first */

/* The name a registry has in that file: "https://index.docker.io/v1/" for Docker Hub, else
 * `domain`. */
const char *credentials_key(const char *domain);
/* The helper that keeps a registry's credentials ("credHelpers", "credsStore"), or NULL. */
const char *credentials_helper(const json_t *config, const char *key);

/* Keeps them: in the helper, or in the file (0600), *ret_plain then. Makes the file. */
int credentials_store(const char *config_file, const char *domain, const struct credentials *c,
                      bool *ret_plain, struct err *err);
/* Forgets them. *ret_found: there were any. */
int credentials_erase(const char *config_file, const char *domain, bool *ret_found,
                      struct err *err);

/* "<dir>/config.json" of docker's client: $DOCKER_CONFIG, else $HOME/.docker; NULL when neither is
 * set. The caller frees. */
char *credentials_config_dir(void);

/* "Basic <base64 of user:password>"; the caller frees. */
char *credentials_basic(const struct credentials *c);
