/* Manifests are small, so they are read whole, and named by their digest, so they are checked here.
 *
 * One GET by tag: a HEAD first would be a second moment at which the tag may move. */
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "image/image.h"
#include "registry/conversation.h"
#include "registry/retry.h"

#define MANIFEST_DEADLINE_S 120

static const char *const manifest_types[] = {MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_LIST,
                                             MEDIA_OCI_MANIFEST, MEDIA_OCI_INDEX, NULL};
static const char accepted[] =
    MEDIA_DOCKER_MANIFEST ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_OCI_INDEX;

static bool is_one_of(const char *type, const char *const types[])
{
    while (*types && strcmp(*types, type))
        types++;
    return *types;
}

/* Servers that keep manifests as plain files call them JSON, or nothing at all: the document's own
 * mediaType decides then. Anything else, a web page above all, is not an answer to our question. */
static int check_type(const struct registry *r, struct http_answer *a, struct err *err)
{
    static const char *const unspecific[] = {"application/json", "text/plain",
                                             "application/octet-stream", NULL};

    if (!a->content_type || is_one_of(a->content_type, manifest_types))
        return 0;
    if (is_one_of(a->content_type, unspecific)) {
        free(a->content_type);
        a->content_type = NULL;
        return 0;
    }
    return err_set(err, EPROTO,
                   "'%s' answered with '%.80s' instead of an image manifest: is it a registry?",
                   r->host, a->content_type);
}

static int check_digest(const char *asked, const struct http_answer *a, char ret[DIGEST_LEN + 1],
                        struct err *err)
{
    char computed[DIGEST_LEN + 1];

    digest_of(a->body.data ? a->body.data : "", a->body.len, computed);
    if (digest_valid(asked) && strcmp(asked, computed))
        return err_set(err, EBADMSG,
                       "manifest verification failed: asked for '%s', the registry sent '%s'",
                       asked, computed);
    if (digest_valid(a->digest) && strcmp(a->digest, computed))
        return err_set(err, EBADMSG,
                       "manifest verification failed: the registry says '%s' and sent '%s'",
                       a->digest, computed);
    strcpy(ret, computed);
    return 0;
}

static int get_once(struct registry *r, const char *path, struct http_answer *a, struct err *err)
{
    struct http_request request = {
        .accept = accepted, .body_max = MANIFEST_MAX, .deadline_s = MANIFEST_DEADLINE_S};
    int result = conversation_send(r, path, &request, a, err);

    if (result < 0)
        return result;
    return a->status == 200 ? 0 : conversation_error(r, path, a, err);
}

int registry_manifest(struct registry *r, const char *tag_or_digest, struct buf *ret_body,
                      char **ret_media_type, char ret_digest[72], struct err *err)
{
    cleanup_free char *path = str_format("manifests/%s", tag_or_digest);
    struct http_answer a = {0};
    struct retry retry = {0};
    int result;

    do {
        result = get_once(r, path, &a, err);
        retry.retry_after_s = a.retry_after_s;
    } while (result < 0 && retry_wait(&retry, r->http, err) == 0);
    if (!result)
        result = check_type(r, &a, err);
    if (!result)
        result = check_digest(tag_or_digest, &a, ret_digest, err);
    if (!result) {
        *ret_body = a.body;
        a.body = (struct buf){0};
        *ret_media_type = steal_ptr(&a.content_type);
    }
    http_answer_free(&a);
    return result;
}
