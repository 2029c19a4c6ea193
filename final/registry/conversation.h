/* conversation.h - requests to one registry about one repository: TLS or not, authentication and
 * redirects. */
#pragma once

#include "registry/auth.h"
#include "registry/http.h"
#include "registry/registry.h"

enum registry_scheme { SCHEME_UNKNOWN, SCHEME_TLS, SCHEME_PLAIN };

struct registry {
    char *domain;     /* as users write it */
    char *host;       /* where its API is */
    char *repository; /* "library/alpine" */
    bool insecure;
    struct http *http;
    struct auth *auth;
    enum registry_scheme scheme; /* settled by the first answer; atomic */
};

/* Sends `like` for /v2/<repository>/<path> (its url and authorization are filled in here) and
 * follows it to an answer that is neither a 401 that could be answered nor a redirect. 0 with any
 * other status. A path that begins with "/" is one of the registry's own; "http..." is the address
 * of an upload, as the registry gave it. Only what reads is redirected. */
int conversation_send(struct registry *r, const char *path, const struct http_request *like,
                      struct http_answer *ret, struct err *err);

/* Sets err for an answer that is not what `path` should have given; see answer_error(). */
int conversation_error(struct registry *r, const char *path, const struct http_answer *answer,
                       struct err *err);
