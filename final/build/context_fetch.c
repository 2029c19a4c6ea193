/* A context, or a Dockerfile alone, as bytes come: the first of them show which it is. */
#include "build/context_fetch.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "build/unpack.h"
#include "registry/registry.h"

#define PIECE 65536

struct intake {
    int to;
    struct buf head; /* until there is enough of it */
    bool decided;
    struct unpack *unpack; /* decided: a tar */
    struct buf *text;      /* decided: a Dockerfile */
    const volatile bool *cancelled;
};

static int take_text(struct intake *in, const void *data, size_t len, struct err *err)
{
    if (in->text->len + len > CONTEXT_DOCKERFILE_MAX)
        return err_set(err, EFBIG,
                       "what came is neither a tar nor a Dockerfile: more than %u MiB of text",
                       CONTEXT_DOCKERFILE_MAX >> 20);
    buf_add(in->text, data, len);
    return 0;
}

static int decide(struct intake *in, struct err *err)
{
    cleanup_buf struct buf head = in->head;
    int r = 0;

    in->head = (struct buf){0};
    in->decided = true;
    if (head.len && unpack_may_be_tar(head.data, head.len))
        r = unpack_begin(in->to, &in->unpack, err);
    if (r < 0 || !head.len)
        return r;
    return in->unpack ? unpack_feed(in->unpack, head.data, head.len, err)
                      : take_text(in, head.data, head.len, err);
}

static int take(void *context, const void *data, size_t len, struct err *err)
{
    struct intake *in = context;

    if (in->cancelled && *in->cancelled)
        return err_set(err, ECANCELED, "cancelled");
    if (in->decided)
        return in->unpack ? unpack_feed(in->unpack, data, len, err) : take_text(in, data, len, err);
    buf_add(&in->head, data, len);
    return in->head.len < UNPACK_HEAD ? 0 : decide(in, err);
}

/* `r`: how it came to an end. */
static int finish(struct intake *in, int r, bool *ret_tar, struct err *err)
{
    if (r >= 0 && !in->decided)
        r = decide(in, err);
    *ret_tar = in->unpack != NULL;
    buf_free(&in->head);
    if (r < 0) {
        unpack_abort(in->unpack);
        return r;
    }
    return in->unpack ? unpack_finish(in->unpack, err) : 0;
}

static int read_all(struct intake *in, int input, struct err *err)
{
    cleanup_free char *piece = mem_alloc(PIECE);
    ssize_t n;
    int r = 0;

    while (!r && (n = read(input, piece, PIECE)) != 0) {
        if (n < 0 && errno != EINTR)
            return err_errno(err, "cannot read the build context");
        r = take(in, piece, n < 0 ? 0 : (size_t)n, err);
    }
    return r;
}

int context_take_input(int input, const volatile bool *cancelled, int to, struct buf *ret_text,
                       bool *ret_tar, struct err *err)
{
    struct intake in = {.to = to, .text = ret_text, .cancelled = cancelled};

    return finish(&in, read_all(&in, input, err), ret_tar, err);
}

static bool is_cancelled(void *context)
{
    const volatile bool *cancelled = ((struct intake *)context)->cancelled;

    return cancelled && *cancelled;
}

int context_take_url(const char *url, const volatile bool *cancelled, int to, struct buf *ret_text,
                     bool *ret_tar, struct err *err)
{
    struct intake in = {.to = to, .text = ret_text, .cancelled = cancelled};
    const struct registry_options options = {.cancelled = is_cancelled, .context = &in};

    return finish(&in, registry_fetch(url, &options, take, &in, err), ret_tar, err);
}
