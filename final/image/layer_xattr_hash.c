/* Apart from layer_xattr.c, so that programs which only copy do not link libcrypto. */
#include <string.h>

#include "base/digest.h"
#include "image/layer.h"

int layer_hash_xattrs(int fd, struct hasher *hasher, struct err *err)
{
    struct layer_xattrs xattrs = {0};
    int r = layer_get_xattrs(fd, &xattrs, err);

    for (size_t i = 0; r >= 0 && i < xattrs.len; i++) {
        const struct tar_xattr *x = &xattrs.items[i];
        uint64_t size = x->size;

        hasher_add(hasher, x->name, strlen(x->name) + 1);
        hasher_add(hasher, &size, sizeof size);
        hasher_add(hasher, x->value, x->size);
    }
    layer_xattrs_free(&xattrs);
    return r;
}
