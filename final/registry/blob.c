/* A blob may be gigabytes, so it goes through in pieces and can go on where it broke off:
 * `position` counts what the sink has got, and every attempt asks for the rest with Range.
 *
 *     206 with the right Content-Range   the rest comes
 *     200                                all of it comes: the head is passed over
 *     416                                the server cannot: asked again without Range, as for 200
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "registry/answer.h"
#include "registry/conversation.h"
#include "registry/retry.h"

/* Progress that makes earlier failures forgotten. More than a byte, or a hostile server could keep
 * us for as many attempts as the blob has bytes. */
#define WORTHWHILE (256u << 10)

struct transfer {
    const char *digest;
    uint64_t size, position;
    registry_sink *sink;
    void *context;
    bool no_range;    /* the server refused it */
    bool sink_failed; /* its error is final */
    uint64_t skip;    /* of this answer */
    bool checked;     /* this answer's headers */
};

/* The headers of a success must fit what we asked for before a byte of it counts. */
static int check_headers(struct transfer *t, const struct http_answer *a, uint64_t from,
                         struct err *err)
{
    uint64_t expected = t->size;

    t->skip = t->position;
    if (a->status != 200 && a->status != 206)
        return err_set(err, EPROTO, "the registry answered with status %ld", a->status);
    if (a->status == 206) {
        if (!a->has_range || a->range_start != from ||
            (a->range_total && a->range_total != t->size))
            return err_set(err, EPROTO,
                           "the registry answered with another range of '%s' than asked for",
                           t->digest);
        t->skip = 0;
        expected -= from;
    }
    if (a->length >= 0 && (uint64_t)a->length != expected)
        return err_set(err, EPROTO, "'%s' has %lld bytes here, the manifest says %llu", t->digest,
                       (long long)a->length, (unsigned long long)expected);
    return 0;
}

static int take(void *context, const struct http_answer *a, const void *data, size_t len,
                struct err *err)
{
    struct transfer *t = context;
    const char *bytes = data;
    size_t pass;
    int r = t->checked ? 0 : check_headers(t, a, t->position, err);

    if (r < 0)
        return r;
    t->checked = true;
    pass = t->skip < len ? (size_t)t->skip : len;
    t->skip -= pass;
    len -= pass;
    if (!len)
        return 0;
    if (len > t->size - t->position)
        return err_set(err, EPROTO, "'%s' is longer than the %llu bytes in the manifest", t->digest,
                       (unsigned long long)t->size);
    r = t->sink(t->context, bytes + pass, len, err);
    t->sink_failed = r < 0;
    t->position += len;
    return r;
}

/* One attempt. -EAGAIN when the whole is to be asked for instead. A server's 416 can be right (the
 * partial file is of another blob) or a proxy's whim; the digest, checked by the caller over all
 * bytes, tells in the end. */
static int get_once(struct registry *r, struct transfer *t, struct http_answer *a, struct err *err)
{
    cleanup_free char *path = str_format("blobs/%s", t->digest);
    uint64_t from = t->no_range ? 0 : t->position;
    struct http_request request = {
        .range_from = from, .body_max = UINT64_MAX, .sink = take, .context = t};
    int result;

    t->checked = false;
    result = conversation_send(r, path, &request, a, err);
    if (result < 0)
        return result;
    if (a->status == 416 && from) {
        t->no_range = true;
        return err_set(err, EAGAIN, "the registry cannot send '%s' from byte %llu on", t->digest,
                       (unsigned long long)from);
    }
    if (a->status != 200 && a->status != 206)
        return conversation_error(r, path, a, err);
    if (t->position == t->size)
        return 0;
    return err_set(err, ECONNRESET, "'%s' ended after %llu of %llu bytes: unexpected EOF",
                   t->digest, (unsigned long long)t->position, (unsigned long long)t->size);
}

int registry_blob(struct registry *r, const char *digest, uint64_t size, uint64_t offset,
                  registry_sink *sink, void *context, struct err *err)
{
    struct transfer t = {
        .digest = digest, .size = size, .position = offset, .sink = sink, .context = context};
    struct retry retry = {0};
    int result = 0;

    if (offset > size)
        return err_set(err, EINVAL, "'%s' has %llu bytes, there is nothing at %llu", digest,
                       (unsigned long long)size, (unsigned long long)offset);
    /* Also ends at once when everything is here: "bytes=SIZE-" would be answered with 416. */
    while (t.position < size) {
        struct http_answer a = {0};
        uint64_t before = t.position;

        result = get_once(r, &t, &a, err);
        retry.retry_after_s = a.retry_after_s;
        http_answer_free(&a);
        if (!result || t.sink_failed)
            break;
        if (t.position - before >= WORTHWHILE)
            retry.failures = 0;
        retry.keep_trying = t.position > offset;
        result = retry_wait(&retry, r->http, err);
        if (result < 0)
            break;
    }
    return result;
}
