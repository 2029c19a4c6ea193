/* auth.h - proving who we are to a registry: Basic, or a Bearer token fetched from the token
 * service that the registry names in its 401. OCI distribution spec; docker's "token authentication
 * specification".
 *
 * One `auth` serves one registry and one repository, for any number of threads.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "registry/credentials.h"
#include "registry/http.h"

struct auth;

/* Takes over the content of `credentials`. */
struct auth *auth_new(struct http *http, const char *domain, struct credentials *credentials);
/* What tokens are asked for: "repository:NAME:pull,push". Before the first request. */
void auth_add_scope(struct auth *a, const char *scope);
void auth_free(struct auth *a); /* NULL is fine */

/* These instead of the ones it was made with; a refresh token is asked for as well. For `login`. */
void auth_set_password(struct auth *a, const char *username, const char *password);
/* The refresh token that came with the last token; NULL: none. The caller frees. */
char *auth_refresh_token(struct auth *a);

/* The Authorization header to send, as far as one is known and not expired; NULL. The caller frees.
 */
char *auth_header(struct auth *a);

/* Answers a 401 with these challenges to a request that was sent with `used` (NULL: without):
 * afterwards auth_header() gives a new value. `plain`: the registry itself is spoken to without
 * TLS; only then may the token service be. Returns at once when another thread has got a new token
 * meanwhile. *ret_retry_after_s is set when the token service asked for patience. */
int auth_answer(struct auth *a, const struct strv *challenges, const char *used, bool plain,
                int64_t *ret_retry_after_s, struct err *err);

/* True, with docker's words in err, when a 401 says that we are known but may not have this. */
bool auth_denied(const struct strv *challenges, struct err *err);
