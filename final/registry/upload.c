/* A blob on its way to a registry. OCI distribution spec 1.1, "Push".
 *
 *     HEAD  blobs/DIGEST                          there already
 *     POST  blobs/uploads/?mount=DIGEST&from=...  201: taken over from another repository
 *     POST  blobs/uploads/                        202: Location is the upload's address from now on
 *     PATCH Location                              the content; the answer has the next Location
 *     PUT   Location&digest=DIGEST                the end: 201
 *
 * What is small goes with the PUT, without a PATCH. After a failure the upload is still there: GET
 * tells how much the registry has, and the rest follows. If it is not, everything begins again,
 * with the question whether it is there: the answer to a PUT may be what got lost.
 *
 * A proxy may refuse large bodies (413): then the content goes in pieces.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "registry/conversation.h"
#include "registry/hosts.h"
#include "registry/retry.h"

#define SMALL        (1u << 20)
#define PIECE        (8ull << 20) /* after a 413 */
#define PIECE_MIN    (256u << 10)
#define END_PATIENCE 600 /* seconds: a registry may have to hash or move gigabytes at the end */

struct upload {
    struct registry *r;
    const struct registry_upload *what;
    char *location;        /* of the upload under way; NULL: none */
    uint64_t have;         /* what the registry has of it */
    uint64_t piece;        /* at most so much in one request; 0: no limit */
    uint64_t before;       /* of the request under way, for progress */
    int64_t retry_after_s; /* what the answer that ended the attempt asked for, -1: nothing */
    enum registry_uploaded how;
    const char *from;
};

static const char octets[] = "application/octet-stream";

static void on_sent(void *context, uint64_t done)
{
    struct upload *u = context;

    if (u->what->sent)
        u->what->sent(u->what->context, u->before + done);
}

/* One request with `len` bytes of the content, from u->have on. */
static int send_part(struct upload *u, const char *method, const char *path, uint64_t len,
                     unsigned patience_s, struct http_answer *a, struct err *err)
{
    const struct http_body body = {.type = octets,
                                   .data = len ? NULL : "",
                                   .fd = u->what->fd,
                                   .offset = u->have,
                                   .len = len,
                                   .has_range = len > 0,
                                   .range_from = u->have,
                                   .sent = on_sent,
                                   .context = u};
    struct http_request request = {
        .method = method, .body = &body, .body_max = HTTP_ERROR_BODY_MAX, .patience_s = patience_s};

    u->before = u->have;
    return conversation_send(u->r, path, &request, a, err);
}

static int unexpected(struct upload *u, const char *path, const struct http_answer *a,
                      struct err *err)
{
    u->retry_after_s = a->retry_after_s;
    return conversation_error(u->r, path, a, err);
}

/* --- beginning -------------------------------------------------------------------------------- */

/* 1 when the repository has it. */
static int exists(struct upload *u, struct err *err)
{
    cleanup_free char *path = str_format("blobs/%s", u->what->digest);
    struct http_request request = {.method = "HEAD", .body_max = 0};
    struct http_answer a = {0};
    int r = conversation_send(u->r, path, &request, &a, err);

    if (!r && a.status != 200 && a.status != 404)
        r = unexpected(u, path, &a, err);
    else if (!r)
        r = a.status == 200;
    http_answer_free(&a);
    return r;
}

static int keep_location(struct upload *u, struct http_answer *a, struct err *err)
{
    if (!a->location || !*a->location)
        return err_set(err, EPROTO, "the registry gives no usable address for the upload");
    free(u->location);
    u->location = steal_ptr(&a->location);
    return 0;
}

/* 1: mounted. 0: an upload has begun instead, which is as good as any. */
static int begin_with(struct upload *u, const char *query, struct err *err)
{
    cleanup_free char *path = str_format("blobs/uploads/%s", query);
    struct http_answer a = {0};
    int r;

    u->have = 0;
    r = send_part(u, "POST", path, 0, 0, &a, err);
    if (!r && a.status == 201)
        r = 1;
    else if (!r && a.status == 202)
        r = keep_location(u, &a, err);
    else if (!r)
        r = unexpected(u, path, &a, err);
    http_answer_free(&a);
    return r;
}

/* A registry that does not know the other repository, or does not let us read it, begins an
 * upload. */
static int begin(struct upload *u, struct err *err)
{
    const struct strv *sources = u->what->mount_from;

    for (size_t i = 0; sources && i < sources->len; i++) {
        cleanup_free char *query =
            str_format("?mount=%s&from=%s", u->what->digest, sources->items[i]);
        int r = begin_with(u, query, err);

        if (r < 0)
            return r;
        if (r) {
            u->how = UPLOAD_MOUNTED;
            u->from = sources->items[i];
            return 1;
        }
        if (i + 1 == sources->len)
            return 0;
    }
    return begin_with(u, "", err);
}

/* --- content ---------------------------------------------------------------------------------- */

/* After a failure: how far is it? -ENOENT: the registry has forgotten it. */
static int ask_how_far(struct upload *u, struct err *err)
{
    struct http_request request = {.body_max = HTTP_ERROR_BODY_MAX};
    struct http_answer a = {0};
    int r = conversation_send(u->r, u->location, &request, &a, err);

    if (!r && a.status != 204 && a.status != 202)
        r = a.status == 404 ? -ENOENT : unexpected(u, u->location, &a, err);
    if (!r && a.location)
        r = keep_location(u, &a, err);
    if (!r) {
        u->have = a.has_upload_range ? a.upload_end : 0;
        if (u->have > u->what->size)
            r = -ENOENT; /* not of this blob */
    }
    http_answer_free(&a);
    return r;
}

