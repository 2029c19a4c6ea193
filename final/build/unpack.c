/* What a layer's tar goes through is right for any other: names stay inside, links too, a bomb ends
 * at half of the disk. */
#include "build/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "image/image.h"

#define SUM_AT  148 /* the header's checksum: 8 bytes, octal; ustar, pax(1) */
#define SUM_LEN 8

struct unpack {
    int to;
    struct layer_unpack *layer;
};

/* The sum of all bytes of the header, its own field taken as blanks. */
static bool has_tar_sum(const unsigned char *head)
{
    char field[SUM_LEN + 1] = {0};
    unsigned long sum = 0;

    memcpy(field, head + SUM_AT, SUM_LEN);
    for (size_t i = 0; i < UNPACK_HEAD; i++)
        sum += i >= SUM_AT && i < SUM_AT + SUM_LEN ? ' ' : head[i];
    return sum != SUM_LEN * ' ' && strtoul(field, NULL, 8) == sum;
}

bool unpack_may_be_tar(const void *head, size_t len)
{
    if (strcmp(compression_of(head, len), "none") != 0)
        return true;
    return len >= UNPACK_HEAD && has_tar_sum(head);
}

int unpack_begin(int to, struct unpack **ret, struct err *err)
{
    static const struct layer_limits limits = {0};
    struct unpack *u = mem_alloc(sizeof *u);
    int r;

    u->to = to;
    r = layer_unpack_begin(to, NULL, &limits, &u->layer, err);
    if (r < 0) {
        free(u);
        return r;
    }
    *ret = u;
    return 0;
}

int unpack_feed(struct unpack *u, const void *data, size_t len, struct err *err)
{
    return layer_unpack_feed(u->layer, data, len, err);
}

int unpack_finish(struct unpack *u, struct err *err)
{
    struct layer_result result = {0};
    int r = layer_unpack_finish(u->layer, &result, err);

    if (r >= 0 && result.needs_parents)
        r = layer_complete(u->to, result.fixups, NULL, 0, err);
    layer_fixups_free(result.fixups);
    free(u);
    return r;
}

void unpack_abort(struct unpack *u)
{
    if (!u)
        return;
    layer_unpack_abort(u->layer);
    free(u);
}
