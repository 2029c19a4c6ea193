/* registry.h - the client side of the OCI distribution spec 1.1 (docker's registry API v2), over
 * libcurl.
 *
 * A `registry` is one conversation with one host for one repository. It may be used by several
 * threads at once (each transfer has a handle of its own; tokens are shared under a lock).
 * Credentials go to the host they belong to and to the token service it names, never to where a
 * redirect leads. TLS is required except for loopback addresses and hosts configured as insecure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct registry;

struct registry_options {
    const char *ca_file; /* one more CA; always: the system's, and certs.d/<host>/ *.crt (tls.h) */
    bool insecure;       /* plain HTTP allowed for this host */
    const char
        *config_file; /* docker's config.json with "auths"; NULL: $DOCKER_CONFIG, ~/.docker */
    bool push;        /* tokens that allow writing */
    const struct strv *mount_from; /* other repositories there that blobs may be taken from */
    const char *scope;             /* instead of all that: what tokens are asked for; "": nothing */
    const char *host;              /* where the API is, if not where `domain` says; NULL */
    const char *mirror; /* "https://mirror.lab": instead, with its own credentials; NULL */
    unsigned stall_s;   /* a transfer without progress for so long is broken; 0: 30 */
    /* Asked at least once a second during transfers and pauses, from the calling thread; NULL:
     * never. */
    bool (*cancelled)(void *context);
    void *context;
    int64_t
        *modified; /* registry_fetch: when the file changed, in seconds, or -1; NULL: no matter */
};
/* `domain` as in a reference ("docker.io" means registry-1.docker.io). Nothing is sent yet. */
int registry_open(const char *domain, const char *repository,
                  const struct registry_options *options, struct registry **ret, struct err *err);
void registry_close(struct registry *r); /* NULL is fine */

/* The addresses to ask before `domain` itself, for `mirror`: those of Docker Hub's mirrors that the
 * administrator lists (registries.h). */
int registry_mirrors_of(const char *domain, struct strv *ret, struct err *err);

/* Gets a manifest or index by tag or digest: raw bytes (at most 4 MiB), its media type (NULL when
 * the server names none of use) and digest (computed here and compared with the one asked for and
 * with Docker-Content-Digest). -ENOENT: unknown here; -EACCES: denied, or no such repository;
 * -EPERM: not logged in; -EBADMSG: a digest does not match. */
int registry_manifest(struct registry *r, const char *tag_or_digest, struct buf *ret_body,
                      char **ret_media_type, char ret_digest[72], struct err *err);

/* Gets a blob from byte `offset` on (Range; a server that ignores it is read from 0 and the head
 * skipped) and hands each piece to `sink`, whose negative result ends the transfer with sink's
 * error. Retries with back-off on dropped connections, 429 (Retry-After up to a minute) and 5xx,
 * continuing where it was; a body longer than `size` is an error, a shorter one after all retries
 * too. The digest is not checked here: only the sink sees all bytes, also those before `offset`. */
typedef int registry_sink(void *context, const void *data, size_t len, struct err *err);
int registry_blob(struct registry *r, const char *digest, uint64_t size, uint64_t offset,
                  registry_sink *sink, void *context, struct err *err);

/* --- writing ---------------------------------------------------------------------------------- */

struct registry_upload {
    const char *digest;
    uint64_t size;
    int fd; /* of its content, read by pread(2) */
    /* Repositories that may have it (a part of the options' mount_from); NULL: none. */
    const struct strv *mount_from;
    void (*sent)(void *context, uint64_t done); /* how far it is; may go back; NULL: not wanted */
    void *context;
};
enum registry_uploaded { UPLOAD_SENT, UPLOAD_EXISTS, UPLOAD_MOUNTED };
/* Sees to it that the repository has the blob: asks whether it is there, takes it over from another
 * repository, or sends it. A transfer that breaks off goes on where the registry says it is.
 * *ret_from (UPLOAD_MOUNTED) points into mount_from. */
int registry_upload(struct registry *r, const struct registry_upload *upload,
                    enum registry_uploaded *ret_how, const char **ret_from, struct err *err);

/* Puts a manifest under a tag or its digest; the registry must call it by the digest it has. */
int registry_put_manifest(struct registry *r, const char *tag_or_digest, const char *media_type,
                          const void *data, size_t len, struct err *err);

/* --- lists ------------------------------------------------------------------------------------ */

/* All tags of the repository, page by page. */
int registry_tags(struct registry *r, struct strv *ret, struct err *err);
/* What has `term` in its name: [{"name", "description", "star_count", "is_official",
 * "is_automated"}], at most `limit`, appended to `ret`. `domain` NULL: Docker Hub. */
int registry_search(const char *domain, const char *term, int limit,
                    const struct registry_options *options, json_t *ret, struct err *err);

/* --- who we are ------------------------------------------------------------------------------- */

/* The domain a user means by the address of a server; the caller frees. */
char *registry_domain(const char *server);
/* Asks the registry whether it takes these credentials; `username` NULL: those that are kept. A
 * token service may have given a refresh token, to be kept instead of the password; else NULL. */
int registry_login(const char *domain, const char *username, const char *password,
                   const struct registry_options *options, char **ret_identity_token,
                   struct err *err);
/* As whom we are known there: NULL, or a name ("<token>" when only a token is kept). */
int registry_known_user(const char *domain, char **ret_username, struct err *err);
/* Keeps credentials where docker's configuration says. *ret_plain_file: the file they are in,
 * readable for its owner; NULL: a helper has them. */
int registry_remember(const char *domain, const char *username, const char *password,
                      const char *identity_token, char **ret_plain_file, struct err *err);
int registry_forget(const char *domain, bool *ret_found, struct err *err);

/* --- any other address ------------------------------------------------------------------------ */

/* Fetches what `url` (http or https) gives and hands each piece to `sink`. Redirects are followed,
 * but not from https to http; nobody's credentials go along. A transfer that breaks off goes on
 * where the server can. `options`: cancelled, context, stall_s, ca_file, modified. */
int registry_fetch(const char *url, const struct registry_options *options, registry_sink *sink,
                   void *context, struct err *err);