/* 413: smaller pieces, as long as that makes sense. */
static int shrink(struct upload *u, uint64_t len, struct err *err)
{
    uint64_t piece = u->piece ? u->piece / 2 : PIECE;

    while (piece >= len && piece > PIECE_MIN)
        piece /= 2;
    if (piece < PIECE_MIN || piece >= len)
        return err_set(err, EFBIG, "the registry refuses %llu bytes in one request",
                       (unsigned long long)len);
    u->piece = piece;
    return 0;
}

/* The next piece, by PATCH. */
static int send_piece(struct upload *u, struct err *err)
{
    uint64_t left = u->what->size - u->have;
    uint64_t len = u->piece && left > u->piece ? u->piece : left;
    struct http_answer a = {0};
    int r = send_part(u, "PATCH", u->location, len, 0, &a, err);

    if (!r && a.status == 413) {
        r = shrink(u, len, err);
    } else if (!r && a.status != 202 && a.status != 204) {
        r = unexpected(u, u->location, &a, err);
    } else if (!r) {
        r = a.location ? keep_location(u, &a, err) : 0;
        u->have += len;
        if (a.has_upload_range && a.upload_end != u->have) /* it took less, or more */
            r = err_set(err, EAGAIN, "the registry has %llu bytes of '%s' instead of %llu",
                        (unsigned long long)a.upload_end, u->what->digest,
                        (unsigned long long)u->have);
    }
    http_answer_free(&a);
    return r;
}

/* The end, with the rest of the content if that is small. */
static int finish(struct upload *u, struct err *err)
{
    cleanup_free char *path = str_format("%s%cdigest=%s", u->location,
                                         strchr(u->location, '?') ? '&' : '?', u->what->digest);
    struct http_answer a = {0};
    int r = send_part(u, "PUT", path, u->what->size - u->have, END_PATIENCE, &a, err);

    if (!r && a.status != 201 && a.status != 204)
        r = unexpected(u, u->location, &a, err);
    else if (!r && a.digest && digest_valid(a.digest) && strcmp(a.digest, u->what->digest))
        r = err_set(err, EBADMSG, "the registry took '%s' and calls it '%s'", u->what->digest,
                    a.digest);
    http_answer_free(&a);
    return r;
}

static int send_content(struct upload *u, struct err *err)
{
    int r = 0;

    while (!r && u->what->size - u->have > (u->piece && u->piece < SMALL ? u->piece : SMALL))
        r = send_piece(u, err);
    return r ? r : finish(u, err);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* One attempt: from the beginning, or on with what is under way. */
static int attempt(struct upload *u, struct err *err)
{
    int r;

    if (u->location) {
        r = ask_how_far(u, err);
        if (!r)
            return send_content(u, err);
        if (r != -ENOENT)
            return r;
        free(steal_ptr(&u->location));
        err_clear(err);
    }
    r = exists(u, err);
    if (r) {
        u->how = r > 0 ? UPLOAD_EXISTS : u->how;
        return r < 0 ? r : 0;
    }
    r = begin(u, err);
    if (r)
        return r < 0 ? r : 0;
    u->how = UPLOAD_SENT;
    return send_content(u, err);
}

int registry_upload(struct registry *r, const struct registry_upload *upload,
                    enum registry_uploaded *ret_how, const char **ret_from, struct err *err)
{
    struct upload u = {.r = r, .what = upload};
    struct retry retry = {0};
    uint64_t before = 0;
    int result;

    do {
        u.retry_after_s = -1;
        result = attempt(&u, err);
        if (u.have > before) { /* it went on: what failed before does not count */
            retry.failures = 0;
            before = u.have;
        }
        retry.retry_after_s = u.retry_after_s;
        retry.keep_trying = u.location != NULL;
    } while (result < 0 && retry_wait(&retry, r->http, err) == 0);
    free(u.location);
    if (result < 0)
        return result;
    *ret_how = u.how;
    *ret_from = u.from;
    return 0;
}

/* --- manifests -------------------------------------------------------------------------------- */

static int put_once(struct registry *r, const char *path, const struct http_body *body,
                    const char *digest, int64_t *ret_retry_after, struct err *err)
{
    struct http_request request = {
        .method = "PUT", .body = body, .body_max = HTTP_ERROR_BODY_MAX, .patience_s = END_PATIENCE};
    struct http_answer a = {0};
    int result = conversation_send(r, path, &request, &a, err);

    if (!result && a.status != 201 && a.status != 200)
        result = conversation_error(r, path, &a, err);
    else if (!result && a.digest && digest_valid(a.digest) && strcmp(a.digest, digest))
        result = err_set(err, EBADMSG, "the registry calls the manifest '%s' instead of '%s'",
                         a.digest, digest);
    *ret_retry_after = a.retry_after_s;
    http_answer_free(&a);
    return result;
}

int registry_put_manifest(struct registry *r, const char *tag_or_digest, const char *media_type,
                          const void *data, size_t len, struct err *err)
{
    cleanup_free char *path = str_format("manifests/%s", tag_or_digest);
    const struct http_body body = {.type = media_type, .data = data, .len = len};
    char digest[DIGEST_LEN + 1];
    struct retry retry = {0};
    int result;

    digest_of(data, len, digest);
    do
        result = put_once(r, path, &body, digest, &retry.retry_after_s, err);
    while (result < 0 && retry_wait(&retry, r->http, err) == 0);
    return result;
}
