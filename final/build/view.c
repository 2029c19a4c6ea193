/* The files of an image as one tree. One layer is its own directory; several are an overlay mount
 * without an upper directory, in a mount namespace that only exists for a moment: a thread makes
 * it, mounts, opens the root and ends. The namespace goes with the thread, the mount lives as long
 * as somebody has it open, and nothing else on the machine ever sees it. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "build/tree.h"
#include "runtime/runtime.h"

#define EMPTY ".empty" /* below layers/: what images without layers have; create.c makes it, too   \
                        */

struct showing {
    const char *base, *layers;
    int fd;
    struct err *err;
};

static void *show(void *context)
{
    struct showing *s = context;

    /* Mounted over layers/ itself: any directory that is there will do. */
    s->fd = runtime_show_layers(s->base, s->layers, s->base, s->err);
    return NULL;
}

static int mount_layers(struct store *store, const struct strv *dirs, struct err *err)
{
    cleanup_free char *base = str_format("%s/layers", store->root);
    cleanup_buf struct buf layers = {0};
    struct showing s = {.base = base, .fd = -1, .err = err};
    pthread_t thread;
    int r;

    for (size_t i = dirs->len; i-- > 0;)
        buf_printf(&layers, "%s%s", layers.len ? ":" : "", dirs->items[i]);
    s.layers = layers.data;
    r = pthread_create(&thread, NULL, show, &s);
    if (r)
        return err_set(err, r, "cannot start a thread: %s", strerror(r));
    pthread_join(thread, NULL);
    return s.fd;
}

static int open_layer(struct store *store, const char *dir, struct err *err)
{
    int fd = openat(store->layers_fd, dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? err_errno(err, "cannot open layer '%s'", dir) : fd;
}

int view_open(struct store *store, const struct strv *dirs, struct err *err)
{
    if (dirs->len > 1)
        return mount_layers(store, dirs, err);
    if (dirs->len == 1)
        return open_layer(store, dirs->items[0], err);
    if (mkdirat(store->layers_fd, EMPTY, 0755) < 0 && errno != EEXIST)
        return err_errno(err, "cannot make an empty layer");
    return open_layer(store, EMPTY, err);
}
