/* The name of a layer's tar without the tar: libcrypto reads along instead of a file. */
#include "image/layer.h"

static int add_to_hash(void *context, const void *data, size_t len, struct err *err)
{
    (void)err;
    hasher_add(context, data, len);
    return 0;
}

int layer_digest(int tree_fd, char ret_diff_id[DIGEST_LEN + 1], uint64_t *ret_size, struct err *err)
{
    struct hasher *hasher = hasher_new();
    int r = layer_write(tree_fd, add_to_hash, hasher, ret_size, err);

    if (r < 0)
        hasher_free(hasher);
    else
        hasher_finish(hasher, ret_diff_id);
    return r;
}
