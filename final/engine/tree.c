/* tree.c - what a container wrote, and what that lies on: the upper directory of its overlay and
 * its image's layers. For commit and diff. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/internal.h"

/* Where an image has none of these, the runtime makes them to mount on (spec.c), and the engine the
 * empty file by which programs know that they are in a container (create.c). A user's own
 * mounts are not among them: docker, too, shows the directory that -v made. */
static const char *const mount_points[] = {
    ".dockerenv",      "dev",  "etc/hostname",     "etc/hosts",
    "etc/resolv.conf", "proc", "sbin/docker-init", "sys",
};

void container_mount_points(struct strv *ret)
{
    for (size_t i = 0; i < sizeof mount_points / sizeof *mount_points; i++)
        strv_add(ret, mount_points[i]);
}

/* Top first, as looking through them goes. */
static int open_layers(struct engine *e, const char *image_id, struct container_tree *t,
                       struct err *err)
{
    cleanup_strv struct strv dirs = {0};
    int r = store_image_layers(e->store, image_id, &dirs, NULL, err);

    t->layers = mem_alloc((dirs.len + 1) * sizeof *t->layers);
    for (size_t i = dirs.len; i-- > 0 && r >= 0;) {
        int fd = openat(e->store->layers_fd, dirs.items[i],
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
            return err_errno(err, "cannot open layer '%s'", dirs.items[i]);
        t->layers[t->below.count++] = fd;
    }
    return r;
}

int container_tree_open(struct engine *e, const struct container *c, struct container_tree *ret,
                        struct err *err)
{
    struct container_tree t = {.upper = -1};
    cleanup_close int dir = store_container_dir(e->store, c->id, false, err);
    int r = dir < 0 ? dir : open_layers(e, c->image_id, &t, err);

    if (!r)
        t.upper = openat(dir, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!r && t.upper < 0)
        r = err_errno(err, "cannot open what container %s wrote", c->name);
    if (r < 0) {
        container_tree_close(&t);
        return r;
    }
    container_mount_points(&t.mount_points);
    *ret = t;
    return 0;
}

const struct layer_below *container_tree_below(struct container_tree *t)
{
    t->below.fds = t->layers;
    t->below.mount_points = &t->mount_points;
    return &t->below;
}

void container_tree_close(struct container_tree *t)
{
    for (size_t i = 0; i < t->below.count; i++)
        close(t->layers[i]);
    free(t->layers);
    strv_free(&t->mount_points);
    close_fd(&t->upper);
}
