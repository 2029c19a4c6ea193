/* What the container wrote is its overlay's upper directory; what is below belongs to the image and
 * is counted in its record already. */
#include "cli/sizes.h"

#include "base/cleanup.h"
#include "base/file.h"

unsigned long long sizes_container(struct engine *e, const struct container *c)
{
    struct err err = {0};
    unsigned long long bytes = 0;
    cleanup_close int fd = store_container_dir(e->store, c->id, false, &err);

    if (fd < 0 || file_tree_size(fd, "upper", &bytes, &err) < 0)
        return 0;
    return bytes;
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
