/* What the container wrote is its overlay's upper directory; what is below belongs to the image and
 * is counted in its record already. */
#include "cli/sizes.h"

#include "base/cleanup.h"
#include "base/file.h"

unsigned long long sizes_container(struct engine *e, const struct container *c)
{
    return engine_container_size(e, c);
}

unsigned long long sizes_container_whole(struct engine *e, const struct container *c)
{
    unsigned long long bytes = sizes_container(e, c);
    struct image image;
    struct err err = {0};

    if (!store_image_by_prefix(e->store, c->image_id, &image, &err)) {
        bytes += image.size;
        image_free(&image);
    }
    return bytes;
}
